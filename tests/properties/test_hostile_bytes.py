"""Everything that reads bytes from strangers, on hostile ones: it refuses them with a code, quickly and in little memory.

The targets and their valid bytes are in `tests/support/fuzz_targets.py`; `scripts/fuzz.py` runs the same for as long as one likes.
"""

import tracemalloc
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import make_case, replay_line, run_case
from ledger.codec import unpack
from ledger.errors import Malformed
from tests.support.fuzz_targets import Target, make_targets
from tests.support.mutations import LENGTH_LIES, mutate

SEED = 20_261_122
CASES_PER_TARGET = 100
MEMORY_PER_BYTE_MAX = 400
MEMORY_BASE_BYTES_MAX = 400_000
"""What reading may take at its peak: some objects for each byte, and what a reader needs for itself."""
MEMORY_NESTED_BYTES_MAX = 90_000_000
"""Arrays within arrays that announce as many items as there are bytes: 80 kB for each of MessagePack's 1,024 levels, no more."""


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    """All targets by name."""
    return make_targets(tmp_path_factory.mktemp("targets"))


def test_there_is_a_target_for_every_decoder(targets: dict[str, Target]) -> None:
    expected = {"codec", "header", "coinbase", "commitment", "block", "transaction", "proof", "receipt", "undo"}
    expected |= {"params", "keystore", "invitation", "join-request", "opening", "settlement-book", "terms-file"}
    assert expected <= set(targets)
    assert len([name for name in targets if name.startswith("record-")]) >= 15
    for target in targets.values():
        assert target.seeds, target.name
        for seed in target.seeds:
            assert target.judge(seed) == "accepted", target.name


def test_spoiled_bytes_are_refused_with_a_code_or_read_as_what_they_are(targets: dict[str, Target]) -> None:
    for target in targets.values():
        for number in range(CASES_PER_TARGET):
            _, wrong = run_case(target, make_case(target, SEED, number))
            assert wrong is None, f"{target.name}: {wrong}\n{replay_line(target, SEED, number)}"


@settings(max_examples=2 * settings().max_examples)
@given(st.data(), st.randoms(use_true_random=False))
def test_hypothesis_finds_no_bytes_that_break_a_reader(
    targets: dict[str, Target], data: st.DataObject, random: Random
) -> None:
    target = targets[data.draw(st.sampled_from(sorted(targets)))]
    good = data.draw(st.sampled_from(target.seeds) | st.binary(max_size=300))
    _, wrong = run_case(target, mutate(good, target.seeds, random))
    assert wrong is None, f"{target.name}: {wrong}"


def hostile_lengths(seed: bytes) -> list[bytes]:
    """Bytes that announce far more than there is, at their beginning, within, and in each other."""
    found = [b"[" * 3_000, b'{"a":' * 3_000, b'{"a":1' + b"0" * 50_000 + b"}", b"\x91" * 3_000]
    for lie in LENGTH_LIES:
        found += [lie, lie + seed, lie * 500, seed[: len(seed) // 2] + lie + seed[len(seed) // 2 :]]
        found += [b"\x95" + lie * 3, b"\xdc\x00\x40" * 500 + lie]
    return found


def peak_memory(target: Target, data: bytes) -> int:
    """The most bytes that reading took beside what was there before."""
    tracemalloc.start()
    try:
        target.judge(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_hostile_lengths_cost_no_memory(targets: dict[str, Target]) -> None:
    for target in targets.values():
        for data in hostile_lengths(target.seeds[0]):
            target.judge(data)  # what is imported or cached the first time is not counted
            peak = peak_memory(target, data)
            limit = MEMORY_BASE_BYTES_MAX + MEMORY_PER_BYTE_MAX * len(data)
            assert peak <= limit, f"{target.name} takes {peak} bytes for {len(data)}: {data[:40].hex()}"


@pytest.mark.parametrize("header", [b"\xdc\x27\x10", b"\xdd\x00\x00\x40\x00"])
@pytest.mark.parametrize("levels", [100, 4_000, 40_000])
def test_arrays_within_arrays_cost_a_bounded_amount(header: bytes, levels: int) -> None:
    def read() -> None:
        with pytest.raises(Malformed):
            unpack(header * levels)

    tracemalloc.start()
    try:
        read()
        assert tracemalloc.get_traced_memory()[1] <= MEMORY_NESTED_BYTES_MAX
    finally:
        tracemalloc.stop()
