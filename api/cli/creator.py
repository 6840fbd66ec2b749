"""`fansumer creator`: campaigns, from what is promised to what was delivered."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import campaign_terms as typed
from api.cli import updates
from api.cli.options import AMOUNT_MAX, DEFAULT_URL, Account, AsJson, Campaign, Limit, Url, Wait, WalletFile

if TYPE_CHECKING:
    from api.wallet.wallet import Wallet
    from ledger.domains.crowdfunding.terms import CampaignTerms
    from ledger.types import Hash

app = typer.Typer(
    no_args_is_help=True,
    help="A creator's campaigns: what is promised, shown and delivered, with others' money in escrow.",
)

TextFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file whose SHA-256 is published; it stays with you.")
]
COLUMNS = ("title", "status", "pledged", "goal", "escrowed", "released", "returned", "late_days", "id")


@app.command("create-campaign")
def create_campaign(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is asked for, as backers read it.")],
    goal: Annotated[int, typer.Option("--goal", min=1, max=AMOUNT_MAX, help="How much, in the smallest unit.")],
    deadline: typed.Deadline,
    keep_it_all: typed.KeepItAll = False,
    tiers: typed.Tiers = None,
    add_ons: typed.AddOns = None,
    stretch: typed.Stretch = None,
    milestones: typed.Milestones = None,
    reserve: typed.Reserve = "0",
    delivery: typed.Delivery = None,
    grace: typed.Grace = 30.0,
    vote: typed.Vote = 7.0,
    retry: typed.Retry = 14.0,
    silence_approves: typed.SilenceApproves = False,
    late_until: typed.LateUntil = None,
    delivery_forms: typed.DeliveryForms = False,
    program: typed.ForProgram = None,
    licensor: typed.LicensorKey = None,
    out: typed.LicenceFile = None,
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
    if delivery_forms and delivery is None:
        raise typer.BadParameter("--delivery-forms needs --delivery, the date by which you deliver")
    if licensor is not None and (program is None or out is None):
        raise typer.BadParameter("--licensor-key needs --program, and --out for the file that its owner signs")
    lists = {"tiers": tiers, "add_ons": add_ons, "stretch": stretch, "milestones": milestones}
    dates = {"deadline": deadline, "delivery": delivery, "late_until": late_until}
    windows = {"grace": grace, "vote": vote, "retry": retry}
    terms = typed.build_terms(
        title,
        goal,
        lists=lists,
        dates=dates,
        windows=windows,
        reserve=reserve,
        program=program,
        keep_it_all=keep_it_all,
        silence_approves=silence_approves,
    )
    from api.cli.session import finish, open_wallet
    from api.wallet.creator import Creator

    with open_wallet(url, wallet, account) as opened:
        terms = _with_key(opened, terms) if delivery_forms else terms
        if licensor is not None and out is not None:
            _ask_licence(opened, terms, licensor, out, as_json=as_json)
            return
        finish(opened, Creator(opened).publish(terms), wait=wait, as_json=as_json, noun="campaign")


def _with_key(opened: "Wallet", terms: "CampaignTerms") -> "CampaignTerms":
    """The terms with this wallet's key for delivery forms."""
    from dataclasses import replace

    from api.wallet.delivery_forms import delivery_key_of

    return replace(terms, delivery_key=delivery_key_of(opened))


def _ask_licence(opened: "Wallet", terms: "CampaignTerms", licensor: str, out: Path, *, as_json: bool) -> None:
    """Write the half-signed campaign for the program's owner."""
    from api.cli.output import print_answer, say
    from api.cli.session import read_id, write_file
    from api.wallet.creator import Creator
    from ledger.domains.crowdfunding.terms import PointsUnit
    from ledger.hashing import object_id
    from ledger.policy import Policy
    from ledger.types import PublicKey

    assert isinstance(terms.unit, PointsUnit), "a licence is of a program's points"
    policy = Policy(1, (PublicKey(read_id(licensor, "--licensor-key")),))
    asked = Creator(opened).ask_licence(terms, terms.unit.program, policy)
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

    wanted = read_id(campaign, "CAMPAIGN")
    with connect(url) as client:
        shown = {**client.campaign(wanted), "latest_update": updates.latest_update(client, wanted)}
    if not as_json:
        steps = [step | {"share": typed.show_share(step["share"])} for step in shown["steps"]]
        shown = {**shown, "reserve": typed.show_share(shown["reserve"]), "steps": steps}
    print_answer(shown, as_json=as_json)


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


app.command("post-update")(updates.post_update)
app.command("check-update")(updates.check_update)


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
