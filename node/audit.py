"""Verifying a store from the first block, with nobody's permission (spec AUD).

Every block is taken through the same door as a block from a stranger, into a fresh chain in memory: headers and work, bodies,
signatures, rules, invariants, roots. Then the store's own records and read model are held against the result.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.exc import DatabaseError

from ledger.codec import unpack
from ledger.domains.loyalty.state import BOOKS, Books
from ledger.errors import Code, LedgerError
from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.state import Overlay, decode_record
from ledger.supply import ChainRecord, load_chain_record
from ledger.types import Height, RecordKey, Timestamp
from node.chain import Chain
from node.errors import NodeError
from node.store.blocks import BlockStore
from node.store.engine import describe_store, explain_fault, open_engine
from node.store.migrate import migrate
from node.store.scan import FOLLOWING, begin_snapshot, find_difference
from node.store.tables import records

NO_STORE = Code("audit.no_store", "there is no store at {path}", "Name the data folder of a node.")
BAD_BLOCK = Code(
    "audit.block", "block {height} does not verify: {reason}", "The store is damaged or its maker cheated."
)
ROWS_DIFFER = Code(
    "audit.rows_differ",
    "the table {table} differs from what the blocks give: {reason}",
    "Rebuild the store from its blocks.",
)


class _EndOfTime:
    """A clock that finds nothing too early: the blocks are old."""

    def now(self) -> Timestamp:
        return Timestamp(2**40)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    code: str
    text: str


@dataclass(slots=True)
class AuditReport:
    """What an audit saw. It is good if there are no findings."""

    chain_id: bytes
    height: int = 0
    tip: bytes = b""
    state_root: bytes = b""
    blocks: int = 0
    transactions: int = 0
    entries: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    chain: ChainRecord | None = None
    programs: dict[bytes, Books] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything verified."""
        return not self.findings


Progress = Callable[[int, int], None]


def audit_store(
    data_dir: Path, params: Params, *, database_url: str | None = None, progress: Progress | None = None
) -> AuditReport:
    """Replay a node's store from genesis and compare. Raises `NodeError` where it can't be read at all."""
    path = data_dir / "chain.sqlite"
    if database_url is None and not path.exists():
        raise NodeError(NO_STORE, path=str(data_dir))
    engine = open_engine(database_url or f"sqlite:///{path}", read_only=True)
    try:
        return _audit(engine, params, progress)
    except DatabaseError as fault:
        raise explain_fault(fault, describe_store(engine.url)) from fault
    finally:
        engine.dispose()


def _audit(engine: Engine, params: Params, progress: Progress | None) -> AuditReport:
    started = time.perf_counter()
    fresh_engine = open_engine("sqlite://")
    migrate(fresh_engine)
    chain = Chain(fresh_engine, params, _EndOfTime(), TieKey(bytes(32)))
    report = AuditReport(chain_id=chain.chain_id)
    try:
        with engine.connect() as connection:
            # One snapshot for all that is read: a node that goes on mining must not look like a false store.
            begin_snapshot(connection)
            _replay(connection, chain, report, progress)
            report.height, report.tip = chain.tip.height, chain.tip.hash
            report.state_root = chain.state_root
            report.chain = load_chain_record(Overlay(chain.state))
            if not report.findings:
                with fresh_engine.connect() as fresh:
                    for table in FOLLOWING:
                        _compare(table, connection, fresh, report)
                    report.programs = dict(_books(fresh))
    finally:
        chain.close()
        fresh_engine.dispose()
    report.seconds = time.perf_counter() - started
    return report


def _replay(connection: Connection, chain: Chain, report: AuditReport, progress: Progress | None) -> None:
    store = BlockStore(connection)
    tip = store.tip()
    total = 0 if tip is None else tip.height
    if store.active_hash(Height(0)) != chain.chain_id:
        report.findings.append(Finding(BAD_BLOCK.name, "the first block is not the genesis of these params"))
        return
    for height, block in enumerate(store.active_blocks(Height(1)), start=1):
        try:
            chain.accept_block(block)
        except LedgerError as fault:
            text = str(NodeError(BAD_BLOCK, height=height, reason=str(fault)))
            report.findings.append(Finding(BAD_BLOCK.name, text))
            return
        report.blocks = height
        report.transactions += len(block.transactions)
        for codes in block.results:
            report.entries += len(codes)
            for code in codes:
                if code:
                    report.skipped[code] = report.skipped.get(code, 0) + 1
        if progress is not None:
            progress(height, total)
    if chain.tip.height != total:
        report.findings.append(Finding(BAD_BLOCK.name, f"block {chain.tip.height + 1} is missing"))


def _compare(table: Table, stored: Connection, fresh: Connection, report: AuditReport) -> None:
    """Row by row in key order; the first difference is reported."""
    reason = find_difference(table, stored, fresh)
    if reason is not None:
        text = str(NodeError(ROWS_DIFFER, table=table.name, reason=reason))
        report.findings.append(Finding(ROWS_DIFFER.name, text))


def _books(connection: Connection) -> Iterator[tuple[bytes, Books]]:
    """Every program's books."""
    start, end = BOOKS.prefix, bytes((BOOKS.prefix[0] + 1,))
    query = select(records.c.key, records.c.value).where(records.c.key > start, records.c.key < end)
    for key, value in connection.execute(query):
        yield key[1:], decode_record(RecordKey(key), unpack(value))
