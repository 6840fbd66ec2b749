"""Nodes that come to one chain: headers in two passes, bodies from several peers, liars and sleepers among them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.block import Block
from ledger.types import BlockHash, Hash, Height, Work
from node.p2p import host, messages
from node.p2p.messages import BlockBody, GetBlocks, GetCompact, GetHeaders, Headers, Missing
from node.p2p.peers import PeerSettings
from node.sync import bodies, header_tree, headers
from tests.simulation.fake_node import FakeNode
from tests.simulation.quiet import Puppet, Quiet, work_on

FEW = 10
"""Headers of one answer in these tests, so that short chains are long ones."""


@pytest.fixture
def few_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (messages, headers, host):
        monkeypatch.setattr(module, "HEADERS_PER_ANSWER", FEW)


@pytest.fixture
def two() -> Iterator[Quiet]:
    made = Quiet(2)
    yield made
    made.close()


def raw(*blocks: Block) -> bytes:
    return b"".join(block.header.encode() for block in blocks)


def demand(node: FakeNode, work: int) -> None:
    """Let a node ask for so much work."""
    node.peers.headers._minimum_work = Work(work)


def test_a_new_node_fetches_a_chain_of_many_answers(two: Quiet, few_headers: None) -> None:
    two.start()
    two.mine(two.nodes[0], 137)
    two.nodes[1].peers.dialler.name(two.nodes[0].address)
    two.wait(30)
    one, other = two.nodes
    assert other.chain.tip.hash == one.chain.tip.hash
    assert other.chain.state_root == one.chain.state_root
    assert len(other.peers.tree) == 0 and not other.peers.bodies.is_syncing


def test_who_was_switched_off_in_the_middle_goes_on_where_it_was(two: Quiet) -> None:
    two.network.weather.bytes_per_second = 20_000
    two.start()
    two.mine(two.nodes[0], 200)
    one, other = two.nodes
    other.named.append(one.address)
    other.peers.dialler.name(one.address)
    while other.chain.tip.height < 120:
        two.wait(0.5)
    reached = other.chain.tip.height
    assert reached < 200
    other.stop()
    other.start()
    assert other.chain.tip.height == reached, "what was reported is there"
    sent = two.network.bytes
    two.wait(60)
    assert other.chain.tip.hash == one.chain.tip.hash
    whole = sum(
        len(block.encode()) for height in range(1, 201) if (block := one.chain.block_at(Height(height))) is not None
    )
    assert two.network.bytes - sent < whole, "not everything was fetched again"


def test_a_chain_of_too_little_work_is_not_kept_and_no_body_is_asked_for(two: Quiet, few_headers: None) -> None:
    two.start()
    one, other = two.nodes
    two.mine(one, 35)
    demand(other, one.chain.tip.work + 1)
    other.peers.dialler.name(one.address)
    two.wait(30)
    assert other.chain.tip.height == 0
    assert len(other.peers.tree) == 0
    assert one.address in [peer.address for peer in other.peers.ready], "that is no offence"
    two.mine(one, 1)
    two.wait(120)
    assert other.chain.tip.hash == one.chain.tip.hash, "with one more block it is enough"


def test_the_second_pass_must_show_the_chain_that_was_measured(two: Quiet, few_headers: None) -> None:
    two.start()
    one, other = two.nodes
    honest = two.mine(one, 30)
    demand(other, one.chain.tip.work)
    puppet = two.puppet(other)
    for start in (0, 10, 20):
        assert len(puppet.all_heard(GetHeaders)) == start // 10 + 1
        puppet.say(Headers(True, raw(*honest[start : start + 10])))
        two.wait(1)
        assert len(other.peers.tree) == 0, "nothing is kept in the first pass"
    assert puppet.all_heard(GetHeaders)[-1].locator == (other.chain.chain_id,)
    # Another chain of the same length, with work, from the same parent.
    false = [work_on(honest[0].header, merkle_root=Hash(bytes(32)))]
    for block in honest[1:10]:
        false.append(work_on(block.header, previous=false[-1].hash))
    puppet.say(Headers(True, b"".join(header.encode() for header in false)))
    two.wait(1)
    assert puppet.goodbye == "p2p.banned"
    assert len(other.peers.tree) == 0
    assert puppet.all_heard(GetBlocks) == [] == puppet.all_heard(GetCompact)


def test_after_both_passes_bodies_are_asked_for(two: Quiet, few_headers: None) -> None:
    two.start()
    one, other = two.nodes
    honest = two.mine(one, 25)
    demand(other, one.chain.tip.work)
    puppet = two.puppet(other)
    for _ in range(2):
        for start in (0, 10, 20):
            puppet.say(Headers(True, raw(*honest[start : start + 10])))
            two.wait(1)
    asked = [found for message in puppet.all_heard(GetBlocks) for found in message.hashes]
    assert asked == [block.hash for block in honest[:16]]
    for block in honest[:8]:
        puppet.say(BlockBody(block.encode()))
    two.wait(1)
    assert other.chain.tip.height == 8
    asked = [found for message in puppet.all_heard(GetBlocks) for found in message.hashes]
    assert asked == [block.hash for block in honest[:24]]


@pytest.mark.parametrize("flaw", ["version", "link", "time", "bits", "work"])
def test_headers_that_break_a_rule_end_the_connection(two: Quiet, flaw: str) -> None:
    two.start()
    one, other = two.nodes
    first, second = two.mine(one, 2)
    puppet = two.puppet(other)
    good = second.header
    bad = {
        "version": work_on(good, version=2),
        "link": work_on(good, previous=BlockHash(bytes(32))),
        "time": work_on(good, time=first.header.time),
        "bits": work_on(good, bits=0x207FFFFE),
        "work": good,
    }[flaw]
    while flaw == "work" and int.from_bytes(bad.hash, "little") < 2**255:
        bad = replace(bad, nonce=bad.nonce + 1)
    puppet.say(Headers(True, first.header.encode() + bad.encode()))
    two.wait(1)
    assert puppet.goodbye == "p2p.banned"
    assert len(other.peers.tree) == 0
    puppet = two.puppet(other, seed=b"q" * 32)
    assert puppet.goodbye is None, "another host is welcome"


def test_headers_far_ahead_of_the_clock_are_left_aside(two: Quiet) -> None:
    two.start()
    one, other = two.nodes
    (first,) = two.mine(one, 1)
    puppet = two.puppet(other)
    now = other.clock.now()
    for ahead, is_kept in ((headers.AHEAD_SECONDS_MAX + 60, False), (headers.AHEAD_SECONDS_MAX - 60, True)):
        header = work_on(first.header, time=now + ahead)
        puppet.say(Headers(True, header.encode())) if not is_kept else puppet.say(Headers(False, header.encode()))
        two.wait(1)
        assert (header.hash in other.peers.tree) == is_kept
    assert puppet.all_heard(GetBlocks) == [] == puppet.all_heard(GetCompact), "its time has not come"
    assert puppet.goodbye is None


def test_unasked_answers_and_half_headers_cost_points(two: Quiet) -> None:
    two.start()
    one, other = two.nodes
    blocks = two.mine(one, 9)
    puppet = two.puppet(other)
    puppet.say(Headers(True, b""))
    for _ in range(2):
        puppet.say(Headers(True, b""))
        two.wait(1)
    assert 39 < other.peers.scores.points(puppet.address, two.timeline.now) <= 40
    puppet.say(Headers(False, raw(*blocks)))
    two.wait(1)
    assert puppet.goodbye == "p2p.banned", "nine are too many for an announcement"
    puppet = two.puppet(other)
    puppet.say(Headers(True, bytes(79)))
    two.wait(1)
    assert puppet.goodbye == "p2p.banned"


def announced(quiet: Quiet, node: FakeNode, puppet: Puppet, *blocks: Block) -> None:
    puppet.say(Headers(True, b""))  # the answer to what it was asked when it came
    puppet.say(Headers(False, raw(*blocks)))
    quiet.wait(1)


def test_a_body_that_is_another_blocks_bans_who_sent_it_and_the_header_stays(two: Quiet) -> None:
    two.start()
    one, other = two.nodes
    blocks = two.mine(one, 4)
    liar, honest = two.puppet(other), two.puppet(other)
    announced(two, other, liar, *blocks)
    announced(two, other, honest, *blocks)
    assert [len(message.hashes) for message in liar.all_heard(GetBlocks)] == [4]
    spoiled = replace(blocks[0], commitment_bytes=blocks[1].commitment_bytes)
    assert spoiled.hash == blocks[0].hash
    liar.say(BlockBody(spoiled.encode()))
    two.wait(1)
    assert liar.goodbye == "p2p.banned"
    assert other.host.header(blocks[0].hash) is None and blocks[0].hash in other.peers.tree
    for block in blocks:
        honest.say(BlockBody(block.encode()))
    two.wait(1)
    assert other.chain.tip.height == 4


def test_an_invalid_block_is_condemned_with_what_follows_it(two: Quiet) -> None:
    two.start()
    one, other = two.nodes
    good = two.mine(one, 2)
    coinbase = bytearray(good[0].coinbase)
    coinbase[43] ^= 1  # another height
    from ledger.hashing import sha256d

    bad = replace(good[0], coinbase=bytes(coinbase))
    bad = replace(bad, header=work_on(bad.header, merkle_root=Hash(sha256d(bad.coinbase))))
    child = replace(good[1], header=work_on(good[1].header, previous=bad.hash))
    liar = two.puppet(other)
    announced(two, other, liar, bad, child)
    liar.say(BlockBody(bad.encode()))
    two.wait(1)
    assert liar.goodbye == "p2p.banned"
    known = other.host.header(bad.hash)
    assert known is not None and known.invalid_code == "block.commitment"
    assert len(other.peers.tree) == 0
    other.peers.dialler.name(one.address)
    two.wait(10)
    assert other.chain.tip.hash == good[1].hash


def test_a_peer_that_stalls_is_left_for_one_that_answers(two: Quiet) -> None:
    two.start()
    one, other = two.nodes
    blocks = two.mine(one, 3)
    sleeper = two.puppet(other)
    announced(two, other, sleeper, *blocks)
    assert len(sleeper.all_heard(GetBlocks)) == 1
    other.peers.dialler.name(one.address)
    two.wait(10)
    assert other.chain.tip.height == 0, "each block is asked of one peer at a time"
    two.wait(bodies.STALL_SECONDS)
    assert sleeper.goodbye == "p2p.stalled"
    assert other.chain.tip.hash == one.chain.tip.hash


def test_a_peer_that_sends_every_new_block_but_the_missing_one_is_left(two: Quiet) -> None:
    """It was found by real nodes: each new block began its patience anew, for ever."""
    two.start()
    one, other = two.nodes
    first, *later = two.mine(one, 8)
    talker = two.puppet(other)
    announced(two, other, talker, first, *later)
    other.peers.dialler.name(one.address)
    for block in later[:5]:
        talker.say(BlockBody(block.encode()))
        two.wait(5)
    assert talker.goodbye == "p2p.stalled"
    assert other.chain.tip.hash == one.chain.tip.hash


def test_who_lacks_a_block_is_not_asked_for_it_again_soon(two: Quiet) -> None:
    two.start()
    one, other = two.nodes
    blocks = two.mine(one, 3)
    puppet = two.puppet(other)
    announced(two, other, puppet, *blocks)
    puppet.say(Missing(messages.BLOCKS, tuple(block.hash for block in blocks)))
    two.wait(5)
    assert len(puppet.all_heard(GetBlocks)) == 1
    two.wait(bodies.LACKING_SECONDS)
    assert len(puppet.all_heard(GetBlocks)) == 2


def test_a_branch_whose_bodies_nobody_sends_does_not_keep_from_another(two: Quiet) -> None:
    """A header chain with more work whose blocks are withheld."""
    two.start()
    one, other = two.nodes
    honest = two.mine(one, 3)
    withheld = [work_on(honest[0].header, merkle_root=Hash(bytes(32)))]
    for number in range(5):
        withheld.append(work_on(honest[0].header, previous=withheld[-1].hash, time=honest[0].header.time + number + 1))
    liar = two.puppet(other)
    liar.say(Headers(True, b""))
    liar.say(Headers(False, b"".join(header.encode() for header in withheld)))
    two.wait(1)
    assert len(liar.all_heard(GetBlocks)) == 1
    other.peers.dialler.name(one.address)
    two.wait(bodies.STALL_SECONDS + 10)
    assert other.chain.tip.hash == honest[-1].hash


def test_partitions_of_many_blocks_come_together(two: Quiet, few_headers: None) -> None:
    two.start()
    two.mine(two.nodes[0], 45)
    two.mine(two.nodes[1], 47)
    two.nodes[0].peers.dialler.name(two.nodes[1].address)
    two.wait(60)
    assert two.nodes[0].chain.tip.hash == two.nodes[1].chain.tip.hash
    assert two.nodes[0].chain.tip.height == 47


def test_a_branch_longer_than_the_tree_is_followed_part_by_part(
    two: Quiet, few_headers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node in two.nodes:
        monkeypatch.setattr(node, "start", node.start)
    two.start()
    for node in two.nodes:
        node.peers.tree._count_max = 3 * FEW
    two.mine(two.nodes[0], 95)
    two.mine(two.nodes[1], 97)
    two.nodes[0].peers.dialler.name(two.nodes[1].address)
    largest = 0
    for _ in range(120):
        two.wait(1)
        largest = max(largest, len(two.nodes[0].peers.tree))
    assert two.nodes[0].chain.tip.hash == two.nodes[1].chain.tip.hash
    assert FEW <= largest <= 3 * FEW


def test_settings_name_the_minimum_work() -> None:
    assert PeerSettings().minimum_work == 0
    assert header_tree.TREE_HEADERS_MAX == 20_000
