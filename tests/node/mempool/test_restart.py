"""A node that starts again knows what stood in blocks that were taken back before: its store holds them, its pool was in memory."""

from pathlib import Path

import pytest

from ledger.block import Block
from ledger.transaction import Transaction, decode_transaction
from node.mempool import returning
from node.mempool.pool import NO_ROOM
from node.mempool.returning import read_stale
from node.node import Node, NodeConfig
from tests.node.mempool.desk import assert_consistent, txids
from tests.node.mempool.test_returning import Rivals, chain_of_payments, codes, waiting
from tests.node.stored_chain import StoredChain
from tests.support.shop import FAN, FRIEND, STRANGER


def start_again(store: StoredChain) -> None:
    store.close()
    store.open()
    assert len(store.pool) == 0, "a pool is in memory only"
    store.pool.put_back(read_stale(store.chain))


def taken_back(rivals: Rivals, *blocks: list[Transaction], by: tuple[Transaction, ...] = ()) -> StoredChain:
    """A node whose blocks with these transactions were replaced by a branch with those."""
    for transactions in blocks:
        rivals.chain.block(*transactions)
    store = rivals.open()
    rivals.replace(store, *by)
    return store


def test_what_was_taken_back_waits_again_after_a_restart_in_the_order_of_its_blocks(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    store = taken_back(rivals, payments[:2], payments[2:])
    assert waiting(store) == txids(*payments)
    start_again(store)
    assert waiting(store) == txids(*payments)
    assert_consistent(store.pool)
    assert store.mine_pool().transactions == tuple(tx.raw for tx in payments)
    start_again(store)
    assert waiting(store) == [], "what is in the chain does not wait"
    assert codes(store, payments) == [None] * len(payments)
    store.close()


def test_why_one_is_not_valid_any_more_is_known_after_a_restart_too(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    other = rivals.pay(STRANGER, FRIEND)
    rival = rivals.pay(FAN, FRIEND, salt=payments[0].body.salt, valid_from=3)
    store = taken_back(rivals, [*payments[:3], other], payments[3:], by=(rival,))
    start_again(store)
    assert waiting(store) == txids(other)
    assert codes(store, payments) == ["envelope.salt_used", *["coin.insufficient"] * 5]
    store.close()


def test_what_expired_is_told_as_expired_while_its_block_is_young_enough_to_be_read(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payment = rivals.pay(FAN, FRIEND, valid_from=1)
    store = taken_back(rivals, [payment])
    start_again(store)
    assert waiting(store) == txids(payment)
    while store.chain.tip.height < payment.body.valid_until:
        store.mine()
    start_again(store)
    assert codes(store, [payment]) == ["envelope.expired"]
    store.mine()
    assert read_stale(store.chain) == [payment]
    store.mine()
    assert read_stale(store.chain) == [], "nothing in a block of that height could be mined any more"
    store.close()


def test_there_is_no_more_room_than_a_pool_has(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    rivals.limits = type(rivals.limits)(weight_max=sum(tx.weight for tx in payments[:4]) + 10)
    store = taken_back(rivals, payments)
    start_again(store)
    assert waiting(store) == txids(*payments[:4])
    assert codes(store, payments) == [None] * 4 + [NO_ROOM.name] * 2
    store.close()


def test_no_more_is_read_than_a_bound_and_a_block_with_other_bytes_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    store = taken_back(rivals, payments)
    monkeypatch.setattr(returning, "PUT_BACK_MAX", 3)
    assert txids(*read_stale(store.chain)) == txids(*payments[:3])
    monkeypatch.undo()
    decode = Block.decode
    monkeypatch.setattr(Block, "decode", lambda raw: spoil(decode(raw)))
    assert txids(*read_stale(store.chain)) == txids(*payments[1:])
    store.close()


def spoil(block: Block) -> Block:
    """A block of a branch that was never connected may hold anything."""
    return Block(
        block.header, block.coinbase, block.commitment_bytes, (b"none", *block.transactions[1:]), block.results
    )


def test_one_with_a_wrong_signature_is_not_taken_in(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)[:1]
    store = taken_back(rivals, payments)
    store.close()
    store.open()
    spoiled = bytearray(payments[0].raw)
    spoiled[-1] ^= 1
    store.pool.put_back([decode_transaction(bytes(spoiled), store.chain.chain_id)])
    assert waiting(store) == [] and codes(store, payments) == [None]
    store.pool.put_back(payments)
    store.pool.put_back(payments)
    assert waiting(store) == txids(*payments), "and one that is there is not taken in twice"
    store.close()


def test_a_node_does_it_when_it_is_opened(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path)
    payments = chain_of_payments(rivals)
    store = taken_back(rivals, payments)
    clock = store.clock
    store.close()
    config = NodeConfig(tmp_path, rivals.chain.params, database_url=store.url)
    node = Node(config, clock)
    try:
        assert [tx.txid for tx in node.mempool.transactions()] == txids(*payments)
    finally:
        node.close()
