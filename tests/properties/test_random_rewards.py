"""Random lives of rewards, with blocks taken back, against a plain second model: stock, limits, prices, parts, refunds, INV-4.

Every act is told to both; they must say the same of it, and afterwards know the same. Everything is drawn from the seed in the
name of the test: `pytest "FILE::test_...[SEED]"` replays a failure.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.state import NeverExpires
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.redeem_refund import RedeemRefund
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import COUNTS, FULFILMENTS, HOLDS, REWARDS, Limit, Window, count_id_of
from ledger.errors import RuleViolation
from ledger.hashing import object_id
from ledger.invariants import check_books
from ledger.transaction import Transaction
from ledger.types import FulfilmentId, HoldId, Points, RewardId, Timestamp, TxId
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.plain_rewards import HOLD_SECONDS, NOTICE_DAYS, REFUND_DAYS, PlainRewards, Refused, Row
from tests.support.shop import FAN, FRIEND, OWNER, TILL, Shop, make_terms

SEEDS = int(os.environ.get("FANSUMER_TEST_LIVES", "6"))
"""Lives; a long run takes more."""
STEPS = 220
FORK_MAX = 6
FLOORS_MAX = 20
"""Published ones: a program keeps at most 32 versions of its terms."""
EARNED = 10**8
PEOPLE = {"fan": FAN, "friend": FRIEND}
TIME_END = 2**40
TERMS: dict[str, Any] = {
    "expiry": NeverExpires(),
    "hold_seconds": HOLD_SECONDS,
    "notice_days": NOTICE_DAYS,
    "refund_days": REFUND_DAYS,
}
LIMITS = ((0, 0, 0), (3, 0, 0), (0, 2, 1), (0, 3, 4), (6, 2, 3), (2, 1, 2))
SPANS = ((0, 0), (0, 0), (0, 3), (1, 4), (-5, 2))
"""Days from now until a reward opens and closes; (0, 0): always open."""
FLOORS = ((0, 0), (10, 5), (10, 10), (3, 4), (1, 2))


class RandomRewards:
    """One shop on one chain; `told` are copies of the model after each block."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.shop = Shop(pool=10**9, **TERMS)
        self.chain = self.shop.chain
        self.shop.join_alone(FAN, FRIEND)
        self.shop.settle(*(self.shop.entry(fan, EARNED) for fan in (FAN, FRIEND)))
        self.chain.mine()
        self.model = PlainRewards()
        self.model.floors.append((0, (0, 0)))
        self.first = len(self.chain.mined)
        self.told = [self.model.copy()]
        self.seen: Counter[tuple[str, str]] = Counter()
        self.taken_back = 0

    def step(self) -> None:
        """One thing happens."""
        acts: tuple[tuple[int, Callable[[], None]], ...] = (
            (2 if len(self.model.rewards) < 8 else 0, self.list_reward),
            (3, self.update_reward),
            (1 if len(self.model.floors) < FLOORS_MAX else 0, self.publish_floor),
            (9, self.redeem),
            (5 if self.model.holds else 0, self.fulfil),
            (1 if self.model.holds else 0, self.cancel),
            (3 if self.model.fulfilments else 0, self.refund),
            (3, self.let_time_pass),
            (1, self.take_back),
        )
        if not self.model.rewards:
            self.list_reward()
        else:
            self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()
        self.compare()

    def act(self, kind: str, payload: Any, author: Signer, tell: Callable[[PlainRewards, TxId], None]) -> None:
        """Send one act, alone in its block; `tell` says it to a model, given the transaction's id."""
        transaction = self.chain.sign(kind, payload, author=author)
        model, expected, found = self.model.copy(), "", ""
        model.begin_block(self.chain.time, self.chain.height)
        try:
            tell(model, transaction.txid)
        except Refused as refusal:
            expected = str(refusal)
        try:
            self.chain.execute(transaction)
        except RuleViolation as fault:
            found = fault.code.name
        assert found == expected, f"{payload}: {found or 'taken'}, and by the text {expected or 'taken'}"
        self.seen[kind, found] += 1
        if found:
            self.add_block()
        else:
            self.add_block(transaction, model=model)

    def add_block(self, *transactions: Transaction, model: PlainRewards | None = None, seconds: int = 60) -> None:
        if model is None:
            model = self.model.copy()
            model.begin_block(self.chain.time, self.chain.height)
        self.chain.block(*transactions, time=self.chain.time + seconds)
        self.model = model
        self.told.append(model.copy())

    def some(self, found: dict[bytes, Row]) -> bytes:
        return self.rng.choice(sorted(found))

    def window(self) -> Window:
        span = self.rng.choice(SPANS)
        if span == (0, 0):
            return Window(Timestamp(0), Timestamp(TIME_END))
        opens, closes = (Timestamp(self.chain.time + days * DAY_SECONDS) for days in span)
        return Window(opens, closes)

    # --- acts ---

    def list_reward(self) -> None:
        rng, now, window, limit = self.rng, self.chain.time, self.window(), self.rng.choice(LIMITS)
        price, stock, value = rng.randrange(1, 30), rng.choice((0, 6, 30, 2**53)), rng.randrange(60)
        payload = RewardList(self.shop.program, "Tea", Points(price), stock, value, Limit(*limit), window)
        given = {"price": price, "stock": stock, "value": value, **_parts(limit, window)}
        self.act("reward.list", payload, OWNER, lambda model, txid: model.list_reward(_id("reward", txid), given, now))

    def update_reward(self) -> None:
        rng, now, reward = self.rng, self.chain.time, self.some(self.model.rewards)
        present = self.model.at(reward, now)
        limit, window = rng.choice(LIMITS), self.window()
        price, stock, listed = rng.randrange(1, 30), rng.choice((0, 0, 5, 5, -3)), rng.random() < 0.8
        if rng.random() < 0.6:  # most owners change one thing at a time
            limit = (present["total"], *present["span"])
            window = Window(present["opens"], present["closes"])
        if rng.random() < 0.5:
            price = self.model.price_at(reward, now)
        payload = RewardUpdate(self.shop.program, RewardId(reward), Points(price), stock, listed, Limit(*limit), window)
        given = {"price": price, "listed": listed, **_parts(limit, window)}
        self.act("reward.update", payload, OWNER, lambda model, _: model.update_reward(reward, given, stock, now))

    def publish_floor(self) -> None:
        latest = max(version for version, _ in self.shop.terms_of_program.versions)
        floor, now = self.rng.choice(FLOORS), self.chain.time
        payload = ProgramUpdate(self.shop.program, latest, make_terms(**TERMS, floor=Floor(Points(floor[0]), floor[1])))
        self.act("program.update", payload, OWNER, lambda model, _: model.publish_floor(floor, now))

    def redeem(self) -> None:
        reward, now, height = self.some(self.model.rewards), self.chain.time, self.chain.height
        who, units = self.rng.choice(sorted(PEOPLE)), self.rng.choice((1, 1, 2, 4))
        accepted = self.rng.choice((10, 100, 100, 100))
        payload = Redeem(self.shop.program, RewardId(reward), units, Points(accepted))
        self.act(
            "redeem",
            payload,
            PEOPLE[who],
            lambda model, txid: model.redeem(_id("hold", txid), who, reward, units, accepted, now, height),
        )

    def fulfil(self) -> None:
        hold, now, height = self.some(self.model.holds), self.chain.time, self.chain.height
        units = self.rng.choice((1, 1, 2, 4))
        self.act(
            "redeem.fulfil",
            RedeemFulfil(HoldId(hold), units),
            TILL,
            lambda model, txid: model.fulfil(_id("fulfilment", txid), hold, units, now, height),
        )

    def cancel(self) -> None:
        hold, now = self.some(self.model.holds), self.chain.time
        self.act("redeem.cancel", RedeemCancel(HoldId(hold)), OWNER, lambda model, _: model.cancel(hold, now))

    def refund(self) -> None:
        fulfilment, now, height = self.some(self.model.fulfilments), self.chain.time, self.chain.height
        units = self.rng.choice((1, 1, 2))
        self.act(
            "redeem.refund",
            RedeemRefund(FulfilmentId(fulfilment), units),
            TILL,
            lambda model, _: model.refund(fulfilment, units, now, height),
        )

    def let_time_pass(self) -> None:
        for _ in range(self.rng.randrange(7)):
            self.add_block()
        self.add_block(seconds=self.rng.choice((60, 60, 3_600, 13 * 3_600, DAY_SECONDS, 3 * DAY_SECONDS)))

    def take_back(self) -> None:
        count = min(self.rng.randrange(1, FORK_MAX), len(self.chain.mined) - self.first)
        if count:
            self.chain.unwind(count)
            del self.told[-count:]
            self.model = self.told[-1].copy()
            self.taken_back += count

    # --- what must hold ---

    def compare(self) -> None:
        """What the chain records is what the model knows."""
        model, table = self.model, self.chain.state.table
        found = {key[33:]: record for key, record in table(REWARDS.prefix).items()}
        assert set(found) == set(model.rewards)
        for reward, row in model.rewards.items():
            record = found[reward]
            assert (record.price, record.stock, record.listed) == (row["price"], row["stock"], row["listed"])
            assert record.limit == Limit(row["total"], *row["span"])
            assert record.window == Window(row["opens"], row["closes"])
            assert bool(record.announced) == (row["announced"] is not None)
        for prefix, rows in ((HOLDS.prefix, model.holds), (FULFILMENTS.prefix, model.fulfilments)):
            records = {key[1:]: (record.quantity, record.points) for key, record in table(prefix).items()}
            assert records == {key: (row["units"], row["units"] * row["price"]) for key, row in rows.items()}
        counts = {key[1:]: (count.total, count.since, count.count) for key, count in table(COUNTS.prefix).items()}
        assert counts == {
            count_id_of(self.shop.program, RewardId(reward), PEOPLE[who].address): (
                row["total"],
                row["since"],
                row["count"],
            )
            for (who, reward), row in model.counts.items()
        }
        books = self.shop.books
        check_books(books)
        assert (books.held, books.redeemed) == (model.held, model.redeemed)
        assert books.available == 2 * EARNED - model.held - model.redeemed
        assert sum(lot[3] for fan in (FAN, FRIEND) for lot in self.shop.member(fan).lots) == books.available


def _parts(limit: tuple[int, ...], window: Window) -> Row:
    return {"total": limit[0], "span": limit[1:], "opens": window.opens_at, "closes": window.closes_at}


def _id(noun: str, txid: TxId) -> bytes:
    return object_id(noun, txid, 0)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_rules_do_what_the_text_says(seed: int) -> None:
    life = RandomRewards(random.Random(seed))
    for _ in range(STEPS):
        life.step()
    life.chain.replay()
    taken = {kind for kind, code in life.seen if not code}
    assert taken >= {"reward.list", "reward.update", "redeem", "redeem.fulfil", "redeem.refund"}, life.seen
    assert life.taken_back
