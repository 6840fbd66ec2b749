"""A chain once more from its first block, from bytes that nobody has to be believed for (spec AUD-1).

A source gives raw blocks: a store, a dump, or a node over HTTP. `Replay` takes each through the same door as a block from a
stranger, into a fresh chain in memory, and shows it to those who count something.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, Self

from sqlalchemy import Connection, Engine

from ledger.block import Block
from ledger.errors import Code, Malformed, Violation
from ledger.fork_choice import TieKey
from ledger.header import HEADER_BYTES, Header
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import BlockHash, Height, Timestamp
from node.chain import Chain, ConnectedBlock, TipChanged
from node.dump import DUMP_DAMAGED, DumpReader
from node.errors import NodeError
from node.intake import take_in
from node.store.blocks import BlockStore
from node.store.engine import STORE_CORRUPT, open_engine
from node.store.extent import read_extent
from node.store.migrate import migrate
from node.store.scan import BLOCK_MISSING, read_raw_blocks

BAD_BLOCK = Code(
    "audit.block", "block {height} does not verify: {reason}", "The source is damaged or its maker cheated."
)
OTHER_GENESIS = Code(
    "audit.genesis",
    "its first block is {found}, not {expected}, the genesis of these params",
    "Name the params file or the chain id of the chain that you mean.",
)
WRONG_END = Code(
    "audit.wrong_end",
    "the source names {claimed} as its last block, and its blocks end with {found}",
    "Ask the source again; if it stays so, do not rely on it.",
)
PRUNED = Code(
    "audit.pruned",
    "blocks 1 to {last} are not in this store, so nothing in it can be verified from the first block on: neither its state, nor "
    "what was issued, nor who holds what",
    "Audit a node that keeps all blocks, or a dump of one. What is here is checked by `fansumer db check`: the headers and their "
    "work from the first one on, the blocks that are kept, and that the records are those that the last block commits to.",
)
EMPTY_SOURCE = Code("audit.empty", "the source holds no block", "Name a store that a node has opened once.")

DAMAGES: Final = frozenset({BAD_BLOCK, OTHER_GENESIS, WRONG_END, DUMP_DAMAGED, BLOCK_MISSING, STORE_CORRUPT})
"""Faults that are findings about what was read, and no fault of this machine."""

BLOCK_PREFIX: Final = b"\x95\xc4\x50"
"""How every block begins: an array of five whose first item is a header of 80 bytes."""

Progress = Callable[[int, int], None]


class _EndOfTime:
    """A clock that finds nothing too early: the blocks are old."""

    def now(self) -> Timestamp:
        return Timestamp(2**40)


class BlockSource(Protocol):
    """Where the blocks of a chain come from. What it says is checked, never believed."""

    @property
    def genesis(self) -> BlockHash | None:
        """Hash of its first block; None if it has none."""
        ...

    @property
    def height(self) -> Height:
        """Height of its last block."""
        ...

    @property
    def tip(self) -> BlockHash | None:
        """Hash of its last block; None if it has none."""
        ...

    def blocks(self) -> Iterator[bytes]:
        """The bytes of every block after genesis, in order. Raises one of `DAMAGES` where it can't go on."""
        ...


class StoreSource:
    """A node's store, read in one snapshot that the caller began on `connection`."""

    def __init__(self, connection: Connection) -> None:
        store = BlockStore(connection)
        tip = store.tip()
        self._connection = connection
        self.genesis = store.active_hash(Height(0))
        self.height = Height(0) if tip is None else tip.height
        self.tip = None if tip is None else tip.hash

    def blocks(self) -> Iterator[bytes]:
        """The active chain's blocks after genesis. Raises `audit.pruned` where the first of them are not here."""
        bodies_from = read_extent(self._connection).bodies_from
        if bodies_from > 1:
            raise NodeError(PRUNED, last=bodies_from - 1)
        return read_raw_blocks(self._connection, Height(1))


class DumpSource:
    """An open dump."""

    def __init__(self, reader: DumpReader) -> None:
        self.height, self.tip = reader.head.height, reader.head.tip
        self._blocks = reader.blocks()
        self.genesis = _hash_of(next(self._blocks))

    def blocks(self) -> Iterator[bytes]:
        """Its blocks after genesis, once."""
        return self._blocks


def _hash_of(raw: bytes) -> BlockHash | None:
    header = peek_header(raw)
    return None if header is None else header.hash


def peek_header(raw: bytes) -> Header | None:
    """The header at the beginning of a block's bytes, without reading on; None where there is none."""
    start = len(BLOCK_PREFIX)
    return Header.decode(raw[start : start + HEADER_BYTES]) if _has_header(raw) else None


def _has_header(raw: bytes) -> bool:
    return raw.startswith(BLOCK_PREFIX) and len(raw) >= len(BLOCK_PREFIX) + HEADER_BYTES


@dataclass(frozen=True, slots=True)
class ReplayedBlock:
    """A block that verified. `clock` is the chain's time for its rules: its parent's header time (spec BLK-3)."""

    height: Height
    clock: Timestamp
    block: Block
    transactions: tuple[Transaction, ...]


Watch = Callable[[ReplayedBlock], None]


class BadBlock(NodeError):
    """A block that does not verify: `fields` name its height and the reason."""


class Replay:
    """A fresh chain in memory that is fed raw blocks. Use it as a context manager; `engine` holds its records and read model.

    `watches` see every block that verified, in order; `progress` hears the height after each, and `total`.
    """

    def __init__(self, params: Params, *watches: Watch, progress: Progress | None = None) -> None:
        self.engine: Engine = open_engine("sqlite://")
        migrate(self.engine)
        self.chain = Chain(self.engine, params, _EndOfTime(), TieKey(bytes(32)))
        self.total = 0
        self._watches = watches
        self._progress = progress
        self._accepted: dict[BlockHash, Block] = {}
        self._connected: deque[ConnectedBlock] = deque()
        self._clock = params.genesis_time
        self.chain.subscribe(self._remember)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.chain.close()
        self.engine.dispose()

    @property
    def clock(self) -> Timestamp:
        """The chain's time for the next block's rules."""
        return self.chain.tip.header.time

    def feed(self, blocks: Iterable[bytes]) -> None:
        """Take in the blocks that follow, one after the other: the one place where a replay verifies anything.

        Raises `BadBlock` for the first that does not verify or does not follow, and whatever `blocks` raises: a source that breaks
        off is heard of after the blocks that it gave, however far ahead they were read.
        """
        height = self.chain.tip.height
        ending: list[NodeError] = []
        try:
            with closing(take_in(self.chain, _until_fault(blocks, ending))) as accepted:
                for block in accepted:
                    if self.chain.tip.height != height + 1:
                        raise BadBlock(BAD_BLOCK, height=height + 1, reason="it does not follow the block before it")
                    height += 1
                    self._accepted[block.hash] = block
                    if self._progress is not None:
                        self._progress(height, self.total)
        except NodeError:
            raise
        except (Malformed, Violation) as fault:
            raise BadBlock(BAD_BLOCK, height=height + 1, reason=str(fault)) from fault
        finally:
            self._show()
        if ending:
            raise ending[0]

    def _remember(self, change: TipChanged) -> None:
        """The chain tells of its blocks when it has committed them, which may be many at once, or before they were handed out."""
        self._connected.extend(change.connected)
        self._show()

    def _show(self) -> None:
        while self._connected and self._connected[0].hash in self._accepted:
            connected = self._connected.popleft()
            block = self._accepted.pop(connected.hash)
            shown = ReplayedBlock(connected.height, self._clock, block, connected.transactions)
            self._clock = block.header.time
            for watch in self._watches:
                watch(shown)


def _until_fault(blocks: Iterable[bytes], ending: list[NodeError]) -> Iterator[bytes]:
    """`blocks`, as far as they come; what ended them goes to `ending`."""
    try:
        yield from blocks
    except NodeError as fault:
        ending.append(fault)


def check_genesis(source: BlockSource, replay: Replay) -> None:
    """Raise `audit.genesis` where the source's first block is another chain's, `audit.empty` where it has none."""
    if source.tip is None:
        raise NodeError(EMPTY_SOURCE)
    replay.total = source.height
    expected = BlockHash(replay.chain.chain_id)
    if source.genesis != expected:
        raise NodeError(OTHER_GENESIS, found="damaged" if source.genesis is None else source.genesis, expected=expected)


def check_end(source: BlockSource, replay: Replay) -> None:
    """Raise `audit.wrong_end` where the source's blocks end with another one than it named."""
    tip = replay.chain.tip
    if (tip.height, tip.hash) != (source.height, source.tip):
        claimed = f"block {source.height}, {(source.tip or b'')[::-1].hex()}"
        raise NodeError(WRONG_END, claimed=claimed, found=f"block {tip.height}, {tip.hash[::-1].hex()}")


def blocks_until(blocks: Iterator[bytes], clock: Timestamp, last: int) -> Iterator[bytes]:
    """The blocks whose rules see a time up to `last` (in seconds), `clock` being that of the first; takes no more than these."""
    while clock <= last:
        raw = next(blocks, None)
        if raw is None:
            return
        yield raw
        header = peek_header(raw)
        clock = clock if header is None else header.time


@contextmanager
def timing(write: Callable[[float], None]) -> Iterator[None]:
    """Tell `write` how many seconds the block took, also when it ends with an error."""
    started = time.perf_counter()
    try:
        yield
    finally:
        write(time.perf_counter() - started)
