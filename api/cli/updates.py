"""What a creator tells its backers: posted, read by everybody, and compared word for word."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Campaign, Url, Wait, WalletFile
from api.cli.texts import finish_with_text, keep_document, read_document, text_of
from api.words import counted

if TYPE_CHECKING:
    from api.wallet.client import Client
    from ledger.types import Hash

EVENT = "campaign.update_posted"
COLUMNS = ("number", "date", "says", "text")


def post_update(
    campaign: Campaign,
    text: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file with what you tell them, in UTF-8. It is public.")
    ],
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Tell the backers something that you can't change afterwards. The chain keeps its salted hash, the node shows the text; you
    keep both in your data folder.

    \b
    Example:
      fansumer creator post-update c3c3...c3 news-of-march.txt
    """
    from api.cli.session import open_wallet, read_id
    from api.wallet.creator import Creator
    from ledger.types import CampaignId

    wanted = CampaignId(read_id(campaign, "CAMPAIGN"))
    document = read_document(text)
    with open_wallet(url, wallet, account) as opened:
        kept = keep_document(document)
        sent = Creator(opened).post_update(wanted, kept.hash)
        finish_with_text(opened, sent, kept, wait=wait, as_json=as_json, number_in=EVENT)


def check_update(
    campaign: Campaign,
    text: Annotated[
        Path, typer.Argument(metavar="FILE", help="The words, in UTF-8, or a text as it was kept in a data folder.")
    ],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Check whether a text is an update of this campaign, word for word, and when it was posted.

    Words are compared with what the node has, each text of which is checked against the chain; a kept text, which has the salt,
    with the chain alone.

    \b
    Example:
      fansumer creator check-update c3c3...c3 news-of-march.txt
    """
    from api.cli.output import print_answer, warn
    from api.cli.session import connect, read_id

    wanted = read_id(campaign, "CAMPAIGN")
    kept, words = _read_either(text)
    unknown = 0
    with connect(url) as client:
        for row in _posted(client, wanted):
            if kept is not None:
                is_it = row["text"] == kept.hex()
            else:
                says = _words_of(client, row["text"])
                unknown += says is None
                is_it = says == words
            if is_it:
                print_answer({"posted": True, **row}, as_json=as_json)
                return
    if unknown:
        warn(
            f"the node does not have the texts of {counted(unknown, 'update')}: whether it is one of them can't be said."
        )
    print_answer({"posted": False, "unknown": unknown}, as_json=as_json)
    raise typer.Exit(1)


def list_updates(campaign: Campaign, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """What a campaign's creator told its backers, the latest first. Each text is checked against the chain's hash; one that is
    missing is shown so.

    \b
    Example:
      fansumer chain updates c3c3...c3
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id

    wanted = read_id(campaign, "CAMPAIGN")
    with connect(url) as client:
        rows = [{**row, "says": text_of(client, row["text"])} for row in _posted(client, wanted)]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, COLUMNS)


def latest_update(client: "Client", campaign: bytes) -> dict[str, Any] | None:
    """The latest update of a campaign, with what it says."""
    row = next(_posted(client, campaign), None)
    return None if row is None else {**row, "says": text_of(client, row["text"])}


def _posted(client: "Client", campaign: bytes) -> Iterator[dict[str, Any]]:
    """Number, date, height and text hash of every update, the latest first."""
    from functools import partial

    for row in client.every(partial(client.backing.history, event=EVENT), campaign):
        data = row["data"]
        yield {"number": data["number"], "date": row["date"], "height": row["height"], "text": data["text_hash"]}


def _words_of(client: "Client", text: str) -> str | None:
    """A text as it was written; None if the node does not have it."""
    from api.wallet.errors import ClientProblem
    from api.wallet.texts import fetch_text
    from ledger.types import Hash

    try:
        return fetch_text(client, Hash(bytes.fromhex(text))).strip()
    except ClientProblem as problem:
        if problem.status in (404, 410):
            return None
        raise


def _read_either(file: Path) -> "tuple[Hash | None, str]":
    """The hash of a kept text, or words. Raises UsageFault cli.file_failed."""
    from api.cli.session import read_bytes, read_text
    from ledger.domains.voice.texts import DOCUMENT_BYTES_MAX, decode_text, text_hash
    from ledger.errors import Malformed

    data = read_bytes(file)
    try:
        return text_hash(decode_text(data[: DOCUMENT_BYTES_MAX + 1])), ""
    except Malformed:
        return None, read_text(file).strip()
