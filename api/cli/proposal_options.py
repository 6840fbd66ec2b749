"""What `brand proposal create` and `wallet vote propose` share: how a proposal is typed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from ledger.domains.voice.proposal_create import ProposalCreate
    from ledger.domains.voice.texts import TextDocument

TIME_FORMATS: Final = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"]
METHODS: Final = ("single", "approval", "ranked")

Proposal = Annotated[str, typer.Argument(metavar="PROPOSAL", help="The proposal's id: 64 hexadecimal digits.")]
Title = Annotated[str, typer.Argument(metavar="TITLE", help="The question, as voters read it.")]
Options = Annotated[list[str], typer.Option("--option", help="One answer to choose from; once for each, 2 to 16.")]
Method = Annotated[
    str, typer.Option("--method", help="single, approval (any number), or ranked (an order; at most 12).")
]
Until = Annotated[
    datetime, typer.Option("--until", formats=TIME_FORMATS, help="When voting ends, in UTC: 2027-01-31T00:00:00Z.")
]
RevealUntil = Annotated[
    datetime | None,
    typer.Option(
        "--reveal-until", formats=TIME_FORMATS, help="Votes are sealed, and opened from --until to this time."
    ),
]
Quorum = Annotated[int, typer.Option("--quorum", min=1, max=2**32 - 1, help="The least number of ballots.")]
PointsCap = Annotated[
    int | None,
    typer.Option(
        "--points-cap", min=1, max=2**31 - 1, help="Ballots weigh earned points, at most so many each; advice only."
    ),
]
ForCampaign = Annotated[
    str | None, typer.Option("--campaign", help="Only backers of this campaign vote, with what they pledged; binding.")
]
TextFile = Annotated[
    Path | None,
    typer.Option(
        "--text",
        help="A public text in UTF-8 that says more than the title.",
    ),
]


def read_draft(
    program: str,
    title: str,
    options: list[str],
    *,
    method: str,
    until: datetime,
    reveal_until: datetime | None,
    quorum: int,
    points_cap: int | None,
    campaign: str | None,
    text: Path | None,
) -> "tuple[ProposalCreate, TextDocument]":
    """The proposal that was typed, and its text. Raises BadParameter, UsageFault, Malformed."""
    from api.cli.session import read_id
    from api.cli.texts import make_document, read_document
    from ledger.domains.voice.proposal_create import ProposalCreate
    from ledger.domains.voice.state import METHOD_NAMES, OPENLY, SEALED, EachMember, EarnedPoints, PledgedTo
    from ledger.domains.voice.texts import text_hash
    from ledger.types import CampaignId, ProgramId

    if method not in METHODS:
        raise typer.BadParameter(f"--method is one of {', '.join(METHODS)}, not {method[:32]}")
    if points_cap is not None and campaign is not None:
        raise typer.BadParameter("ballots weigh points or pledges: --points-cap or --campaign")
    weight: Any = EachMember()
    if points_cap is not None:
        weight = EarnedPoints(points_cap)
    elif campaign is not None:
        weight = PledgedTo(CampaignId(read_id(campaign, "--campaign")))
    document = make_document(title, "TITLE") if text is None else read_document(text)
    draft = ProposalCreate(
        program=ProgramId(read_id(program, "PROGRAM")),
        title=title,
        text=text_hash(document),
        options=tuple(options),
        method=METHOD_NAMES.index(method),
        mode=OPENLY if reveal_until is None else SEALED,
        weight=weight,
        quorum=quorum,
        voting_until=read_time(until),
        reveal_until=read_time(reveal_until) if reveal_until is not None else read_time(None),
    )
    return draft, document


def read_time(moment: datetime | None) -> Any:
    """Seconds since 1970 of a time in UTC; 0 for none."""
    from ledger.types import Timestamp

    return Timestamp(0 if moment is None else int(moment.replace(tzinfo=UTC).timestamp()))
