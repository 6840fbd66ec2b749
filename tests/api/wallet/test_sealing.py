from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.wallet.errors import WalletError
from api.wallet.sealing import (
    NOTHING_CARRIED,
    Carried,
    PeriodRule,
    choose_covers,
    group_receipts,
    opening_from_mapping,
    opening_to_mapping,
    seal_entry,
)
from ledger.domains.loyalty.receipts import (
    Receipt,
    SignedReceipt,
    receipt_hash,
    seal_remainder,
    seal_sum,
    sum_leaf,
    sum_root,
)
from ledger.types import Address, Hash, Points, ProgramId, PublicKey, ReceiptHash, Signature, Timestamp

FAN, FRIEND = Address(b"f" * 32), Address(b"g" * 32)
DAY = 86_400


def receipts_of(*points: int) -> list[tuple[ReceiptHash, Points]]:
    return [(ReceiptHash(bytes([index]) * 32), Points(value)) for index, value in enumerate(points)]


def test_entry_shows_sum_and_difference_of_remainders() -> None:
    receipts = receipts_of(30, 12)
    before = Carried(Points(5), b"s" * 32)
    entry, opening = seal_entry(FAN, 9, receipts, before=before, remainder_max=Points(20), random=Random(1))
    after = opening.after
    assert (entry.member, entry.period) == (FAN, 9)
    assert entry.points == 42 + 5 - after.remainder
    root = sum_root([sum_leaf(*receipt) for receipt in receipts])
    assert entry.receipts == seal_sum(opening.salt, root)
    assert entry.remainder == seal_remainder(after.salt, after.remainder)
    assert opening.entry() == entry
    assert opening.before == before


@given(
    st.lists(st.integers(0, 10**6), max_size=9),
    st.integers(0, 500),
    st.integers(0, 1_000),
    st.booleans(),
    st.integers(),
)
def test_equation_and_bounds_always_hold(points: list[int], carried: int, bound: int, last: bool, seed: int) -> None:
    before = Carried(Points(carried), b"s" * 32) if carried else NOTHING_CARRIED
    entry, opening = seal_entry(
        FAN, 0, receipts_of(*points), before=before, remainder_max=Points(bound), is_last=last, random=Random(seed)
    )
    assert entry.points >= 0
    assert entry.points == sum(points) + carried - opening.after.remainder
    assert 0 <= opening.after.remainder <= min(bound, sum(points) + carried)
    assert bool(entry.remainder) == (bound > 0 and not last)
    assert opening_from_mapping(opening_to_mapping(opening)) == opening


def test_remainders_are_spread_evenly_and_zero_is_hidden() -> None:
    random = Random(7)
    found = Counter(
        seal_entry(FAN, 0, receipts_of(100), remainder_max=Points(4), random=random)[1].after.remainder
        for _ in range(2_000)
    )
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert min(found.values()) > 300
    entry, _ = seal_entry(FAN, 0, receipts_of(0), remainder_max=Points(4), random=random)
    assert entry.remainder


def test_the_last_entry_carries_nothing() -> None:
    before = Carried(Points(17), b"s" * 32)
    entry, opening = seal_entry(FAN, 0, (), before=before, remainder_max=Points(50), is_last=True)
    assert (entry.points, entry.remainder, opening.after) == (17, b"", NOTHING_CARRIED)
    assert NOTHING_CARRIED.commitment() == Hash(b"")


def test_random_source_of_the_system_is_the_default() -> None:
    salts = {seal_entry(FAN, 0, receipts_of(9))[1].salt for _ in range(50)}
    assert len(salts) == 50


def test_damaged_openings_are_refused() -> None:
    _, opening = seal_entry(FAN, 0, receipts_of(9), remainder_max=Points(5))
    mapping = opening_to_mapping(opening)
    forms = [{"format": "other"}, {"version": 2}, {"salt": "zz"}, {"receipts": 5}, {"before": None}]
    numbers = [{"period": found} for found in (float("inf"), 10**400, 1.5, -1, "7", True)]
    carried = [{"after": {"remainder": float("inf"), "salt": ""}}]
    for change in (*forms, *numbers, *carried):
        with pytest.raises(WalletError) as fault:
            opening_from_mapping(mapping | change)
        assert fault.value.code.name == "sealing.bad_opening"
    for name in mapping:
        with pytest.raises(WalletError):
            opening_from_mapping({key: value for key, value in mapping.items() if key != name})
    with pytest.raises(WalletError) as wrong:
        opening_from_mapping(mapping | {"points": opening.points + 1}).entry()
    assert "sum of its receipts" in str(wrong.value)


def signed(member: Address, time: int, points: int, sequence: int = 0) -> SignedReceipt:
    receipt = Receipt(
        1,
        ProgramId(bytes(32)),
        1,
        member,
        PublicKey(bytes(32)),
        sequence,
        Timestamp(time),
        10 * points,
        0,
        (),
        Hash(bytes(32)),
        Points(points),
    )
    return SignedReceipt(receipt, bytes(32), Signature(bytes(64)))


def test_receipts_are_grouped_by_member_and_period_once_each() -> None:
    rule = PeriodRule(offset_minutes=-300, period_days=7, anchor_day=4)
    monday = (4 + 7 * 2_000) * DAY + 300 * 60
    first, second = signed(FAN, monday, 3), signed(FAN, monday + 7 * DAY - 1, 4, 1)
    later, other = signed(FAN, monday + 7 * DAY, 5, 2), signed(FRIEND, monday, 6, 3)
    groups = group_receipts([later, second, first, other, first], rule)
    assert list(groups) == [(FAN, 2_000), (FRIEND, 2_000), (FAN, 2_001)]
    assert [points for _, points in sorted(groups[FAN, 2_000], key=lambda item: item[1])] == [3, 4]
    assert groups[FAN, 2_000] == tuple(sorted(groups[FAN, 2_000]))
    assert groups[FRIEND, 2_000] == ((receipt_hash(other.receipt, other.salt), 6),)
    assert rule.ends(2_000) == monday + 7 * DAY


def test_period_on_demand_is_a_day() -> None:
    rule = PeriodRule(offset_minutes=60, period_days=0, anchor_day=0)
    assert rule.period_of(Timestamp(10 * DAY - 3_600)) == 10
    assert rule.period_of(Timestamp(10 * DAY - 3_601)) == 9
    assert rule.ends(9) == 10 * DAY - 3_600


def test_some_of_those_who_carry_and_did_not_buy_get_an_entry() -> None:
    carried = {number: Carried(Points(number % 3), b"s" * 32) for number in range(1_000)}
    carried |= dict.fromkeys(range(1000, 1200), NOTHING_CARRIED)
    busy = set(range(200))
    chosen = choose_covers(carried, busy, Random(4))
    assert len(set(chosen)) == len(chosen)
    assert not busy & set(chosen) and max(chosen) < 1_000
    assert 150 < len(chosen) < 250  # of 800
    assert any(carried[number].remainder == 0 for number in chosen)  # a sealed zero looks like any other remainder
