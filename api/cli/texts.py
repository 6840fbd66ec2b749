"""Texts that the chain names by their hash (spec TXT-1): kept here before anything is sent, then brought to the node, and read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, AsJson, Url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.wallet.client import Client
    from api.wallet.wallet import Sent, Wallet
    from ledger.domains.voice.texts import TextDocument
    from ledger.types import Hash

MISSING = "(its text is not here)"
TEXTS_FOLDER = "texts"


@dataclass(frozen=True, slots=True)
class KeptText:
    """A text with its salt, the hash of both, and the file in the data folder that holds them."""

    document: "TextDocument"
    hash: "Hash"
    file: Path


def read_document(file: Path) -> "TextDocument":
    """The text of a file, with a new salt. Raises UsageFault cli.file_failed, Malformed shape.*."""
    from api.cli.session import read_text

    return make_document(read_text(file), str(file))


def make_document(words: str, name: str) -> "TextDocument":
    """Words with a new salt; `name` says where they were typed. Raises Malformed shape.*."""
    from api.wallet.texts import new_document
    from ledger.domains.voice.texts import DOCUMENT

    document = new_document(words.strip())
    return DOCUMENT.decode((document.salt, document.text), name)


def keep_document(document: "TextDocument") -> KeptText:
    """Write a text into the data folder before anything is sent: whoever loses the salt can't show what it said."""
    from api.cli.session import write_file
    from api.data_folder import data_folder
    from ledger.domains.voice.texts import encode_text, text_hash

    hashed = text_hash(document)
    path = data_folder() / TEXTS_FOLDER / hashed.hex()
    write_file(path, encode_text(document), force=True)
    return KeptText(document, hashed, path)


def finish_with_text(
    wallet: "Wallet",
    sent: "Sent",
    kept: KeptText,
    *,
    wait: bool,
    as_json: bool,
    noun: str | None = None,
    number_in: str | None = None,
) -> None:
    """As `session.finish`, and bring the text once its block is there; where that can't be done, say how to do it later."""
    from api.cli.output import print_answer
    from api.cli.session import settle
    from api.wallet.errors import ClientProblem
    from ledger.errors import LedgerError

    try:
        answer = settle(wallet, sent, wait=wait, noun=noun, number_in=number_in)
    except (ClientProblem, LedgerError):
        _say_later(kept, "nobody can read the text yet")
        raise
    is_there = "height" in answer and _bring(wallet.client, kept)
    if "height" not in answer:
        _say_later(kept, "nobody can read the text yet: a node takes it once the transaction is in a block")
    print_answer(
        {**answer, "text": kept.hash.hex(), "text_file": str(kept.file), "text_at_node": is_there}, as_json=as_json
    )


def _bring(client: "Client", kept: KeptText) -> bool:
    """Whether the node has the text now; if not, that is said."""
    from api.wallet.errors import ClientProblem
    from api.wallet.texts import publish_text
    from ledger.errors import LedgerError

    try:
        publish_text(client, kept.document)
    except (ClientProblem, LedgerError) as problem:
        _say_later(kept, f"the node did not take the text ({problem})")
        return False
    return True


def _say_later(kept: KeptText, what: str) -> None:
    from api.cli.output import warn

    warn(f"{what}. It is kept in {kept.file}; bring it later: fansumer wallet review publish {kept.file}")


def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A text as it was kept in your data folder.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Bring a text of yours to another node, or again to one that lost it: of a review or a reply, a mission, a proposal, an
    answer to one, an update of a campaign. Its hash must stand on the chain.

    \b
    Example:
      fansumer wallet review publish ~/.fansumer/texts/e3e3...e3 --url http://other.example:8780
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, naming_file, read_bytes
    from ledger.domains.voice.texts import DOCUMENT_BYTES_MAX, decode_text, encode_text, text_hash

    data = read_bytes(file, DOCUMENT_BYTES_MAX)
    with naming_file(file, "text as it was kept"):
        document = decode_text(data)
    with connect(url) as client:
        print_answer(client.reviews.keep_text(text_hash(document), encode_text(document)), as_json=as_json)


def show_text(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text's hash: 64 hexadecimal digits.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Read a text that the chain names: what a review, a proposal, an answer or an update says. It is checked against its hash.

    \b
    Example:
      fansumer chain text e3e3...e3
    """
    from api.cli.output import print_json
    from api.cli.proof_words import clean
    from api.cli.session import connect, read_id
    from api.wallet.texts import fetch_text
    from ledger.types import Hash

    wanted = Hash(read_id(text, "TEXT"))
    with connect(url) as client:
        content = fetch_text(client, wanted)
    if as_json:
        print_json({"text": wanted.hex(), "content": content})
        return
    for line in content.splitlines():
        typer.echo(clean(line.expandtabs()))


def text_of(client: "Client", text: str | None) -> str:
    """A text in one line, checked; a word for one that is missing; nothing where there is none. Raises WalletError text.not_it."""
    from api.cli.proof_words import clean
    from api.wallet.errors import ClientProblem
    from api.wallet.texts import fetch_text
    from ledger.types import Hash

    if not text:
        return ""
    try:
        return clean(" ".join(fetch_text(client, Hash(bytes.fromhex(text))).split()))
    except ClientProblem as problem:
        if problem.status in (404, 410):
            return MISSING
        raise


def with_texts(client: "Client", answer: "Mapping[str, Any]", /, **columns: str) -> dict[str, Any]:
    """An answer, and in each of these columns what the text says whose hash stands in the named field, if it has that field."""
    told = {column: text_of(client, answer[field]) for column, field in columns.items() if field in answer}
    return {**answer, **told}
