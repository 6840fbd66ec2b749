"""Texts that the chain knows by their hash only, and what salts the hash (spec TXT-1). Off chain: whoever has one shows it."""

from dataclasses import dataclass
from typing import Annotated

from ledger.codec import pack, unpack
from ledger.hashing import TEXT
from ledger.schema import Octets, Struct, Text
from ledger.types import Hash

TEXT_BYTES_MAX = 65_536
DOCUMENT_BYTES_MAX = TEXT_BYTES_MAX + 64


@dataclass(frozen=True, slots=True)
class TextDocument:
    """A text and 32 random bytes, without which it could be guessed from its hash once it was erased."""

    salt: Annotated[bytes, Octets(32, 32)]
    text: Annotated[str, Text(1, TEXT_BYTES_MAX)]


DOCUMENT = Struct(TextDocument)


def encode_text(document: TextDocument) -> bytes:
    """The canonical bytes of a document."""
    return pack(DOCUMENT.encode(document))


def decode_text(data: bytes) -> TextDocument:
    """Read a document. Raises `Malformed`."""
    return DOCUMENT.decode(unpack(data, bytes_max=DOCUMENT_BYTES_MAX), "text")


def text_hash(document: TextDocument) -> Hash:
    """`TEXT(canonical bytes of the document)`: what stands on the chain."""
    return TEXT(encode_text(document))
