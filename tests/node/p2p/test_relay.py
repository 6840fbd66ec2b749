"""Transactions and new blocks between nodes: told, asked of one at a time, put together, and in the right order."""

from collections.abc import Iterator

import pytest

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.transaction import Transaction
from ledger.types import Amount, BlockHash, WtxId
from node.p2p import relay
from node.p2p.messages import (
    TRANSACTIONS,
    BlockTransactions,
    CompactBlock,
    GetBlocks,
    GetBlockTransactions,
    GetCompact,
    GetTransactions,
    Headers,
    Inventory,
    Missing,
    Transactions,
    WantCompact,
)
from tests.simulation.fake_node import FakeNode
from tests.simulation.quiet import Puppet, Quiet
from tests.support.shop import FAN, FRIEND


@pytest.fixture
def three() -> Iterator[Quiet]:
    """A line of three nodes that know each other."""
    made = Quiet(3)
    made.start((1, 0), (2, 1))
    yield made
    made.close()


def transfer(quiet: Quiet, amount: int = 5_000) -> Transaction:
    return quiet.people.sign(1, "transfer", Transfer(ToAccount(FRIEND.address), Amount(amount)), FAN)


def holds(node: FakeNode, transaction: Transaction) -> bool:
    return node.mempool.get(transaction.txid) is not None


def welcome(quiet: Quiet, node: FakeNode) -> Puppet:
    puppet = quiet.puppet(node)
    puppet.say(Headers(True, b""))
    return puppet


def test_a_transaction_reaches_everybody_once(three: Quiet) -> None:
    sent = transfer(three)
    three.nodes[0].submit(sent.raw)
    three.wait(30)
    assert all(holds(node, sent) for node in three.nodes)
    frames = three.network.frames
    three.wait(30)
    assert three.network.frames - frames <= 2, "nothing more is said of it"


def test_who_comes_later_is_told_of_all_that_waits(three: Quiet) -> None:
    sent = [transfer(three, 2_000 + number) for number in range(5)]
    for transaction in sent:
        three.nodes[0].submit(transaction.raw)
    puppet = welcome(three, three.nodes[0])
    three.wait(30)
    told = [wtxid for message in puppet.all_heard(Inventory) for wtxid in message.wtxids]
    assert told == [transaction.wtxid for transaction in sent]


def test_one_peer_at_a_time_is_asked_and_the_next_when_it_does_not_answer(three: Quiet) -> None:
    node, sent = three.nodes[0], transfer(three)
    first, second, third = (welcome(three, node) for _ in range(3))
    for puppet in (first, second, third):
        puppet.say(Inventory((sent.wtxid,)))
        three.wait(1)
    assert [len(puppet.all_heard(GetTransactions)) for puppet in (first, second, third)] == [1, 0, 0]
    three.wait(relay.ANSWER_SECONDS + 3)
    assert [len(puppet.all_heard(GetTransactions)) for puppet in (first, second, third)] == [1, 1, 0]
    second.say(Missing(TRANSACTIONS, (sent.wtxid,)))
    three.wait(1)
    assert [len(puppet.all_heard(GetTransactions)) for puppet in (first, second, third)] == [1, 1, 1]
    third.say(Transactions((sent.raw,)))
    three.wait(20)
    assert all(holds(other, sent) for other in three.nodes)
    first.say(Transactions((sent.raw,)))
    three.wait(1)
    assert first.goodbye is None, "late is no offence"


def test_a_peer_that_leaves_is_no_end_of_what_it_promised(three: Quiet) -> None:
    node, sent = three.nodes[0], transfer(three)
    first, second = welcome(three, node), welcome(three, node)
    for puppet in (first, second):
        puppet.say(Inventory((sent.wtxid,)))
        three.wait(1)
    three.network.leave(first)
    three.wait(5)
    assert second.all_heard(GetTransactions)[-1].wtxids == (sent.wtxid,)


def test_a_transaction_that_comes_before_what_it_lives_off_is_tried_again(three: Quiet) -> None:
    created, filled, _, _ = (three.people.next(1, 20_454) for _ in range(4))
    assert (created.body.kind, filled.body.kind) == ("program.create", "transfer")
    puppet = welcome(three, three.nodes[0])
    puppet.say(Inventory((filled.wtxid, created.wtxid)))
    three.wait(1)
    puppet.say(Transactions((filled.raw,)))
    three.wait(1)
    assert not holds(three.nodes[0], filled)
    puppet.say(Transactions((created.raw,)))
    three.wait(5)
    assert holds(three.nodes[0], filled) and holds(three.nodes[0], created)
    assert puppet.goodbye is None


def test_nonsense_bans_and_what_nobody_asked_for_costs_points(three: Quiet) -> None:
    node, sent = three.nodes[0], transfer(three)
    puppet = welcome(three, node)
    puppet.say(Transactions((sent.raw,)))
    three.wait(1)
    assert 19 < node.peers.scores.points(puppet.address, three.timeline.now) <= 20
    assert not holds(node, sent)
    spoiled = sent.raw[:-1] + bytes([sent.raw[-1] ^ 1])
    from ledger.hashing import WTX

    puppet.say(Inventory((WtxId(WTX(spoiled)),)))
    three.wait(1)
    puppet.say(Transactions((spoiled,)))
    three.wait(1)
    assert puppet.goodbye == "p2p.banned"


def test_a_flood_of_promises_is_bounded(three: Quiet) -> None:
    node = three.nodes[0]
    puppet = welcome(three, node)
    for number in range(20):
        puppet.say(Inventory(tuple(WtxId(bytes([number]) + index.to_bytes(31, "big")) for index in range(500))))
    three.wait(2)
    assert len(node.peers.relay._wanted) == relay.WANTED_MAX + relay.ASKED_MAX
    asked = sum(len(message.wtxids) for message in puppet.all_heard(GetTransactions))
    assert asked == relay.ASKED_MAX
    three.wait(5)
    assert puppet.goodbye is None


def test_a_new_block_of_known_transactions_takes_one_round_trip(three: Quiet) -> None:
    sent = [transfer(three, 2_000 + number) for number in range(40)]
    for transaction in sent:
        three.nodes[0].submit(transaction.raw)
    three.wait(30)
    before = three.network.bytes
    (block,) = three.mine(three.nodes[0])
    assert len(block.transactions) == 40
    three.wait(1)
    assert [node.chain.tip.hash for node in three.nodes] == [block.hash] * 3
    assert three.network.bytes - before < 2 * len(block.encode()) / 5, "over two hops, both much less than the block"


def test_what_a_compact_block_lacks_is_asked_for_once(three: Quiet) -> None:
    node = three.nodes[0]
    puppet = welcome(three, node)
    puppet.say(WantCompact(True))
    three.wait(1)
    sent = transfer(three)
    node.submit(sent.raw)
    (block,) = three.mine(node)
    three.wait(1)
    compact = puppet.all_heard(CompactBlock)[-1]
    assert compact.header == block.header.encode() and len(compact.short_ids) == 6
    puppet.say(GetBlockTransactions(block.hash, (0,)))
    three.wait(1)
    assert puppet.all_heard(BlockTransactions) == [BlockTransactions(block.hash, (sent.raw,))]
    puppet.say(GetBlockTransactions(block.hash, (1,)))
    three.wait(1)
    assert puppet.goodbye == "p2p.banned", "the block has no second one"


def test_a_node_puts_a_compact_block_together_with_what_it_asks_for(three: Quiet) -> None:
    one, other = three.nodes[1], three.nodes[2]
    maker = Quiet(1)
    maker.start()
    known, unknown = transfer(three, 2_000), transfer(three, 3_000)
    other.submit(known.raw)
    for raw in (known.raw, unknown.raw):
        maker.nodes[0].submit(raw)
    (block,) = maker.mine(maker.nodes[0])
    puppet = welcome(three, other)
    puppet.say(Headers(False, block.header.encode()))
    three.wait(1)
    assert puppet.all_heard(GetCompact) == [GetCompact(block.hash)]
    puppet.say(maker.nodes[0].peers.blocks._make_compact(block.hash) or Headers(True, b""))
    three.wait(1)
    assert puppet.all_heard(GetBlockTransactions) == [GetBlockTransactions(block.hash, (1,))]
    puppet.say(BlockTransactions(block.hash, (unknown.raw,)))
    three.wait(3)
    assert one.chain.tip.hash == other.chain.tip.hash == block.hash
    assert puppet.all_heard(WantCompact) == [WantCompact(True)], "it was the first with a new block"
    maker.close()


def test_a_compact_block_that_does_not_fit_its_header_is_fetched_whole(three: Quiet) -> None:
    other = three.nodes[2]
    maker = Quiet(1)
    maker.start()
    right, wrong = transfer(three, 2_000), transfer(three, 3_000)
    maker.nodes[0].submit(right.raw)
    (block,) = maker.mine(maker.nodes[0])
    puppet = welcome(three, other)
    puppet.say(Headers(False, block.header.encode()))
    three.wait(1)
    puppet.say(maker.nodes[0].peers.blocks._make_compact(block.hash) or Headers(True, b""))
    three.wait(1)
    puppet.say(BlockTransactions(block.hash, (wrong.raw,)))
    three.wait(1)
    assert puppet.all_heard(GetBlocks) == [GetBlocks((block.hash,))]
    assert puppet.goodbye is None, "nobody is blamed"
    maker.close()


def test_unwanted_compact_blocks_cost_points(three: Quiet) -> None:
    node = three.nodes[0]
    puppet = welcome(three, node)
    three.mine(node)
    compact = node.peers.blocks._make_compact(node.chain.tip.hash)
    assert compact is not None
    puppet.say(compact)
    three.wait(1)
    assert node.peers.scores.points(puppet.address, three.timeline.now) > 19


def test_while_blocks_are_missing_transactions_wait(three: Quiet) -> None:
    node = three.nodes[0]
    maker = Quiet(1)
    maker.start()
    blocks = maker.mine(maker.nodes[0], 5)
    puppet = welcome(three, node)
    puppet.say(Headers(False, b"".join(block.header.encode() for block in blocks)))
    three.wait(1)
    sent = transfer(three)
    puppet.say(Inventory((sent.wtxid,)))
    three.wait(5)
    assert puppet.all_heard(GetTransactions) == []
    assert len(puppet.all_heard(GetBlocks)) == 1
    maker.close()


# --- a block that was asked of a slower peer ---


class Race:
    """A node that asked a slow peer for a new block, and a quick one from which it wants new blocks."""

    def __init__(self, quiet: Quiet, *unknown: Transaction) -> None:
        self.quiet, self.node = quiet, quiet.nodes[2]
        self.maker = Quiet(1)
        self.maker.start()
        self.quick = welcome(quiet, self.node)
        self.give(self.quick)
        self.slow = welcome(quiet, self.node)
        for transaction in unknown:
            self.maker.nodes[0].submit(transaction.raw)
        (self.block,) = self.maker.mine(self.maker.nodes[0])
        self.slow.say(Headers(False, self.block.header.encode()))
        quiet.wait(1)
        assert self.slow.all_heard(GetCompact) == [GetCompact(self.block.hash)]

    def give(self, puppet: Puppet) -> None:
        """Let a peer be the first with a block, so that the next one is wanted of it at once."""
        (block,) = self.maker.mine(self.maker.nodes[0])
        puppet.say(Headers(False, block.header.encode()))
        self.quiet.wait(1)
        puppet.say(self.compact_of(block.hash))
        self.quiet.wait(1)
        assert puppet.all_heard(WantCompact) == [WantCompact(True)] and self.tip == block.hash

    def compact_of(self, block_hash: BlockHash) -> CompactBlock:
        compact = self.maker.nodes[0].peers.blocks._make_compact(block_hash)
        assert compact is not None
        return compact

    @property
    def tip(self) -> BlockHash:
        return self.node.chain.tip.hash


def test_the_first_who_delivers_a_block_wins_whoever_was_asked(three: Quiet) -> None:
    race = Race(three)
    race.quick.say(race.compact_of(race.block.hash))
    three.wait(1)
    assert race.tip == race.block.hash
    race.slow.say(race.compact_of(race.block.hash))
    three.wait(1)
    assert race.slow.goodbye is None and race.quick.goodbye is None, "neither is blamed"
    race.maker.close()


def test_what_the_quicker_one_lacks_is_asked_of_it_and_the_slower_one_may_still_win(three: Quiet) -> None:
    sent = transfer(three)
    race = Race(three, sent)
    race.quick.say(race.compact_of(race.block.hash))
    three.wait(1)
    assert race.quick.all_heard(GetBlockTransactions) == [GetBlockTransactions(race.block.hash, (0,))]
    race.slow.say(race.compact_of(race.block.hash))
    three.wait(1)
    race.slow.say(BlockTransactions(race.block.hash, (sent.raw,)))
    three.wait(1)
    assert race.tip == race.block.hash
    race.quick.say(BlockTransactions(race.block.hash, (sent.raw,)))
    three.wait(1)
    assert race.quick.goodbye is None and race.slow.goodbye is None
    assert race.quick.all_heard(GetBlocks) == race.slow.all_heard(GetBlocks) == []
    race.maker.close()


def test_a_race_is_run_once_and_a_lie_in_it_asks_for_nothing_more(three: Quiet) -> None:
    sent, other = transfer(three), transfer(three, 7_000)
    race = Race(three, sent)
    for _ in range(5):
        race.quick.say(race.compact_of(race.block.hash))
    three.wait(1)
    assert len(race.quick.all_heard(GetBlockTransactions)) == 1, "the same block again is not looked at"
    race.quick.say(BlockTransactions(race.block.hash, (other.raw,)))
    three.wait(1)
    assert race.quick.all_heard(GetBlocks) == [] and race.tip != race.block.hash
    race.slow.say(race.compact_of(race.block.hash))
    three.wait(1)
    race.slow.say(BlockTransactions(race.block.hash, (sent.raw,)))
    three.wait(1)
    assert race.tip == race.block.hash
    race.maker.close()


def test_who_is_not_wanted_from_runs_no_race(three: Quiet) -> None:
    race = Race(three)
    race.node.peers.blocks._wanting.clear()
    race.quick.say(race.compact_of(race.block.hash))
    three.wait(1)
    assert race.tip != race.block.hash
    race.maker.close()
