"""Texts that the chain names by their hash: made with a salt, brought to a node, read and checked (spec TXT-1)."""

import secrets

from api.wallet.client import Client
from api.wallet.errors import WalletError
from ledger.domains.voice.texts import TextDocument, encode_text, text_hash
from ledger.errors import Code
from ledger.types import Hash

NOT_IT = Code(
    "text.not_it",
    "the node gave a text that is not the one with the hash {text}",
    "Do not believe it; ask another node, or the author.",
)


def new_document(text: str) -> TextDocument:
    """A text with a salt of its own."""
    return TextDocument(secrets.token_bytes(32), text)


def publish_text(client: Client, document: TextDocument) -> bool:
    """Bring a text to the node, once the chain names it; whether it is new there. Raises ClientProblem text.*."""
    return bool(client.reviews.keep_text(text_hash(document), encode_text(document))["is_new"])


def fetch_text(client: Client, text: Hash) -> str:
    """A text as its author wrote it, checked. Raises ClientProblem text.missing, text.erased, WalletError text.not_it."""
    return check_text(client.reviews.text(text), text)


def check_text(found: object, text: Hash) -> str:
    """The content of a node's answer, if it is the text with this hash. Raises WalletError text.not_it."""
    try:
        assert isinstance(found, dict)
        document = TextDocument(bytes.fromhex(found["salt"]), str(found["content"]))
        is_it = text_hash(document) == text
    except (AssertionError, KeyError, TypeError, ValueError):
        is_it = False
        document = TextDocument(b"", "")
    if not is_it:
        raise WalletError(NOT_IT, text=text.hex())
    return document.text
