"""What a reorganisation gives back to the pool: all that is still valid, in its order, in bounded memory, whatever fails."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.transaction import Transaction
from ledger.types import Amount, TxId
from node import tip
from node.mempool.policy import MempoolLimits
from node.mempool.pool import NO_ROOM
from tests.node.mempool.desk import assert_consistent, txids
from tests.node.stored_chain import StoredChain
from tests.support.branching_chain import BranchingChain
from tests.support.memory_chain import Signer, sim_params
from tests.support.shop import FAN, FRIEND, STRANGER

PARAMS = sim_params(FAN.address, FRIEND.address, STRANGER.address, validity_blocks_max=8)
LINKS = [Signer.named(f"link {number}") for number in range(6)]


class Rivals:
    """A node on a branch that a longer one without any transaction will replace."""

    def __init__(self, folder: Path, **limits: int) -> None:
        self.folder = folder
        self.chain = BranchingChain(params=PARAMS)
        self.chain.mine(2)
        self.limits = MempoolLimits(**limits)

    def pay(self, author: Signer, to: Signer, amount: int = 5_000, **body: Any) -> Transaction:
        if "valid_from" in body:
            body["valid_until"] = body["valid_from"] + PARAMS.validity_blocks_max - 1
        return self.chain.sign("transfer", Transfer(ToAccount(to.address), Amount(amount)), author=author, **body)

    def open(self) -> StoredChain:
        """The node on the branch that was made so far."""
        store = StoredChain(self.folder / "store.sqlite", PARAMS, limits=self.limits)
        for block in self.chain.blocks:
            store.take(block)
        return store

    def replace(self, store: StoredChain, *transactions: Transaction) -> None:
        """Let a branch from the third block on take over: first a block with these transactions, then empty ones."""
        height = self.chain.tip.height
        before = set(self.chain.twigs)
        self.chain.go_to(self.chain.path[2].block.hash)
        self.chain.block(*transactions, time=self.chain.time + 61)
        self.chain.mine(height - 2)
        for block in self.chain.blocks:
            if block.hash not in before:
                store.take(block)
        assert store.chain.tip.hash == self.chain.tip.block.hash


def waiting(store: StoredChain) -> list[TxId]:
    return txids(*store.pool.select(10**9))


def codes(store: StoredChain, transactions: Sequence[Transaction]) -> list[str | None]:
    found = [store.pool.dropped(transaction.txid) for transaction in transactions]
    return [None if gone is None else gone.code for gone in found]


def chain_of_payments(rivals: Rivals) -> list[Transaction]:
    """Each pays the next, who has nothing else."""
    made, author = [], FAN
    for number, link in enumerate(LINKS):
        made.append(rivals.pay(author, link, 10_000_000 - number * 1_000_000))
        author = link
    return made


def test_a_chain_of_payments_over_many_blocks_comes_back_whole(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    for number in range(0, len(payments), 2):
        rivals.chain.block(*payments[number : number + 2])
    store = rivals.open()
    last = rivals.pay(LINKS[-1], FAN, valid_from=3)
    store.pool.submit(last.raw)
    rivals.replace(store)
    assert waiting(store) == txids(*payments, last)
    assert_consistent(store.pool)
    assert store.mine_pool().transactions == tuple(tx.raw for tx in (*payments, last))
    store.close()


def test_what_depends_on_one_that_is_not_valid_any_more_goes_with_it_and_each_is_told_why(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    other = rivals.pay(STRANGER, FRIEND)
    rivals.chain.block(*payments[:3], other)
    rivals.chain.block(*payments[3:])
    rival = rivals.pay(FAN, FRIEND, salt=payments[0].body.salt, valid_from=3)
    store = rivals.open()
    rivals.replace(store, rival)
    assert waiting(store) == txids(other)
    assert codes(store, payments) == ["envelope.salt_used", *["coin.insufficient"] * 5]
    assert codes(store, [other, rival]) == [None, None]
    assert_consistent(store.pool)
    store.close()


def test_one_that_lives_off_what_waits_behind_it_is_tried_once_more(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    funding, spending = rivals.pay(FAN, LINKS[0], 10_000_000), rivals.pay(LINKS[0], FRIEND)
    rivals.chain.block(funding)
    rivals.chain.block(spending)
    store = rivals.open()
    again = rivals.pay(STRANGER, LINKS[0], 10_000_000, valid_from=3)
    store.pool.submit(again.raw)
    rivals.replace(store, rivals.pay(FAN, FRIEND, salt=funding.body.salt, valid_from=3))
    assert waiting(store) == txids(again, spending)
    assert codes(store, [funding, spending]) == ["envelope.salt_used", None]
    assert_consistent(store.pool)
    store.close()


def test_a_full_pool_keeps_what_waits_and_takes_back_the_first_that_fit(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    rivals.chain.block(*payments[:3])
    rivals.chain.block(*payments[3:])
    held = rivals.pay(STRANGER, FAN, valid_from=3)
    rivals.limits = MempoolLimits(weight_max=held.weight + sum(tx.weight for tx in payments[:4]) + 10)
    store = rivals.open()
    store.pool.submit(held.raw)
    rivals.replace(store)
    assert waiting(store) == txids(*payments[:4], held)
    assert codes(store, payments) == [None] * 4 + [NO_ROOM.name] * 2
    assert store.pool.weight <= rivals.limits.weight_max
    block = store.mine_pool()
    assert len(block.transactions) == 5
    store.pool.submit(payments[4].raw)
    assert codes(store, payments) == [None] * 5 + [NO_ROOM.name], "sent again, it is not dropped any more"
    store.close()


def test_what_was_in_a_block_does_not_count_against_its_authors_limit(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path, author_count_max=2)
    payments = [rivals.pay(FAN, FRIEND, 5_000 + number) for number in range(5)]
    rivals.chain.block(*payments)
    store = rivals.open()
    rivals.replace(store)
    assert waiting(store) == txids(*payments)
    assert_consistent(store.pool)
    store.close()


def test_of_a_deep_reorganisation_the_expired_are_named_as_far_as_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tip, "TRANSACTIONS_HELD_MAX", 3)
    rivals = Rivals(tmp_path, dropped_remembered=6)
    payments = [rivals.pay(FAN, FRIEND, 5_000 + number) for number in range(4)]
    rivals.chain.block(*payments)
    for number in range(20):
        payments.append(rivals.pay(random.Random(number).choice((FAN, STRANGER)), FRIEND))
        rivals.chain.block(payments[-1])
    store = rivals.open()
    rivals.replace(store, payments[0])
    height = store.chain.tip.height
    living = [tx for tx in payments if tx.body.valid_until > height]
    expired = [tx for tx in payments[1:] if tx.body.valid_until <= height]
    assert waiting(store) == txids(*living)
    assert len(living) >= 6
    assert codes(store, expired) == [None] * (len(expired) - 6) + ["envelope.expired"] * 6, "the newest"
    assert codes(store, payments[:1]) == [None], "it is confirmed"
    assert_consistent(store.pool)
    store.close()


def test_a_store_that_fails_while_the_pool_follows_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    rivals.chain.block(*payments)
    store = rivals.open()
    held = rivals.pay(STRANGER, FAN, valid_from=3)
    store.pool.submit(held.raw)
    real, calls = store.pool._apply, [0]

    def failing(transaction: Transaction) -> tuple[str, ...]:
        calls[0] += 1
        if calls[0] % 3 == 0 and calls[0] < 12:
            raise OperationalError("statement", {}, Exception("disk I/O error"))
        return real(transaction)

    monkeypatch.setattr(store.pool, "_apply", failing)
    rivals.replace(store)
    assert store.chain.listeners.failures, "it was logged, and the chain went on"
    assert store.pool.get(held.txid) == held
    while True:
        try:
            found = waiting(store)
            break
        except OperationalError:
            assert calls[0] < 20
    assert found == txids(*payments, held)
    assert codes(store, [*payments, held]) == [None] * 7
    assert_consistent(store.pool)
    assert len(store.mine_pool().transactions) == 7
    store.close()
