"""What the rules alone cost: no signatures, no state root, no SQL, no bytes of blocks.

`measure_kinds` applies each transaction of the golden chain, which holds every kind, again and again to the state that it met
there: envelope, fee, rule and events, as a block does it (`BlockExecution.add`). `earn` is measured by the entry, in a large batch.

`measure_blocks` builds the same block (a batch of entries, and redemptions) on chains that differ in one thing: how many members
the program had in the past, and how many lots each member holds. What that costs is compared within one run, so that a slow or busy
machine changes both sides alike. Slots, undo and invariants are counted in (`BlockExecution.finish`), the state root is not: it
grows with the logarithm of the number of records, and has a row of its own.
"""

import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bench_world import World
from golden_chain import make_golden_chain
from ledger.domains.loyalty.earn import Earn
from ledger.domains.loyalty.state import RollingExpiry, SponsorPolicy, member_key
from ledger.domains.rewards.redeem import Redeem
from ledger.state import SlotContent, encode_record
from ledger.supply import CHAIN_KEY
from ledger.transaction import Transaction
from ledger.transition import BlockExecution
from ledger.types import Address, Amount, Points, RewardId, Slot
from tests.support.memory_chain import MemoryState, Scenario, Signer
from tests.support.shop import TILL, Shop, some_hash

Answer = dict[str, Any]

ROUNDS = 200
"""How often each golden transaction is applied; the median counts."""
BLOCK_ROUNDS = 15
MEMBERS_FULL, MEMBERS_QUICK = (1_000, 10_000, 100_000), (10, 100, 1_000)
LOTS_FULL, LOTS_QUICK = (1, 32, 128), (1, 2, 4)
ACTIVE_FULL, ACTIVE_QUICK = 200, 20
"""Members that the measured block is about."""


def time_each(rounds: int, prepare: Callable[[], Any], work: Callable[[Any], object]) -> float:
    """Seconds of this process for `work` on what `prepare` makes, the median of some rounds, without the garbage collector."""
    spent: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            prepared = prepare()
            started = time.process_time()
            work(prepared)
            spent.append(time.process_time() - started)
    finally:
        gc.enable()
    return statistics.median(spent)


# --- kinds -------------------------------------------------------------------------------------------------------------------


def measure_kinds(world: World) -> Answer:
    """Microseconds that each kind's rule takes, by the transaction; of `earn` by the entry of a large batch."""
    is_full = world.sizes.name == "full"
    found = _golden_kinds(ROUNDS if is_full else 3)
    shop = _shop_of(ACTIVE_FULL if is_full else ACTIVE_QUICK)
    batch = _batch(shop.shop, shop.fans)
    seconds = time_each(BLOCK_ROUNDS, shop.execution, lambda execution: execution.add(batch))
    found["earn"] = seconds / len(shop.fans) * 1e6
    return {"us": found, "median_us": statistics.median(found.values())}


def _golden_kinds(rounds: int) -> dict[str, float]:
    """By kind the median over its golden transactions."""
    golden = make_golden_chain().scenario
    state, window = MemoryState(golden.genesis.contents), dict[bytes, Any]()
    by_kind: dict[str, list[float]] = defaultdict(list)
    for mined in golden.mined:
        for place, transaction in enumerate(mined.transactions):

            def prepare(place: int = place, mined: Any = mined) -> BlockExecution:
                execution = BlockExecution(state, mined.context, window)
                for earlier in mined.transactions[:place]:
                    execution.add(earlier)
                return execution

            def work(execution: BlockExecution, transaction: Transaction = transaction) -> None:
                execution.add(transaction)

            by_kind[transaction.body.kind].append(time_each(rounds, prepare, work) * 1e6)
        state.apply(mined.transition)
        window.update({transaction.once_key: transaction.txid for transaction in mined.transactions})
    return {kind: statistics.median(found) for kind, found in sorted(by_kind.items())}


# --- blocks ------------------------------------------------------------------------------------------------------------------


class BenchShop:
    """A shop in memory with its active fans, a reward, and what a measured block holds."""

    def __init__(self, shop: Shop, fans: Sequence[Signer], reward: RewardId) -> None:
        self.shop, self.fans, self.reward = shop, fans, reward

    def execution(self) -> BlockExecution:
        """The next block, empty."""
        chain = self.shop.chain
        return BlockExecution(chain.state, chain.context, chain.window)

    def pass_day(self) -> None:
        """An entry for each fan, and a day: one lot more for each."""
        self.shop.chain.block(_batch(self.shop, self.fans))
        self.shop.chain.advance(days=1, blocks=2)

    def time_block(self) -> float:
        """Milliseconds for the same block on the present state: an entry for each fan, a redemption for every fourth."""
        shop = self.shop
        wanted = Redeem(shop.program, self.reward, 1, Points(1))
        transactions = [_batch(shop, self.fans)]
        transactions += [
            shop.chain.sign("redeem", wanted, author=fan, payment=shop.sponsored) for fan in self.fans[::4]
        ]
        miner = Signer.named("miner").address

        def work(_: object) -> None:
            execution = self.execution()
            for transaction in transactions:
                execution.add(transaction)
            execution.finish(((miner, execution.reward),))

        return time_each(BLOCK_ROUNDS, lambda: None, work) * 1e3


def _shop_of(count: int) -> BenchShop:
    """A shop with so many members, each with a lot."""
    unlimited = 2**50
    sponsor = SponsorPolicy(Amount(2), *([Amount(2**50)] * 3))
    shop = Shop(expiry=RollingExpiry(400), pool=10**11, sponsor=sponsor, issuance_cap=Points(2**50))
    shop.grant(TILL, daily_cap=unlimited)
    fans = [Signer.named(f"fan {number}") for number in range(count)]
    shop.join(*fans)
    found = BenchShop(shop, fans, shop.list_reward(price=1, stock=unlimited))
    found.pass_day()
    return found


def _batch(shop: Shop, fans: Sequence[Signer]) -> Transaction:
    entries = tuple(shop.entry(fan, 100 + number) for number, fan in enumerate(fans))
    return shop.chain.sign("earn", Earn(shop.program, entries), author=TILL, payment=shop.sponsored)


def measure_blocks(world: World) -> Answer:
    """Milliseconds of one block by the number of past members and by the number of lots of each active one."""
    is_full = world.sizes.name == "full"
    members, lots = (MEMBERS_FULL, LOTS_FULL) if is_full else (MEMBERS_QUICK, LOTS_QUICK)
    active = ACTIVE_FULL if is_full else ACTIVE_QUICK
    by_members: dict[int, float] = {}
    shop, there = _shop_of(active), 0
    for count in members:
        add_past_members(shop.shop, there, count)
        there = count
        by_members[count] = shop.time_block()
    by_lots: dict[int, float] = {}
    shop = _shop_of(active)
    for count in range(1, lots[-1] + 1):
        held = len(shop.shop.member(shop.fans[0]).lots)
        assert held == count, "a lot a day"
        if count in lots:
            by_lots[count] = shop.time_block()
        shop.pass_day()
    return {"active": active, "members_ms": by_members, "lots_ms": by_lots}


def add_past_members(shop: Shop, start: int, end: int) -> None:
    """Put the records of members into the state who were here and left, numbers `start` to `end`."""
    chain: Scenario = shop.chain
    state, program = chain.state, shop.program
    template = replace(shop.member(Signer.named("fan 0")), left_at=shop.now, lots=())
    record = state.chain
    for number in range(start, end):
        key = member_key(program, Address(some_hash("past", number)))
        slot = Slot(record.slot_count + number - start)
        state._set(slot, SlotContent(key, encode_record(key, template), Slot(0)))
    total = replace(record, slot_count=record.slot_count + end - start)
    stored = state.stored(CHAIN_KEY)
    assert stored is not None, "a chain has its record"
    state._forget(stored.slot)
    state._set(stored.slot, SlotContent(CHAIN_KEY, encode_record(CHAIN_KEY, total), Slot(0)))
