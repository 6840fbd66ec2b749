"""A campaign's terms as they are typed: tiers, add-ons, stretch goals and milestones as LEAST:PLACES:TITLE and the like."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.options import AMOUNT_MAX

if TYPE_CHECKING:
    from ledger.domains.crowdfunding.terms import CampaignTerms
    from ledger.types import Timestamp

Deadline = Annotated[str, typer.Option("--deadline", help="When it ends, in UTC: 2027-01-31T00:00:00Z.")]
KeepItAll = Annotated[
    bool, typer.Option("--keep-it-all", help="Keep what was pledged even if the goal is not reached.")
]
Tiers = Annotated[
    list[str] | None,
    typer.Option("--tier", metavar="LEAST:PLACES:TITLE", help="A tier; 0 places is no limit. Once for each."),
]
AddOns = Annotated[
    list[str] | None,
    typer.Option("--add-on", metavar="PRICE:PIECES:TITLE", help="What can be had besides; 0 pieces is no limit."),
]
Stretch = Annotated[
    list[str] | None,
    typer.Option("--stretch", metavar="AMOUNT:TITLE", help="What is promised besides if more comes in."),
]
Milestones = Annotated[
    list[str] | None,
    typer.Option(
        "--milestone",
        metavar="PERCENT:DATE:TITLE",
        help="What is released when; backers vote on it. The first date may be `now`: at the deadline.",
    ),
]
Reserve = Annotated[str, typer.Option("--reserve", metavar="PERCENT", help="Kept until delivery.")]
Delivery = Annotated[str | None, typer.Option("--delivery", metavar="DATE", help="When it will be delivered.")]
Grace = Annotated[float, typer.Option("--grace-days", help="How late a step may be shown; 0.5 is half a day.")]
Vote = Annotated[float, typer.Option("--vote-days", help="How long backers vote.")]
Retry = Annotated[float, typer.Option("--retry-days", help="Time for a second try at what was rejected; 0: none.")]
SilenceApproves = Annotated[
    bool, typer.Option("--silence-approves/--silence-rejects", help="What it means if a backer says nothing.")
]
LateUntil = Annotated[str | None, typer.Option("--late-until", metavar="DATE", help="Take late pledges until then.")]
DeliveryForms = Annotated[
    bool, typer.Option("--delivery-forms", help="Take backers' addresses and sizes, encrypted to this wallet.")
]
ForProgram = Annotated[
    str | None, typer.Option("--program", help="Collect this program's points instead of coin; you must own it.")
]
LicensorKey = Annotated[
    str | None,
    typer.Option("--licensor-key", metavar="KEY", help="With --program of another owner: its `wallet public-key`."),
]
LicenceFile = Annotated[
    Path | None, typer.Option("--out", help="With --licensor-key: where to write the file that the owner signs.")
]

MOMENT_FORMATS: Final = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d")
SECONDS_A_DAY: Final = 86_400
WINDOW_DAYS: Final = {"--grace-days": (60, 366), "--vote-days": (60, 60), "--retry-days": (0, 90)}
"""For each length of time the least in seconds and the most in days, as CRF-1 bounds them."""
AT_SETTLEMENT: Final = "now"
"""The due time of a first milestone that is released when the campaign is settled."""


def read_moment(text: str, name: str) -> "Timestamp":
    """A time in UTC: 2027-01-31, or 2027-01-31T18:00:00Z."""
    from ledger.types import Timestamp

    for form in MOMENT_FORMATS:
        try:
            return Timestamp(int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()))
        except ValueError:
            continue
    raise typer.BadParameter(f"{name} is a date in UTC such as 2027-01-31 or 2027-01-31T18:00:00Z, not {text[:60]}")


def read_share(text: str, name: str) -> int:
    """Hundredths of a percent from a percentage such as 30 or 12.5."""
    try:
        share = Decimal(text) * 100
    except InvalidOperation:
        share = Decimal(-1)
    if not share.is_finite() or not 0 <= share <= 10_000 or share != int(share):
        raise typer.BadParameter(f"{name} is a percentage from 0 to 100 with at most two decimals, not {text[:60]}")
    return int(share)


def read_seconds(days: float, name: str) -> int:
    """Seconds of so many days."""
    least, most = WINDOW_DAYS[name]
    seconds = round(days * SECONDS_A_DAY) if 0 <= days <= most else -1
    if seconds < least:
        start = "0" if least == 0 else f"{least / SECONDS_A_DAY:.4f} (a minute)"
        raise typer.BadParameter(f"{name} is a number of days from {start} to {most}, not {days:g}")
    return seconds


def show_share(share: int) -> str:
    """Hundredths of a percent as they are typed: 30 %."""
    return f"{share / 100:g} %"


def read_places(texts: Sequence[str] | None, noun: str) -> tuple[tuple[str, int, int], ...]:
    """(title, least or price, places) from LEAST:PLACES:TITLE."""
    return tuple(_read_place(text, noun) for text in texts or ())


def _read_place(text: str, noun: str) -> tuple[str, int, int]:
    least, _, rest = text.partition(":")
    places, _, title = rest.partition(":")
    if not (_is_number(least) and _is_number(places) and title):
        raise typer.BadParameter(f"{noun} is LEAST:PLACES:TITLE, such as 20000:100:Early, not {text[:60]}")
    if int(least[:20]) > AMOUNT_MAX or int(places[:20]) >= 2**31:
        raise typer.BadParameter(f"{noun} with smaller numbers, please: those of {text[:60]} are too large")
    return (title, int(least[:20]), int(places[:20]))


def read_stretch(texts: Sequence[str] | None) -> tuple[tuple[int, str], ...]:
    """(amount, title) from AMOUNT:TITLE."""
    found: list[tuple[int, str]] = []
    for text in texts or ():
        amount, _, title = text.partition(":")
        if not (_is_number(amount) and title) or int(amount[:20]) > AMOUNT_MAX:
            raise typer.BadParameter(f"a stretch goal is AMOUNT:TITLE, such as 9000000:Brass, not {text[:60]}")
        found.append((int(amount[:20]), title))
    return tuple(found)


def read_milestones(texts: Sequence[str] | None) -> tuple[tuple[str, int, int], ...]:
    """(title, share, due time) from PERCENT:DATE:TITLE, where the first date may be `now`."""
    found: list[tuple[str, int, int]] = []
    for text in texts or ():
        percent, _, rest = text.partition(":")
        due, title = _split_date(rest)
        if not title:
            raise typer.BadParameter(f"a milestone is PERCENT:DATE:TITLE, such as 30:2027-03-31:Mould, not {text[:60]}")
        time = 0 if due == AT_SETTLEMENT else read_moment(due, "a milestone's date")
        found.append((title, read_share(percent, "a milestone's share"), time))
    return tuple(found)


def _split_date(rest: str) -> tuple[str, str]:
    """The date (which may hold colons before its Z) and what follows it."""
    day, _, title = rest.partition(":")
    if "T" in day and not day.endswith("Z"):
        clock, _, title = title.partition("Z:")
        return f"{day}:{clock}Z", title
    return day, title


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def build_terms(
    title: str,
    goal: int,
    *,
    lists: Mapping[str, Sequence[str] | None],
    dates: Mapping[str, str | None],
    windows: Mapping[str, float],
    reserve: str,
    program: str | None,
    keep_it_all: bool,
    silence_approves: bool,
) -> "CampaignTerms":
    """The terms of what was typed: lists, dates and windows by the names of their options."""
    from api.cli.session import read_id
    from ledger.domains.crowdfunding.terms import AT_SETTLEMENT as ALL_AT_SETTLEMENT
    from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit
    from ledger.params import SHARES
    from ledger.types import ProgramId, Timestamp

    times = {
        name: Timestamp(0) if text is None else read_moment(text, f"--{name.replace('_', '-')}")
        for name, text in dates.items()
    }
    seconds = {name: read_seconds(days, f"--{name}-days") for name, days in windows.items()}
    reserved, steps = read_share(reserve, "--reserve"), read_milestones(lists["milestones"])
    if reserved and dates["delivery"] is None:
        raise typer.BadParameter("--reserve is kept until delivery: name its date with --delivery")
    shares = reserved + sum(share for _, share, _ in steps)
    if shares != SHARES and (steps or reserved):
        raise typer.BadParameter(f"milestones and reserve must sum to 100 %, not {show_share(shares)}")
    return CampaignTerms(
        title,
        CoinUnit() if program is None else PointsUnit(ProgramId(read_id(program, "--program"))),
        goal,
        times["deadline"],
        read_places(lists["tiers"], "a tier"),
        all_or_nothing=not keep_it_all,
        add_ons=read_places(lists["add_ons"], "an add-on"),
        stretch=read_stretch(lists["stretch"]),
        milestones=steps or (() if reserved else ALL_AT_SETTLEMENT),
        reserve=reserved,
        delivery_due=times["delivery"],
        grace_seconds=seconds["grace"],
        vote_seconds=seconds["vote"],
        retry_seconds=seconds["retry"],
        silence_approves=silence_approves,
        late_until=times["late_until"],
    )
