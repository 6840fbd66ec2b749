"""What fans say of what they bought or backed, and what its maker answers. Nobody can delete a review."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PayOwn, Url, WalletFile
from api.cli.texts import finish_with_text, keep_document, publish, read_document, with_texts

if TYPE_CHECKING:
    from api.wallet.client import Client

app = typer.Typer(no_args_is_help=True, help="What you say of brands and campaigns; your texts.")

COLUMNS = ("author", "stance", "score", "standing", "says", "answer", "revisions")
OWN_COLUMNS = ("subject", "stance", "score", "standing", "says", "answer", "revisions")
REVISION_COLUMNS = ("revision", "stance", "score", "standing", "says", "height")

Subject = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="A program's or a campaign's id: 64 hexadecimal digits.")
]
TextFile = Annotated[
    Path | None,
    typer.Option("--text", help="A file with what you say, in UTF-8. It is public; without it only the score is."),
]


@app.command("write")
def write(
    subject: Subject,
    score: Annotated[int, typer.Option("--score", min=1, max=5, help="From 1 to 5.")],
    criticise: Annotated[bool, typer.Option("--criticise/--endorse", help="Whether you speak against it or for it.")],
    text: TextFile = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Say what you think of a brand or a campaign that you bought from, backed or helped. Again: that revises it; what you said
    before stays to be seen. It waits for the block, since a node takes the text only then.

    \b
    Example:
      fansumer wallet review write 5f5f...5f --criticise --score 2 --text lamp.txt
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.reviews import NO_TEXT, Reviewer
    from ledger.domains.voice.reviews import CRITICISE, ENDORSE

    of_subject = read_id(subject, "SUBJECT")
    document = None if text is None else read_document(text)
    with open_wallet(url, wallet, account) as opened:
        reviewer = Reviewer(opened, pay_own=pay_own)
        kept = None if document is None else keep_document(document)
        sent = reviewer.write(
            reviewer.find_subject(of_subject),
            stance=CRITICISE if criticise else ENDORSE,
            score=score,
            text=NO_TEXT if kept is None else kept.hash,
        )
        if kept is None:
            finish(opened, sent, wait=True, as_json=as_json)
        else:
            finish_with_text(opened, sent, kept, wait=True, as_json=as_json)


@app.command("list")
def list_own(
    program: Annotated[
        str | None, typer.Option("--program", help="As the account for this program; by default as the main account.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List what you said.

    \b
    Example:
      fansumer wallet review list --program 5f5f...5f
    """
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    with open_wallet(url, wallet, account) as opened:
        signer = opened.main
        if program is not None:
            signer = opened.program_signer(ProgramId(read_id(program, "--program")))
        client = opened.client
        rows = [dict(row) for row in client.every(client.reviews.of_account, opened.address_text(signer.address))]
        _print(client, rows, OWN_COLUMNS, as_json=as_json)


app.command("publish")(publish)


@app.command("erase-text")
def erase_text(
    subject: Subject,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text's hash: 64 hexadecimal digits.")],
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Have a text of yours erased at a node: it takes it from nobody again. Stance, score and a salted hash stay for ever.

    \b
    Example:
      fansumer wallet review erase-text 5f5f...5f e3e3...e3
    """
    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, read_id
    from api.wallet.reviews import Reviewer
    from ledger.types import Hash

    of_subject, wanted = read_id(subject, "SUBJECT"), Hash(read_id(text, "TEXT"))
    with open_wallet(url, wallet, account) as opened:
        reviewer = Reviewer(opened)
        erased = reviewer.erase(reviewer.find_subject(of_subject), wanted)
        print_answer({"erased": erased}, as_json=as_json)
    if not erased and not as_json:
        say("The node has no such text of yours: it was erased before, never brought there, or is another account's.")


def list_reviews(
    subject: Subject,
    author: Annotated[
        str | None, typer.Option("--author", help="All that this address ever said of it, the newest first.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what is said of a brand or a campaign. Each text is checked against the chain's hash; one that is missing is shown so.

    \b
    Examples:
      fansumer chain reviews 5f5f...5f
      fansumer chain reviews 5f5f...5f --author dfan1p...
    """
    from api.cli.output import print_answer, print_json
    from api.cli.session import connect, read_id

    of_subject = read_id(subject, "SUBJECT")
    with connect(url) as client:
        if author is not None:
            said = [dict(row) for row in client.every(client.reviews.revisions, of_subject, author)]
            _print(client, said, REVISION_COLUMNS, as_json=as_json)
            return
        scores = client.reviews.of_subject(of_subject, limit=1)["scores"]
        rows = [dict(row) for row in client.every(client.reviews.of_subject, of_subject)]
        if as_json:
            print_json({"scores": scores, "items": _with_texts(client, rows)})
            return
        print_answer(
            {
                "endorsing": ", ".join(
                    f"{count} x {score}" for score, count in enumerate(scores["endorsing"], start=1)
                ),
                "criticising": ", ".join(
                    f"{count} x {score}" for score, count in enumerate(scores["criticising"], start=1)
                ),
            },
            as_json=False,
        )
        _print(client, rows, COLUMNS, as_json=False)


def reply(
    subject: Subject,
    author: Annotated[str, typer.Argument(metavar="AUTHOR", help="Whose review you answer: an address.")],
    text: Annotated[Path, typer.Option("--text", help="A file with your answer, in UTF-8. It is public.")],
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Answer a review of your program or campaign. There is no way to remove one.

    \b
    Example:
      fansumer brand reply 5f5f...5f dfan1p... --text sorry.txt
    """
    from api.cli.session import open_wallet, read_account, read_id
    from api.wallet.reviews import Reviewer

    of_subject = read_id(subject, "SUBJECT")
    document = read_document(text)
    with open_wallet(url, wallet, account) as opened:
        reviewer = Reviewer(opened, pay_own=pay_own)
        answered = reviewer.find_subject(of_subject)
        kept = keep_document(document)
        sent = reviewer.reply(answered, read_account(opened, author), kept.hash)
        finish_with_text(opened, sent, kept, wait=True, as_json=as_json)


def _print(client: "Client", rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    from api.cli.output import print_json, print_rows

    shown = _with_texts(client, rows)
    if as_json:
        print_json(shown)
        return
    print_rows(shown, columns)


def _with_texts(client: "Client", rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reviews with what they and their answers say."""
    return [with_texts(client, row, says="text", answer="reply") for row in rows]
