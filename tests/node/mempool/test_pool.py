"""What waits, in which order, how much of it, what replaces what, and what becomes of the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.domains.accounts.transfer import CoinMoved, ToAccount, Transfer
from ledger.domains.loyalty.earn import Earn
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.errors import Code, LedgerError
from ledger.params import EXIT_WEIGHT
from ledger.transaction import OwnFee, Prepaid, Transaction
from ledger.types import Amount, TxId
from node.errors import NodeError
from node.mempool.policy import MempoolLimits
from node.mempool.pool import (
    AUTHOR_LIMIT,
    BUSY,
    EVICTED,
    FULL,
    NO_ROOM,
    REPLACED,
    REPLACEMENT_FEE,
    TOO_HEAVY,
    Mempool,
)
from tests.node.stored_chain import StoredChain, StoredScenario, StoredShop
from tests.support.memory_chain import FUNDS, Signer, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, POOR, STRANGER, TILL

PARAMS = sim_params(FAN.address, FRIEND.address, STRANGER.address, validity_blocks_max=5)
RICH = (FAN, FRIEND, STRANGER)
NOBODY = Signer.named("nobody")


class Desk:
    """A pool on a stored chain, and a scenario that signs for it and mines what it is told."""

    def __init__(self, path: Path) -> None:
        self.scenario = StoredScenario(path, params=PARAMS)

    @property
    def store(self) -> StoredChain:
        return self.scenario.store

    @property
    def pool(self) -> Mempool:
        return self.store.pool

    def limit(self, **limits: int) -> None:
        """Other limits for the pool."""
        self.store.close()
        self.store.limits = MempoolLimits(**limits)
        self.store.open()

    def pay(self, author: Signer, to: Signer, amount: int = 5_000, *, rate: float = 2, **body: Any) -> Transaction:
        """A transfer that pays `rate` coin a weight unit."""
        payload = Transfer(ToAccount(to.address), Amount(amount))
        exact = self.scenario.sign("transfer", payload, author=author, **body)
        salt = body.pop("salt", exact.body.salt)
        payment = OwnFee(Amount(round(exact.weight * rate)))
        return self.scenario.sign("transfer", payload, author=author, payment=payment, salt=salt, **body)

    def put(self, *transactions: Transaction) -> None:
        for transaction in transactions:
            assert self.pool.submit(transaction.raw).txid == transaction.txid

    @property
    def waiting(self) -> list[TxId]:
        return [transaction.txid for transaction in self.pool.select(10**9)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "chain.sqlite")
    yield made
    made.store.close()


def code(name: str) -> Code:
    """A code of the ledger by its name."""
    return Code.catalogue[name]


def txids(*transactions: Transaction) -> list[TxId]:
    return [transaction.txid for transaction in transactions]


def assert_consistent(pool: Mempool) -> None:
    """The counts that the pool keeps are those of what waits."""
    waiting = [place.transaction for place in pool._waiting.values()]
    assert pool.weight == sum(tx.weight for tx in waiting)
    assert pool._by_once_key == {tx.once_key: tx.txid for tx in waiting}
    authors = [tx.author for tx in waiting]
    assert pool._count_by_author == {author: authors.count(author) for author in authors}
    assert len(pool) == len(waiting)


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


# --- following the chain ---


def test_what_expires_is_dropped_and_the_reason_remembered(desk: Desk) -> None:
    height = desk.scenario.height
    short = desk.pay(FAN, FRIEND, valid_until=height + 1)
    longer = desk.pay(FRIEND, FAN, valid_until=height + 4)
    desk.put(short, longer)
    desk.scenario.mine()
    assert desk.waiting == txids(short, longer)
    desk.scenario.mine()
    assert desk.waiting == txids(longer)
    gone = desk.pool.dropped(short.txid)
    assert gone is not None
    assert gone.code == "envelope.expired"
    with refused(code("envelope.expired")):
        desk.pool.submit(short.raw)
    early = desk.pay(FAN, FRIEND, valid_from=desk.scenario.height + 1, valid_until=desk.scenario.height + 3)
    with refused(code("envelope.early")):
        desk.pool.submit(early.raw)
    assert_consistent(desk.pool)


def test_a_block_of_somebody_else_drops_what_it_made_impossible(desk: Desk) -> None:
    waiting = desk.pay(FAN, FRIEND, FUNDS * 2 // 3)
    rival = desk.pay(FRIEND, STRANGER)
    desk.put(waiting, rival)
    conflicting = desk.pay(FAN, STRANGER, FUNDS * 2 // 3)
    same_salt = desk.pay(FRIEND, FAN, salt=rival.body.salt)
    desk.scenario.block(conflicting, same_salt)
    assert desk.waiting == []
    reasons = [desk.pool.dropped(tx.txid) for tx in (waiting, rival)]
    assert [reason.code for reason in reasons if reason is not None] == ["coin.insufficient", "envelope.salt_used"]
    assert_consistent(desk.pool)


def test_only_so_many_reasons_are_remembered(desk: Desk) -> None:
    desk.limit(dropped_remembered=2)
    transfers = [desk.pay(FAN, FRIEND, 5_000 + index, valid_until=desk.scenario.height) for index in range(4)]
    desk.put(*transfers)
    desk.scenario.mine()
    assert [desk.pool.dropped(tx.txid) is not None for tx in transfers] == [False, False, True, True]


def test_a_dropped_transaction_that_comes_again_is_not_dropped_any_more(desk: Desk) -> None:
    weight = desk.pay(FAN, FRIEND).weight
    desk.limit(weight_max=weight)
    cheap, dear = desk.pay(FAN, FRIEND), desk.pay(FRIEND, FAN, rate=5)
    desk.put(cheap, dear)
    assert desk.pool.dropped(cheap.txid) is not None
    desk.store.mine_pool()
    desk.put(cheap)
    assert desk.pool.dropped(cheap.txid) is None


def test_a_reorganisation_brings_transactions_back_in_their_order(desk: Desk, tmp_path: Path) -> None:
    other = StoredScenario(tmp_path / "other.sqlite", params=PARAMS)
    other._salt = 1_000_000
    funding = desk.pay(FAN, NOBODY, 10_000_000, valid_until=5)
    spending = desk.pay(NOBODY, FRIEND, 5_000_000, valid_until=5)
    shared = desk.pay(STRANGER, FRIEND, valid_until=5)
    conflicting = desk.pay(FRIEND, FAN, FUNDS * 2 // 3, valid_until=5)
    short = desk.pay(STRANGER, NOBODY, valid_until=2)
    desk.scenario.block(funding, shared, short)
    desk.scenario.block(spending, conflicting)
    waiting = desk.pay(STRANGER, FAN, valid_from=1, valid_until=5)
    desk.put(waiting)
    other.block(shared)
    other.send("transfer", Transfer(ToAccount(STRANGER.address), Amount(FUNDS * 2 // 3)), author=FRIEND)
    other.mine()
    for block in other.blocks:
        desk.store.take(block)
    assert desk.store.chain.tip.hash == other.blocks[-1].hash
    assert desk.waiting == txids(funding, spending, waiting)
    reasons = [desk.pool.dropped(tx.txid) for tx in (conflicting, short, shared)]
    assert [None if reason is None else reason.code for reason in reasons] == [
        "coin.insufficient",
        "envelope.expired",
        None,
    ]
    assert_consistent(desk.pool)
    assert desk.store.mine_pool().transactions == (funding.raw, spending.raw, waiting.raw)
    other.store.close()


def test_a_reorganisation_brings_back_only_what_there_is_room_for(desk: Desk, tmp_path: Path) -> None:
    other = StoredScenario(tmp_path / "other.sqlite", params=PARAMS)
    other.mine(2)
    mined = [desk.pay(author, NOBODY, valid_until=5) for author in RICH]
    desk.limit(weight_max=mined[0].weight * 2 + 10)
    desk.scenario.block(*mined)
    waiting = desk.pay(FAN, FRIEND, valid_from=1, valid_until=5)
    desk.put(waiting)
    for block in other.blocks:
        desk.store.take(block)
    assert desk.store.chain.tip.height == 2
    assert desk.waiting == txids(mined[0], waiting)
    gone = desk.pool.dropped(mined[1].txid)
    assert gone is not None
    assert gone.code == NO_ROOM.name
    assert_consistent(desk.pool)
    other.store.close()


def test_a_program_pays_again_for_what_a_reorganisation_took_back(tmp_path: Path) -> None:
    """The program itself is taken back too: the fees of its fans are known only once it is there again."""
    shop = StoredShop(tmp_path / "a.sqlite")
    shop.join(FAN)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    mined = [raw for block in shop.chain.blocks for raw in block.transactions]
    other = StoredScenario(tmp_path / "b.sqlite", params=shop.chain.params)
    other.mine(len(shop.chain.blocks) + 1)
    for block in other.blocks:
        shop.store.take(block)
    pool = shop.store.pool
    assert [tx.raw for tx in pool.select(10**9)] == mined
    places = {place.transaction.body.kind: place for place in pool._waiting.values()}
    assert places["member.join"].fee == places["member.join"].transaction.weight * 2, "the pool's rate"
    assert places["member.leave"].fee == EXIT_WEIGHT * shop.chain.params.fee_rate_min
    block = shop.store.mine_pool()
    assert list(block.transactions) == mined
    assert_consistent(pool)
    shop.close()
    other.store.close()


def test_the_fees_of_a_pool_are_reserved_by_what_waits(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "a.sqlite")
    joins = [
        shop.chain.sign(
            "member.join", MemberJoin(shop.program, TILL.address), author=fan, payment=shop.sponsored, cosigners=(TILL,)
        )
        for fan in (Signer.named(f"fan {number}") for number in range(80))
    ]
    results = shop.store.pool.submit_batch([join.raw for join in joins])
    codes = [result.code.name if isinstance(result, LedgerError) else "" for result in results]
    assert codes[0] == ""
    assert set(codes) <= {"", "fee.sponsor_limit", "coin.pool_insufficient"}
    assert codes[-1] != "", "the policy's totals bind before they are mined"
    taken = codes.count("")
    assert len(shop.store.mine_pool().transactions) == taken
    shop.close()
