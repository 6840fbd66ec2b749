"""Strict Ed25519: the published cases of Wycheproof and speccheck, RFC 8032, each clause of the rule alone."""

import json
from hashlib import sha512
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import keys
from ledger.keys import public_key_is_strict, public_key_of, sign, verify
from ledger.types import PrivateSeed, PublicKey, Signature

VECTORS = Path(__file__).parents[1] / "vectors" / "ed25519"

# libsodium's ge25519_has_small_order and "Taming the many EdDSAs" list these seven y; the sign bit doubles them.
LOW_ORDER_Y = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
SEED = PrivateSeed(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)  # RFC 8032, test 1


def with_sign_bit(encoding: bytes) -> bytes:
    return encoding[:31] + bytes([encoding[31] | 0x80])


def library_accepts(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_low_order_encodings() -> None:
    listed = {bytes.fromhex(y) for y in LOW_ORDER_Y}
    assert listed | {with_sign_bit(y) for y in listed} == keys.LOW_ORDER_ENCODINGS
    assert len(keys.LOW_ORDER_ENCODINGS) == 14


def test_refused_encodings_are_low_order_or_not_reduced() -> None:
    beyond = {y.to_bytes(32, "little") for y in range(keys.FIELD_PRIME, 2**255)}
    assert keys.LOW_ORDER_ENCODINGS | beyond | {with_sign_bit(y) for y in beyond} == keys.REFUSED_ENCODINGS
    assert len(keys.REFUSED_ENCODINGS) == 48


def test_public_key_is_strict() -> None:
    assert public_key_is_strict(public_key_of(SEED))
    for encoding in keys.REFUSED_ENCODINGS:
        assert not public_key_is_strict(PublicKey(encoding))
    for length in (0, 31, 33):
        assert not public_key_is_strict(PublicKey(bytes([3]) * length))
    assert public_key_is_strict(PublicKey((keys.FIELD_PRIME - 2).to_bytes(32, "little")))


def test_rfc8032_test_1() -> None:
    public_key = public_key_of(SEED)
    assert public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    signature = sign(SEED, b"")
    assert signature.hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert verify(public_key, b"", signature)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.integers(0, 511))
def test_a_signature_holds_for_its_message_and_key_only(seed: bytes, message: bytes, bit: int) -> None:
    public_key = public_key_of(PrivateSeed(seed))
    signature = sign(PrivateSeed(seed), message)
    assert verify(public_key, message, signature)
    assert not verify(public_key, message + b"\x00", signature)
    assert not verify(public_key_of(SEED), message, signature) or seed == SEED
    changed = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
    assert not verify(public_key, message, Signature(changed))


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=130))
def test_bytes_of_any_length_are_no_crash(public_key: bytes, message: bytes, signature: bytes) -> None:
    assert not verify(PublicKey(public_key), message, Signature(signature))


def test_s_must_be_below_the_group_order() -> None:
    signature = sign(SEED, b"message")
    s = int.from_bytes(signature[32:], "little") + keys.GROUP_ORDER
    assert verify(public_key_of(SEED), b"message", signature)
    assert not verify(public_key_of(SEED), b"message", Signature(signature[:32] + s.to_bytes(32, "little")))


def test_low_order_is_refused_where_the_library_accepts() -> None:
    """With A of order 1 the pair (R = [S]B, S) fits every message; with R of order 1 any S = h * a does."""
    base_point = bytes([0x58] + [0x66] * 31)
    one = (1).to_bytes(32, "little")
    forged = base_point + one
    assert library_accepts(one, b"any", forged)
    assert not verify(PublicKey(one), b"any", Signature(forged))

    digest = bytearray(sha512(SEED).digest()[:32])
    digest[0] &= 0xF8
    digest[31] = digest[31] & 0x7F | 0x40
    public_key = public_key_of(SEED)
    challenge = int.from_bytes(sha512(one + public_key + b"any").digest(), "little")
    s = challenge * int.from_bytes(digest, "little") % keys.GROUP_ORDER
    forged = one + s.to_bytes(32, "little")
    assert library_accepts(public_key, b"any", forged)
    assert not verify(public_key, b"any", Signature(forged))


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    assert not verify(PublicKey((2).to_bytes(32, "little")), b"", sign(SEED, b""))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_has_32_bytes(length: int) -> None:
    with pytest.raises(AssertionError):
        sign(PrivateSeed(bytes(length)), b"")
    with pytest.raises(AssertionError):
        public_key_of(PrivateSeed(bytes(length)))


def test_wycheproof() -> None:
    vectors: Any = json.loads((VECTORS / "wycheproof_ed25519_test.json").read_text(encoding="utf-8"))
    verdicts: list[bool] = []
    for group in vectors["testGroups"]:
        public_key = PublicKey(bytes.fromhex(group["publicKey"]["pk"]))
        for case in group["tests"]:
            verdict = verify(public_key, bytes.fromhex(case["msg"]), Signature(bytes.fromhex(case["sig"])))
            assert verdict == (case["result"] == "valid"), case["tcId"]
            verdicts.append(verdict)
    assert len(verdicts) == vectors["numberOfTests"] == 151
    assert sum(verdicts) == 88


def test_speccheck() -> None:
    """Of the twelve only case 3 is valid: mixed-order A and R that fulfil the cofactorless equation."""
    cases: Any = json.loads((VECTORS / "speccheck_cases.json").read_text(encoding="utf-8"))
    lines = (VECTORS / "speccheck_cases.txt").read_text(encoding="utf-8").split()
    from_text = [line.partition("=")[2] for line in lines if "=" in line]
    assert from_text == [case[field] for case in cases for field in ("message", "pub_key", "signature")]
    verdicts = [
        verify(
            PublicKey(bytes.fromhex(case["pub_key"])),
            bytes.fromhex(case["message"]),
            Signature(bytes.fromhex(case["signature"])),
        )
        for case in cases
    ]
    assert len(verdicts) == 12
    assert [number for number, verdict in enumerate(verdicts) if verdict] == [3]
