"""What the rules alone cost: no signatures, no state root, no SQL, no bytes of blocks.

`measure_kinds` applies each transaction of the golden chain, which holds every kind, again and again to the state that it met
there: envelope, fee, rule and events, as a block does it (`BlockExecution.add`). Kinds that are batches are measured by the
entry, in a large batch, since that is how they are sent; a contest of a challenge by the receipt that it shows.

`measure_blocks` builds the same block (a batch of entries, and redemptions) on chains that differ in one thing: how many members
the program had in the past, and how many lots each member holds. What that costs is compared within one run, so that a slow or busy
machine changes both sides alike. Slots, undo and invariants are counted in (`BlockExecution.finish`), the state root is not: it
grows with the logarithm of the number of records, and has a row of its own.

Each figure is the least of many rounds, as the documentation of `timeit` advises: what is more was taken by something else. For
the median kind the median of the rounds is given as well. `measure_reference` says in the same run how fast the machine was.
"""

import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple

from bench_world import World
from golden_chain import make_golden_chain
from ledger.domains.challenges.challenge_complete import ChallengeComplete, CompletionEntry
from ledger.domains.challenges.state import Visits
from ledger.domains.loyalty.earn import Earn
from ledger.domains.loyalty.state import RollingExpiry, SponsorPolicy, member_key
from ledger.domains.offers.offer_issue import OfferIssue
from ledger.domains.offers.offer_settle import Citation, OfferSettle
from ledger.domains.rewards.redeem import Redeem
from ledger.kinds import APPLIED
from ledger.params import CHALLENGE_RECEIPTS_MAX
from ledger.state import SlotContent, encode_record
from ledger.supply import CHAIN_KEY
from ledger.transaction import Transaction
from ledger.transition import BlockExecution
from ledger.types import Address, Amount, Points, ReceiptHash, RewardId, Slot
from tests.support.challenges import contest_payload, create_challenge
from tests.support.contests import PREPAID, sign
from tests.support.memory_chain import MemoryState, Scenario, Signer
from tests.support.offers import consent, entry_of, make_offer
from tests.support.shop import TILL, Shop, some_hash

Answer = dict[str, Any]

ROUNDS = 200
"""How often each golden transaction is applied."""
BLOCK_ROUNDS = 15
REFERENCE_ROUNDS = 50
MEMBERS_FULL, MEMBERS_QUICK = (1_000, 10_000, 100_000), (10, 100, 1_000)
LOTS_FULL, LOTS_QUICK = (1, 32, 128), (1, 2, 4)
ACTIVE_FULL, ACTIVE_QUICK = 200, 20
"""Members that the measured block, and each measured batch, is about."""
UNLIMITED = 2**50


class Spent(NamedTuple):
    """Seconds of this process for a piece of work, done many times."""

    least: float
    median: float


def time_each(rounds: int, prepare: Callable[[], Any], work: Callable[[Any], object]) -> Spent:
    """How long `work` takes on what `prepare` makes, without the garbage collector."""
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
    return Spent(min(spent), statistics.median(spent))


def measure_reference() -> Answer:
    """How fast this machine is now: milliseconds for a fixed loop of plain Python, and to hash a megabyte."""

    def loop(_: object) -> int:
        total = 0
        for number in range(100_000):
            total = (total + number * number) & 0xFFFF
        return total

    megabyte = bytes(10**6)
    found = {
        "loop_ms": time_each(REFERENCE_ROUNDS, lambda: None, loop),
        "hash_ms": time_each(REFERENCE_ROUNDS, lambda: None, lambda _: sha256(megabyte).digest()),
    }
    return {name: [spent.least * 1e3, spent.median * 1e3] for name, spent in found.items()}


# --- kinds -------------------------------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """A transaction with so many entries, and the state that it meets."""

    transaction: Transaction
    entries: int
    prepare: Callable[[], BlockExecution]


def measure_kinds(world: World) -> Answer:
    """Microseconds that each kind's rule takes, by the transaction; of those in `entries` by the entry."""
    is_full = world.sizes.name == "full"
    found = _golden_kinds(ROUNDS if is_full else 3)
    entries: dict[str, int] = {}
    for batch in _batches(ACTIVE_FULL if is_full else ACTIVE_QUICK):
        kind, transaction = batch.transaction.body.kind, batch.transaction
        assert set(batch.prepare().add(transaction)) == {APPLIED}, "each entry is credited"
        spent = time_each(
            BLOCK_ROUNDS, batch.prepare, lambda execution, transaction=transaction: execution.add(transaction)
        )
        found[kind], entries[kind] = Spent(*(seconds / batch.entries for seconds in spent)), batch.entries
    return {
        "us": {kind: spent.least * 1e6 for kind, spent in found.items()},
        "entries": entries,
        "median_us": statistics.median(spent.least for spent in found.values()) * 1e6,
        "median_of_rounds_us": statistics.median(spent.median for spent in found.values()) * 1e6,
        "reference": measure_reference(),
    }


def _golden_kinds(rounds: int) -> dict[str, Spent]:
    """By kind the median over its golden transactions."""
    golden = make_golden_chain().scenario
    state, window = MemoryState(golden.genesis.contents), dict[bytes, Any]()
    by_kind: dict[str, list[Spent]] = defaultdict(list)
    for mined in golden.mined:
        for place, transaction in enumerate(mined.transactions):

            def prepare(place: int = place, mined: Any = mined) -> BlockExecution:
                execution = BlockExecution(state, mined.context, window)
                for earlier in mined.transactions[:place]:
                    execution.add(earlier)
                return execution

            def work(execution: BlockExecution, transaction: Transaction = transaction) -> None:
                execution.add(transaction)

            by_kind[transaction.body.kind].append(time_each(rounds, prepare, work))
        state.apply(mined.transition)
        window.update({transaction.once_key: transaction.txid for transaction in mined.transactions})
    return {kind: Spent(*map(statistics.median, zip(*spent, strict=True))) for kind, spent in sorted(by_kind.items())}


def _batches(count: int) -> Iterator[Batch]:
    """A large batch of each kind that has entries: one for each of so many members. To be measured before the next is asked for."""
    bench = _shop_of(count, offer_day_max=Points(UNLIMITED))
    shop, fans, chain = bench.shop, bench.fans, bench.shop.chain
    consent(shop, *fans, payment=shop.sponsored)
    which = create_challenge(shop, budget=Points(100 * count), times_max=1)
    patient = create_challenge(shop, goal=Visits(CHALLENGE_RECEIPTS_MAX))
    yield Batch(_batch(shop, fans), count, bench.execution)

    completions = [CompletionEntry(fan.address, which, 0, some_hash("evidence", fan.address), 2) for fan in fans]
    payload: Any = ChallengeComplete(shop.program, tuple(completions))
    complete = chain.sign("challenge.complete", payload, author=TILL, payment=shop.sponsored)
    yield Batch(complete, count, bench.execution)

    offers = [make_offer(shop, fan, number=number) for number, fan in enumerate(fans)]
    payload = OfferIssue(shop.program, tuple(map(entry_of, offers)))
    issue = chain.sign("offer.issue", payload, author=TILL, payment=shop.sponsored)
    yield Batch(issue, count, bench.execution)
    chain.block(issue)

    receipts = [ReceiptHash(some_hash("receipt", fan.address)) for fan in fans]
    cited = zip(offers, receipts, strict=True)
    payload = OfferSettle(
        shop.program, tuple([Citation(offer.offer_id, shop.today, receipt) for offer, receipt in cited])
    )
    yield Batch(chain.sign("offer.settle", payload, author=TILL, payment=shop.sponsored), count, bench.execution)

    visits = [sign(shop, fans[0], sequence=number) for number in range(CHALLENGE_RECEIPTS_MAX)]
    shop.pass_days(10)
    payload = contest_payload(shop, patient, visits)
    contest = chain.sign("challenge.contest", payload, author=fans[0], payment=PREPAID)
    yield Batch(contest, len(visits), bench.execution)


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

        return time_each(BLOCK_ROUNDS, lambda: None, work).least * 1e3


def _shop_of(count: int, **terms: Any) -> BenchShop:
    """A shop with so many members, each with a lot."""
    sponsor = SponsorPolicy(Amount(2), *([Amount(UNLIMITED)] * 3))
    shop = Shop(expiry=RollingExpiry(400), pool=10**11, sponsor=sponsor, issuance_cap=Points(UNLIMITED), **terms)
    shop.grant(TILL, daily_cap=UNLIMITED)
    fans = [Signer.named(f"fan {number}") for number in range(count)]
    shop.join(*fans)
    found = BenchShop(shop, fans, shop.list_reward(price=1, stock=UNLIMITED))
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
    return {"active": active, "members_ms": by_members, "lots_ms": by_lots, "reference": measure_reference()}


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
