"""Checking a store as fsck checks a disk: is what it holds whole, and is it what its own blocks give?

An audit asks whether the chain is valid and believes nothing; this asks whether the store is sound and takes signatures on trust,
which were checked before a block was kept. It reads one moment of the store, so a node may go on meanwhile, and changes nothing.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.exc import DatabaseError

from ledger.block import Block, Commitment, check_body_belongs
from ledger.errors import Code, LedgerError, Malformed
from ledger.fork_choice import TieKey
from ledger.genesis import make_genesis
from ledger.header_chain import check_header
from ledger.merkle import IncrementalTree
from ledger.params import Params
from ledger.pow import target_from_compact, work_of
from ledger.transition import Undo
from ledger.types import Height, Timestamp
from node.chain import Chain
from node.decoding import Ahead
from node.errors import NodeError
from node.store.blocks import BlockStore, KnownHeader
from node.store.engine import OTHER_CHAIN, STORE_CORRUPT, describe_store, explain_fault, open_engine
from node.store.extent import Extent, read_extent
from node.store.migrate import STORE_NEWER, STORE_OLDER, SchemaVersion, migrate, read_version
from node.store.reader import STORE_EMPTY
from node.store.scan import FOLLOWING, begin_snapshot, find_difference
from node.store.soundness import check_soundness
from node.store.state import StateTree
from node.store.tables import active, bodies, headers, undo

NO_TABLES = Code(
    "check.no_tables",
    "the database {path} holds no store of this program",
    "Name the data folder or the database of a node; `fansumer db migrate` makes the tables in an empty one.",
)
DAMAGED = Code("check.damaged", "{reason}", "Restore the store from a copy, or delete it and sync or replay again.")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that was checked. `code` is empty where it is in order."""

    name: str
    text: str
    code: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it is in order."""
        return not self.code


@dataclass(slots=True)
class CheckReport:
    """What was checked, in order; `notes` are no faults of the store, but its keeper should know."""

    store: str
    lines: list[CheckLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether all that was checked is in order."""
        return all(line.is_good for line in self.lines)


class _Damage(Exception):
    """Something that is not in order, in words."""


def check_store(url: str, params: Params, *, is_quick: bool = False, progress: Progress | None = None) -> CheckReport:
    """Check the store at `url`. `is_quick`: without doing its blocks again. Raises `NodeError` where it can't be read."""
    started = time.perf_counter()
    engine = open_engine(url, read_only=True)
    report = CheckReport(describe_store(engine.url))
    try:
        with engine.connect() as connection:
            begin_snapshot(connection)
            _check_all(connection, params, report, None if is_quick else progress or _tell_nobody)
    except DatabaseError as fault:
        explained = explain_fault(fault, report.store)
        if explained.code is not STORE_CORRUPT:
            raise explained from fault
        report.lines.append(CheckLine("database", str(explained), explained.code.name))
    finally:
        engine.dispose()
    report.seconds = time.perf_counter() - started
    return report


def _tell_nobody(_done: int, _total: int) -> None:
    """For who does not want to know how far it is."""


def _check_all(connection: Connection, params: Params, report: CheckReport, progress: Progress | None) -> None:
    """Every check, in order; without `progress` all but the last."""
    if not _check_schema(connection, report):
        return
    _check_chain_meant(connection, params)
    _note(report, "database", lambda: _check_database(connection, report))
    report.notes.extend(_read_notes(connection))
    extent = read_extent(connection)
    chain_is_whole = all(
        [
            _note(report, "headers", lambda: _check_headers(connection, params)),
            _note(report, "active chain", lambda: _check_active(connection)),
            _note(report, "bodies", lambda: _check_bodies(connection, params, extent)),
        ]
    )
    _note(report, "undo", lambda: _check_undo(connection, extent))
    _note(report, "state root", lambda: _check_state_root(connection))
    if not extent.is_verified:
        report.notes.append(UNVERIFIED.format(snapshot=extent.snapshot))
    if extent.bodies_from > 1:
        report.notes.append(LEFT_OUT.format(last=extent.bodies_from - 1))
    if progress is None or extent.bodies_from > 1:
        return
    if chain_is_whole:
        _note(report, "rebuilt", lambda: _check_rebuilt(connection, params, extent, progress))
    else:
        report.lines.append(CheckLine("rebuilt", "not tried: the chain itself is not whole", DAMAGED.name))


def _note(report: CheckReport, name: str, check: Callable[[], str]) -> bool:
    """Write down how a check ended; whether it is in order."""
    try:
        report.lines.append(CheckLine(name, check()))
    except _Damage as fault:
        report.lines.append(CheckLine(name, str(fault), DAMAGED.name))
    except NodeError as fault:
        if fault.code is not STORE_CORRUPT:
            raise
        report.lines.append(CheckLine(name, str(fault.fields["reason"]), fault.code.name))
    return report.lines[-1].is_good


# --- schema and database ---


def _check_schema(connection: Connection, report: CheckReport) -> bool:
    version: SchemaVersion = read_version(connection)
    if version.found is None:
        raise NodeError(NO_TABLES, path=report.store)
    if version.is_current:
        report.lines.append(CheckLine("schema", f"version {version.found}, the newest"))
        return True
    code = STORE_OLDER if version.is_known else STORE_NEWER
    fault = NodeError(code, store=report.store, found=version.found, newest=version.newest)
    report.lines.append(CheckLine("schema", f"{str(fault).removeprefix(f'{code.name}: ')}. {code.advice}", code.name))
    return False


def _check_chain_meant(connection: Connection, params: Params) -> None:
    """Raise where the store is empty, or another chain's than was meant: nothing is wrong with it then."""
    genesis = make_genesis(params).chain_id
    first = BlockStore(connection).active_hash(Height(0))
    if first is None and connection.execute(select(func.count()).select_from(headers)).scalar_one() == 0:
        raise NodeError(STORE_EMPTY)
    if first is not None and first != genesis:
        raise NodeError(OTHER_CHAIN, found=first, expected=genesis)


def _check_database(connection: Connection, report: CheckReport) -> str:
    """The database checks itself; what it could not check is noted."""
    found = check_soundness(connection)
    report.notes.extend(found.unchecked)
    return found.text


UNVERIFIED = (
    "the chain began with a snapshot of the state after block {snapshot}; what led to it is not verified yet: start the node, "
    "and it goes on with that"
)
LEFT_OUT = (
    "blocks 1 to {last} are not here, so that records, undo and read model were not compared with what the blocks give; that "
    "the records are those that the tip commits to was checked"
)
RISKS = {
    "fsync": ("off", "the server runs with fsync=off: a power cut can damage the store"),
    "full_page_writes": ("off", "the server runs with full_page_writes=off: a power cut can damage the store"),
    "data_checksums": (
        "off",
        "the server has no data checksums: it will not notice a flipped bit (initdb --data-checksums)",
    ),
}
"""Settings of a PostgreSQL server and the value that its keeper should think about."""


def _read_notes(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        return
    for name, (risky, note) in RISKS.items():
        if connection.exec_driver_sql("SELECT current_setting(%s, true)", (name,)).scalar() == risky:
            yield note


# --- the chain ---


def _check_headers(connection: Connection, params: Params) -> str:
    """Every header, of whatever branch: its hash, its work, and that it follows from its parent."""
    store, genesis, count = BlockStore(connection), make_genesis(params), 0
    parents: dict[bytes, KnownHeader] = {}
    for known in store.all_headers():
        shown = f"header {known.hash[::-1].hex()} of height {known.height}"
        if known.header.hash != known.hash:
            raise _Damage(f"{shown} has another hash than its bytes")
        parent = parents.get(known.header.previous)
        if known.hash == genesis.chain_id:
            if (known.work, known.difficulty) != (genesis.work, genesis.difficulty):
                raise _Damage(f"{shown} is not as it was made")
        elif parent is None:
            raise _Damage(f"{shown} has no parent here")
        else:
            _check_follows(params, parent, known, shown)
        parents[known.hash] = known
        count += 1
    if genesis.chain_id not in parents:
        raise _Damage("the header of the first block is missing")
    return f"{count} linked, their work checked"


def _check_follows(params: Params, parent: KnownHeader, known: KnownHeader, shown: str) -> None:
    try:
        state = check_header(params.difficulty_eras, parent.difficulty, parent.hash, known.header)
    except LedgerError as fault:
        raise _Damage(f"{shown}: {fault}") from fault
    if state != known.difficulty or known.work != parent.work + work_of(target_from_compact(known.header.bits)):
        raise _Damage(f"{shown} is kept with other work or times than it has")
    if parent.invalid_code and not known.invalid_code:
        raise _Damage(f"{shown} builds on an invalid block and is not marked")


def _check_active(connection: Connection) -> str:
    """One block at each height from genesis to the tip, each on the one below, none of them invalid."""
    below: KnownHeader | None = None
    heights = connection.execute(select(func.count(), func.max(active.c.height)).select_from(active)).one()
    for height, known in enumerate(BlockStore(connection).active_headers()):
        if known.height != height or (below is not None and known.header.previous != below.hash):
            raise _Damage(f"the block at height {height} does not follow the one below it")
        if known.invalid_code:
            raise _Damage(f"the block at height {height} is marked as invalid: {known.invalid_code}")
        below = known
    if below is None or tuple(heights) != (below.height + 1, below.height):
        raise _Damage(f"{heights[0]} active blocks up to height {heights[1]}, and not all of them have a header here")
    return f"height {below.height}, tip {below.hash[::-1].hex()}"


def _check_bodies(connection: Connection, params: Params, extent: Extent) -> str:
    """The body of every known block that is to be here is, and belongs to its header."""
    count = 0
    joined = headers.join(bodies, bodies.c.hash == headers.c.hash, isouter=True)
    query = select(
        headers.c.hash, headers.c.height, headers.c.invalid_code, bodies.c.block, active.c.height.label("active")
    ).select_from(joined.join(active, active.c.hash == headers.c.hash, isouter=True))
    with connection.execute(query, execution_options={"yield_per": 16}) as rows:
        for block_hash, height, invalid_code, raw, active_height in rows:
            shown = f"the body of block {block_hash[::-1].hex()} of height {height}"
            if raw is None:
                if height < extent.bodies_from or (active_height is None and extent.floor):
                    continue  # it was pruned, or its branch was
                raise _Damage(f"{shown} is missing")
            try:
                block = Block.decode(raw)
                if block.hash != block_hash:
                    raise _Damage(f"{shown} is another block's")
                if height and not invalid_code:
                    check_body_belongs(block, params)
            except LedgerError as fault:
                raise _Damage(f"{shown}: {fault}") from fault
            count += 1
    (kept,) = connection.execute(select(func.count()).select_from(bodies)).one()
    if kept != count:
        raise _Damage(f"{kept - count} bodies belong to no header")
    return f"{count} belong to their headers"


def _check_undo(connection: Connection, extent: Extent) -> str:
    """Every active block above the floor, which is genesis where nothing was pruned, can be taken back."""
    expected = select(active.c.height).where(active.c.height > extent.floor).order_by(active.c.height)
    heights = [row[0] for row in connection.execute(expected)]
    found: list[int] = []
    with connection.execute(select(undo).order_by(undo.c.height), execution_options={"yield_per": 1_000}) as rows:
        for height, data in rows:
            try:
                Undo.decode(data)
            except Malformed as fault:
                raise _Damage(f"block {height} can't be taken back: {fault}") from fault
            found.append(height)
    if found != heights:
        raise _Damage(f"{len(found)} blocks can be taken back, and not the {len(heights)} that are active")
    return f"{len(found)} blocks can be taken back"


# --- the state ---


def _check_state_root(connection: Connection) -> str:
    """The records as they lie there give the root that the tip commits to, and its headers that of the history."""
    store = BlockStore(connection)
    tip = store.tip()
    block = None if tip is None else store.body(tip.hash)
    if block is None:
        raise _Damage("the last block is missing")
    try:
        commitment = Commitment.decode(block.commitment_bytes)
        tree = StateTree()
        tree.rebuild(connection)
    except LedgerError as fault:
        raise _Damage(str(fault)) from fault
    root = tree.tree.root()
    if root != commitment.state_root:
        raise _Damage(f"the records give {root.hex()}, and the tip commits to {commitment.state_root.hex()}")
    *earlier, _ = (known.history_leaf for known in store.active_headers())
    if IncrementalTree(earlier).root() != commitment.history_root:
        raise _Damage("the headers give another history than the tip commits to")
    return f"{root.hex()}, from {len(tree.tree)} slots; the tip commits to it"


class _EndOfTime:
    """A clock that finds nothing too early: the blocks are old."""

    def now(self) -> Timestamp:
        return Timestamp(2**40)


def _check_rebuilt(connection: Connection, params: Params, extent: Extent, progress: Progress) -> str:
    """The active blocks, done again in memory, give the same records, undo above the floor, and read model, row by row."""
    fresh_engine: Engine = open_engine("sqlite://")
    migrate(fresh_engine)
    chain = Chain(fresh_engine, params, _EndOfTime(), TieKey(bytes(32)))
    try:
        _do_again(connection, chain, progress)
        with fresh_engine.connect() as fresh:
            fresh.execute(delete(undo).where(undo.c.height <= extent.floor))
            for table in (*FOLLOWING, active, undo):
                reason = find_difference(table, connection, fresh)
                if reason is not None:
                    raise _Damage(f"the table {table.name} differs from what the blocks give: {reason}")
    finally:
        chain.close()
        fresh_engine.dispose()
    return "records, undo and read model are what the blocks give"


def _do_again(connection: Connection, chain: Chain, progress: Progress) -> None:
    store = BlockStore(connection)
    tip = store.tip()
    assert tip is not None, "the chain was found whole"
    with chain.syncing():
        for height, block in enumerate(store.active_blocks(Height(1)), start=1):
            try:
                chain.accept_block(block, Ahead(are_signed=True))
            except LedgerError as fault:
                raise _Damage(f"block {height} can't be done again: {fault}") from fault
            progress(height, tip.height)
