"""Hash rate falls a hundredfold: the recovery that the difficulty rule promises (spec MINE-9) is the one that is seen.

Computed: how fast the difficulty falls on average while blocks come by chance, as an equation for its mean, in small steps. Seen:
the ledger's own rule, driven block by block with times drawn at random, two hundred times.
"""

import math
import random
import statistics

from ledger.difficulty import Era, advance, initial, next_bits
from ledger.pow import target_from_compact, work_of
from ledger.types import CompactBits, Height, Timestamp

BLOCK_TIME_S, HALF_LIFE_S = 60, 6_000
ERA = Era(Height(0), BLOCK_TIME_S, HALF_LIFE_S, CompactBits(0x1D00FFFF), CompactBits(0x1A00FFFF), True)
FALL = 100
HALF_LIVES = 10
RUNS = 200
START = Timestamp(1_800_000_000)


def compute_recovery() -> tuple[list[float], float]:
    """The block time in units of T after each half-life, and the blocks until the last one."""
    ratio, time_s, step_s, blocks, found = float(FALL), 0.0, BLOCK_TIME_S / 50, 0.0, list[float]()
    for number in range(1, HALF_LIVES + 1):
        while time_s < number * HALF_LIFE_S:
            gap_s = ratio * BLOCK_TIME_S
            counted_s = gap_s * (1 - math.exp(-HALF_LIFE_S / gap_s))  # the mean of what effective time takes of a gap
            ratio *= 2 ** ((BLOCK_TIME_S - counted_s) / HALF_LIFE_S * step_s / gap_s)
            time_s += step_s
            blocks += step_s / gap_s
        found.append(ratio)
    return found, blocks


def see_recovery(seed: int) -> tuple[list[float], int]:
    """The same of one chain."""
    chance, state, found, blocks = random.Random(seed), initial((ERA,), START), list[float](), 0
    hashes_a_second = work_of(target_from_compact(ERA.anchor_bits)) / BLOCK_TIME_S / FALL
    while len(found) < HALF_LIVES:
        work = work_of(target_from_compact(next_bits((ERA,), state)))
        gap_s = chance.expovariate(hashes_a_second / work)
        while len(found) < HALF_LIVES and state.time - START + gap_s >= (len(found) + 1) * HALF_LIFE_S:
            found.append(work / hashes_a_second / BLOCK_TIME_S)
        state = advance((ERA,), state, Timestamp(state.time + max(round(gap_s), 1)))
        blocks += 1
    return found, blocks


def test_the_recovery_from_a_hundredfold_fall_is_the_computed_one() -> None:
    computed, blocks = compute_recovery()
    seen = [see_recovery(seed) for seed in range(RUNS)]
    for number in range(HALF_LIVES):
        median = statistics.median(ratios[number] for ratios, _ in seen)
        tolerance = 0.15 if number >= 3 else 0.45  # in the first half-lives there are a handful of blocks in all
        assert abs(median / computed[number] - 1) < tolerance, (number + 1, median, computed[number])
    assert abs(statistics.mean(count for _, count in seen) / blocks - 1) < 0.15


def test_what_the_text_says_of_it() -> None:
    computed, _ = compute_recovery()
    assert 9 < computed[3] < 10 and 2 < computed[6] < 2.1 and computed[9] < 1.15
