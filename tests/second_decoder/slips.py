"""Texts and the slips that both sides of a contribution sign: TXT-1, MIS-2."""

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.hashing import tagged
from tests.second_decoder.layouts import KNOWN

DOCUMENT_BYTES_MAX = 70_000


def text_hash(salt: bytes, text: str) -> bytes:
    """TXT-1."""
    return tagged("TEXT", encode([salt, text]))


def read_text(data: bytes) -> dict:
    """A text document in names (TXT-1)."""
    return KNOWN["text_document"].read(decode(data, DOCUMENT_BYTES_MAX), "text")


def contribution_id(slip: dict) -> bytes:
    """MIS-2."""
    return tagged("CONTRIBUTION", encode(KNOWN["slip"].write(slip)))


def slip_attestation(payload: dict, chain_id: bytes) -> tuple[bytes, bytes, bytes]:
    """The issuer's signature of a slip: key, message, signature (MIS-2)."""
    message = tagged("CONTRIBUTION_SIGNATURE", chain_id + contribution_id(payload["slip"]))
    return payload["slip"]["issuer"], message, payload["signature"]
