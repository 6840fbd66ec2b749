"""`fansumer creator`: campaigns."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from api.cli.options import AMOUNT_MAX, DEFAULT_URL, Account, AsJson, CampaignId, Url, Wait, WalletFile

app = typer.Typer(no_args_is_help=True, help="A creator's campaigns: all or nothing by a deadline.")

DEADLINE_FORMATS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"]


@app.command("create-campaign")
def create_campaign(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is asked for, as backers read it.")],
    goal: Annotated[int, typer.Option("--goal", min=1, max=AMOUNT_MAX, help="How much, in the smallest unit.")],
    deadline: Annotated[
        datetime,
        typer.Option("--deadline", formats=DEADLINE_FORMATS, help="When it ends, in UTC: 2027-01-31T00:00:00Z."),
    ],
    tiers: Annotated[
        list[str] | None,
        typer.Option("--tier", metavar="LEAST:PLACES:TITLE", help="A tier; 0 places is no limit. Once for each."),
    ] = None,
    program: Annotated[
        str | None, typer.Option("--program", help="Collect this program's points instead of coin; you must own it.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Ask fans to back a product. Its terms can't be changed once it is made.

    \b
    Examples:
      fansumer creator create-campaign "A board game" --goal 5000000 --deadline 2027-01-31 --tier 20000:100:Early
      fansumer creator create-campaign "New bread" --goal 500 --deadline 2027-01-31T18:00:00Z --program 5f5f...5f
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.creator import Creator
    from ledger.types import ProgramId, Timestamp

    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    ends = Timestamp(int(deadline.replace(tzinfo=UTC).timestamp()))
    parsed = [_parse_tier(text) for text in tiers or ()]
    with open_wallet(url, wallet, account) as opened:
        sent = Creator(opened).create_campaign(title, goal=goal, deadline=ends, tiers=parsed, program=of_program)
        finish(opened, sent, wait=wait, as_json=as_json, noun="campaign")


@app.command()
def status(
    campaign: CampaignId,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show a campaign: what was pledged, and what became of it.

    \b
    Example:
      fansumer creator status c3c3...c3
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, read_id

    with connect(url) as client:
        print_answer(client.campaign(read_id(campaign, "CAMPAIGN")), as_json=as_json)


def _parse_tier(text: str) -> tuple[str, int, int]:
    """(title, least pledge, places) from LEAST:PLACES:TITLE."""
    least, _, rest = text.partition(":")
    places, _, title = rest.partition(":")
    if not (least.isascii() and least.isdigit() and places.isascii() and places.isdigit() and title):
        raise typer.BadParameter(f"a tier is LEAST:PLACES:TITLE, such as 20000:100:Early, not {text[:60]}")
    if int(least[:20]) > AMOUNT_MAX or int(places[:20]) >= 2**31:
        raise typer.BadParameter(f"the numbers of the tier {text[:60]} are too large")
    return (title, int(least[:20]), int(places[:20]))
