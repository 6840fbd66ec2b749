"""Addresses: round trips, one rejection per code, and the vectors of BIP-350.

The literals are those of https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki ("Test vectors"), BSD-2-Clause.
"""

import pytest
from bech32m.codecs import DecodeError, Encoding, bech32_decode, bech32_encode
from hypothesis import given
from hypothesis import strategies as st

from ledger import address
from ledger.address import decode_address, decode_id, encode_address, encode_id
from ledger.errors import Malformed
from ledger.types import Address

PAYLOAD = bytes(range(32))

VALID_BECH32M = [
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
INVALID_BECH32M = {
    "\x201xj0phk": "character",
    "\x7f1g6xzxy": "character",
    "\x801vctc34": "character",
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4": "too_long",
    "qyrz8wqd2c9m": "separator",
    "1qyrz8wqd2c9m": "separator",
    "y1b0jsk6g": "character",
    "lt1igcx5c0": "character",
    "in1muywd": "checksum",
    "mm1crxm3i": "character",
    "au1s5cgom": "character",
    "M1VUXWEZ": "checksum",
    "16plkw9": "separator",
    "1p2gdwpf": "separator",
}
# Address, script; a program of version 1 with 32 bytes is what we write, the others must fail with a reason.
VALID_SEGWIT = {
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4": ("0014751e76e8199196d454941c45d1b3a323f1433bd6", "checksum"),
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7": (
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
        "checksum",
    ),
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": (
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
        "length",
    ),
    "BC1SW50QGDZ25J": ("6002751e", "length"),
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": ("5210751e76e8199196d454941c45d1b3a323", "length"),
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy": (
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
        "checksum",
    ),
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c": (
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
        None,
    ),
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": (
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        None,
    ),
}
INVALID_SEGWIT = {
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut": "wrong_network",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd": "checksum",
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf": "checksum",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL": "checksum",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh": "length",
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47": "version",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4": "character",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R": "version",
    "bc1pw5dgrnzv": "length",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav": "length",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P": "checksum",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq": "mixed_case",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf": "length",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j": "padding",
    "bc1gmk9yu": "checksum",
}


def prefix_of(text: str) -> str:
    prefix = text.lower().rpartition("1")[0]
    return "bc" if prefix == "tc" else prefix


def fault_of(prefix: str, text: str) -> str:
    with pytest.raises(Malformed) as caught:
        decode_id(prefix, text)
    assert "{" not in str(caught.value)
    return caught.value.code.name.removeprefix("address.")


def test_counts_of_the_published_vectors() -> None:
    assert [len(v) for v in (VALID_BECH32M, INVALID_BECH32M, VALID_SEGWIT, INVALID_SEGWIT)] == [7, 14, 8, 15]


@pytest.mark.parametrize("text", VALID_BECH32M)
def test_library_reads_valid_bech32m(text: str) -> None:
    prefix, groups, encoding = bech32_decode(text)
    assert encoding is Encoding.BECH32M
    assert bech32_encode(prefix, bytes(groups), encoding) == text.lower()
    assert fault_of(prefix, text) == "length"


@pytest.mark.parametrize("text", INVALID_BECH32M)
def test_invalid_bech32m(text: str) -> None:
    with pytest.raises(DecodeError):
        bech32_decode(text)
    assert fault_of(prefix_of(text), text) == INVALID_BECH32M[text]


@pytest.mark.parametrize("text", VALID_SEGWIT)
def test_valid_segwit_addresses(text: str) -> None:
    script, fault = VALID_SEGWIT[text]
    if fault:
        assert fault_of(prefix_of(text), text) == fault
    else:
        payload = decode_id(prefix_of(text), text)
        assert "5120" + payload.hex() == script
        assert encode_id(prefix_of(text), payload) == text
        assert decode_id(prefix_of(text), text.upper()) == payload


@pytest.mark.parametrize("text", INVALID_SEGWIT)
def test_invalid_segwit_addresses(text: str) -> None:
    assert fault_of(prefix_of(text), text) == INVALID_SEGWIT[text]


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["fan", "fanprogram", "tfan", "a", "x" * 30, "with1one"]))
def test_round_trip(payload: bytes, prefix: str) -> None:
    text = encode_id(prefix, payload)
    assert len(text) == 60 + len(prefix)
    assert text == text.lower()
    assert decode_id(prefix, text) == decode_id(prefix, text.upper()) == payload


@given(st.integers(0, 62), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_a_mistyped_character_is_noticed(position: int, character: str) -> None:
    text = encode_address("fan", Address(PAYLOAD))
    mistyped = text[:position] + character + text[position + 1 :]
    if mistyped != text:
        assert fault_of("fan", mistyped) in {"checksum", "separator", "character"}


@given(st.text(max_size=100))
def test_any_text_is_refused_with_a_code(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode_address("fan", text)
    assert caught.value.code.name.startswith("address.")


def test_typed_address() -> None:
    text = encode_address("fan", Address(PAYLOAD))
    assert text.startswith("fan1p")
    assert decode_address("fan", text) == PAYLOAD


def test_an_id_of_another_kind_or_network_is_refused() -> None:
    with pytest.raises(Malformed) as caught:
        decode_address("fan", encode_id("fanprogram", PAYLOAD))
    assert caught.value.code is address.WRONG_NETWORK
    assert caught.value.fields == {"found": "fanprogram", "expected": "fan"}


def test_order_of_faults() -> None:
    good = encode_id("fan", PAYLOAD)
    assert fault_of("fan", "!" * 50 + "aA\x00" * 20) == "too_long"
    assert fault_of("fan", "aA\x00") == "mixed_case"
    assert fault_of("fan", "a\x00") == "character"
    assert fault_of("fan", "ab") == "separator"
    assert fault_of("tfan", good[:-1] + ("q" if good[-1] != "q" else "p")) == "checksum"
    short = bech32_encode("fan", b"\x00" + bytes(51), Encoding.BECH32M)
    assert fault_of("tfan", short) == "wrong_network"
    assert fault_of("fan", short) == "length"
    assert fault_of("fan", bech32_encode("fan", b"\x02" + bytes(51) + b"\x01", Encoding.BECH32M)) == "version"
    assert fault_of("fan", bech32_encode("fan", b"\x01" + bytes(51) + b"\x01", Encoding.BECH32M)) == "padding"


@pytest.mark.parametrize(
    ("prefix", "payload"),
    [
        ("", PAYLOAD),
        ("x" * 31, PAYLOAD),
        ("Fan", PAYLOAD),
        ("fän", PAYLOAD),
        ("f n", PAYLOAD),
        ("f\nn", PAYLOAD),
        ("fan", bytes(31)),
        ("fan", bytes(33)),
    ],
)  # fmt: skip - pairs are read in rows
def test_encode_refuses(prefix: str, payload: bytes) -> None:
    with pytest.raises(AssertionError):
        encode_id(prefix, payload)
