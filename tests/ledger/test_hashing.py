"""Tagged hashes: the definition, published BIP-340 tags, no two tags alike, ids of objects."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import hashing
from ledger.hashing import object_id, sha256d, tagged_hash
from ledger.types import TxId

TAGS = {
    "TX": "fansumer/tx",
    "WTX": "fansumer/wtx",
    "SIGHASH": "fansumer/sighash",
    "POLICY": "fansumer/policy",
    "COMMITMENT": "fansumer/commitment",
    "OBJECT": "fansumer/object",
    "PARAMS": "fansumer/params",
    "RESULTS": "fansumer/results",
    "FREE_SLOT": "fansumer/free-slot",
    "RECEIPT_FIELD_SALT": "fansumer/receipt-field-salt",
    "RECEIPT_SIGNATURE": "fansumer/receipt-signature",
    "LINE_SALT": "fansumer/line-salt",
    "SUM_LEAF": "fansumer/sum-leaf",
    "SUM_NODE": "fansumer/sum-node",
    "EARN_SUM": "fansumer/earn-sum",
    "EARN_REMAINDER": "fansumer/earn-remainder",
    "CONTEST": "fansumer/contest",
    "RETURN": "fansumer/return",
    "RETURN_SIGNATURE": "fansumer/return-signature",
    "RETURN_CONSENT": "fansumer/return-consent",
    "REFERRAL": "fansumer/referral",
    "COUNT": "fansumer/count",
    "VOUCHER_CODE": "fansumer/voucher-code",
    "ACCEPTANCE": "fansumer/acceptance",
    "BALLOT": "fansumer/ballot",
    "TEXT": "fansumer/text",
    "CONTRIBUTION": "fansumer/contribution",
    "CONTRIBUTION_SIGNATURE": "fansumer/contribution-signature",
    "ACHIEVEMENT": "fansumer/achievement",
    "OFFER_TERMS": "fansumer/offer-terms",
    "OFFER": "fansumer/offer",
    "JOIN_VOUCHER": "fansumer/join-voucher",
    "JOIN_VOUCHER_SIGNATURE": "fansumer/join-voucher-signature",
    "JOIN_VOUCHER_PROOF": "fansumer/join-voucher-proof",
    "ATTESTATION": "fansumer/attestation",
    "ATTESTOR_SET": "fansumer/attestor-set",
    "REPLACEMENT": "fansumer/attestor-replacement",
}


def by_definition(tag: str, data: bytes) -> bytes:
    tag_digest = sha256(tag.encode()).digest()
    return sha256(tag_digest + tag_digest + data).digest()


@given(st.text(st.characters(max_codepoint=127)), st.binary())
def test_definition(tag: str, data: bytes) -> None:
    hasher = tagged_hash(tag)
    assert hasher(data) == hasher(data) == by_definition(tag, data)


def test_published_tag() -> None:
    """BIP-341 publishes the TapTweak hash of an internal key (wallet-test-vectors.json, first key without a script)."""
    internal_key = bytes.fromhex("d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d")
    tweak = "b86e7be8f39bab32a6f2c0443abbc210f0edac0e2c53d501b36b64437d9c6c70"
    assert tagged_hash("TapTweak")(internal_key).hex() == tweak


@pytest.mark.parametrize("name", TAGS)
def test_declared_tags(name: str) -> None:
    assert getattr(hashing, name)(b"data") == by_definition(TAGS[name], b"data")


def test_every_tag_is_declared_once_and_differs() -> None:
    declared = {name for name, value in vars(hashing).items() if name.isupper() and callable(value)}
    assert declared == set(TAGS)
    assert len({getattr(hashing, name)(b"") for name in declared}) == len(TAGS) == 37


def test_object_id() -> None:
    txid = TxId(bytes(range(32)))
    expected = by_definition("fansumer/object", b"program" + bytes(range(32)) + b"\x00\x00\x01\x02")
    assert object_id("program", txid, 0x102) == expected
    assert object_id("program", txid, 2**32 - 1) != object_id("reward", txid, 2**32 - 1)


@pytest.mark.parametrize(("noun", "txid"), [("", bytes(32)), ("program", bytes(31))])
def test_object_id_refuses(noun: str, txid: bytes) -> None:
    with pytest.raises(AssertionError):
        object_id(noun, TxId(txid), 0)


@pytest.mark.parametrize("index", [-1, 2**32])
def test_object_id_refuses_an_index_that_is_not_32_bits(index: int) -> None:
    with pytest.raises(OverflowError):
        object_id("program", TxId(bytes(32)), index)


def test_sha256d() -> None:
    """The genesis block of Bitcoin hashes to its well-known id."""
    header = bytes.fromhex(
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3"
        "888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
    )
    assert sha256d(header)[::-1].hex() == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
