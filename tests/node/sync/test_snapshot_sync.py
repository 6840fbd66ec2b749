"""Beginning with a snapshot of the state, liars and power cuts among the peers, and the history that is verified behind it."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from ledger.codec import pack_shaped
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Address, Amount, BlockHash, Hash, Height, Work
from node.errors import NodeError
from node.p2p import host, messages
from node.p2p.connection import Connection
from node.p2p.messages import GetSnapshotPieces, Missing, SnapshotPiece, Snapshots
from node.p2p.scores import GRAVE
from node.store import pieces
from node.store.extent import HISTORY_INVALID
from node.store.pieces import decode_piece
from node.sync import headers, snapshot_sync
from tests.node.stored_chain import read_tables
from tests.simulation.people import EVERYBODY
from tests.simulation.state_nodes import BEGINNER, EVERY, FULL, WINDOW, Kind, QuietStates, StateNode

BLOCKS, SNAPSHOT = 97, 80
PATIENT = 150


def fill(quiet: QuietStates, blocks: int, *, first: int = 0, transfers: int = 3) -> None:
    """Let node 0 mine blocks with new accounts in them, so that the state has many slots."""
    one = quiet.nodes[0]
    for number in range(first, first + blocks * transfers):
        address = Address(hashlib.sha256(b"account %d" % number).digest())
        payload = Transfer(ToAccount(address), Amount(100_000_000))
        author = EVERYBODY[number % len(EVERYBODY)]
        one.submit(quiet.people.sign(one.chain.tip.height + 1, "transfer", payload, author).raw)
        if number % transfers == transfers - 1:
            quiet.mine(one)


def offences(node: StateNode) -> list[tuple[int, str]]:
    """What a node blames its peers for from now on."""
    found: list[tuple[int, str]] = []
    blame = node.peers._blame

    def note(peer: Connection, points: int, reason: str) -> None:
        found.append((points, reason))
        blame(peer, points, reason)

    node.peers._blame = note  # type: ignore[method-assign] - a test's own
    return found


@pytest.fixture(scope="module")
def filled() -> Iterator[QuietStates]:
    """Two whole nodes with the same 97 blocks, of which they have snapshots."""
    made = QuietStates(FULL, FULL)
    made.nodes[1].named.append(made.nodes[0].address)
    made.start()
    fill(made, 60)
    until(made, lambda: made.nodes[1].chain.tip.height == 60)
    made.wait(5)
    fill(made, BLOCKS - 60, first=180)
    until(made, lambda: made.nodes[1].chain.tip.height == BLOCKS)
    made.wait(5)
    assert [found.height for found in made.nodes[1].shelf.whole()] == [SNAPSHOT, 40]
    yield made
    made.close()


@pytest.fixture
def world(filled: QuietStates) -> Iterator[QuietStates]:
    """Those, and what a test adds to them, which goes again."""
    whole = list(filled.nodes)
    yield filled
    for node in filled.nodes[len(whole) :]:
        if node.is_on:
            node.stop()
        node.close()
    filled.nodes[:] = whole
    for node in whole:
        node.__dict__.pop("piece", None)
        node.shelf.__dict__.pop("piece", None)
        node.peers.scores.__init__()  # type: ignore[misc] - a test's own


def join(world: QuietStates, kind: Kind = BEGINNER, *, peers: int = 2) -> StateNode:
    """Another node, which dials the first ones."""
    node = world.add(kind)
    node.named.extend(other.address for other in world.nodes[:peers])
    node.start()
    return node


def until(world: QuietStates, is_so: Any, seconds: int = PATIENT) -> None:
    for _ in range(seconds):
        if is_so():
            return
        world.wait(1)
    raise AssertionError("it did not come about")


def is_whole(world: QuietStates, node: StateNode) -> bool:
    return node.chain.tip.hash == world.nodes[0].chain.tip.hash and node.chain.extent.has_all


def test_a_node_begins_with_a_snapshot_and_is_like_any_other_when_its_history_is_verified(world: QuietStates) -> None:
    node = join(world)
    until(world, lambda: node.chain.tip.height > 0)
    extent = node.chain.extent
    assert extent.floor == extent.snapshot == SNAPSHOT and not extent.is_verified
    assert extent.history_from == SNAPSHOT + 1 and extent.bodies_from == SNAPSHOT - WINDOW
    assert node.peers.states.fetching.outcome == "from a snapshot of block 80"
    until(world, lambda: is_whole(world, node))
    assert read_tables(node.engine) == read_tables(world.nodes[0].engine)
    assert node.peers.states.history.progress == "verified"
    world.mine(world.nodes[0], 0)
    node.stop()
    node.start()
    assert node.chain.extent.has_all


def test_pieces_come_from_all_who_offer_it(world: QuietStates) -> None:
    asked = [list[int](), list[int]()]
    for found, other in zip(asked, world.nodes, strict=False):
        piece = other.shelf.piece
        other.shelf.piece = lambda h, n, piece=piece, found=found: found.append(n) or piece(h, n)  # type: ignore[method-assign] - a test's own
    node = join(world)
    until(world, lambda: node.chain.tip.height > 0)
    assert all(asked) and sorted(asked[0] + asked[1]) == list(range(len(asked[0] + asked[1])))


def test_it_serves_what_it_fetched(world: QuietStates) -> None:
    node = join(world)
    until(world, lambda: node.chain.tip.height > 0)
    assert [found.height for found in node.shelf.whole()] == [SNAPSHOT]
    state = node.shelf.whole()[0]
    data, path = node.shelf.piece(state.hash, 2) or (b"", ())
    pieces.check_piece(state, 2, data, path)
    puppet = world.puppet(node)
    puppet.say(messages.GetSnapshots())
    world.wait(2)
    assert puppet.all_heard(Snapshots)[0].offered == ((SNAPSHOT, state.hash),)


# --- liars ---


def other_value(piece: tuple[bytes, tuple[Hash, ...]]) -> tuple[bytes, tuple[Hash, ...]]:
    data, path = piece
    return data[:-10] + bytes([data[-10] ^ 1]) + data[-9:], path


def one_slot_less(piece: tuple[bytes, tuple[Hash, ...]]) -> tuple[bytes, tuple[Hash, ...]]:
    return pieces.encode_piece(decode_piece(piece[0])[:-1]), piece[1]


def one_slot_more(piece: tuple[bytes, tuple[Hash, ...]]) -> tuple[bytes, tuple[Hash, ...]]:
    found = decode_piece(piece[0])
    return pieces.encode_piece((*found, found[-1])), piece[1]


def swapped(piece: tuple[bytes, tuple[Hash, ...]]) -> tuple[bytes, tuple[Hash, ...]]:
    found = decode_piece(piece[0])
    return (pieces.encode_piece(found[::-1]), piece[1]) if len(found) > 1 else other_value(piece)


def said_more(piece: tuple[bytes, tuple[Hash, ...]]) -> tuple[bytes, tuple[Hash, ...]]:
    rows = [(found.key, found.value_bytes, 7) for found in decode_piece(piece[0])]
    return pack_shaped(tuple(rows)), piece[1]


def cut_off(piece: tuple[bytes, tuple[Hash, ...]]) -> tuple[bytes, tuple[Hash, ...]]:
    return piece[0][:-5], piece[1]


def long_path(piece: tuple[bytes, tuple[Hash, ...]]) -> tuple[bytes, tuple[Hash, ...]]:
    return piece[0], (*piece[1], Hash(bytes(32)))


@pytest.mark.parametrize("lie", [other_value, one_slot_less, one_slot_more, swapped, said_more, cut_off, long_path])
def test_a_liar_is_found_at_its_first_piece_and_left(world: QuietStates, lie: Any) -> None:
    liar = world.nodes[1]
    piece = liar.shelf.piece

    def spoiled(block_hash: BlockHash, number: int) -> Any:
        found = piece(block_hash, number)
        return None if found is None else lie(found)

    liar.shelf.piece = spoiled  # type: ignore[method-assign] - a test's own
    node = join(world)
    blamed = offences(node)
    until(world, lambda: is_whole(world, node))
    assert [points for points, _ in blamed] == [GRAVE]
    assert read_tables(node.engine) == read_tables(world.nodes[0].engine)


def test_a_snapshot_of_another_root_is_a_lie_too(world: QuietStates) -> None:
    liar = world.nodes[1]
    states = liar.shelf.whole()
    other = next((found for found in states if found.height < SNAPSHOT), None)
    piece = liar.shelf.piece
    assert other is not None, "two are kept"
    liar.shelf.piece = lambda _, number: piece(other.hash, number % other.piece_count)  # type: ignore[method-assign] - a test's own
    node = join(world)
    blamed = offences(node)
    until(world, lambda: is_whole(world, node))
    assert [points for points, _ in blamed] == [GRAVE]


def test_who_sends_nothing_is_passed_over(world: QuietStates) -> None:
    sleeper = world.nodes[1].peers.states.service
    pay = sleeper._pay
    sleeper._pay = lambda peer, owed: owed.clear()  # type: ignore[method-assign] - a test's own
    try:
        node = join(world)
        until(world, lambda: node.chain.tip.height > 0)
    finally:
        sleeper._pay = pay  # type: ignore[method-assign] - a test's own
    assert node.chain.extent.floor == SNAPSHOT


def test_where_nothing_comes_at_all_it_syncs_in_full(world: QuietStates) -> None:
    services = [other.peers.states.service for other in world.nodes]
    for service in services:
        service._pay = lambda peer, owed: owed.clear()  # type: ignore[method-assign] - a test's own
    try:
        node = join(world)
        until(world, lambda: node.chain.tip.height == BLOCKS, 400)
    finally:
        for service in services:
            del service._pay
    assert node.chain.extent.has_all
    assert node.peers.states.fetching.outcome == "in full: nothing of it came for 180 s"
    assert node.shelf.begun() == []


def test_pieces_that_nobody_asked_for_do_not_count(world: QuietStates) -> None:
    node = join(world)
    until(world, lambda: node.chain.tip.height > 0)
    blamed = offences(node)
    puppet = world.puppet(node)
    state = world.nodes[0].shelf.whole()[0]
    data, path = world.nodes[0].shelf.piece(state.hash, 0) or (b"", ())
    for _ in range(6):
        puppet.say(SnapshotPiece(state.hash, 0, data, path))
    world.wait(2)
    assert {points for points, _ in blamed} == {20} and puppet.goodbye == "p2p.banned"


def test_an_offer_of_a_block_that_is_not_deep_or_not_on_the_chain_is_not_taken(world: QuietStates) -> None:
    node = join(world, peers=1)
    service = world.nodes[0].peers.states.service
    offer = service.serve_offer
    chain = world.nodes[0].chain
    offered = ((95, chain.header_at(Height(95)).hash), (60, BlockHash(bytes(32))), (0, BlockHash(chain.chain_id)))
    service.serve_offer = lambda peer, _: peer.send(Snapshots(offered))  # type: ignore[method-assign] - a test's own
    handlers = world.nodes[0].peers._handlers
    handlers[messages.GetSnapshots] = service.serve_offer
    try:
        until(world, lambda: node.chain.tip.height == BLOCKS, 200)
    finally:
        handlers[messages.GetSnapshots] = offer
        del service.serve_offer
    assert node.peers.states.fetching.outcome == "in full: nobody offers a snapshot that is deep enough"
    assert node.chain.extent.has_all


def test_without_enough_work_no_snapshot_is_looked_at(world: QuietStates) -> None:
    node = join(world, peers=1)
    node.peers.headers._minimum_work = Work(2**80)
    world.wait(40)
    assert node.peers.states.fetching._target is None and node.chain.tip.height == 0


def test_a_snapshot_that_is_gone_is_said_to_be_missing(world: QuietStates) -> None:
    puppet = world.puppet(world.nodes[0])
    puppet.say(GetSnapshotPieces(BlockHash(b"x" * 32), (0, 1)))
    world.wait(1)
    assert puppet.all_heard(Missing) == [Missing(messages.SNAPSHOTS, (b"x" * 32,))]


# --- long chains ---


def test_a_chain_with_more_headers_than_there_is_room_for(world: QuietStates, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (messages, headers, host, snapshot_sync):
        monkeypatch.setattr(module, "HEADERS_PER_ANSWER", 10)
    monkeypatch.setattr(snapshot_sync, "HEADERS_IN_TREE", 22)
    node = join(world)
    node.peers.tree._count_max = 45
    until(world, lambda: len(node.peers.states.fetching.trunk) > 30)
    until(world, lambda: is_whole(world, node))
    assert read_tables(node.engine) == read_tables(world.nodes[0].engine)


# --- power cuts and restarts ---


@pytest.mark.parametrize("statements", [3, 12, 30, 50, 80, 150, 300, 450, 600, 900, 1_500])
def test_a_power_cut_at_any_write_loses_nothing(world: QuietStates, statements: int) -> None:
    node = join(world)
    node.cut_power_after(statements)
    until(world, lambda: not node.is_on or is_whole(world, node))
    if not node.is_on:
        node.start()
    until(world, lambda: is_whole(world, node))
    assert read_tables(node.engine) == read_tables(world.nodes[0].engine)


def test_pieces_that_are_here_are_not_asked_for_again(world: QuietStates) -> None:
    node = join(world)
    put = node.shelf.put_pieces
    count = [0]

    def counting(block_hash: BlockHash, found: Any) -> None:
        put(block_hash, found)
        count[0] += 1
        if count[0] == 3:
            node.cut_power_after(1)

    node.shelf.put_pieces = counting  # type: ignore[method-assign] - a test's own
    until(world, lambda: not node.is_on)
    node.start()
    asked: list[int] = []
    for other in world.nodes[:2]:
        piece = other.shelf.piece
        other.shelf.piece = lambda h, n, piece=piece: asked.append(n) or piece(h, n)  # type: ignore[method-assign] - a test's own
    until(world, lambda: node.chain.tip.height > 0)
    state = node.shelf.whole()[0]
    assert 0 < len(asked) <= state.piece_count - 3


# --- the history behind it ---


def test_a_history_that_breaks_a_rule_stops_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """All miners let a payment pass whose signature is wrong: the state of their snapshot is one that no rule gives."""
    made = QuietStates(FULL, FULL, BEGINNER)
    try:
        made.nodes[1].named.append(made.nodes[0].address)
        for node in made.nodes[:2]:
            node.start()
            node.chain._verifier.first_bad_transaction = lambda *_: None  # type: ignore[method-assign] - a test's own
        made.mine(made.nodes[0], 7)
        theft = made.people.sign(8, "transfer", Transfer(ToAccount(EVERYBODY[1].address), Amount(10**9)), EVERYBODY[0])
        broken = forge(theft, made)
        block = made.nodes[0].build([broken])
        made.nodes[0].chain.accept_block(block)
        fill(made, 40)
        made.wait(20)
        assert made.nodes[1].chain.tip.height == 48
        node = made.nodes[2]
        node.named.extend(other.address for other in made.nodes[:2])
        node.start()
        until(made, lambda: bool(node.chain.extent.invalid))
        assert node.chain.tip.height == 48, "it was usable until then"
        assert node.chain.extent.invalid == 8 and "witness.signature" in node.chain.extent.reason
        assert node.host._health.is_broken.is_set()
        with pytest.raises(NodeError) as caught:
            node.host._health.check_unbroken()
        assert caught.value.code is HISTORY_INVALID
        node.stop()
        node.start()
        with pytest.raises(NodeError) as caught:
            node.chain.extent.check()
        assert caught.value.code is HISTORY_INVALID and caught.value.fields["height"] == 8
    finally:
        made.close()


def forge(transaction: Any, quiet: QuietStates) -> Any:
    """The transaction with another signature."""
    from dataclasses import replace

    from ledger.transaction import decode_transaction, encode_transaction

    (witness,) = transaction.witnesses
    ((position, signature),) = witness.signatures
    wrong = replace(witness, signatures=((position, signature[:10] + bytes([signature[10] ^ 1]) + signature[11:]),))
    return decode_transaction(encode_transaction(transaction.body_bytes, (wrong,)), quiet.nodes[0].chain.chain_id)


def test_a_peer_that_pruned_its_blocks_is_not_asked_for_old_ones(world: QuietStates) -> None:
    pruned = join(world, Kind(keep_blocks=12))
    until(world, lambda: pruned.chain.tip.height == BLOCKS)
    assert pruned.chain.extent.bodies_from > 40
    asked: list[BlockHash] = []
    raw_block = pruned.host.raw_block
    pruned.host.raw_block = lambda found: asked.append(found) or raw_block(found)  # type: ignore[method-assign] - a test's own
    node = join(world, FULL, peers=0)
    node.peers.dialler.name(pruned.address)
    world.wait(30)
    assert node.chain.tip.height == 0 and asked == []
    node.peers.dialler.name(world.nodes[0].address)
    until(world, lambda: node.chain.tip.height == BLOCKS)
    lowest = min((node.chain.height_of(found) or Height(0) for found in asked), default=pruned.chain.extent.bodies_from)
    assert lowest >= pruned.chain.extent.bodies_from
    assert EVERY == 20
