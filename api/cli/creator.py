"""`fansumer creator`: campaigns, from what is promised to what was delivered."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import AMOUNT_MAX, DEFAULT_URL, Account, AsJson, Limit, Url, Wait, WalletFile

if TYPE_CHECKING:
    from api.wallet.wallet import Wallet
    from ledger.domains.crowdfunding.terms import CampaignTerms
    from ledger.types import Hash

app = typer.Typer(
    no_args_is_help=True,
    help="A creator's campaigns: what is promised, shown and delivered, with others' money in escrow.",
)

Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's id: 64 hexadecimal digits.")]
TextFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file whose SHA-256 is published; it stays with you.")
]
COLUMNS = ("title", "status", "pledged", "goal", "escrowed", "released", "returned", "late_days", "id")
DAYS_HELP = "in days; parts of a day such as 0.5 are days, too."


@app.command("create-campaign")
def create_campaign(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is asked for, as backers read it.")],
    goal: Annotated[int, typer.Option("--goal", min=1, max=AMOUNT_MAX, help="How much, in the smallest unit.")],
    deadline: Annotated[str, typer.Option("--deadline", help="When it ends, in UTC: 2027-01-31T00:00:00Z.")],
    keep_it_all: Annotated[
        bool, typer.Option("--keep-it-all", help="Keep what was pledged even if the goal is not reached.")
    ] = False,
    tiers: Annotated[
        list[str] | None,
        typer.Option("--tier", metavar="LEAST:PLACES:TITLE", help="A tier; 0 places is no limit. Once for each."),
    ] = None,
    add_ons: Annotated[
        list[str] | None,
        typer.Option("--add-on", metavar="PRICE:PIECES:TITLE", help="What can be had besides; 0 pieces is no limit."),
    ] = None,
    stretch: Annotated[
        list[str] | None,
        typer.Option("--stretch", metavar="AMOUNT:TITLE", help="What is promised besides if more comes in."),
    ] = None,
    milestones: Annotated[
        list[str] | None,
        typer.Option(
            "--milestone",
            metavar="PERCENT:DATE:TITLE",
            help="What is released when; backers vote on it. The first date may be `now`: at the deadline.",
        ),
    ] = None,
    reserve: Annotated[str, typer.Option("--reserve", metavar="PERCENT", help="Kept until delivery.")] = "0",
    delivery: Annotated[
        str | None, typer.Option("--delivery", metavar="DATE", help="When it will be delivered.")
    ] = None,
    grace: Annotated[float, typer.Option("--grace-days", help=f"How late a step may be shown, {DAYS_HELP}")] = 30.0,
    vote: Annotated[float, typer.Option("--vote-days", help=f"How long backers vote, {DAYS_HELP}")] = 7.0,
    retry: Annotated[float, typer.Option("--retry-days", help=f"Time for a second try, {DAYS_HELP} 0: none.")] = 14.0,
    silence_approves: Annotated[
        bool, typer.Option("--silence-approves/--silence-rejects", help="What it means if a backer says nothing.")
    ] = False,
    late_until: Annotated[
        str | None, typer.Option("--late-until", metavar="DATE", help="Take late pledges until then.")
    ] = None,
    delivery_forms: Annotated[
        bool, typer.Option("--delivery-forms", help="Take backers' addresses and sizes, encrypted to this wallet.")
    ] = False,
    program: Annotated[
        str | None, typer.Option("--program", help="Collect this program's points instead of coin; you must own it.")
    ] = None,
    licensor: Annotated[
        str | None,
        typer.Option("--licensor-key", metavar="KEY", help="With --program of another owner: its `wallet public-key`."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="With --licensor-key: where to write the file that the owner signs.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Ask fans to back a product. Its terms can't be changed once it is made: whoever backs it backs these.

    Without milestones everything is released at the deadline. Shares and reserve must sum to 100 %.

    \b
    Examples:
      fansumer creator create-campaign "A board game" --goal 5000000 --deadline 2027-01-31 --tier 20000:100:Early
      fansumer creator create-campaign "A lamp" --goal 9000 --deadline 2027-01-31 --milestone 30:now:Start
        --milestone 30:2027-04-30:Mould --reserve 40 --delivery 2027-09-30 --delivery-forms
      fansumer creator create-campaign "New bread" --goal 500 --deadline 2027-01-31T18:00:00Z --program 5f5f...5f
    """
    from api.cli import campaign_terms as typed
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.creator import Creator
    from api.wallet.delivery_forms import delivery_key_of
    from ledger.domains.crowdfunding.terms import AT_SETTLEMENT, CampaignTerms, CoinUnit, PointsUnit
    from ledger.types import ProgramId, Timestamp

    if licensor is not None and (program is None or out is None):
        raise typer.BadParameter("--licensor-key needs --program, and --out for the file that its owner signs")
    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    reserved, steps = typed.read_share(reserve, "--reserve"), typed.read_milestones(milestones)
    terms = CampaignTerms(
        title,
        CoinUnit() if of_program is None else PointsUnit(of_program),
        goal,
        typed.read_moment(deadline, "--deadline"),
        typed.read_places(tiers, "a tier"),
        all_or_nothing=not keep_it_all,
        add_ons=typed.read_places(add_ons, "an add-on"),
        stretch=typed.read_stretch(stretch),
        milestones=steps or (() if reserved else AT_SETTLEMENT),
        reserve=reserved,
        delivery_due=Timestamp(0) if delivery is None else typed.read_moment(delivery, "--delivery"),
        grace_seconds=typed.read_seconds(grace, "--grace-days"),
        vote_seconds=typed.read_seconds(vote, "--vote-days"),
        retry_seconds=typed.read_seconds(retry, "--retry-days"),
        silence_approves=silence_approves,
        late_until=Timestamp(0) if late_until is None else typed.read_moment(late_until, "--late-until"),
    )
    with open_wallet(url, wallet, account) as opened:
        if delivery_forms:
            from dataclasses import replace

            terms = replace(terms, delivery_key=delivery_key_of(opened))
        if licensor is not None and out is not None and of_program is not None:
            _ask_licence(opened, terms, of_program, licensor, out, as_json=as_json)
            return
        finish(opened, Creator(opened).publish(terms), wait=wait, as_json=as_json, noun="campaign")


def _ask_licence(
    opened: "Wallet", terms: "CampaignTerms", program: bytes, licensor: str, out: Path, *, as_json: bool
) -> None:
    """Write the half-signed campaign for the program's owner."""
    from api.cli.output import print_answer, say
    from api.cli.session import read_id, write_file
    from api.wallet.creator import Creator
    from ledger.hashing import object_id
    from ledger.policy import Policy
    from ledger.types import ProgramId, PublicKey

    policy = Policy(1, (PublicKey(read_id(licensor, "--licensor-key")),))
    asked = Creator(opened).ask_licence(terms, ProgramId(program), policy)
    write_file(out, asked.to_json().encode())
    campaign = object_id("campaign", asked.txid, 0).hex()
    print_answer({"campaign": campaign, "file": str(out), "missing": asked.missing}, as_json=as_json)
    say(f"The program's owner: fansumer wallet together sign {out}, then fansumer wallet together submit {out}")


@app.command()
def status(campaign: Campaign, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show a campaign: what was promised, how it stands in words, each step with its lateness, and the vote that is open.

    \b
    Example:
      fansumer creator status c3c3...c3
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, read_id

    with connect(url) as client:
        print_answer(client.campaign(read_id(campaign, "CAMPAIGN")), as_json=as_json)


@app.command()
def campaigns(
    wallet: WalletFile = None, account: Account = 0, limit: Limit = 50, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """List your campaigns and what became of them, as everybody sees it.

    \b
    Example:
      fansumer creator campaigns
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet

    with open_wallet(url, wallet, account) as opened:
        page = opened.client.backing.campaigns_of(opened.address_text(opened.main.address), limit=limit)
    if as_json:
        print_json(page)
    else:
        print_rows(list(page["items"]), COLUMNS)


@app.command()
def submit(
    campaign: Campaign,
    evidence: TextFile,
    step: Annotated[
        int | None, typer.Option("--step", min=0, max=12, help="The step, the first is 0; by default the present one.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Show the present step (a milestone, or at last the delivery) as done; the backers vote on it.

    \b
    Example:
      fansumer creator submit c3c3...c3 photo-of-the-mould.jpg
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.creator import Creator
    from ledger.types import CampaignId

    wanted = CampaignId(read_id(campaign, "CAMPAIGN"))
    digest = _digest(evidence)
    with open_wallet(url, wallet, account) as opened:
        finish(opened, Creator(opened).submit(wanted, digest, step=step), wait=wait, as_json=as_json)


@app.command("post-update")
def post_update(
    campaign: Campaign,
    text: TextFile,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Tell the backers something that you can't change afterwards: the chain keeps the text's SHA-256, you publish the text.

    \b
    Example:
      fansumer creator post-update c3c3...c3 news-of-march.txt
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.creator import Creator
    from ledger.types import CampaignId

    wanted = CampaignId(read_id(campaign, "CAMPAIGN"))
    digest = _digest(text)
    with open_wallet(url, wallet, account) as opened:
        sent = Creator(opened).post_update(wanted, digest)
        finish(opened, sent, wait=wait, as_json=as_json, number_in="campaign.update_posted")


@app.command("check-update")
def check_update(campaign: Campaign, text: TextFile, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Check whether a text is an update of this campaign, word for word, and when it was posted.

    \b
    Example:
      fansumer creator check-update c3c3...c3 news-of-march.txt
    """
    from functools import partial

    from api.cli.output import print_answer
    from api.cli.session import connect, read_id

    wanted, digest = read_id(campaign, "CAMPAIGN"), _digest(text).hex()
    with connect(url) as client:
        read = partial(client.backing.history, event="campaign.update_posted")
        rows = client.every(read, wanted)
        found = next((row for row in rows if row["data"]["text_hash"] == digest), None)
    if found is None:
        print_answer({"posted": False, "sha256": digest}, as_json=as_json)
        raise typer.Exit(1)
    answer = {"posted": True, "number": found["data"]["number"], "date": found["date"], "height": found["height"]}
    print_answer({**answer, "sha256": digest}, as_json=as_json)


@app.command("cancel-campaign")
def cancel_campaign(
    campaign: Campaign,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Give a campaign up: everything that is not yet released goes back to its backers, by itself.

    \b
    Example:
      fansumer creator cancel-campaign c3c3...c3
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.creator import Creator
    from ledger.types import CampaignId

    wanted = CampaignId(read_id(campaign, "CAMPAIGN"))
    with open_wallet(url, wallet, account) as opened:
        finish(opened, Creator(opened).cancel(wanted), wait=wait, as_json=as_json)


@app.command("delivery-forms")
def delivery_forms(
    campaign: Campaign,
    delete: Annotated[
        int | None, typer.Option("--delete", min=0, max=2**32 - 1, help="Delete the form of this pledge at the node.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Read where your backers want things sent. Only the wallet that made the campaign can open the forms.

    \b
    Examples:
      fansumer creator delivery-forms c3c3...c3
      fansumer creator delivery-forms c3c3...c3 --delete 0
    """
    from api.cli.output import print_answer, print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from api.wallet.creator import Creator
    from ledger.types import CampaignId

    wanted = CampaignId(read_id(campaign, "CAMPAIGN"))
    with open_wallet(url, wallet, account) as opened:
        creator = Creator(opened)
        if delete is not None:
            print_answer(creator.drop_form(wanted, delete), as_json=as_json)
            return
        rows = [
            {"number": item["number"], "backer": item["backer"], "date": item["date"], "text": text}
            for item, text in creator.delivery_forms(wanted)
        ]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ("number", "backer", "date", "text"))


def _digest(path: Path) -> "Hash":
    """SHA-256 of a file's bytes."""
    from hashlib import file_digest

    from api.cli.output import UsageFault
    from api.cli.session import FILE_FAILED
    from ledger.types import Hash

    try:
        with path.open("rb") as file:
            return Hash(file_digest(file, "sha256").digest())
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(path), reason=fault.strerror or "it cannot be read") from None
