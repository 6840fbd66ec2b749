"""Difficulty: the published runs of aserti3-2d, our own vectors of effective time and no wind-up, and properties."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.difficulty import (
    ERAS_MAX,
    DifficultyState,
    Era,
    Eras,
    advance,
    check_eras,
    compute_exponent,
    compute_uncapped_target,
    era_at,
    find_exponent_at_limit,
    initial,
    next_bits,
    next_target,
)
from ledger.errors import Malformed
from ledger.pow import compact_from_target, target_from_compact
from ledger.types import CompactBits, Height, Target, Timestamp
from tests.support.difficulty_reference import Chain, Schedule, exponent_at_limit
from tests.support.difficulty_vectors import CASES, write_case

VECTORS = Path(__file__).parents[1] / "vectors"
PUBLISHED_ROWS = {"run01": 10, "run03": 10, "run05": 225, "run07": 1_000, "run09": 10, "run11": 1_000}
OUR_ROWS = {"steady": 41, "random": 1_483, "fast": 1_201, "slow_then_fast": 4_533, "outage": 1_749, "eras": 230}
MAIN = Era(Height(0), 60, 7_200, CompactBits(0x1F00FFFF), CompactBits(0x1D00FFFF), True)


def make_era(
    start_height: int = 0,
    block_time_s: int = 60,
    half_life_s: int = 7_200,
    limit_bits: int = 0x1F00FFFF,
    anchor_bits: int = 0x1D00FFFF,
    retarget: bool = True,
) -> Era:
    return Era(
        Height(start_height), block_time_s, half_life_s, CompactBits(limit_bits), CompactBits(anchor_bits), retarget
    )


def read_published(name: str) -> tuple[dict[str, int], list[tuple[int, int, int, int]]]:
    lines = (VECTORS / "aserti3-2d" / name).read_text(encoding="utf-8").splitlines()
    head: dict[str, int] = {}
    rows: list[tuple[int, int, int, int]] = []
    for line in lines:
        if found := re.match(r"##\s+(\w[\w ]*): (\w+)$", line):
            head[found[1].replace("ancestor", "parent")] = int(found[2], 0)
        elif line and not line.startswith("#"):
            iteration, height, time, bits = line.split()
            rows.append((int(iteration), int(height), int(time), int(bits, 16)))
    return head, rows


@pytest.mark.parametrize("name", PUBLISHED_ROWS)
def test_published_aserti3_2d(name: str) -> None:
    """T=600 s, half-life 172,800 s, limit 0x1d00ffff. The nBits of a row are those of the block after it."""
    head, rows = read_published(name)
    assert len(rows) == head["iterations"] == PUBLISHED_ROWS[name]
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0][1:3] == (head["start height"], head["start time"])
    for _, height, time, bits in rows:
        target = next_target(
            anchor_target=target_from_compact(CompactBits(head["anchor nBits"])),
            limit_target=target_from_compact(CompactBits(0x1D00FFFF)),
            half_life_s=172_800,
            drift_s=time - head["anchor parent time"] - 600 * (height - head["anchor height"] + 1),
        )
        assert compact_from_target(target) == bits, (name, height)


def test_published_files_are_all_read() -> None:
    assert {path.name for path in (VECTORS / "aserti3-2d").iterdir()} == set(PUBLISHED_ROWS)
    assert {path.stem for path in (VECTORS / "difficulty").glob("*.json")} == set(OUR_ROWS) == set(CASES)


def read_ours(name: str) -> tuple[Eras, list[list[Any]], int]:
    data = json.loads((VECTORS / "difficulty" / f"{name}.json").read_text(encoding="utf-8"))
    eras = tuple(
        make_era(start, block_time_s, half_life_s, int(limit, 16), int(anchor, 16), retarget)
        for start, block_time_s, half_life_s, limit, anchor, retarget in data["eras"]
    )
    return eras, data["rows"], int(data["next_bits"], 16)


@pytest.mark.parametrize("name", OUR_ROWS)
def test_golden_vectors(name: str) -> None:
    eras, rows, last_bits = read_ours(name)
    check_eras(eras)
    assert len(rows) == OUR_ROWS[name]
    state = initial(eras, Timestamp(rows[0][1]))
    assert int(rows[0][3], 16) == eras[0].anchor_bits
    for height, time, effective_time, bits in rows[1:]:
        assert next_bits(eras, state) == int(bits, 16), height
        state = advance(eras, state, Timestamp(time))
        assert (state.height, state.time, state.effective_time) == (height, time, effective_time)
    assert next_bits(eras, state) == last_bits


@pytest.mark.parametrize("name", ["steady", "outage", "eras"])
def test_golden_vectors_are_what_the_reference_writes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.difficulty_vectors.FOLDER", tmp_path)
    write_case(name, CASES[name]())
    assert (tmp_path / f"{name}.json").read_bytes() == (VECTORS / "difficulty" / f"{name}.json").read_bytes()


def test_outage_opens_no_flood() -> None:
    """A day of silence; with the clock instead of effective time 1,261 to 1,304 blocks follow in the first hour (5 seeds)."""
    _, rows, _ = read_ours("outage")
    times = [row[1] for row in rows]
    first = max(range(1, len(times)), key=lambda index: times[index] - times[index - 1])
    assert times[first] - times[first - 1] >= 86_400
    back = times[first - 1] + 86_400
    assert sum(back <= time < back + 60 for time in times) <= 10
    assert 30 <= sum(back <= time < back + 3_600 for time in times) <= 200


def test_slow_weeks_leave_no_debt() -> None:
    """Four weeks of ten-minute blocks at the limit, then one a second: the second of these is harder already."""
    _, rows, _ = read_ours("slow_then_fast")
    times, bits = [row[1] for row in rows], [row[3] for row in rows]
    assert times[4_032] - times[0] == 28 * 86_400
    assert set(bits[2_000:4_034]) == {"1f00ffff"}
    harder = [target_from_compact(CompactBits(int(text, 16))) for text in bits[4_033:]]
    assert all(later < earlier for earlier, later in pairwise(harder))


def test_exponent_truncates_toward_zero() -> None:
    assert [compute_exponent(drift, 3) for drift in (-2, -1, 0, 1, 2)] == [-43690, -21845, 0, 21845, 43690]
    assert compute_exponent(-1, 172_800) == 0
    assert compute_exponent(1, 172_800) == 0
    assert compute_exponent(-172_800, 172_800) == -65_536


def test_uncapped_target_never_falls() -> None:
    """What the binary search for the limit rests on, over a whole doubling."""
    anchor = Target(2**200 - 12_345)
    found = [compute_uncapped_target(anchor, exponent) for exponent in range(-65_536, 65_537)]
    assert all(low <= high for low, high in pairwise(found))
    assert found[0] == anchor >> 1
    assert found[65_536] == anchor
    assert found[-1] == anchor << 1


def test_target_is_one_at_least_and_the_limit_at_most() -> None:
    limit = Target(2**230)

    def at(drift_s: int) -> Target:
        return next_target(anchor_target=Target(2**200), limit_target=limit, half_life_s=100, drift_s=drift_s)

    assert at(-100 * 200) == 1
    assert at(-100 * 201) == 1
    assert at(-(10**9)) == 1
    assert at(100 * 30 - 1) < limit
    assert at(100 * 30) == at(100 * 31) == at(100 * 256) == at(100 * 257) == at(2**63) == limit


@pytest.mark.parametrize(
    ("anchor", "limit", "exponent"),
    [(1, 1, 0), (2**224, 2**224, 0), (2**200, 2**201, 65_536), (1, 2**255, 255 * 65_536), (1, 2, 65_536)],
)
def test_exponent_at_limit(anchor: int, limit: int, exponent: int) -> None:
    assert find_exponent_at_limit(Target(anchor), Target(limit)) == exponent


@given(st.integers(1, 2**255), st.integers(0, 2**255))
def test_exponent_at_limit_is_what_the_reference_walks_to(anchor: int, above: int) -> None:
    limit = min(anchor + above, 2**256 - 1)
    found = find_exponent_at_limit(Target(anchor), Target(limit))
    low = max(found - 40, 0)
    assert [compute_uncapped_target(Target(anchor), e) >= limit for e in range(low, found + 1)] == [False] * (
        found - low
    ) + [True]


def test_exponent_at_limit_agrees_with_the_reference() -> None:
    for anchor, limit in ((0x1D00FFFF, 0x1F00FFFF), (0x03010000, 0x1F00FFFF), (0x1D00FFFF, 0x1D00FFFF)):
        pair = target_from_compact(CompactBits(anchor)), target_from_compact(CompactBits(limit))
        assert find_exponent_at_limit(*pair) == exponent_at_limit(*pair)


def test_drift_max_of_an_era_is_the_first_second_at_the_limit() -> None:
    for era in (MAIN, make_era(half_life_s=65_536), make_era(half_life_s=77, anchor_bits=0x1B0404CB)):
        at_max, before = (
            next_target(
                anchor_target=era.anchor_target,
                limit_target=era.limit_target,
                half_life_s=era.half_life_s,
                drift_s=drift_s,
            )
            for drift_s in (era.drift_max_s, era.drift_max_s - 1)
        )
        assert before < at_max == era.limit_target


@pytest.mark.parametrize(
    ("make", "code", "field"),
    [
        (lambda: make_era(start_height=-1), "params.era", "start_height"),
        (lambda: make_era(start_height=2**32), "params.era", "start_height"),
        (lambda: make_era(block_time_s=0), "params.era", "block_time_s"),
        (lambda: make_era(block_time_s=65_537), "params.era", "block_time_s"),
        (lambda: make_era(block_time_s=60, half_life_s=59), "params.era", "half_life_s"),
        (lambda: make_era(half_life_s=65_537), "params.era", "half_life_s"),
        (lambda: make_era(limit_bits=2**32), "params.era", "limit_bits"),
        (lambda: make_era(anchor_bits=-1), "params.era", "anchor_bits"),
        (lambda: make_era(limit_bits=0x2000007F), "params.era_bits", "limit_bits"),
        (lambda: make_era(anchor_bits=0x1E0000FF), "params.era_bits", "anchor_bits"),
        (lambda: make_era(anchor_bits=0), "bits.zero", None),
        (lambda: make_era(limit_bits=0xFF000001), "bits.overflow", None),
        (lambda: make_era(anchor_bits=0x1D80FFFF), "bits.negative", None),
        (lambda: make_era(limit_bits=0x1D00FFFE), "params.era_anchor", None),
    ],
)
def test_eras_that_are_refused(make: Callable[[], Era], code: str, field: str | None) -> None:
    with pytest.raises(Malformed) as caught:
        make()
    assert caught.value.code.name == code
    assert field is None or caught.value.fields["field"] == field


def test_eras_at_their_bounds() -> None:
    assert make_era(limit_bits=0x1D00FFFF).drift_max_s == 0
    assert make_era(start_height=2**32 - 1, block_time_s=65_536, half_life_s=65_536).block_time_s == 65_536
    assert make_era(block_time_s=1, half_life_s=1).half_life_s == 1
    same = make_era()
    assert same == MAIN
    assert hash(same) == hash(MAIN)


@pytest.mark.parametrize(
    ("starts", "index"),
    [([], 0), ([1], 0), ([0, 0], 1), ([0, 5, 5], 2), ([0, 5, 4], 2), (list(range(ERAS_MAX + 1)), 0)],
)
def test_lists_of_eras_that_are_refused(starts: list[int], index: int) -> None:
    with pytest.raises(Malformed) as caught:
        check_eras(tuple(make_era(start) for start in starts))
    assert caught.value.code.name == "params.eras"
    assert caught.value.fields["index"] == index
    assert caught.value.fields["count"] == len(starts)


def test_lists_of_eras_at_their_bounds() -> None:
    check_eras((MAIN,))
    eras = tuple(make_era(start * 10) for start in range(ERAS_MAX))
    check_eras(eras)
    assert [era_at(eras, Height(height)).start_height for height in (0, 9, 10, 149, 150, 10**6)] == [
        0,
        0,
        10,
        140,
        150,
        150,
    ]


def test_genesis_state() -> None:
    state = initial((MAIN,), Timestamp(1_000))
    assert state == DifficultyState(Height(0), Timestamp(1_000), Timestamp(1_000), Timestamp(940))
    assert next_bits((MAIN,), state) == MAIN.anchor_bits


def test_first_block_of_an_era_has_its_anchor_bits() -> None:
    eras = (make_era(), make_era(start_height=3, block_time_s=5, half_life_s=600, anchor_bits=0x1E00FFFF))
    state = initial(eras, Timestamp(1_000))
    for time in (1_010, 1_020):
        state = advance(eras, state, Timestamp(time))
    assert next_bits(eras, state) == 0x1E00FFFF
    after = advance(eras, state, Timestamp(1_025))
    assert after.anchor_parent_time == state.effective_time
    assert next_bits(eras, after) == 0x1E00FFFF  # on time
    late = advance(eras, state, Timestamp(1_085))
    assert next_bits(eras, late) > 0x1E00FFFF


def test_without_retargeting_bits_stay_and_time_is_only_clamped() -> None:
    eras = (make_era(limit_bits=0x207FFFFF, anchor_bits=0x207FFFFF, retarget=False),)
    state = initial(eras, Timestamp(0))
    effective_time = 0
    for elapsed_s, counted_s in ((7_200, 7_200), (7_201, 7_200), (10**6, 7_200), (0, 1), (1, 1)):
        state = advance(eras, state, Timestamp(state.time + elapsed_s))
        effective_time += counted_s
        assert state.effective_time == effective_time
        assert next_bits(eras, state) == 0x207FFFFF


elapsed = st.lists(st.one_of(st.integers(1, 120), st.integers(1, 50_000)), min_size=1, max_size=80)
bits_pairs = st.sampled_from([(0x1F00FFFF, 0x1D00FFFF), (0x207FFFFF, 0x207FFFFF), (0x1F00FFFF, 0x1F00FFF0)])


@given(bits_pairs, st.integers(1, 600), st.integers(1, 120), elapsed)
def test_bits_stay_below_the_limit_and_drift_below_its_bound(
    bits: tuple[int, int], block_time_s: int, half_life_blocks: int, steps: list[int]
) -> None:
    half_life_s = min(block_time_s * half_life_blocks, 65_536)
    eras = (make_era(0, block_time_s, half_life_s, *bits),)
    chain = Chain([Schedule(0, block_time_s, half_life_s, *bits, True)])
    chain.append(10**9)
    state = initial(eras, Timestamp(10**9))
    for step in steps:
        assert next_bits(eras, state) == chain.expected_bits()
        assert 1 <= target_from_compact(next_bits(eras, state)) <= eras[0].limit_target
        following = advance(eras, state, Timestamp(state.time + step))
        chain.append(state.time + step)
        assert following.effective_time == chain.effective[-1]
        assert following.effective_time - state.effective_time <= min(step, half_life_s)
        schedule = following.anchor_parent_time + block_time_s * (following.height + 1)
        assert following.effective_time - schedule <= eras[0].drift_max_s
        state = following


@given(st.integers(-(10**7), 10**7), st.integers(1, 10**6))
def test_target_never_falls_with_drift(drift_s: int, more_s: int) -> None:
    first, second = (
        next_target(anchor_target=MAIN.anchor_target, limit_target=MAIN.limit_target, half_life_s=7_200, drift_s=drift)
        for drift in (drift_s, drift_s + more_s)
    )
    assert first <= second <= MAIN.limit_target


@given(elapsed, st.integers(0, 79))
def test_a_chain_resumes_from_its_four_numbers(steps: list[int], stop: int) -> None:
    eras = (make_era(), make_era(20, 5, 600), make_era(40, 5, 600, retarget=False))
    whole = resumed = initial(eras, Timestamp(10**9))
    for index, step in enumerate(steps):
        whole = advance(eras, whole, Timestamp(whole.time + step))
        resumed = advance(eras, resumed, Timestamp(resumed.time + step))
        if index == stop:
            resumed = DifficultyState(resumed.height, resumed.time, resumed.effective_time, resumed.anchor_parent_time)
    assert whole == resumed
