"""The 80 bytes of a header, against published headers and blocks."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.coinbase import compute_merkle_root
from ledger.errors import Malformed
from ledger.header import VERSION_ROLLING_MASK, Header, version_is_valid
from ledger.pow import meets_target, target_from_compact
from ledger.types import BlockHash, CompactBits, Hash, Timestamp
from tests.support import bitcoin_format

FOLDER = Path(__file__).parents[1] / "vectors" / "bitcoin"
PUBLISHED = json.loads((FOLDER / "compact_pow_headers.json").read_text(encoding="utf-8"))
u32 = st.integers(0, 2**32 - 1)
hashes = st.binary(min_size=32, max_size=32)
headers = st.builds(
    Header,
    version=u32,
    previous=hashes.map(BlockHash),
    merkle_root=hashes.map(Hash),
    time=u32.map(Timestamp),
    bits=u32.map(CompactBits),
    nonce=u32,
)


def display(value: bytes) -> str:
    return value[::-1].hex()


def test_published_headers() -> None:
    cases = PUBLISHED["headers"]
    assert len(cases) == 13
    for case in cases:
        raw = bytes.fromhex(case["header"])
        header = Header.decode(raw)
        assert header.encode() == raw
        assert display(header.hash) == case["hash"]
        assert display(header.previous) == case["prev"]
        assert display(header.merkle_root) == case["merkle_root"]
        assert header.version == case["version"]
        assert (header.time, header.bits, header.nonce) == (case["time"], int(case["bits"], 16), case["nonce"])


def test_published_blocks_of_one_transaction() -> None:
    cases = PUBLISHED["single_tx_blocks"]
    assert len(cases) == 7
    for case in cases:
        coinbase = bytes.fromhex(case["coinbase"])
        assert Header.decode(bytes.fromhex(case["header"])).merkle_root == compute_merkle_root(coinbase)
        reader = bitcoin_format.Reader(coinbase)
        assert bitcoin_format.read_transaction(reader).is_coinbase
        assert reader.at_end


def check_block(data: bytes) -> tuple[Header, int]:
    raw, transactions = bitcoin_format.read_block(data)
    header = Header.decode(raw)
    assert bitcoin_format.compute_merkle_root([tx.txid for tx in transactions]) == header.merkle_root
    assert [tx.is_coinbase for tx in transactions] == [True] + [False] * (len(transactions) - 1)
    assert meets_target(header.hash, target_from_compact(header.bits))
    return header, len(transactions)


def test_published_bip158_blocks() -> None:
    rows = json.loads((FOLDER / "bip158_testnet19_blocks.json").read_text(encoding="utf-8"))[1:]
    assert len(rows) == 10
    counted = 0
    for row in rows:
        header, count = check_block(bytes.fromhex(row[2]))
        assert display(header.hash) == row[1]
        counted += count
    assert counted == 20


def test_published_bcoin_blocks() -> None:
    names = {path.name for path in FOLDER.glob("bcoin_*.raw")}
    assert names == {"bcoin_block1.raw", "bcoin_block898352.raw", "bcoin_headers1.raw", "bcoin_merkle300025.raw"}
    first, first_count = check_block((FOLDER / "bcoin_block1.raw").read_bytes())
    later, later_count = check_block((FOLDER / "bcoin_block898352.raw").read_bytes())
    assert (display(first.hash), first_count) == ("00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048", 1)
    assert (display(later.hash), later_count) == (
        "00000000c269ad542ed9ac684cb5fa6df340d5feee0e040590225c7332b98fca",
        10,
    )
    message = (FOLDER / "bcoin_headers1.raw").read_bytes()
    assert len(message) == 81
    assert message[80] == 0
    assert Header.decode(message[:80]) == first


def test_published_merkle_block() -> None:
    raw, root, matched = bitcoin_format.read_merkle_block((FOLDER / "bcoin_merkle300025.raw").read_bytes())
    header = Header.decode(raw)
    assert root == header.merkle_root
    assert matched == 2
    assert meets_target(header.hash, target_from_compact(header.bits))


@pytest.mark.parametrize("length", [0, 1, 79, 81, 160])
def test_other_lengths_are_malformed(length: int) -> None:
    with pytest.raises(Malformed) as caught:
        Header.decode(bytes(length))
    assert caught.value.code.name == "header.length"
    assert caught.value.fields == {"expected": 80, "length": length}


def test_hashes_of_other_lengths_are_a_fault_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="32 bytes"):
        Header(0, BlockHash(bytes(31)), Hash(bytes(32)), Timestamp(0), CompactBits(0), 0).encode()


def test_version() -> None:
    assert version_is_valid(0x20000000)
    assert version_is_valid(0x20000000 | VERSION_ROLLING_MASK)
    assert not version_is_valid(0)
    for bit in range(32):
        assert version_is_valid(0x20000000 ^ 1 << bit) == (13 <= bit <= 28)


@given(headers)
def test_header_round_trip(header: Header) -> None:
    assert Header.decode(header.encode()) == header


@given(st.binary(min_size=80, max_size=80))
def test_any_80_bytes_are_a_header(data: bytes) -> None:
    header = Header.decode(data)
    assert header.encode() == data
    assert header.hash == bitcoin_format.double_sha256(data)
