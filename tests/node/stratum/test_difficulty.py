"""Share difficulties: integers here, floating point at the miner's, and never a block lost between them."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ledger.pow import target_from_compact, work_of
from ledger.types import CompactBits, Target
from node.stratum.difficulty import (
    EASIEST_BITS,
    UNITS_MIN,
    UNITS_OF_ONE,
    Units,
    easiest_for,
    hardest_for,
    lenient_target_of,
    show_units,
    target_of,
    units_of,
    units_of_weight,
    weight_of,
)
from node.stratum.payout import WINDOW_BLOCKS
from node.stratum.shares import SHARES_KEPT_MAX
from node.stratum.vardiff import FALL_MAX, FIRST_WEIGHT, RISE_MAX, SHARE_MS, Vardiff, clamp_units

ANY_UNITS = st.integers(int(UNITS_MIN), 10**32).map(Units)


def target_of_a_miner(difficulty: float) -> int:
    """As miners compute it: the difficulty scaled into one word, 64 bits of it kept."""
    place = 6
    while place > 0 and difficulty > 1.0:
        difficulty /= 4294967296.0
        place -= 1
    return int(4294901760.0 / difficulty) << 32 * place


def test_difficulty_one_is_bitcoins() -> None:
    assert target_of(Units(UNITS_OF_ONE)) == target_from_compact(CompactBits(0x1D00FFFF))
    assert show_units(Units(UNITS_OF_ONE)) == "1" and show_units(Units(3 * UNITS_OF_ONE // 2)) == "1.5"
    assert show_units(UNITS_MIN) == "0.000000000465653"
    assert hardest_for(target_from_compact(EASIEST_BITS)) == UNITS_MIN


@given(ANY_UNITS)
def test_what_a_miner_computes_from_the_text_is_within_the_lenience(units: Units) -> None:
    theirs = target_of_a_miner(float(show_units(units)))
    assert theirs <= lenient_target_of(units)
    assert abs(Fraction(theirs, target_of(units)) - 1) < Fraction(1, 2**22)


@given(st.integers(1, 2**255).map(Target))
def test_whoever_finds_a_block_has_found_a_share(block_target: Target) -> None:
    units = hardest_for(block_target)
    assert lenient_target_of(units) >= target_of(units) >= block_target
    if units >= UNITS_MIN:
        assert target_of_a_miner(float(show_units(units))) >= block_target
    assert units_of(target_of(units)) >= units


@given(st.integers(1, 2**255).map(Target), st.integers(1, 10**45).map(Units))
def test_as_many_shares_as_are_kept_fill_the_window_however_easy_they_were_asked_for(
    target: Target, asked: Units
) -> None:
    hardest, easiest = hardest_for(target), easiest_for(target)
    units = clamp_units(asked, easiest, hardest)
    assert easiest <= units <= hardest
    assert SHARES_KEPT_MAX * weight_of(units) >= WINDOW_BLOCKS * work_of(target)
    assert units >= min(UNITS_MIN, hardest)


@given(st.integers(2, 2**200))
def test_a_weight_gives_a_difficulty_of_that_weight(weight: int) -> None:
    assert abs(Fraction(weight_of(units_of_weight(weight)), weight) - 1) < Fraction(1, 2) ** 15 + Fraction(1, weight)


def drive(vardiff: Vardiff, rate: int, seconds: int) -> list[float]:
    """Weights relative to the wanted one over time, for a miner of `rate` hashes a second that finds shares evenly."""
    now_ms, found = 0, []
    while now_ms < seconds * 1000:
        step = max(1000 * weight_of(vardiff.units) // rate, 1)
        if step > 5000:  # between two shares the clock is looked at
            for look in range(now_ms, now_ms + step, 5000):
                if vardiff.adjust(look, UNITS_MIN, Units(10**40)):
                    now_ms = look
                    break
            else:
                now_ms += step
                vardiff.note_share(weight_of(vardiff.units))
        else:
            now_ms += step
            vardiff.note_share(weight_of(vardiff.units))
        vardiff.adjust(now_ms, UNITS_MIN, Units(10**40))
        found.append(weight_of(vardiff.units) / (rate * SHARE_MS / 1000))
    return found


def test_difficulty_comes_to_a_share_in_ten_seconds_for_a_laptop_and_for_an_asic() -> None:
    for rate in (1_000, 10**6, 10**9, 10**14):
        assert 0.4 < drive(Vardiff(units_of_weight(FIRST_WEIGHT), 0), rate, 1_200)[-1] < 2.1, rate


def test_a_burst_raises_it_by_a_bounded_factor_and_silence_lowers_it() -> None:
    vardiff = Vardiff(units_of_weight(FIRST_WEIGHT), 0)
    for _ in range(16):
        vardiff.note_share(weight_of(vardiff.units))
    assert vardiff.adjust(1, UNITS_MIN, Units(10**40))
    raised = weight_of(vardiff.units)
    assert abs(raised - RISE_MAX * FIRST_WEIGHT) < RISE_MAX * 16
    assert not vardiff.adjust(60_000, UNITS_MIN, Units(10**40)) and vardiff.adjust(90_001, UNITS_MIN, Units(10**40))
    assert abs(weight_of(vardiff.units) - raised // FALL_MAX) < 100


def test_small_changes_are_chance_and_the_blocks_own_difficulty_is_the_limit() -> None:
    vardiff = Vardiff(units_of_weight(FIRST_WEIGHT), 0)
    for _ in range(16):
        vardiff.note_share(weight_of(vardiff.units))
    assert not vardiff.adjust(110_000, UNITS_MIN, Units(10**40))
    for _ in range(16):
        vardiff.note_share(weight_of(vardiff.units))
    assert vardiff.adjust(110_001, UNITS_MIN, UNITS_MIN) and vardiff.units == UNITS_MIN
