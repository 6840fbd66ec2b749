"""Beginning with the state after a block deep below the tip, instead of doing all blocks from genesis (spec NET-18).

First the headers, all of them, with enough work. Then a snapshot that peers offer, of a block of that chain with enough blocks on
it; that block and those of its window; then the pieces of its state, from all who offered it, each held against the state root at
once. All of it lies on the shelf until it is whole: then the store begins with it, in one commit. What led to it is verified behind
it (`node.sync.history`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import structlog

from ledger.block import Block, Commitment, check_body_belongs
from ledger.errors import LedgerError, Malformed
from ledger.types import BlockHash, Height
from node.errors import NodeError
from node.p2p.connection import Connection
from node.p2p.host import Host
from node.p2p.messages import (
    BLOCKS_PER_REQUEST,
    HEADERS_PER_ANSWER,
    PIECES_PER_REQUEST,
    GetBlocks,
    GetSnapshotPieces,
    GetSnapshots,
    SnapshotPiece,
    Snapshots,
)
from node.p2p.scores import GRAVE, UNASKED, Offence
from node.store.beginning import SNAPSHOT_UNUSABLE, Beginning
from node.store.blocks import KnownHeader
from node.store.pieces import StateSnapshot, are_records, check_piece
from node.store.shelf import Shelf
from node.store.snapshot_maker import SNAPSHOT_DEPTH_BLOCKS
from node.sync.header_tree import HeaderTree
from node.sync.headers import HeaderSync
from node.sync.parcels import Parcels
from node.sync.trunk import TRUNK_HEADERS_MAX, Trunk

log = structlog.get_logger()

OFFER_SECONDS = 5
"""How long others are waited for once somebody has offered a snapshot that can be taken."""
PATIENCE_SECONDS = 60
"""Without such an offer for so long, with the headers known: in full, then."""
ASK_AGAIN_SECONDS = 20
STUCK_SECONDS = 180
"""Where nothing came for so long, with whoever offers it: in full, then."""
ATTEMPTS_MAX = 5
"""In a row, without a single piece."""
RETRY_SECONDS = 10
"""After this node's store failed."""
PIECES_AHEAD, BLOCKS_AHEAD = 256, 64
HEADERS_IN_TREE = 8_000
"""So many of the newest headers can be left for another branch while the state is fetched."""


@dataclass(slots=True)
class Target:
    """The snapshot that is fetched: of the block `known` of the chain of headers to `end`. `state` is known once that is here."""

    known: KnownHeader
    end: KnownHeader
    bodies_from: Height
    state: StateSnapshot | None = None


class SnapshotSync:
    """Fetches one snapshot and lets the chain begin with it. While `is_active`, no bodies are fetched otherwise."""

    def __init__(
        self,
        host: Host,
        tree: HeaderTree,
        headers: HeaderSync,
        shelf: Shelf | None,
        seconds: Callable[[], float],
        *,
        is_wanted: bool,
        depth: int = SNAPSHOT_DEPTH_BLOCKS,
    ) -> None:
        self._host, self._tree, self._headers, self._shelf = host, tree, headers, shelf
        self._seconds, self._depth = seconds, depth
        self.is_active = is_wanted and shelf is not None and host.tip.height == 0
        self.trunk = Trunk(host.tip, host.params.difficulty_eras)
        self._peers: dict[Connection, float] = {}
        self._offers: dict[Connection, tuple[tuple[int, BlockHash], ...]] = {}
        self._useful_since: float | None = None
        self._settled_since: float | None = None
        self._target: Target | None = None
        self._blocks: Parcels[BlockHash] = Parcels(seconds, BLOCKS_PER_REQUEST)
        self._pieces: Parcels[int] = Parcels(seconds, PIECES_PER_REQUEST)
        self._moved_at = self._failed_until = 0.0
        self._attempts = 0
        self.outcome = "in full"

    # --- peers ---

    def add(self, peer: Connection) -> None:
        """A peer is ready."""
        self._peers[peer] = 0.0
        if self._target is not None:
            self._blocks.add(peer)

    def remove(self, peer: Connection) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)
        self._offers.pop(peer, None)
        self._blocks.remove(peer)
        self._pieces.remove(peer)

    def find(self, block_hash: BlockHash) -> KnownHeader | None:
        """The end of the trunk, on which the tree of headers stands."""
        return self.trunk.end if self.is_active and block_hash == self.trunk.end.hash else None

    @property
    def progress(self) -> str:
        """What it does, for people."""
        if not self.is_active:
            return self.outcome
        if self._target is None:
            return "headers" if self._headers.is_busy or not self._offers else "looking for a snapshot"
        height, state = self._target.known.height, self._target.state
        of = "?" if state is None else str(state.piece_count)
        return f"snapshot of block {height}: {len(self._pieces)} of {of} pieces, {len(self._blocks)} blocks to come"

    # --- headers ---

    def make_room(self) -> None:
        """Let the tree of headers have room for another answer: its lowest ones go to the trunk."""
        best = self._tree.best() if self.is_active and self._target is None else None
        if best is None or self._tree.room >= 2 * HEADERS_PER_ANSWER:
            return
        branch = self._tree.branch(best.hash)
        if branch[0].header.previous != self.trunk.end.hash:
            # Another branch from below became the best one: what stood on the trunk goes.
            end = self.trunk.end.hash
            for known in [found.known for found in self._tree.leaves()]:
                if self._tree.branch(known.hash)[:1] and self._tree.branch(known.hash)[0].header.previous == end:
                    self._tree.drop(self._tree.branch(known.hash)[0].hash)
            self.trunk.clear()
        self.trunk.append(self._tree.take_lowest(best.hash, max(len(branch) - HEADERS_IN_TREE, 0)))
        if len(self.trunk) > TRUNK_HEADERS_MAX:
            self.give_up("the chain is too long")

    def _header_at(self, branch: list[KnownHeader], height: int) -> BlockHash | None:
        """The hash at a height of the best chain of headers."""
        first = branch[0].height if branch else Height(0)
        if height >= first:
            return branch[height - first].hash if branch and height - first < len(branch) else None
        return self.trunk.hash_at(Height(height))

    # --- choosing ---

    def tick(self) -> list[Connection]:
        """Go on; those who did not send what others have."""
        if not self.is_active:
            return []
        if self._host.tip.height > 0:
            self.give_up("blocks came here in another way")
            return []
        self.make_room()
        if self._target is None:
            self._look()
            return []
        if self._seconds() - self._moved_at > STUCK_SECONDS:
            self.give_up(f"nothing of it came for {STUCK_SECONDS} s")
            return []
        late = self._blocks.pass_over_late()
        late += [peer for peer in self._pieces.pass_over_late() if peer not in late]
        left = late if any(peer not in late for peer in self._pieces.bearers) else []
        if not self._pieces.bearers:
            self._target = None  # nobody is left who has it: what is on the shelf stays for who offers it again
            self._blocks.clear()
            self._pieces.clear()
            return left
        self._request()
        return left

    def _look(self) -> None:
        now = self._seconds()
        if not self._peers or self._headers.is_busy:
            self._settled_since = None
            return
        self._settled_since = self._settled_since or now
        for peer, asked_at in self._peers.items():
            if not asked_at or now - asked_at > ASK_AGAIN_SECONDS:
                self._peers[peer] = now
                peer.send(GetSnapshots())
        best = self._tree.best()
        useful = None if best is None else self._choose(best)
        if best is not None and useful is not None:
            self._useful_since = self._useful_since or now
            has_waited = now - self._useful_since >= OFFER_SECONDS or len(self._offers) == len(self._peers)
            if has_waited:
                self._begin(useful, best)
        elif now - self._settled_since > PATIENCE_SECONDS:
            self.give_up("nobody offers a snapshot that is deep enough")

    def _choose(self, best: KnownHeader) -> KnownHeader | None:
        """The highest block of the best chain whose state somebody offers and on which enough blocks stand (spec NET-18)."""
        branch = self._tree.branch(best.hash)
        final = self._host.landmarks().final
        if final is not None and final.height and self._header_at(branch, final.height) != final.hash:
            return None  # what the operator trusts, or attestors made final, must lie on it
        offers = {offer for offered in self._offers.values() for offer in offered}
        for height, block_hash in sorted(offers, reverse=True):
            if 0 < height <= best.height - self._depth and self._header_at(branch, height) == block_hash:
                return self._known(branch, Height(height))
        return None

    def _known(self, branch: list[KnownHeader], height: Height) -> KnownHeader:
        """The header at a height that is there; one of the trunk is moved into sight."""
        if branch and height >= branch[0].height:
            return branch[height - branch[0].height]
        return next(known for known in self.trunk.headers() if known.height == height)

    def hear_offer(self, peer: Connection, message: Snapshots) -> None:
        """A peer said which snapshots it has. Raises `Offence`."""
        if not self._peers.get(peer):
            raise Offence(UNASKED, "snapshots that nobody asked for")
        self._offers[peer] = message.offered
        if self._target is not None and any(found == self._target.known.hash for _, found in message.offered):
            self._pieces.add(peer)

    def _begin(self, known: KnownHeader, end: KnownHeader) -> None:
        assert self._shelf is not None, "it is active"
        bodies_from = Height(max(known.height - self._host.params.validity_blocks_max, 1))
        self._target = Target(known, end, bodies_from)
        self._pieces.clear()
        self._blocks.clear()
        self._moved_at = self._seconds()
        self._attempts += 1
        if self._attempts > ATTEMPTS_MAX:
            self.give_up("those who offered it went away again and again")
            return
        for peer in self._peers:
            self._blocks.add(peer)
            if any(found == known.hash for _, found in self._offers.get(peer, ())):
                self._pieces.add(peer)
        branch = self._window_hashes(self._tree.branch(end.hash), bodies_from, known.height)
        self._blocks.want([found for found in reversed(branch) if self._shelf.body(found) is None])
        log.info("snapshot.begun", height=known.height, peers=len(self._pieces.bearers))
        if known.hash not in self._blocks:
            self._note_state()
        self._request()

    def _window_hashes(self, branch: list[KnownHeader], first: Height, last: Height) -> list[BlockHash]:
        found = (self._header_at(branch, height) for height in range(first, last + 1))
        return [block_hash for block_hash in found if block_hash is not None]

    # --- fetching ---

    def _request(self) -> None:
        target = self._target
        if target is None:
            return
        for peer, hashes in self._blocks.choose(BLOCKS_AHEAD).items():
            peer.send(GetBlocks(tuple(hashes)))
        if target.state is not None:
            for peer, numbers in self._pieces.choose(PIECES_AHEAD).items():
                peer.send(GetSnapshotPieces(target.known.hash, tuple(numbers)))

    def wants(self, block_hash: BlockHash) -> bool:
        """Whether a body is for the snapshot's window."""
        return self.is_active and block_hash in self._blocks

    def receive_block(self, peer: Connection, block: Block, raw: bytes) -> None:
        """A block of the window came. Raises `Offence`."""
        assert self._shelf is not None and self._target is not None, "it was wanted"
        block_hash = block.hash
        if not self._blocks.is_asked_of(peer, block_hash):
            return  # it was late, and another peer is asked by now
        try:
            check_body_belongs(block, self._host.params)
        except LedgerError as fault:
            raise Offence(GRAVE, str(fault)) from fault
        commitment = Commitment.decode(block.commitment_bytes)
        self._shelf.put_body(block_hash, Height(commitment.height), raw)
        self._blocks.settle(peer, block_hash)
        self._moved_at = self._seconds()
        if block_hash == self._target.known.hash:
            self._note_state()
        self._request()

    def receive_missing(self, peer: Connection, block_hashes: list[BlockHash]) -> None:
        """A peer does not have blocks of the window, or the snapshot any more."""
        for block_hash in block_hashes:
            self._blocks.note_lacking(peer, block_hash)
        self._request()

    def receive_no_snapshot(self, peer: Connection, block_hash: BlockHash) -> None:
        """A peer does not have the snapshot any more."""
        self._offers[peer] = tuple(offer for offer in self._offers.get(peer, ()) if offer[1] != block_hash)
        if self._target is not None and self._target.known.hash == block_hash:
            self._pieces.remove(peer)
            self._request()

    def _note_state(self) -> None:
        """The snapshot's block is here: what it commits to is what is fetched."""
        assert self._shelf is not None and self._target is not None, "it was begun"
        known = self._target.known
        raw = self._shelf.body(known.hash)
        assert raw is not None, "its block came"
        commitment = Commitment.decode(Block.decode(raw).commitment_bytes)
        if commitment.height != known.height or commitment.chain_id != self._host.chain_id:
            self.give_up("its block commits to another height or chain")
            return
        state = StateSnapshot(known.height, known.hash, commitment.state_root, commitment.slot_count)
        self._target.state = state
        self._shelf.begin(state)
        here = self._shelf.numbers(known.hash)
        self._pieces.want([number for number in range(state.piece_count) if number not in here])

    def receive_piece(self, peer: Connection, message: SnapshotPiece) -> None:
        """A piece came. Raises `Offence`."""
        target, number = self._target, message.number
        if peer not in self._offers:
            raise Offence(UNASKED, "a piece of a snapshot that nobody asked for")
        if target is None or target.state is None or message.hash != target.known.hash:
            return
        if not self._pieces.is_asked_of(peer, number):
            if not 0 <= number < target.state.piece_count:
                raise Offence(GRAVE, "a piece that the snapshot does not have")
            return
        try:
            root, contents = check_piece(target.state, number, message.slots, message.path)
        except Malformed as fault:
            raise Offence(GRAVE, str(fault)) from fault
        if not are_records(contents):
            self.give_up(f"piece {number} holds what is no record, though the state root covers it")
            return
        assert self._shelf is not None, "it is active"
        self._shelf.put_pieces(target.known.hash, [(number, root, message.slots)])
        self._pieces.settle(peer, number)
        self._moved_at, self._attempts = self._seconds(), 0
        self._request()

    # --- the end ---

    @property
    def is_ready(self) -> bool:
        """Whether all is here."""
        target = self._target
        is_whole = target is not None and target.state is not None and not self._blocks and not self._pieces
        return is_whole and self._seconds() >= self._failed_until

    def finish(self) -> None:
        """Let the chain begin with it. Raises `NodeError` where this node failed; it is tried again then."""
        target, shelf = self._target, self._shelf
        assert target is not None and target.state is not None and shelf is not None, "all is here"
        known = target.known
        above = [it for it in self._tree.branch(target.end.hash) if it.height <= known.height]
        below = (it for it in self.trunk.headers() if it.height <= known.height)
        pieces = shelf.all_pieces(known.hash)
        beginning = Beginning(target.state, known, chain(below, above), shelf.body, pieces, target.bodies_from)
        try:
            self._host.begin_with(beginning)
        except NodeError as fault:
            self._failed_until = self._seconds() + RETRY_SECONDS
            if fault.code is SNAPSHOT_UNUSABLE:
                shelf.drop(known.hash)  # it lay there whole and is not any more: once more, then
                shelf.begin(target.state)
                self._pieces.want(range(target.state.piece_count))
            raise
        shelf.finish(known.hash)
        for it in above:
            self._tree.settle(it.hash)
        self._end(f"from a snapshot of block {known.height}")

    def give_up(self, reason: str) -> None:
        """Sync in full, then."""
        log.warning("snapshot.none", reason=reason)
        if self._shelf is not None:
            self._shelf.drop_begun()
        self._end(f"in full: {reason}")

    def _end(self, outcome: str) -> None:
        self.is_active = False
        self.outcome = outcome
        self._target = None
        self._blocks.clear()
        self._pieces.clear()
        is_cut = bool(self.trunk) and self._host.header(self.trunk.end.hash) is None
        self.trunk.clear()
        if is_cut:
            # What is in the tree stood on the trunk: it is asked for again.
            for leaf in self._tree.leaves():
                self._tree.drop(self._tree.branch(leaf.known.hash)[0].hash)
            for peer in self._peers:
                self._headers.ask(peer)
