"""A campaign's terms as they are typed: tiers, add-ons, stretch goals and milestones as LEAST:PLACES:TITLE and the like."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

import typer

from api.cli.options import AMOUNT_MAX

if TYPE_CHECKING:
    from ledger.types import Timestamp

MOMENT_FORMATS: Final = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d")
SECONDS_A_DAY: Final = 86_400
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
    if not 0 <= days <= 366:
        raise typer.BadParameter(f"{name} is a number of days from 0 to 366")
    return round(days * SECONDS_A_DAY)


def read_places(texts: Sequence[str] | None, noun: str) -> tuple[tuple[str, int, int], ...]:
    """(title, least or price, places) from LEAST:PLACES:TITLE."""
    return tuple(_read_place(text, noun) for text in texts or ())


def _read_place(text: str, noun: str) -> tuple[str, int, int]:
    least, _, rest = text.partition(":")
    places, _, title = rest.partition(":")
    if not (_is_number(least) and _is_number(places) and title):
        raise typer.BadParameter(f"{noun} is LEAST:PLACES:TITLE, such as 20000:100:Early, not {text[:60]}")
    if int(least[:20]) > AMOUNT_MAX or int(places[:20]) >= 2**31:
        raise typer.BadParameter(f"the numbers of {text[:60]} are too large")
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
