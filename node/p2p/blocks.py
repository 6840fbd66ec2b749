"""New blocks from node to node, and old ones for those who sync: announcing, compact blocks, serving (spec NET-7, NET-9)."""

from collections import deque
from dataclasses import dataclass, field

from ledger.block import check_body_belongs
from ledger.errors import LedgerError, Malformed
from ledger.hashing import WTX
from ledger.header import Header
from ledger.types import BlockHash, WtxId
from node.p2p.compact import Puzzle, begin_puzzle, make_compact
from node.p2p.connection import Connection, Remembered
from node.p2p.effects import Effects
from node.p2p.host import Host
from node.p2p.messages import (
    BLOCKS,
    BLOCKS_PER_REQUEST,
    COMPACT,
    HEADERS_ANNOUNCED_MAX,
    BlockBody,
    BlockTransactions,
    CompactBlock,
    GetBlocks,
    GetBlockTransactions,
    GetCompact,
    GetHeaders,
    Headers,
    Missing,
    WantCompact,
)
from node.p2p.scores import GRAVE, LATE, UNASKED, Offence
from node.store.blocks import KnownHeader
from node.sync.bodies import BodySync
from node.sync.headers import HeaderSync

COMPACT_PEERS_MAX = 3
"""Peers that are asked to send new blocks at once as compact ones."""
OWED_MAX = 1_024
"""Blocks that one peer may have asked for and not been sent."""
PUZZLES_MAX = 4
"""Compact blocks of one peer that lack transactions."""
RACED_REMEMBERED = 64
"""Blocks of which one peer's compact block is not looked at a second time while another peer is asked for them."""
WTXIDS_REMEMBERED = 4
"""Blocks whose wtxids are kept, since all peers ask for the same newest one."""


@dataclass(slots=True)
class PeerBlocks:
    """What a peer is owed, the compact blocks that are being put together with it, and whether it was ever asked for such.

    `raced`: blocks that it sent unasked while another one was asked for them.
    """

    owed: deque[BlockHash]
    puzzles: dict[BlockHash, tuple[Puzzle, tuple[int, ...]]] = field(default_factory=dict)
    was_wanted: bool = False
    raced: Remembered[BlockHash] = field(default_factory=lambda: Remembered(RACED_REMEMBERED))


class BlockRelay:
    """Announces, serves and puts together."""

    def __init__(self, host: Host, effects: Effects, headers: HeaderSync, bodies: BodySync) -> None:
        self._host, self._effects = host, effects
        self._headers, self._bodies = headers, bodies
        self._peers: dict[Connection, PeerBlocks] = {}
        self._wanting: list[Connection] = []
        self._announced = host.tip.hash
        self._wtxids: dict[BlockHash, list[WtxId]] = {}

    def add(self, peer: Connection) -> None:
        """A peer is ready."""
        self._peers[peer] = PeerBlocks(deque())
        if peer.is_dialled and len(self._wanting) < COMPACT_PEERS_MAX:
            self._want_from(peer)

    def remove(self, peer: Connection) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)
        if peer in self._wanting:
            self._wanting.remove(peer)

    def note_giver(self, peer: Connection) -> None:
        """A peer was the first with a new block: it is to send the next one at once."""
        if peer in self._wanting:
            self._wanting.remove(peer)
            self._wanting.append(peer)
            return
        if len(self._wanting) >= COMPACT_PEERS_MAX:
            self._wanting.pop(0).send(WantCompact(False))
        self._want_from(peer)

    def _want_from(self, peer: Connection) -> None:
        self._wanting.append(peer)
        self._peers[peer].was_wanted = True
        peer.send(WantCompact(True))

    # --- announcing ---

    def announce(self) -> None:
        """Tell of a new tip, once; not while many bodies are missing."""
        tip = self._host.tip
        if tip.hash == self._announced or self._bodies.is_syncing:
            return
        self._announced = tip.hash
        compact: CompactBlock | None = None
        for peer in self._peers:
            if tip.hash in peer.known_blocks:
                continue
            if peer.wants_compact and not peer.is_blocked:
                compact = compact or self._make_compact(tip.hash)
                if compact is not None:
                    peer.send(compact)
                    peer.known_blocks.add(tip.hash)
                    continue
            self._announce_headers(peer, tip)

    def _announce_headers(self, peer: Connection, tip: KnownHeader) -> None:
        """The headers that a peer lacks, if they are few, else the last one, after which it asks."""
        lacking = [tip]
        while len(lacking) < HEADERS_ANNOUNCED_MAX and lacking[-1].height > 1:
            parent = lacking[-1].header.previous
            known = None if parent in peer.known_blocks else self._host.header(parent)
            if known is None:
                break
            lacking.append(known)
        peer.known_blocks.update(known.hash for known in reversed(lacking))
        peer.send(Headers(False, b"".join(known.header.encode() for known in reversed(lacking))))

    def _make_compact(self, block_hash: BlockHash) -> CompactBlock | None:
        block = self._host.block(block_hash)
        if block is None:
            return None
        wtxids = self._wtxids.get(block_hash)
        if wtxids is None:
            wtxids = self._wtxids[block_hash] = [WtxId(WTX(raw)) for raw in block.transactions]
            while len(self._wtxids) > WTXIDS_REMEMBERED:
                del self._wtxids[next(iter(self._wtxids))]
        return make_compact(block, wtxids, self._effects.rng.randbytes(8))

    # --- serving ---

    def serve_headers(self, peer: Connection, message: GetHeaders) -> None:
        """Answer a locator."""
        raw = self._host.headers_after(message.locator)
        if raw:
            peer.known_blocks.add(Header.decode(raw[-80:]).hash)
        peer.send(Headers(True, raw))

    def serve_blocks(self, peer: Connection, message: GetBlocks) -> None:
        """Owe a peer blocks; they are sent as it takes them. Raises `Offence`."""
        state = self._peers[peer]
        if len(state.owed) + len(message.hashes) > OWED_MAX:
            raise Offence(LATE, "more blocks than are owed to one peer")
        state.owed.extend(message.hashes)
        self._pay(peer, state)

    def _pay(self, peer: Connection, state: PeerBlocks) -> None:
        missing: list[bytes] = []
        while state.owed and not peer.is_blocked:
            block_hash = state.owed.popleft()
            raw = self._host.raw_block(block_hash)
            if raw is None:
                missing.append(block_hash)
            else:
                peer.known_blocks.add(block_hash)
                peer.send(BlockBody(raw))
        for start in range(0, len(missing), BLOCKS_PER_REQUEST):
            peer.send(Missing(BLOCKS, tuple(missing[start : start + BLOCKS_PER_REQUEST])))

    def serve_compact(self, peer: Connection, message: GetCompact) -> None:
        """Send a block as a compact one."""
        compact = self._make_compact(message.hash)
        if compact is None:
            peer.send(Missing(COMPACT, (message.hash,)))
            return
        peer.known_blocks.add(message.hash)
        peer.send(compact)

    def serve_transactions(self, peer: Connection, message: GetBlockTransactions) -> None:
        """Send the transactions of a block that a peer lacks. Raises `Offence`."""
        block = self._host.block(message.hash)
        if block is None:
            peer.send(Missing(COMPACT, (message.hash,)))
            return
        positions = message.positions
        if list(positions) != sorted(set(positions)) or positions[-1] >= len(block.transactions):
            raise Offence(GRAVE, "positions that a block does not have")
        peer.send(BlockTransactions(message.hash, tuple(block.transactions[position] for position in positions)))

    # --- putting together ---

    def receive_compact(self, peer: Connection, message: CompactBlock) -> None:
        """A compact block came, asked for or wanted at once. Raises `Offence`."""
        header = Header.decode(message.header)
        block_hash = header.hash
        is_asked = self._bodies.is_asked_of(peer, block_hash)
        if not is_asked and not self._peers[peer].was_wanted and not self._bodies.was_asked_of(peer, block_hash):
            raise Offence(UNASKED, "a compact block that nobody asked for")
        peer.known_blocks.add(block_hash)
        if not is_asked:
            self._headers.receive(peer, Headers(False, message.header))
            self._bodies.plan_branch()
            if self._bodies.is_wanted(block_hash):
                self._bodies.note_asked(peer, [block_hash])
            elif not self._may_race(peer, block_hash):
                return
        try:
            puzzle = begin_puzzle(message, self._host.waiting_transactions())
        except Malformed as fault:
            raise Offence(GRAVE, str(fault)) from fault
        lacking = puzzle.lacking
        if lacking:
            self._lay_aside(peer, puzzle, lacking)
            peer.send(GetBlockTransactions(block_hash, lacking))
        else:
            self._finish(peer, puzzle)

    def _may_race(self, peer: Connection, block_hash: BlockHash) -> bool:
        """Whether a block that another peer was asked for is taken from this one if it is quicker: of those few that this node
        wants new blocks from, and once of each. The other one stays asked, so that nobody can hold a block up by half of it.
        """
        raced = self._peers[peer].raced
        if peer not in self._wanting or block_hash in raced:
            return False
        raced.add(block_hash)
        return self._bodies.is_asked_of_another(peer, block_hash)

    def _lay_aside(self, peer: Connection, puzzle: Puzzle, lacking: tuple[int, ...]) -> None:
        """Keep what lacks transactions until they come; where there are too many, the oldest is asked for whole."""
        puzzles = self._peers[peer].puzzles
        puzzles[puzzle.hash] = (puzzle, lacking)
        if len(puzzles) > PUZZLES_MAX:
            oldest = next(iter(puzzles))
            del puzzles[oldest]
            if self._bodies.is_asked_of(peer, oldest):
                self._bodies.ask_whole(peer, oldest)

    def receive_transactions(self, peer: Connection, message: BlockTransactions) -> None:
        """What a compact block lacked came. Raises `Offence`."""
        found = self._peers[peer].puzzles.pop(BlockHash(message.hash), None)
        if found is None:
            return  # another peer was quicker
        puzzle, lacking = found
        try:
            puzzle.fill(lacking, message.transactions)
        except Malformed as fault:
            raise Offence(GRAVE, str(fault)) from fault
        self._finish(peer, puzzle)

    def _finish(self, peer: Connection, puzzle: Puzzle) -> None:
        if not self._bodies.needs(puzzle.hash):
            return  # another peer was quicker
        block = puzzle.block()
        try:
            check_body_belongs(block, self._host.params)
        except LedgerError:
            # Short ids met, or the peer lies: the whole block shows which. Where another peer is asked, it will send it.
            if not self._bodies.is_asked_of_another(peer, puzzle.hash):
                self._bodies.ask_whole(peer, puzzle.hash)
            return
        size = sum(len(raw) for raw in block.transactions)
        self._bodies.receive_block(peer, block, size)
        self.note_giver(peer)

    # --- time ---

    def tick(self) -> None:
        """Go on sending to those who took what was sent."""
        for peer, state in self._peers.items():
            if state.owed:
                self._pay(peer, state)
