"""RFC 9421 as we use it, against its own published vector (appendix B.2.6)."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from http_message_signatures.digests import ContentDigest
from http_message_signatures.exceptions import InvalidSignature
from http_message_signatures.resolvers import HTTPSignatureKeyResolver
from http_message_signatures.signatures import HTTPMessageSigner, HTTPMessageVerifier

from api.request_signature import KeyIdIsKey, NotSigned, StrictEd25519, read_key_id
from ledger import keys
from ledger.types import PrivateSeed

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "rfc9421" / "ed25519.json").read_text())
KEY, SEED = bytes.fromhex(VECTOR["public_key"]), bytes.fromhex(VECTOR["private_key"])


@dataclass
class Message:
    """A request as the library reads one."""

    method: str
    url: str
    headers: dict[str, str]


class VectorKey(HTTPSignatureKeyResolver):
    """The vector calls its key by a name."""

    def resolve_public_key(self, key_id: str) -> bytes | None:
        return KEY if key_id == VECTOR["key_id"] else None

    def resolve_private_key(self, key_id: str) -> bytes:
        return SEED


class TimelessVerifier(HTTPMessageVerifier):
    """The vector is some years old."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        assert sig_input.params["created"] == VECTOR["created"]


def message(**headers: str) -> Message:
    return Message(VECTOR["method"], VECTOR["url"], {**VECTOR["headers"], **headers})


def verify(found: Message) -> None:
    TimelessVerifier(signature_algorithm=StrictEd25519, key_resolver=VectorKey()).verify(found, max_age=None)


def test_our_signature_is_the_published_one() -> None:
    found = message()
    HTTPMessageSigner(signature_algorithm=StrictEd25519, key_resolver=VectorKey()).sign(
        found,
        key_id=VECTOR["key_id"],
        created=datetime.fromtimestamp(VECTOR["created"], UTC),
        label=VECTOR["label"],
        include_alg=False,
        covered_component_ids=VECTOR["covered"],
        use_existing_digest=True,
    )
    assert found.headers["Signature-Input"] == VECTOR["signature_input"]
    assert found.headers["Signature"] == VECTOR["signature"]


def test_the_published_signature_holds_and_a_changed_request_does_not() -> None:
    signed = {"Signature-Input": VECTOR["signature_input"], "Signature": VECTOR["signature"]}
    verify(message(**signed))
    with pytest.raises(NotSigned):
        verify(message(**signed, Date="Tue, 20 Apr 2021 02:07:56 GMT"))
    other = message(**signed)
    other.url = other.url.replace("/foo", "/bar")
    with pytest.raises(NotSigned):
        verify(other)


def test_the_published_digest() -> None:
    digest = VECTOR["headers"]["Content-Digest"]
    ContentDigest.verify(digest, VECTOR["body"].encode())
    with pytest.raises(InvalidSignature):
        ContentDigest.verify(digest, VECTOR["body"].encode() + b" ")


def test_keys_name_themselves() -> None:
    seed = PrivateSeed(SEED)
    resolver = KeyIdIsKey(seed)
    assert resolver.resolve_private_key(KEY.hex()) == seed
    assert resolver.resolve_public_key(KEY.hex()) == keys.public_key_of(seed) == KEY
    for wrong in ("", "x", KEY.hex()[:-1], KEY.hex() + "00", "zz" * 32, " " + KEY.hex()[1:], "é" * 64):
        assert read_key_id(wrong) is None
