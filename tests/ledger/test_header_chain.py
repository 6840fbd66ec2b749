"""Headers in a row: accepted, and each thing that can be wrong with one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.difficulty import Era, advance, initial, next_bits
from ledger.errors import HeaderViolation, LedgerError, Malformed
from ledger.fork_choice import accumulate_work
from ledger.header import Header
from ledger.header_chain import HEADERS_MAX, CheckedHeaders, check_header, check_headers
from ledger.pow import meets_target, target_from_compact
from ledger.types import BlockHash, CompactBits, Hash, Height, Timestamp, Work

LIMIT = CompactBits(0x207FFFFF)
ERAS = (
    Era(Height(0), 3_600, 7_200, LIMIT, LIMIT, False),
    Era(Height(10), 5, 600, LIMIT, LIMIT, True),
    Era(Height(20), 5, 600, LIMIT, CompactBits(0x203FFFFF), True),
)
GENESIS = Header(0x20000000, BlockHash(bytes(32)), Hash(bytes(32)), Timestamp(1_000_000), LIMIT, 0)
START = initial(ERAS, GENESIS.time)


def search(header: Header, *, proved: bool = True) -> Header:
    """The header with the first nonce that does (or does not) prove its work."""
    target = target_from_compact(header.bits)
    while meets_target(header.hash, target) != proved:
        header = replace(header, nonce=header.nonce + 1)
    return header


def mine(count: int, elapsed_s: int = 2) -> list[Header]:
    found, state, parent = list[Header](), START, GENESIS
    for _ in range(count):
        time = Timestamp(parent.time + elapsed_s)
        parent = search(Header(0x20000000, parent.hash, Hash(bytes(32)), time, next_bits(ERAS, state), 0))
        state = advance(ERAS, state, time)
        found.append(parent)
    return found


HEADERS = mine(40)


def check(headers: list[Header]) -> CheckedHeaders:
    return check_headers(ERAS, START, GENESIS.hash, b"".join(header.encode() for header in headers))


def fault_of(headers: list[Header]) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        check(headers)
    return caught.value


def test_good_headers_through_three_eras() -> None:
    checked = check(HEADERS)
    assert checked.hashes == tuple(header.hash for header in HEADERS)
    assert checked.works[:10] == (2,) * 10
    assert list(accumulate_work(Work(0), checked.works))[-1] == sum(checked.works) > 2 * 40
    assert len({header.bits for header in HEADERS}) > 20
    state, parent_hash = START, GENESIS.hash
    for index, header in enumerate(HEADERS):
        one_more = check_header(ERAS, state, parent_hash, header)
        assert one_more == advance(ERAS, state, header.time) == checked.state_after(index)
        state = one_more
        parent_hash = header.hash
    assert checked.state_after(-1) == state
    with pytest.raises(IndexError):
        checked.state_after(40)


def test_good_headers_in_two_pieces() -> None:
    whole, first = check(HEADERS), check(HEADERS[:17])
    raw = b"".join(header.encode() for header in HEADERS[17:])
    second = check_headers(ERAS, first.state_after(-1), first.hashes[-1], raw)
    assert first.hashes + second.hashes == whole.hashes
    assert first.works + second.works == whole.works
    assert first.effective_times + second.effective_times == whole.effective_times
    assert second.state_after(-1) == whole.state_after(-1)


@pytest.mark.parametrize("index", [0, 9, 10, 39])
def test_version(index: int) -> None:
    rolled = search(replace(HEADERS[index], version=0x3FFFE000))
    assert check([*HEADERS[:index], rolled]).hashes[-1] == rolled.hash
    fault = fault_of([*HEADERS[:index], replace(rolled, version=0x20000001)])
    assert isinstance(fault, HeaderViolation)
    assert fault.code.name == "header.version"
    assert fault.fields == {"index": index, "version": 0x20000001}


def test_link() -> None:
    fault = fault_of([*HEADERS[:3], *HEADERS[4:]])
    assert isinstance(fault, Malformed)
    assert fault.code.name == "headers.unlinked"
    assert fault.fields == {"index": 3, "previous": HEADERS[3].hash, "expected": HEADERS[2].hash}


def test_time_rises_strictly() -> None:
    good = search(replace(HEADERS[5], time=Timestamp(HEADERS[4].time + 1)))
    assert check([*HEADERS[:5], good]).times[-1] == HEADERS[4].time + 1
    for early in (HEADERS[4].time, HEADERS[4].time - 1):
        fault = fault_of([*HEADERS[:5], search(replace(HEADERS[5], time=Timestamp(early)))])
        assert isinstance(fault, HeaderViolation)
        assert fault.code.name == "header.time"
        assert fault.fields == {"index": 5, "time": early, "parent_time": HEADERS[4].time}


@pytest.mark.parametrize("wrong", [0x207FFFFE, 0x1D00FFFF, 0x2100007F, 0x21007FFF, 0])
def test_bits_equal_the_expected_ones(wrong: int) -> None:
    fault = fault_of([*HEADERS[:5], replace(HEADERS[5], bits=CompactBits(wrong))])
    assert isinstance(fault, HeaderViolation)
    assert fault.code.name == "header.bits"
    assert fault.fields == {"index": 5, "bits": wrong, "expected": LIMIT}


def test_another_spelling_of_the_target_never_matches() -> None:
    eras = (Era(Height(0), 60, 7_200, CompactBits(0x20010000), CompactBits(0x20010000), False),)
    good = search(Header(0x20000000, GENESIS.hash, Hash(bytes(32)), Timestamp(1_000_001), CompactBits(0x20010000), 0))
    spelled = search(replace(good, bits=CompactBits(0x21000100)))
    assert target_from_compact(good.bits) == target_from_compact(spelled.bits)
    start = initial(eras, GENESIS.time)
    check_header(eras, start, GENESIS.hash, good)
    with pytest.raises(HeaderViolation) as caught:
        check_header(eras, start, GENESIS.hash, spelled)
    assert caught.value.code.name == "header.bits"


def test_work() -> None:
    lazy = search(HEADERS[30], proved=False)
    fault = fault_of([*HEADERS[:30], lazy, *HEADERS[31:]])
    assert isinstance(fault, HeaderViolation)
    assert fault.code.name == "header.work"
    assert fault.fields == {"index": 30, "hash": lazy.hash, "bits": lazy.bits}


def test_order_of_failures() -> None:
    """A header that has everything wrong is repaired from the first check to the last."""
    good = HEADERS[30]
    wrong = Header(1, BlockHash(bytes(32)), good.merkle_root, Timestamp(0), CompactBits(0x1D00FFFF), 0)
    seen: list[str] = []
    for repair in (
        {"version": good.version},
        {"previous": good.previous},
        {"time": good.time},
        {"bits": good.bits},
        {},
    ):
        seen.append(fault_of([*HEADERS[:30], wrong]).code.name)
        wrong = replace(wrong, **repair)
        if not repair or "bits" in repair:
            wrong = search(wrong, proved=False)
    assert seen == ["header.version", "headers.unlinked", "header.time", "header.bits", "header.work"]


@pytest.mark.parametrize("length", [0, 1, 79, 81, 80 * 2 + 40, 80 * (HEADERS_MAX + 1)])
def test_other_lengths_are_malformed(length: int) -> None:
    with pytest.raises(Malformed) as caught:
        check_headers(ERAS, START, GENESIS.hash, bytes(length))
    assert caught.value.code.name == "headers.length"
    assert caught.value.fields == {"length": length, "maximum": HEADERS_MAX}


def test_most_headers_at_once_are_looked_at() -> None:
    with pytest.raises(HeaderViolation):
        check_headers(ERAS, START, GENESIS.hash, bytes(80 * HEADERS_MAX))


def test_published_headers_break_only_our_own_rules() -> None:
    """Bitcoin's genesis and block 1 link and prove their work, but lack our version bits."""
    path = Path(__file__).parents[1] / "vectors" / "bitcoin" / "compact_pow_headers.json"
    first, second = (
        Header.decode(bytes.fromhex(case["header"]))
        for case in json.loads(path.read_text(encoding="utf-8"))["headers"][:2]
    )
    eras = (Era(Height(0), 600, 65_536, CompactBits(0x1D00FFFF), CompactBits(0x1D00FFFF), False),)
    with pytest.raises(HeaderViolation) as caught:
        check_header(eras, initial(eras, first.time), first.hash, second)
    assert caught.value.code.name == "header.version"


@given(st.binary(max_size=400))
def test_unknown_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(LedgerError):
        check_headers(ERAS, START, GENESIS.hash, data)


@given(st.integers(0, 79), st.integers(0, 7), st.integers(0, 39))
def test_any_changed_bit_is_noticed_or_is_other_work(offset: int, bit: int, index: int) -> None:
    raw = bytearray(b"".join(header.encode() for header in HEADERS))
    raw[index * 80 + offset] ^= 1 << bit
    found: CheckedHeaders | LedgerError
    try:
        found = check_headers(ERAS, START, GENESIS.hash, bytes(raw))
    except LedgerError as fault:
        found = fault
    if isinstance(found, LedgerError):
        assert found.fields["index"] in (index, index + 1)
    else:
        assert index == 39
        assert found.hashes[:39] == tuple(header.hash for header in HEADERS[:39])
        assert found.hashes[39] != HEADERS[39].hash
