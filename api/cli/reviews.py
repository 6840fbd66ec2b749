"""What fans say of what they bought or backed, and what its maker answers. Nobody can delete a review."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PayOwn, Url, WalletFile

if TYPE_CHECKING:
    from api.wallet.client import Client
    from ledger.domains.voice.texts import TextDocument

app = typer.Typer(no_args_is_help=True, help="What you say of brands and campaigns; your texts.")

COLUMNS = ("author", "stance", "score", "standing", "says", "answer", "revisions")
OWN_COLUMNS = ("subject", "stance", "score", "standing", "says", "answer", "revisions")
REVISION_COLUMNS = ("revision", "stance", "score", "standing", "says", "height")
MISSING = "(its text is not here)"
TEXTS_FOLDER = "texts"

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
    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, read_id
    from api.wallet.reviews import NO_TEXT, Reviewer
    from ledger.domains.voice.reviews import CRITICISE, ENDORSE
    from ledger.domains.voice.texts import text_hash

    of_subject = read_id(subject, "SUBJECT")
    document = read_document(text)
    with open_wallet(url, wallet, account) as opened:
        reviewer = Reviewer(opened, pay_own=pay_own)
        hashed = NO_TEXT if document is None else text_hash(document)
        kept = keep_document(document)
        sent = reviewer.write(
            reviewer.find_subject(of_subject),
            stance=CRITICISE if criticise else ENDORSE,
            score=score,
            text=hashed,
        )
        say(f"sent {sent.txid.hex()}; waiting for its block")
        status = opened.wait_for(sent)
        answer: dict[str, Any] = {"txid": sent.txid.hex(), "status": status["status"], "height": status["height"]}
        if document is not None:
            reviewer.publish(document)
            answer |= {"text": hashed.hex(), "file": str(kept)}
        print_answer(answer, as_json=as_json)


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


@app.command("publish")
def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A text as `review write` kept it in your data folder.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Bring a text of yours to another node, or again to one that lost it. Its hash must stand on the chain.

    \b
    Example:
      fansumer wallet review publish ~/.fansumer/texts/e3e3...e3 --url http://other.example:8780
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, naming_file, read_bytes
    from ledger.domains.voice.texts import DOCUMENT_BYTES_MAX, decode_text, encode_text, text_hash

    data = read_bytes(file, DOCUMENT_BYTES_MAX)
    with naming_file(file, "text of a review"):
        document = decode_text(data)
    with connect(url) as client:
        print_answer(client.reviews.keep_text(text_hash(document), encode_text(document)), as_json=as_json)


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
    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, read_account, read_id
    from api.wallet.reviews import Reviewer
    from ledger.domains.voice.texts import text_hash

    of_subject = read_id(subject, "SUBJECT")
    document = read_document(text)
    assert document is not None, "a file was named"
    with open_wallet(url, wallet, account) as opened:
        reviewer = Reviewer(opened, pay_own=pay_own)
        kept = keep_document(document)
        sent = reviewer.reply(reviewer.find_subject(of_subject), read_account(opened, author), text_hash(document))
        say(f"sent {sent.txid.hex()}; waiting for its block")
        opened.wait_for(sent)
        reviewer.publish(document)
        print_answer({"txid": sent.txid.hex(), "text": text_hash(document).hex(), "file": str(kept)}, as_json=as_json)


def read_document(file: Path | None) -> "TextDocument | None":
    """The text of a file that was named, with a new salt. Raises UsageFault cli.file_failed, Malformed shape.*."""
    from api.cli.session import read_text
    from api.wallet.reviews import new_document
    from ledger.domains.voice.texts import DOCUMENT

    if file is None:
        return None
    document = new_document(read_text(file).strip())
    return DOCUMENT.decode((document.salt, document.text), str(file))


def keep_document(document: "TextDocument | None") -> Path | None:
    """Write a text into the data folder before anything is sent: whoever loses the salt can't show what it said."""
    from api.cli.session import write_file
    from api.data_folder import data_folder
    from ledger.domains.voice.texts import encode_text, text_hash

    if document is None:
        return None
    path = data_folder() / TEXTS_FOLDER / text_hash(document).hex()
    write_file(path, encode_text(document), force=True)
    return path


def _print(client: "Client", rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    from api.cli.output import print_json, print_rows

    shown = _with_texts(client, rows)
    if as_json:
        print_json(shown)
        return
    print_rows(shown, columns)


def _with_texts(client: "Client", rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reviews with what they and their answers say."""
    for row in rows:
        row["says"] = _text_of(client, row["text"])
        if "reply" in row:
            row["answer"] = _text_of(client, row["reply"])
    return rows


def _text_of(client: "Client", text: str | None) -> str:
    """A text, checked; a word for one that is missing; nothing where there is none."""
    from api.cli.proof_words import clean
    from api.wallet.errors import ClientProblem
    from api.wallet.reviews import check_text
    from ledger.types import Hash

    if text is None:
        return ""
    wanted: Hash = Hash(bytes.fromhex(text))
    try:
        return clean(check_text(client.reviews.text(wanted), wanted))
    except ClientProblem as problem:
        if problem.status in (404, 410):
            return MISSING
        raise
