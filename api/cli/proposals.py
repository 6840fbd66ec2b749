"""`fansumer brand proposal`: what an owner asks, answers and fulfils; and what everybody can read of proposals."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Limit, Program, Url, Wait, WalletFile
from api.cli.proposal_options import (
    TIME_FORMATS,
    ForCampaign,
    Method,
    Options,
    PointsCap,
    Proposal,
    Quorum,
    RevealUntil,
    TextFile,
    Title,
    Until,
    read_draft,
    read_time,
)
from api.cli.texts import text_of, with_texts

brand_app = typer.Typer(no_args_is_help=True, help="Ask members and backers, answer, and keep your word.")

Why = Annotated[str, typer.Option("--why", help="The reason, in words: everybody can read it.")]
LIST_COLUMNS = {
    "id": "proposal",
    "title": "title",
    "status": "status",
    "method": "method",
    "mode": "votes",
    "voting_until_date": "voting until",
    "tally.counted": "counted",
    "tally.quorum": "quorum",
}


@brand_app.command()
def create(
    program: Program,
    title: Title,
    options: Options,
    until: Until,
    quorum: Quorum = 1,
    method: Method = "single",
    reveal_until: RevealUntil = None,
    points_cap: PointsCap = None,
    campaign: ForCampaign = None,
    text: TextFile = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Ask the members of your program, or the backers of your campaign.

    Who may vote was there before the question: the state one block earlier decides. With --campaign the result binds you.

    \b
    Examples:
      fansumer brand proposal create 5f5f...5f "Which bread?" --option rye --option spelt --until 2027-01-31 --quorum 20
      fansumer brand proposal create 5f5f...5f "When?" --option now --option later --until 2027-01-31 --campaign c3...c3
    """
    from api.cli.session import open_wallet
    from api.cli.texts import finish_with_text, keep_document

    draft, document = read_draft(
        program,
        title,
        options,
        method=method,
        until=until,
        reveal_until=reveal_until,
        quorum=quorum,
        points_cap=points_cap,
        campaign=campaign,
        text=text,
    )
    with open_wallet(url, wallet, account) as opened:
        kept = keep_document(document)
        sent = _asker(opened).propose(draft)
        finish_with_text(opened, sent, kept, wait=wait, as_json=as_json, noun="proposal")


@brand_app.command()
def adopt(
    proposal: Proposal,
    due: Annotated[
        datetime, typer.Option("--due", formats=TIME_FORMATS, help="By when you will do it, in UTC: 2027-06-30.")
    ],
    why: Why,
    product: Annotated[
        str | None, typer.Option("--product", help="The campaign or the reward that it is about: its id.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Promise the winner by a date: it is kept, late or, 30 days after the date, broken, for everybody to see.

    \b
    Example:
      fansumer brand proposal adopt p1p1...p1 --due 2027-06-30 --why "You asked for rye."
    """
    from api.cli.session import open_wallet, read_id
    from api.cli.texts import finish_with_text, keep_document, make_document
    from ledger.types import Hash

    document = make_document(why, "--why")
    named = Hash(b"") if product is None else Hash(read_id(product, "--product"))
    with open_wallet(url, wallet, account) as opened:
        kept = keep_document(document)
        sent = _asker(opened).adopt(_id(proposal), due_at=read_time(due), why=kept.hash, product=named)
        finish_with_text(opened, sent, kept, wait=wait, as_json=as_json)


@brand_app.command()
def decline(
    proposal: Proposal,
    why: Why,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Say no, and why. What backers decided with a quorum can't be declined.

    \b
    Example:
      fansumer brand proposal decline p1p1...p1 --why "The oven is too small."
    """
    from api.cli.session import open_wallet
    from api.cli.texts import finish_with_text, keep_document, make_document

    document = make_document(why, "--why")
    with open_wallet(url, wallet, account) as opened:
        kept = keep_document(document)
        sent = _asker(opened).decline(_id(proposal), why=kept.hash)
        finish_with_text(opened, sent, kept, wait=wait, as_json=as_json)


@brand_app.command()
def fulfil(
    proposal: Proposal,
    evidence: Annotated[Path, typer.Option("--evidence", help="A file that shows it: its SHA-256 goes on the chain.")],
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Say that what you adopted is done. Keep the file: readers will ask for it.

    \b
    Example:
      fansumer brand proposal fulfil p1p1...p1 --evidence photo.jpg
    """
    from api.cli.session import finish, open_wallet, read_bytes
    from api.wallet.voice import hash_evidence

    digest = hash_evidence(read_bytes(evidence))
    with open_wallet(url, wallet, account) as opened:
        sent = _asker(opened).fulfil(_id(proposal), evidence=digest)
        finish(opened, sent, wait=wait, as_json=as_json)


def list_proposals(
    program: Annotated[str | None, typer.Option("--program", help="Only this program's.")] = None,
    limit: Limit = 50,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """What members and backers are asked.

    \b
    Example:
      fansumer chain proposals --program 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id

    with connect(url) as client:
        calls = client.proposals
        page = (
            calls.all(limit=limit) if program is None else calls.of_program(read_id(program, "--program"), limit=limit)
        )
    if as_json:
        print_json(page)
    else:
        print_rows(page["items"], LIST_COLUMNS)


def show_proposal(proposal: Proposal, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """One proposal: what it says, what was counted, in words and figures, what was answered, and why.

    Each text is checked against the chain's hash; one that is missing is shown so.

    \b
    Example:
      fansumer chain proposal p1p1...p1
    """
    from api.cli.output import print_answer
    from api.cli.session import connect

    with connect(url) as client:
        shown = with_texts(client, client.proposals.one(_id(proposal)), says="text", reason="why")
        print_answer(shown, as_json=as_json)


def list_ballots(proposal: Proposal, limit: Limit = 50, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Every ballot of a proposal: who, how much, and what was chosen once that is open.

    \b
    Example:
      fansumer chain ballots p1p1...p1
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect

    with connect(url) as client:
        page = client.proposals.ballots(_id(proposal), limit=limit)
    if as_json:
        print_json(page)
    else:
        print_rows(page["items"], ("voter", "power", "membership", "choice", "height"))


def show_promises(
    whose: Annotated[str, typer.Argument(metavar="WHOSE", help="A program's id, or a creator's address.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """The public record of promises: what was asked, answered, kept, late, broken, or met with silence.

    \b
    Examples:
      fansumer chain promises 5f5f...5f
      fansumer chain promises dfan1p...
    """
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import connect, read_id

    is_program = len(whose) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in whose)
    with connect(url) as client:
        calls = client.proposals
        found = calls.promises_of_program(read_id(whose, "WHOSE")) if is_program else calls.promises_of_account(whose)
        items = [{**item, "reason": text_of(client, item["details"].get("why"))} for item in found["items"]]
    if as_json:
        print_json({**found, "items": items})
        return
    print_rows(items, ("kind", "title", "state", "days_late", "in_words", "reason", "id"))
    say(", ".join(f"{count} {state}" for state, count in found["counts"].items()) or "Nothing was promised.")


def _asker(opened: Any) -> Any:
    from api.wallet.voice import Asker

    return Asker(opened)


def _id(proposal: str) -> Any:
    from api.cli.session import read_id
    from ledger.types import ProposalId

    return ProposalId(read_id(proposal, "PROPOSAL"))
