"""Compact bits, targets and work, against Bitcoin's published values."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Malformed
from ledger.pow import compact_from_target, meets_target, target_from_compact, work_of
from ledger.types import BlockHash, CompactBits, Target

PUBLISHED = json.loads(
    (Path(__file__).parents[1] / "vectors" / "bitcoin" / "compact_pow_headers.json").read_text(encoding="utf-8")
)
targets = st.integers(0, 255).flatmap(lambda bits: st.integers(1 << bits, (2 << bits) - 1)).map(Target)


def bits_of(text: str) -> CompactBits:
    return CompactBits(int(text, 16))


def verdict_on(bits: CompactBits) -> str:
    try:
        target_from_compact(bits)
    except Malformed as fault:
        return fault.code.name if fault.fields == {"bits": bits} else "fields"
    return "good"


def test_published_compact_bits() -> None:
    verdicts = Counter[str]()
    for case in PUBLISHED["compact"]:
        bits = bits_of(case["nbits"])
        verdict = verdict_on(bits)
        verdicts[verdict] += 1
        assert (verdict == "bits.negative") == case["negative"]
        assert (verdict == "bits.overflow") == case["overflow"]
        if verdict == "good":
            assert target_from_compact(bits) == int(case["target"], 16)
            assert compact_from_target(target_from_compact(bits)) == bits_of(case["get_compact"])
        elif verdict == "bits.zero":
            assert int(case["target"], 16) == 0
    assert verdicts == {"bits.negative": 2, "bits.overflow": 1, "bits.zero": 11, "good": 6}


def test_published_compact_without_sign_bit() -> None:
    cases = PUBLISHED["get_compact_no_sign_bit"]
    assert len(cases) == 1
    for case in cases:
        assert compact_from_target(Target(int(case["value"], 16))) == bits_of(case["get_compact"])


def test_published_retargets() -> None:
    """Bitcoin's own rule, made from our two conversions, gives Bitcoin's own bits."""
    cases, two_weeks_s = PUBLISHED["retarget_2016"], 1_209_600
    assert len(cases) == 4
    for case in cases:
        timespan = min(max(case["last_time"] - case["last_retarget_time"], two_weeks_s // 4), two_weeks_s * 4)
        target = target_from_compact(bits_of(case["last_bits"])) * timespan // two_weeks_s
        capped = Target(min(target, target_from_compact(CompactBits(0x1D00FFFF))))
        assert compact_from_target(capped) == bits_of(case["expect"]), case["name"]


def test_published_work() -> None:
    cases = PUBLISHED["work"]["examples"]
    assert len(cases) == 4
    for case in cases:
        assert work_of(target_from_compact(bits_of(case["nbits"]))) == int(case["work"])


def test_published_difficulty_1() -> None:
    case = PUBLISHED["difficulty_1"]
    assert target_from_compact(bits_of(case["nbits"])) == int(case["bdiff_target"], 16)


def test_published_headers_meet_their_targets() -> None:
    cases = PUBLISHED["headers"]
    assert len(cases) == 13
    for case in cases:
        block_hash = BlockHash(bytes.fromhex(case["hash"])[::-1])
        target = target_from_compact(bits_of(case["bits"]))
        assert meets_target(block_hash, target)
        assert not meets_target(block_hash, Target(target >> 64))


@pytest.mark.parametrize(
    ("bits", "code"),
    [
        (0x01FEDCBA, "bits.negative"),
        (0xFF923456, "bits.negative"),  # over 256 bits as well: the sign is looked at first
        (0x23000001, "bits.overflow"),
        (0x22000100, "bits.overflow"),
        (0x21010000, "bits.overflow"),
        (0x00000000, "bits.zero"),
        (0xFF800000, "bits.zero"),  # minus nothing
        (0x01003456, "bits.zero"),
    ],
)
def test_bits_that_are_no_target(bits: int, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        target_from_compact(CompactBits(bits))
    assert caught.value.code.name == code


def test_largest_targets_in_each_size() -> None:
    assert target_from_compact(CompactBits(0x220000FF)) == 0xFF << 248
    assert target_from_compact(CompactBits(0x2100FFFF)) == 0xFFFF << 240
    assert target_from_compact(CompactBits(0x207FFFFF)) == 0x7FFFFF << 232
    assert compact_from_target(Target(2**256 - 1)) == 0x2100FFFF


def test_hash_equal_to_target_is_enough() -> None:
    one = BlockHash((1).to_bytes(32, "little"))
    assert meets_target(one, Target(1))
    assert not meets_target(one, Target(0))


def test_work_at_the_ends() -> None:
    assert work_of(Target(2**256 - 1)) == 1
    assert work_of(Target(1)) == 2**255


@given(targets)
def test_compact_keeps_the_highest_bits(target: Target) -> None:
    back = target_from_compact(compact_from_target(target))
    assert back <= target
    assert (target - back) << 15 < target
    assert compact_from_target(back) == compact_from_target(target)


@given(targets, targets)
def test_compact_keeps_the_order(first: Target, second: Target) -> None:
    low, high = sorted((first, second))
    assert target_from_compact(compact_from_target(Target(low))) <= target_from_compact(
        compact_from_target(Target(high))
    )
    assert work_of(Target(low)) >= work_of(Target(high))


@given(st.integers(0, 2**32 - 1))
def test_any_bits_are_a_target_or_malformed(bits: int) -> None:
    try:
        target = target_from_compact(CompactBits(bits))
    except Malformed:
        return
    assert 1 <= target < 2**256
