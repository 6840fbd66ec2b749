"""What waits, in which order, how much of it, what replaces what, and what becomes of the rest."""

from pathlib import Path

import pytest

from ledger.domains.accounts.transfer import CoinMoved, ToAccount, Transfer
from ledger.domains.loyalty.earn import Earn
from ledger.errors import LedgerError
from ledger.transaction import OwnFee
from ledger.types import Amount
from node.errors import NodeError
from node.mempool.policy import MempoolLimits
from node.mempool.pool import (
    AUTHOR_LIMIT,
    BUSY,
    EVICTED,
    FULL,
    REPLACED,
    REPLACEMENT_FEE,
    TOO_HEAVY,
)
from tests.node.mempool.desk import NOBODY, RICH, Desk, assert_consistent, code, txids
from tests.node.stored_chain import StoredShop
from tests.support.memory_chain import FUNDS, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, POOR, STRANGER, TILL

pytestmark = pytest.mark.usefixtures("database")


# --- taking in ---


def test_what_is_submitted_waits_in_order_and_is_mined(desk: Desk) -> None:
    first, second = desk.pay(FAN, FRIEND), desk.pay(FRIEND, STRANGER)
    desk.put(first, second)
    assert desk.waiting == txids(first, second)
    assert desk.pool.get(first.txid) == first
    assert desk.pool.weight == first.weight + second.weight
    assert desk.store.mine_pool().transactions == (first.raw, second.raw)
    assert len(desk.pool) == desk.pool.weight == 0
    assert desk.pool.get(first.txid) is None
    assert desk.pool.dropped(first.txid) is None, "what was mined was not dropped"


def test_the_same_bytes_twice_are_harmless(desk: Desk) -> None:
    transfer = desk.pay(FAN, FRIEND)
    desk.put(transfer, transfer)
    assert desk.waiting == txids(transfer)
    desk.store.mine_pool()
    with refused(code("envelope.repeated")):
        desk.pool.submit(transfer.raw)
    assert_consistent(desk.pool)


def test_each_of_a_batch_has_its_own_answer(desk: Desk) -> None:
    good, other = desk.pay(FAN, FRIEND), desk.pay(FRIEND, FAN)
    poor = desk.pay(POOR, FAN)
    forged = good.raw[:-1] + bytes((good.raw[-1] ^ 1,))
    elsewhere = desk.pay(FAN, FRIEND).raw.replace(desk.scenario.chain_id[:4], b"else", 1)
    batch = [
        good.raw,
        b"",
        good.raw[:-1],
        b"\x00" * 40,
        forged,
        poor.raw,
        elsewhere,
        good.raw + b"\x00",
        other.raw,
        b"\xc1",
    ]
    found = desk.pool.submit_batch(batch)
    assert [result.code.name if isinstance(result, LedgerError) else "taken" for result in found] == [
        "taken",
        "codec.truncated",
        "codec.truncated",
        "codec.trailing",
        "witness.signature",
        "coin.insufficient",
        "envelope.wrong_chain",
        "codec.trailing",
        "taken",
        "codec.forbidden_type",
    ]
    assert desk.waiting == txids(good, other)
    assert desk.pool.submit_batch([]) == []
    assert_consistent(desk.pool)


@pytest.mark.parametrize("size", [262_145, 2_000_000])
def test_oversized_bytes_are_refused_by_their_length(desk: Desk, size: int) -> None:
    with pytest.raises(LedgerError) as caught:
        desk.pool.submit(b"\x92" + bytes(size))
    assert caught.value.code.name == "codec.too_long"


def test_a_transaction_that_fits_into_no_block_is_refused(tmp_path: Path) -> None:
    params = sim_params(*(signer.address for signer in FUNDED), block_weight_max=100_000)
    shop = StoredShop(tmp_path / "chain.sqlite", params=params)
    batch = Earn(shop.program, tuple(shop.entry(FAN, 10) for _ in range(600)))
    heavy = shop.chain.sign("earn", batch, author=TILL)
    with refused(TOO_HEAVY, NodeError, weight=heavy.weight, maximum=100_000):
        shop.store.pool.submit(heavy.raw)
    shop.close()


def test_two_that_overspend_together_do_not_both_wait(desk: Desk) -> None:
    first = desk.pay(FAN, FRIEND, FUNDS * 2 // 3)
    second = desk.pay(FAN, STRANGER, FUNDS * 2 // 3)
    desk.put(first)
    with refused(code("coin.insufficient")):
        desk.pool.submit(second.raw)
    assert desk.waiting == txids(first)
    small = desk.pay(FAN, STRANGER)
    desk.put(small)
    assert desk.store.mine_pool().transactions == (first.raw, small.raw)


def test_what_was_just_received_can_be_spent_before_it_is_mined(desk: Desk) -> None:
    funding = desk.pay(FAN, NOBODY, 1_000_000)
    with refused(code("coin.insufficient")):
        desk.pool.submit(desk.pay(NOBODY, FRIEND, 500_000).raw)
    spending = desk.pay(NOBODY, FRIEND, 500_000)
    desk.put(funding, spending)
    assert desk.store.mine_pool().transactions == (funding.raw, spending.raw), "in an order that is valid"


def test_a_dry_run_tells_everything_and_leaves_nothing(desk: Desk) -> None:
    waiting = desk.pay(FAN, FRIEND, 7_000)
    desk.put(waiting)
    transfer = desk.pay(FRIEND, STRANGER, 6_000, rate=3)
    for _ in range(2):
        found = desk.pool.dry_run(transfer.raw)
        assert found.transaction == transfer
        assert found.codes == ("",)
        assert found.events == (CoinMoved(FRIEND.address, STRANGER.address, Amount(6_000)),)
        assert found.fee == transfer.weight * 3
    for raw, fault in (
        (desk.pay(POOR, FAN).raw, "coin.insufficient"),
        (transfer.raw[:-1] + b"\x00", "witness.signature"),
    ):
        with refused(code(fault)):
            desk.pool.dry_run(raw)
    assert desk.waiting == txids(waiting)
    assert desk.pool.dropped(transfer.txid) is None
    desk.put(transfer)
    assert_consistent(desk.pool)


def test_a_dry_run_sees_what_waits(desk: Desk) -> None:
    desk.put(desk.pay(FAN, FRIEND, FUNDS * 2 // 3))
    with refused(code("coin.insufficient")):
        desk.pool.dry_run(desk.pay(FAN, STRANGER, FUNDS * 2 // 3).raw)


# --- limits ---


def test_one_author_waits_with_so_many_only(desk: Desk) -> None:
    desk.limit(author_count_max=3)
    desk.put(*(desk.pay(FAN, FRIEND, 5_000 + index) for index in range(3)))
    with refused(AUTHOR_LIMIT, NodeError, count=3):
        desk.pool.submit(desk.pay(FAN, FRIEND, rate=100).raw)
    desk.put(desk.pay(FRIEND, FAN))
    desk.store.mine_pool()
    desk.put(desk.pay(FAN, FRIEND))
    assert_consistent(desk.pool)


def test_a_full_pool_lets_the_cheapest_go_for_one_that_pays_more(desk: Desk) -> None:
    weight = desk.pay(FAN, FRIEND).weight
    desk.limit(weight_max=weight * 4 + weight // 2)
    cheap, dear, middle, middle_too = (
        desk.pay(RICH[index % 3], NOBODY, rate=rate) for index, rate in enumerate((2, 9, 4, 4))
    )
    desk.put(cheap, dear, middle, middle_too)
    for rate in (2, 1.99):
        with pytest.raises(LedgerError) as caught:
            desk.pool.submit(desk.pay(FAN, FRIEND, rate=rate).raw)
        assert caught.value.code is FULL
    newcomer = desk.pay(STRANGER, FRIEND, rate=5)
    desk.put(newcomer)
    assert desk.waiting == txids(dear, middle, middle_too, newcomer)
    gone = desk.pool.dropped(cheap.txid)
    assert gone is not None
    assert gone.code == EVICTED.name
    other = desk.pay(STRANGER, FRIEND, rate=6)
    desk.put(other)
    assert desk.waiting == txids(dear, middle, newcomer, other), "of two that pay the same the younger goes"
    assert_consistent(desk.pool)


def test_what_is_not_valid_evicts_nobody(desk: Desk) -> None:
    weight = desk.pay(FAN, FRIEND).weight
    desk.limit(weight_max=weight * 3)
    waiting = [desk.pay(author, NOBODY) for author in RICH]
    desk.put(*waiting)
    with refused(code("coin.insufficient")):
        desk.pool.submit(desk.pay(POOR, FAN, rate=1_000).raw)
    assert desk.waiting == txids(*waiting)
    assert_consistent(desk.pool)


def test_what_lives_off_those_it_would_evict_evicts_nobody(desk: Desk) -> None:
    funding = desk.pay(FAN, NOBODY, 10_000_000, rate=2)
    others = [desk.pay(author, POOR, rate=3) for author in (FRIEND, STRANGER)]
    desk.limit(weight_max=funding.weight * 3 + 10)
    desk.put(funding, *others)
    with refused(code("coin.insufficient")):
        desk.pool.submit(desk.pay(NOBODY, FAN, 5_000, rate=500).raw)
    assert desk.waiting == txids(funding, *others)
    assert desk.pool.dropped(funding.txid) is None
    assert_consistent(desk.pool)


def test_what_depended_on_the_evicted_goes_too_and_is_told_why(desk: Desk) -> None:
    funding = desk.pay(FAN, NOBODY, 10_000_000, rate=2)
    spending = desk.pay(NOBODY, FRIEND, 5_000_000, rate=3)
    desk.limit(weight_max=funding.weight * 2 + 10)
    desk.put(funding, spending)
    newcomer = desk.pay(STRANGER, FRIEND, rate=5)
    desk.put(newcomer)
    assert desk.waiting == txids(newcomer)
    reasons = [desk.pool.dropped(tx.txid) for tx in (funding, spending)]
    assert [reason.code for reason in reasons if reason is not None] == [EVICTED.name, "coin.insufficient"]
    assert_consistent(desk.pool)


def test_a_block_takes_the_best_paying_when_not_all_fit(desk: Desk) -> None:
    rates = (2, 7, 3, 7, 5)
    transfers = [desk.pay(RICH[index % 3], NOBODY, rate=rate) for index, rate in enumerate(rates)]
    desk.put(*transfers)
    weight = max(transfer.weight for transfer in transfers)
    chosen = desk.pool.select(weight * 3 + 50)
    assert txids(*chosen) == txids(transfers[1], transfers[3], transfers[4]), "the best-paying, by arrival"
    assert desk.waiting == txids(*transfers), "all, by arrival"
    assert desk.pool.select(10) == []


def test_what_depends_on_another_is_tried_after_it_however_well_it_pays(desk: Desk) -> None:
    funding = desk.pay(FAN, NOBODY, 10_000_000, rate=4)
    spending = desk.pay(NOBODY, FRIEND, 5_000_000, rate=9)
    cheap = desk.pay(STRANGER, FRIEND, rate=2)
    desk.put(cheap, funding, spending)
    chosen = desk.pool.select(cheap.weight * 2 + 50)
    assert txids(*chosen) == txids(funding, spending)
    assert desk.store.mine(*chosen).transactions == (funding.raw, spending.raw)
    assert desk.waiting == txids(cheap)


# --- replacement ---


def test_the_same_author_and_salt_replace_from_ten_percent_more(desk: Desk) -> None:
    first = desk.pay(FAN, FRIEND)
    fee = first.weight * 2
    desk.put(first)
    payload = Transfer(ToAccount(STRANGER.address), Amount(5_000))
    needed = -(-fee * 110 // 100)
    for offered in (fee, needed - 1):
        low = desk.scenario.sign("transfer", payload, author=FAN, salt=first.body.salt, payment=OwnFee(Amount(offered)))
        with refused(REPLACEMENT_FEE, NodeError, needed=needed, offered=offered):
            desk.pool.submit(low.raw)
    assert desk.waiting == txids(first)
    second = desk.scenario.sign("transfer", payload, author=FAN, salt=first.body.salt, payment=OwnFee(Amount(needed)))
    desk.put(second)
    assert desk.waiting == txids(second)
    gone = desk.pool.dropped(first.txid)
    assert gone is not None
    assert gone.code == REPLACED.name
    assert second.txid.hex() in gone.reason
    assert_consistent(desk.pool)
    assert desk.store.mine_pool().transactions == (second.raw,)
    with refused(code("envelope.salt_used")):
        desk.pool.submit(first.raw)


def test_a_replacement_takes_the_place_so_that_what_came_after_still_holds(desk: Desk) -> None:
    funding = desk.pay(FAN, NOBODY, 10_000_000)
    spending = desk.pay(NOBODY, FRIEND, 5_000_000)
    desk.put(funding, spending)
    faster = desk.pay(FAN, NOBODY, 10_000_000, rate=4, salt=funding.body.salt)
    desk.put(faster)
    assert desk.waiting == txids(faster, spending)
    less = desk.pay(FAN, NOBODY, 2_000, rate=8, salt=funding.body.salt)
    desk.put(less)
    assert desk.waiting == txids(less)
    gone = desk.pool.dropped(spending.txid)
    assert gone is not None
    assert gone.code == "coin.insufficient"
    assert_consistent(desk.pool)


def test_a_replacement_that_is_not_valid_changes_nothing(desk: Desk) -> None:
    funding = desk.pay(FAN, NOBODY, 10_000_000)
    spending = desk.pay(NOBODY, FRIEND, 5_000_000)
    desk.put(funding, spending)
    with refused(code("coin.insufficient")):
        desk.pool.submit(desk.pay(FAN, STRANGER, FUNDS * 2, rate=9, salt=funding.body.salt).raw)
    assert desk.waiting == txids(funding, spending)
    assert desk.pool.dropped(funding.txid) is None
    assert_consistent(desk.pool)
    assert desk.store.mine_pool().transactions == (funding.raw, spending.raw)


def test_replacements_that_fail_can_not_keep_the_pool_busy(desk: Desk) -> None:
    """Whoever has one transaction waiting could have all of the pool applied again, twice, as often as it likes and for nothing."""
    first, other = desk.pay(FAN, FRIEND), desk.pay(FRIEND, STRANGER)
    desk.limit(reapplied_weight_max=2 * (first.weight + other.weight))
    desk.put(first, other)
    greedy = desk.pay(FAN, STRANGER, FUNDS * 2, rate=9, salt=first.body.salt)
    with refused(code("coin.insufficient")):
        desk.pool.submit(greedy.raw)
    with refused(BUSY, NodeError):
        desk.pool.submit(greedy.raw)
    assert desk.waiting == txids(first, other)
    desk.store.mine(other)
    better = desk.pay(FAN, STRANGER, rate=9, salt=first.body.salt)
    desk.put(better)
    assert desk.waiting == txids(better), "the next block makes room for more"


def test_a_replacement_that_needs_more_room_than_there_is_waits_for_a_block(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    small = shop.chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=TILL)
    batch = Earn(shop.program, tuple(shop.entry(FAN, 10) for _ in range(40)))
    large = shop.chain.sign("earn", batch, author=TILL, salt=small.body.salt)
    shop.store.close()
    shop.store.limits = MempoolLimits(weight_max=small.weight + 100)
    shop.store.open()
    shop.store.pool.submit(small.raw)
    with refused(FULL, NodeError):
        shop.store.pool.submit(large.raw)
    assert shop.store.pool.get(small.txid) == small
    shop.close()


def test_a_replacement_may_use_what_its_rival_would_have_spent(desk: Desk) -> None:
    first = desk.pay(FAN, FRIEND, FUNDS * 2 // 3)
    desk.put(first)
    second = desk.pay(FAN, FRIEND, FUNDS * 3 // 4, rate=9, salt=first.body.salt)
    desk.put(second)
    assert desk.waiting == txids(second)
