"""A body that is not the one its header stands for says nothing against the header: the honest body is taken whenever it comes."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ledger.block import BODY_MISMATCH, Block, Commitment
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.earn import Earn
from ledger.errors import BlockViolation, LedgerError, Malformed
from ledger.types import Amount, Hash
from node.chain import KNOWN_INVALID, WRONG_ROOT
from node.store.tables import headers
from node.waiting import Released, WaitingBlocks, WaitingLimits
from tests.node.forged_blocks import child_of, forge
from tests.node.stored_chain import StoredChain
from tests.support.branching_chain import BranchingChain
from tests.support.memory_chain import sim_params
from tests.support.random_life import BranchingShop, RandomLife
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, STRANGER, TILL

PARAMS = sim_params(*(signer.address for signer in FUNDED), validity_blocks_max=12)
HEADER_ENDS = 3 + 80
"""Encoded, a block is one byte for the array, two for the header's length, the header, and then the body."""


@dataclass(frozen=True)
class Fork:
    """A short branch and a longer one on the same trunk; `middle` is a block of the longer one with everything in its body."""

    chain: BranchingChain
    trunk: list[Block]
    short: list[Block]
    long: list[Block]

    @property
    def middle(self) -> Block:
        return self.long[1]


@pytest.fixture(scope="module")
def fork() -> Fork:
    """Two lives of a shop, three blocks and five."""
    shop = BranchingShop(PARAMS)
    chain = shop.chain
    shop.join(FAN, FRIEND)
    trunk = [twig.block for twig in chain.path[1:]]
    RandomLife(random.Random(1), shop).grow(3)
    short = [twig.block for twig in chain.path[len(trunk) + 1 :]]
    chain.go_to(trunk[-1].hash)
    shop.earn(FAN, 100)
    batch = Earn(shop.program, (shop.entry(FAN, 10), shop.entry(STRANGER, 20)))
    transfer = Transfer(ToAccount(FRIEND.address), Amount(5_000))
    chain.block(
        chain.sign("earn", batch, author=TILL), *(chain.sign("transfer", transfer, author=FAN) for _ in range(2))
    )
    chain.mine(3)
    return Fork(chain, trunk, short, [twig.block for twig in chain.path[len(trunk) + 1 :]])


@pytest.fixture
def store(fork: Fork, tmp_path: Path) -> Iterator[StoredChain]:
    """A node that follows the short branch and has seen nothing of the long one."""
    made = StoredChain(tmp_path / "store.sqlite", PARAMS)
    made.take_all((*fork.trunk, *fork.short))
    made.clock.set(fork.long[-1].header.time)
    yield made
    made.close()


def condemned(store: StoredChain) -> int:
    """How many headers this node holds to be bad for good."""
    with store.engine.connect() as connection:
        query = select(func.count()).select_from(headers).where(headers.c.invalid_code.is_not(None))
        return connection.execute(query).scalar_one()


def offer_copy(store: StoredChain, data: bytes, honest: Block) -> str:
    """Offer bytes that are not those of the honest block, though its header is; how they were refused."""
    assert data != honest.encode()
    try:
        block = Block.decode(data)
    except Malformed:
        return "unreadable"
    assert block.header == honest.header
    with refused(BODY_MISMATCH, BlockViolation):
        store.chain.accept_block(block)
    return "mismatch"


def assert_nothing_is_held_against(store: StoredChain, fork: Fork) -> None:
    """No header is condemned, also after a restart, and the long branch is followed as if nothing had been."""
    store.restart()
    assert condemned(store) == 0
    store.take_all(fork.long)
    assert store.chain.tip.hash == fork.long[-1].hash
    assert store.chain.state_root == fork.chain.state.root()


def test_any_changed_byte_of_a_body_condemns_nothing(store: StoredChain, fork: Fork) -> None:
    honest = fork.middle.encode()
    store.take(fork.long[0])
    outcomes: Counter[str] = Counter()
    for place in range(HEADER_ENDS, len(honest)):
        for bit in (0, 7):
            changed = bytearray(honest)
            changed[place] ^= 1 << bit
            outcomes[offer_copy(store, bytes(changed), fork.middle)] += 1
    assert outcomes["mismatch"] > len(honest)
    assert outcomes["unreadable"]
    assert_nothing_is_held_against(store, fork)


def test_a_cut_body_or_one_with_more_behind_it_condemns_nothing(store: StoredChain, fork: Fork) -> None:
    honest = fork.middle.encode()
    store.take(fork.long[0])
    for data in (*(honest[:length] for length in range(HEADER_ENDS, len(honest))), honest + b"\x00", honest + honest):
        assert offer_copy(store, data, fork.middle) == "unreadable"
    assert_nothing_is_held_against(store, fork)


def other_commitment(fork: Fork) -> bytes:
    """The commitment, but for the state root."""
    return replace(Commitment.decode(fork.middle.commitment_bytes), state_root=Hash(bytes(32))).encode()


def with_results(block: Block, change: Callable[[list[tuple[str, ...]]], object]) -> Block:
    """The block with other results."""
    results = list(block.results)
    change(results)
    return replace(block, results=tuple(results))


Way = Callable[[Fork], Block]
WAYS: dict[str, Way] = {
    "another block's body": lambda f: replace(f.long[0], header=f.middle.header),
    "an empty body": lambda f: replace(f.long[3], header=f.middle.header),
    "another coinbase": lambda f: replace(f.middle, coinbase=f.long[0].coinbase),
    "another commitment": lambda f: replace(f.middle, commitment_bytes=other_commitment(f)),
    "no transactions": lambda f: replace(f.middle, transactions=(), results=()),
    "another transaction": lambda f: replace(
        f.middle, transactions=(f.long[0].transactions[0], *f.middle.transactions[1:])
    ),
    "one transaction twice": lambda f: replace(
        f.middle, transactions=(*f.middle.transactions[:2], f.middle.transactions[1])
    ),
    "another order": lambda f: replace(f.middle, transactions=f.middle.transactions[::-1]),
    "one more": lambda f: replace(
        f.middle,
        transactions=(*f.middle.transactions, f.long[0].transactions[0]),
        results=(*f.middle.results, ("",)),
    ),
    "one less": lambda f: replace(f.middle, transactions=f.middle.transactions[:-1], results=f.middle.results[:-1]),
    "another result": lambda f: with_results(f.middle, lambda r: r.__setitem__(0, ("", "member.left"))),
    "results the other way round": lambda f: with_results(f.middle, lambda r: r.__setitem__(0, r[0][::-1])),
    "a result less": lambda f: with_results(f.middle, lambda r: r.pop()),
    "a result shorter": lambda f: with_results(f.middle, lambda r: r.__setitem__(0, r[0][:1])),
}


@pytest.mark.parametrize("place", ["before its parent", "in a side branch", "on the tip"])
@pytest.mark.parametrize("way", WAYS)
def test_a_spoiled_copy_says_nothing_against_the_block(fork: Fork, tmp_path: Path, way: str, place: str) -> None:
    copy = WAYS[way](fork)
    assert copy.header == fork.middle.header
    assert copy != fork.middle
    store = StoredChain(tmp_path / "store.sqlite", PARAMS)
    store.take_all((*fork.trunk, *(fork.short if place != "on the tip" else ())))
    if place != "before its parent":
        store.take(fork.long[0])
    store.clock.set(fork.long[-1].header.time)
    before = store.tables
    for _ in range(2):
        waiting = WaitingBlocks(store.chain, store.clock, WaitingLimits())
        with refused(BODY_MISMATCH, BlockViolation):
            waiting.offer(copy)
        assert len(waiting) == 0
        assert store.tables == before
        assert store.chain.block(copy.hash) is None
        store.restart()
    waiting = WaitingBlocks(store.chain, store.clock, WaitingLimits())
    for block in fork.long:
        waiting.offer(block)
    assert store.chain.tip.hash == fork.long[-1].hash
    assert condemned(store) == 0
    store.close()


def test_a_spoiled_copy_does_not_take_the_place_of_the_honest_block_that_waits(store: StoredChain, fork: Fork) -> None:
    waiting = WaitingBlocks(store.chain, store.clock, WaitingLimits())
    for block in fork.long[1:]:
        waiting.offer(block)
    for way in WAYS.values():
        with refused(BODY_MISMATCH, BlockViolation):
            waiting.offer(way(fork))
    assert len(waiting) == 4
    offered = waiting.offer(fork.long[0])
    assert [released.hash for released in offered.released] == [block.hash for block in fork.long[1:]]
    assert store.chain.tip.hash == fork.long[-1].hash
    assert condemned(store) == 0


def test_a_body_that_matches_and_breaks_a_rule_condemns_its_block_and_all_that_build_on_it(
    store: StoredChain, fork: Fork
) -> None:
    bad = forge(fork.middle, commitment={"state_root": Hash(bytes(32))})
    children = [child_of(bad, fork.long[2])]
    for _ in range(4):
        children.append(child_of(children[-1], fork.long[2]))
    waiting = WaitingBlocks(store.chain, store.clock, WaitingLimits(ahead_seconds_max=10**6))
    for block in (*children[1:], fork.long[0], bad):
        waiting.offer(block)
    assert len(waiting) == 4
    tip, before = store.chain.tip, store.tables
    try:
        released = waiting.offer(children[0]).released
    except BlockViolation as fault:  # a tie that this node settled so: the branch is tried one block earlier
        released = (Released(children[0].hash, fault),)
    assert {one.result.code for one in released if isinstance(one.result, LedgerError)} == {KNOWN_INVALID}
    assert len(waiting) == 0
    assert (store.chain.tip, store.tables) == (tip, before)
    store.restart()
    for block in (bad, children[0]):
        with refused(KNOWN_INVALID, BlockViolation, reason=WRONG_ROOT.name):
            store.chain.accept_block(block)
    store.take_all(fork.long)
    assert store.chain.tip.hash == fork.long[-1].hash, "the honest block of that height is as good as ever"
    assert condemned(store) >= 2
