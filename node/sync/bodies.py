"""Bodies in the order of the best chain of headers, from several peers at once (spec NET-9).

A window of blocks moves along the branch. Each block is asked of one peer at a time; what came is kept until its turn, then given
to the chain, many at once. A peer that stalls is passed over, one whose block is bad is left.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import structlog

from ledger.block import BODY_MISMATCH, WRONG_RESULTS, WRONG_ROOT, WRONG_SLOT_COUNT, Block
from ledger.errors import LedgerError
from ledger.types import BlockHash, Height
from node.chain import BAD_TRANSACTION, KNOWN_INVALID, TOO_EARLY, UNKNOWN_PARENT
from node.decoding import NOTHING_AHEAD, Ahead
from node.errors import NodeError
from node.p2p.connection import Connection, Remembered
from node.p2p.host import Host, Taken
from node.p2p.messages import BLOCKS_PER_REQUEST, GetBlocks, GetCompact
from node.p2p.scores import GRAVE, UNASKED, Offence
from node.store.blocks import KnownHeader
from node.sync.header_tree import HeaderTree
from node.sync.headers import HeaderSync
from node.sync.verify_ahead import VerifyAhead

log = structlog.get_logger()

WINDOW_BLOCKS = 128
PEER_BLOCKS = 16
STALL_SECONDS = 20
BUFFER_BYTES_MAX = 67_108_864
"""Bodies that wait for their turn: four of the largest. Above it only the next block is asked for."""
TAKEN_AT_ONCE = 32
TAKEN_SECONDS = 1.0
"""Blocks that are given to the chain, and how long, before other work has its turn."""
LACKING_SECONDS = 30
RETRY_SECONDS = 10
"""After this node's store failed."""
ASKED_REMEMBERED = 4_096
OF_ANOTHER_LAW = (BAD_TRANSACTION, WRONG_RESULTS, WRONG_ROOT, WRONG_SLOT_COUNT, KNOWN_INVALID)
"""What a block may be refused for because its maker follows a newer law (spec NET-23); it was paid for with work."""
NEARLY_THERE = 2
"""With so few bodies missing, transactions are told and asked for, and new blocks announced (spec NET-9)."""

Blame = Callable[[Connection, int, str], None]


@dataclass(slots=True)
class PeerBodies:
    """What was asked of a peer and has not come. `lacking`: what it did not send, and until when it is not asked for that again.

    `heard_at`: when it last sent the one that was asked for first, or began to be asked. (Others count for nothing: a peer that
    sends every new block and never the next one that is missing would hold up everything for ever.)
    """

    asked: dict[BlockHash, None] = field(default_factory=dict)
    lacking: dict[BlockHash, float] = field(default_factory=dict)
    once_asked: Remembered[BlockHash] = field(default_factory=lambda: Remembered(ASKED_REMEMBERED))
    heard_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A body that waits for its turn, and who sent it."""

    block: Block
    bytes: int
    sender: Connection


class BodySync:
    """Fetches bodies for the branch of `tree` with the most worth that somebody has, and gives them to the chain."""

    def __init__(
        self,
        host: Host,
        tree: HeaderTree,
        headers: HeaderSync,
        seconds: Callable[[], float],
        blame: Blame,
        ahead: VerifyAhead | None = None,
    ) -> None:
        self._host, self._tree, self._headers = host, tree, headers
        self._seconds = seconds
        self._blame = blame
        self._peers: dict[Connection, PeerBodies] = {}
        self._owner: dict[BlockHash, Connection] = {}
        self._arrived: dict[BlockHash, Arrived] = {}
        self._arrived_bytes = 0
        self._path: deque[KnownHeader] = deque()
        self._heights: dict[BlockHash, Height] = {}
        self._reach: dict[Connection, tuple[BlockHash, BlockHash, Height]] = {}
        self._failed_until = 0.0
        self._ahead = ahead
        self.is_held = False
        """Whether no body is to be fetched now: the chain begins with a snapshot."""

    def add(self, peer: Connection) -> None:
        """A peer is ready."""
        self._peers[peer] = PeerBodies()

    def remove(self, peer: Connection) -> None:
        """A peer is gone: what was asked of it is asked of others."""
        found = self._peers.pop(peer, None)
        self._reach.pop(peer, None)
        for block_hash in () if found is None else tuple(found.asked):
            self._owner.pop(block_hash, None)

    @property
    def missing(self) -> int:
        """How many bodies of the branch are not in the store."""
        return len(self._path)

    @property
    def arrived_bytes(self) -> int:
        """Bytes of bodies that wait for their turn."""
        return self._arrived_bytes

    @property
    def is_syncing(self) -> bool:
        """Whether so much is missing that blocks come before everything else."""
        return self.is_held or len(self._path) > NEARLY_THERE

    @property
    def is_far_behind(self) -> bool:
        """Whether so much is missing that nobody should mine on the tip, and somebody has it to send."""
        return self.is_held or (len(self._path) > NEARLY_THERE and self._can_go_on(self._path))

    def is_asked_of(self, peer: Connection, block_hash: BlockHash) -> bool:
        """Whether a peer has this block to send."""
        return self._owner.get(block_hash) is peer

    def was_asked_of(self, peer: Connection, block_hash: BlockHash) -> bool:
        """Whether a peer was asked for this block at some time, be it still wanted or not."""
        return block_hash in self._peers[peer].once_asked

    def is_asked_of_another(self, peer: Connection, block_hash: BlockHash) -> bool:
        """Whether a block is needed, and somebody else has it to send."""
        owner = self._owner.get(block_hash)
        return self.needs(block_hash) and owner is not None and owner is not peer

    def needs(self, block_hash: BlockHash) -> bool:
        """Whether a block is on the branch and not here."""
        return block_hash in self._heights and block_hash not in self._arrived

    def is_wanted(self, block_hash: BlockHash) -> bool:
        """Whether a block is on the branch and neither here nor asked of anybody."""
        return self.needs(block_hash) and block_hash not in self._owner

    # --- the branch ---

    def plan(self) -> None:
        """Choose the branch again: the one with the most worth whose next body somebody can send. Ask for what is missing."""
        if not self.is_held:
            self.plan_branch()
            self._request()

    def plan_branch(self) -> None:
        """Choose the branch again."""
        end = self._path[-1].hash if self._path else None
        for leaf in self._tree.leaves():
            if leaf.worth < self._host.tip.work and self._tree.rank(leaf)[0] <= self._host.landmarks().active_justified:
                continue
            is_same = leaf.known.hash == end
            branch = self._path if is_same else self._tree.branch(leaf.known.hash)
            if self._can_go_on(branch) and (is_same or not self._host.is_out_of_reach(branch)):
                if not is_same:
                    self._follow(branch)
                return
        if end is not None and end not in self._tree:
            self._follow([])

    def _can_go_on(self, branch: Sequence[KnownHeader]) -> bool:
        """Whether the next body of a branch has come, is on its way, or can be asked of somebody."""
        head = next((known for known in branch if known.hash not in self._arrived), None)
        if head is None or head.hash in self._owner:
            return bool(branch)
        able = [peer for peer, state in self._peers.items() if not self._is_lacking(peer, state, head)]
        if branch is self._path:
            return any(self._reach_of(peer) >= head.height for peer in able)
        hashes = {known.hash for known in branch}
        return any(self._has_any(peer, hashes) for peer in able)

    def _has_any(self, peer: Connection, hashes: Container[BlockHash]) -> bool:
        """Whether a peer's chain leads into a branch."""
        best = self._headers.best_of(peer)
        return best is not None and any(known.hash in hashes for known in reversed(self._tree.branch(best.hash)))

    def _is_lacking(self, peer: Connection, state: PeerBodies, known: KnownHeader) -> bool:
        """Whether a peer said that it does not keep a block any more, or did not send it."""
        return known.height < peer.hello.blocks_from or state.lacking.get(known.hash, 0.0) > self._seconds()

    def _follow(self, branch: Sequence[KnownHeader]) -> None:
        self._path = deque(branch)
        self._heights = {known.hash: known.height for known in branch}
        self._reach.clear()
        for block_hash in [found for found in self._arrived if found not in self._heights]:
            self._discard(block_hash)

    def _discard(self, block_hash: BlockHash) -> None:
        self._arrived_bytes -= self._arrived.pop(block_hash).bytes
        if self._ahead is not None:
            self._ahead.forget((block_hash,))

    def _reach_of(self, peer: Connection) -> Height:
        """Up to which height of the branch a peer has the bodies."""
        best = self._headers.best_of(peer)
        if best is None or not self._path:
            return Height(0)
        end = self._path[-1].hash
        known = self._reach.get(peer)
        if known is not None and known[:2] == (best.hash, end):
            return known[2]
        reach = Height(0)
        for header in reversed(self._tree.branch(best.hash)):
            if header.hash in self._heights:
                reach = header.height
                break
        self._reach[peer] = (best.hash, end, reach)
        return reach

    # --- asking ---

    def _request(self) -> None:
        """Ask for the first blocks of the branch that are neither here nor asked for."""
        now, limit = self._host.clock.now(), self._host.params.future_limit_seconds
        wanted: dict[Connection, list[BlockHash]] = {}
        for index, known in enumerate(self._path):
            if index >= (WINDOW_BLOCKS if self._arrived_bytes < BUFFER_BYTES_MAX else 1):
                break
            if known.header.time > now + limit(known.height):
                break  # its time has not come, nor that of what follows
            if known.hash in self._arrived or known.hash in self._owner:
                continue
            peer = self._choose(known, wanted)
            if peer is not None:
                wanted.setdefault(peer, []).append(known.hash)
        for peer, hashes in wanted.items():
            self._ask(peer, hashes)

    def _choose(self, known: KnownHeader, wanted: dict[Connection, list[BlockHash]]) -> Connection | None:
        """Who is asked for a block: of those who have it, the one with the least to do."""
        found: Connection | None = None
        least = PEER_BLOCKS
        for peer, state in self._peers.items():
            load = len(state.asked) + len(wanted.get(peer, ()))
            if load < least and self._reach_of(peer) >= known.height and not self._is_lacking(peer, state, known):
                found, least = peer, load
        return found

    def _ask(self, peer: Connection, hashes: list[BlockHash]) -> None:
        """Ask for bodies; for a single new block on the tip, for what it is made of (spec NET-9)."""
        self.note_asked(peer, hashes)
        first = self._tree.find(hashes[0])
        is_next = first is not None and first.header.previous == self._host.tip.hash
        if len(self._path) == 1 and is_next:
            peer.send(GetCompact(hashes[0]))
            return
        for start in range(0, len(hashes), BLOCKS_PER_REQUEST):
            peer.send(GetBlocks(tuple(hashes[start : start + BLOCKS_PER_REQUEST])))

    def note_asked(self, peer: Connection, hashes: Iterable[BlockHash]) -> None:
        """A peer has these to send now."""
        state = self._peers[peer]
        if not state.asked:
            state.heard_at = self._seconds()
        for block_hash in hashes:
            state.asked[block_hash] = None
            state.once_asked.add(block_hash)
            self._owner[block_hash] = peer

    def ask_whole(self, peer: Connection, block_hash: BlockHash) -> None:
        """A compact block could not be put together: ask the same peer for all of it."""
        peer.send(GetBlocks((block_hash,)))

    def _release(self, peer: Connection, block_hash: BlockHash) -> None:
        state = self._peers.get(peer)
        if state is not None:
            state.asked.pop(block_hash, None)
        if self._owner.get(block_hash) is peer:
            del self._owner[block_hash]

    # --- hearing ---

    def receive_block(self, peer: Connection, block: Block, size: int, *, raw: bytes | None = None) -> None:
        """A block came: whole, as `raw`, or put together of what was sent. Raises `Offence`."""
        block_hash = block.hash
        state = self._peers[peer]
        if raw is not None and block_hash not in state.once_asked:
            raise Offence(UNASKED, "a block that nobody asked for")
        peer.gave_block_at = self._seconds()
        if next(iter(state.asked), block_hash) == block_hash:
            state.heard_at = peer.gave_block_at
        peer.known_blocks.add(block_hash)
        owner = self._owner.get(block_hash)
        if owner is not None:
            self._release(owner, block_hash)
        self._release(peer, block_hash)
        if block_hash in self._heights and block_hash not in self._arrived:
            self._arrived[block_hash] = Arrived(block, size, peer)
            self._arrived_bytes += size
            self._read_ahead()

    def receive_missing(self, peer: Connection, ids: Iterable[BlockHash]) -> None:
        """A peer does not have what it was asked for."""
        state = self._peers[peer]
        for block_hash in ids:
            if block_hash in state.asked:
                self._note_lacking(peer, state, block_hash)

    def _note_lacking(self, peer: Connection, state: PeerBodies, block_hash: BlockHash) -> None:
        now = self._seconds()
        state.lacking = {found: until for found, until in state.lacking.items() if until > now}
        state.lacking[block_hash] = now + LACKING_SECONDS
        self._release(peer, block_hash)

    # --- taking in ---

    @property
    def is_ready(self) -> bool:
        """Whether there is something for the chain."""
        return bool(self._path) and self._path[0].hash in self._arrived and self._seconds() >= self._failed_until

    def advance(self) -> None:
        """Give the chain what has its turn, some blocks of it."""
        run: list[Arrived] = []
        for known in self._path:
            arrived = self._arrived.get(known.hash)
            if arrived is None or len(run) == TAKEN_AT_ONCE:
                break
            run.append(arrived)
        if not run:
            return
        try:
            until = self._seconds() + TAKEN_SECONDS
            blocks, ahead_of = [arrived.block for arrived in run], self._ahead_of
            outcomes = self._host.take_in(blocks, ahead_of, lambda: self._seconds() < until)
        except NodeError:
            self._failed_until = self._seconds() + RETRY_SECONDS
            self._resettle(run)
            raise
        for arrived, taken in zip(run, outcomes, strict=False):
            if taken.fault is not None:
                self._refuse(arrived, taken, taken.fault)
                break
            self._settle(taken.hash)
        self._read_ahead()

    def _read_ahead(self) -> None:
        """Let the signatures of the blocks whose turn comes next be verified meanwhile."""
        if self._ahead is None or not self.is_syncing:
            return
        for known in islice(self._path, TAKEN_AT_ONCE):
            arrived = self._arrived.get(known.hash)
            if arrived is None or not self._ahead.has_room:
                return
            if known.hash not in self._ahead:
                self._ahead.put(arrived.block, known.hash, self._seconds())

    def _ahead_of(self, block_hash: BlockHash) -> Ahead:
        return NOTHING_AHEAD if self._ahead is None else self._ahead.take(block_hash)

    def _settle(self, block_hash: BlockHash) -> None:
        self._tree.settle(block_hash)
        if block_hash in self._arrived:
            self._discard(block_hash)
        if self._path and self._path[0].hash == block_hash:
            self._path.popleft()
            self._heights.pop(block_hash)

    def settle(self, block_hash: BlockHash) -> None:
        """A block is in the store, however it came there."""
        owner = self._owner.get(block_hash)
        if owner is not None:
            self._release(owner, block_hash)
        self._settle(block_hash)

    def _resettle(self, run: list[Arrived]) -> None:
        """After a fault of the store: what of a run is in it all the same."""
        try:
            for arrived in run:
                if self._host.header(arrived.block.hash) is not None:
                    self._settle(arrived.block.hash)
        except NodeError:
            return  # it is tried again

    def _refuse(self, arrived: Arrived, taken: Taken, fault: LedgerError) -> None:
        log.warning(
            "sync.block_refused",
            peer=str(arrived.sender.address),
            block=taken.hash[::-1].hex(),
            code=fault.code.name,
            reason=str(fault),
        )
        if fault.code is TOO_EARLY:
            self._discard(taken.hash)
            return  # the clock was set back: it is asked for again
        if fault.code is UNKNOWN_PARENT:
            self._follow([])
            return
        points = GRAVE
        if fault.code is BODY_MISMATCH:
            self._discard(taken.hash)
        else:
            if fault.code in OF_ANOTHER_LAW:
                points = UNASKED
                self._note_other_law(taken.hash, fault)
            for gone in self._tree.drop(taken.hash):
                if gone in self._arrived:
                    self._discard(gone)
            self._follow([])
        self._blame(arrived.sender, points, str(fault))

    def _note_other_law(self, block_hash: BlockHash, fault: LedgerError) -> None:
        """A block with real work is refused: somebody else took it for a good one."""
        height, end = self._heights.get(block_hash), self._path[-1] if self._path else None
        if height is not None and end is not None:
            self._host.other_law.note(height, str(fault), end.work, end.height - height + 1)

    # --- time ---

    def tick(self) -> list[Connection]:
        """Pass over who stalls; those who are to be left, since others do answer."""
        now = self._seconds()
        if self._ahead is not None:
            self._ahead.tick(now)
        left: list[Connection] = []
        for peer, state in tuple(self._peers.items()):
            if not state.asked or now - state.heard_at <= STALL_SECONDS:
                continue
            late = tuple(state.asked)
            log.warning("sync.stalled", peer=str(peer.address), blocks=len(late), first=late[0][::-1].hex())
            for block_hash in late:
                self._note_lacking(peer, state, block_hash)
            others = [other for other in self._peers if other is not peer]
            if any(self._reach_of(other) >= self._heights.get(late[0], Height(2**32)) for other in others):
                left.append(peer)
        return left
