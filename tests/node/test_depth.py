"""How deep a block lies: blocks, work, and what attestors said, on every kind of store (spec FIN-11)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.finality.state import Justified
from ledger.finality.reversal import rent_of
from ledger.pow import target_from_compact, work_of
from ledger.types import Amount, BlockHash, Height, TxId, Work
from node.clock import ManualClock
from node.depth import Depth, Marks, read_marks, work_from
from node.mempool.returning import TakenBack
from node.node import Node, NodeConfig
from node.tip import ConnectedBlock, TipChanged
from tests.support.attested import INTERVAL, AttestedBranches
from tests.support.branching_chain import BranchingChain
from tests.support.memory_chain import sim_params
from tests.support.shop import FAN, FRIEND

Pair = tuple[AttestedBranches, Node]


@pytest.fixture
def attested(tmp_path: Path) -> Iterator[Pair]:
    made = AttestedBranches()
    node = Node(NodeConfig(tmp_path, made.params), ManualClock(2_000_000_000))
    yield made, node
    node.close()


def marks_of(node: Node) -> Marks:
    with node.reader.snapshot() as view:
        return read_marks(view, node.chain.finality.known)


def feed(pair: Pair, first: int = 1) -> None:
    """Every block of the branch on which the first now is."""
    made, node = pair
    for twig in made.path[first:]:
        node.accept_block(twig.block)


def test_without_attestors_nothing_is_known_but_blocks(tmp_path: Path) -> None:
    made = BranchingChain(params=sim_params(FAN.address))
    made.mine(3)
    node = Node(NodeConfig(tmp_path, made.params), ManualClock(made.time))
    for twig in made.path[1:]:
        node.accept_block(twig.block)
    found = marks_of(node)
    node.close()
    assert found.depth_of(Height(made.tip.height)) == Depth(1, None, None)
    assert found.depth_of(Height(1)) == Depth(made.tip.height, None, None)
    assert found.depth_of(None) == Depth(0, None, None)


def test_certificates_lift_what_is_justified_and_final(attested: Pair) -> None:
    made, node = attested
    made.mine_to(13)
    feed(attested)
    height = made.tip.height
    assert marks_of(node) == Marks(height, Height(0), Height(0), made.finality.in_force)
    assert marks_of(node).depth_of(None) == Depth(0, False, False)
    node.chain.take_certificate(made.certificate(0, 4, 0, 1, 2))
    found = marks_of(node)
    assert (found.justified, found.final) == (4, 0)
    assert found.depth_of(Height(4)) == Depth(height - 3, True, False)
    assert found.depth_of(Height(5)) == Depth(height - 4, False, False)
    node.chain.take_certificate(made.certificate(4, 8, 0, 1, 3))
    found = marks_of(node)
    assert (found.justified, found.final) == (8, 4)
    assert found.depth_of(Height(4)) == Depth(height - 3, True, True)
    assert found.depth_of(Height(5)) == Depth(height - 4, True, False)
    assert found.depth_of(Height(9)) == Depth(height - 8, False, False)


def test_votes_in_blocks_count_as_certificates_do(attested: Pair) -> None:
    made, node = attested
    made.mine_to(4)
    made.mine()
    made.vote(0, 4, 0, 1, 2)
    made.mine_to(8)
    made.mine()
    made.vote(4, 8, 1, 2, 3)
    feed(attested)
    found = marks_of(node)
    assert (found.justified, found.final) == (8, 4)


def test_what_is_justified_elsewhere_does_not_count(attested: Pair) -> None:
    made, node = attested
    made.mine_to(9)
    feed(attested)
    elsewhere = Justified(Height(8), BlockHash(b"e" * 32), 0)
    with node.reader.snapshot() as view:
        known = node.chain.finality.known
        assert read_marks(view, known._replace(justified=elsewhere, final=elsewhere)).justified == 0
        above = replace(elsewhere, height=Height(2**32 - 1))
        assert read_marks(view, known._replace(justified=above)).justified == 0
    assert INTERVAL == 4


def test_the_work_above_grows_with_every_block_and_so_does_its_rent(tmp_path: Path) -> None:
    random = Random(11)
    made = BranchingChain(params=sim_params(FAN.address, eras=((0, 60, 7_200, 0x207FFFFF, 0x1F7FFFFF, 0),)))
    node = Node(NodeConfig(tmp_path, made.params), ManualClock(2_000_000_000))
    rents: dict[int, int] = {}
    for _ in range(12):
        made.block(time=made.time + random.choice((1, 30, 60, 600)))
        node.accept_block(made.tip.block)
        tip = made.tip.height
        with node.reader.snapshot() as view:
            for height in range(tip + 1):
                works = [work_of(target_from_compact(twig.block.header.bits)) for twig in made.path[height : tip + 1]]
                found = work_from(view, Height(height))
                assert found == sum(works)
                rent = rent_of(Work(found), price_cents=10**9)
                assert rent >= rents.get(height, 0)
                rents[height] = rent
            assert work_from(view, Height(tip)) == work_of(target_from_compact(made.tip.block.header.bits))
    node.close()


def test_what_the_chain_took_back_is_remembered(tmp_path: Path) -> None:
    params = sim_params(FAN.address, FRIEND.address)
    made = BranchingChain(params=params)
    payment = made.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    made.mine(2)
    trunk = made.tip.block.hash
    made.block(payment)
    old = made.tip.block
    node = Node(NodeConfig(tmp_path, params), ManualClock(2_000_000_000))
    for twig in made.path[1:]:
        node.accept_block(twig.block)
    height = made.tip.height
    assert node.mempool.taken_back.height_of(payment.txid) is None
    made.go_to(trunk)
    made.block(time=made.time + 61)
    made.mine()
    for twig in made.path[-2:]:
        node.accept_block(twig.block)
    assert node.chain.tip.hash != old.hash
    assert node.mempool.taken_back.height_of(payment.txid) == height
    node.close()


def test_only_so_many_are_remembered_and_of_them_the_highest() -> None:
    def payments(wanted: int) -> tuple[Any, ...]:
        return tuple(SimpleNamespace(txid=TxId(next(numbers).to_bytes(32, "big"))) for _ in range(wanted))

    numbers, book = count(), TakenBack(4)
    low, high = payments(3), payments(3)
    blocks = [ConnectedBlock(BlockHash(bytes(32)), Height(height), held) for height, held in ((9, high), (8, low))]
    book.note(TipChanged(disconnected=tuple(blocks), connected=()))
    assert [book.height_of(found.txid) for found in (*high, *low)] == [9, 9, 9, 8, None, None]
    again = ConnectedBlock(BlockHash(bytes(32)), Height(10), (*high[:1], *low[2:]))
    book.note(TipChanged(disconnected=(again,), connected=()))
    assert [book.height_of(found.txid) for found in (*high, *low)] == [10, None, 9, 8, None, 10]
