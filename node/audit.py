"""Verifying a chain from its first block, with nobody's permission (spec AUD).

Every block of a store, a dump or another node is taken through the same door as a block from a stranger, into a fresh chain in
memory: headers and work, bodies, signatures, rules, invariants, roots. A store's own records and read model are then held against
the result. What was counted on the way is the report.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from ledger.domains.accounts.state import ACCOUNTS
from ledger.domains.crowdfunding.state import CAMPAIGN_TERMS, CAMPAIGNS, Campaign
from ledger.domains.crowdfunding.terms import CampaignTerms
from ledger.domains.loyalty.state import Books, Program
from ledger.errors import Code
from ledger.params import Params
from ledger.state import Overlay
from ledger.supply import ChainRecord, load_chain_record
from ledger.types import CampaignId, Day, Timestamp
from node.audit_figures import BlockFigures, Shares, measure_shares
from node.audit_programs import ProgramPosition, measure_programs
from node.dump import DumpReader
from node.errors import NodeError
from node.replay import (
    BAD_BLOCK,
    DAMAGES,
    BlockSource,
    DumpSource,
    Progress,
    Replay,
    StoreSource,
    check_end,
    check_genesis,
    timing,
)
from node.store.engine import describe_store, explain_fault, open_engine, read_url
from node.store.scan import FOLLOWING, begin_snapshot, find_difference, scan_records
from node.store.soundness import check_soundness

__all__ = [
    "BAD_BLOCK",
    "NO_STORE",
    "ROWS_DIFFER",
    "AuditReport",
    "Finding",
    "audit_dump",
    "audit_source",
    "audit_store",
]

NO_STORE = Code("audit.no_store", "there is no store at {path}", "Name the data folder of a node.")
ROWS_DIFFER = Code(
    "audit.rows_differ",
    "the table {table} differs from what the blocks give: {reason}",
    "Rebuild the store from its blocks.",
)


GENESIS_CLOCK = Timestamp(0)
"""Before anything was replayed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `height` is the block that it is about, where it is about one."""

    code: str
    text: str
    height: int | None = None

    @staticmethod
    def of(fault: NodeError) -> "Finding":
        """What a fault says."""
        height = fault.fields.get("height")
        return Finding(fault.code.name, str(fault), height if isinstance(height, int) else None)


@dataclass(frozen=True, slots=True)
class CampaignPosition:
    """A campaign as it stands at the tip."""

    campaign_id: CampaignId
    campaign: Campaign
    terms: CampaignTerms


@dataclass(slots=True)
class AuditReport:
    """What an audit saw. It is good if there are no findings; figures are those of the blocks that verified.

    Of a store, `database` says what the database checked of itself, and `unchecked` what it could not check.
    """

    chain_id: bytes
    figures: BlockFigures
    height: int = 0
    tip: bytes = b""
    time: Timestamp = GENESIS_CLOCK
    state_root: bytes = b""
    seconds: float = 0.0
    chain: ChainRecord | None = None
    coin_shares: Shares | None = None
    positions: list[ProgramPosition] = field(default_factory=list[ProgramPosition])
    campaigns: list[CampaignPosition] = field(default_factory=list[CampaignPosition])
    database: str = ""
    unchecked: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def is_good(self) -> bool:
        """Whether everything verified."""
        return not self.findings

    @property
    def blocks(self) -> int:
        """Blocks after genesis that verified."""
        return self.figures.blocks

    @property
    def transactions(self) -> int:
        """Transactions in them."""
        return self.figures.transactions

    @property
    def entries(self) -> int:
        """Result codes: one for each transaction that is no batch, one for each entry of a batch."""
        return self.figures.entries

    @property
    def skipped(self) -> dict[str, int]:
        """How many entries were not applied, by their result code."""
        return dict(self.figures.skipped)

    @property
    def programs(self) -> dict[bytes, Books]:
        """Every program's books as the last block recorded them."""
        return {position.program_id: position.recorded for position in self.positions}

    def _set_seconds(self, seconds: float) -> None:
        self.seconds = seconds


def audit_store(
    data_dir: Path | None, params: Params, *, database_url: str | None = None, progress: Progress | None = None
) -> AuditReport:
    """Replay a node's store from genesis and compare. Raises `NodeError` where it can't be read at all."""
    with reading_store(data_dir, database_url) as connection:
        return audit_source(StoreSource(connection), params, progress=progress, stored=connection)


def audit_dump(path: Path, params: Params | None = None, *, progress: Progress | None = None) -> AuditReport:
    """Replay a dump from genesis; without `params` those that it brings along. Raises `NodeError` where it is no dump."""
    with DumpReader(path) as reader:
        return audit_source(DumpSource(reader), params or reader.head.params, progress=progress)


@contextmanager
def reading_store(data_dir: Path | None, database_url: str | None = None) -> Iterator[Connection]:
    """A snapshot of a store, opened for reading only. Raises `audit.no_store`, `store.corrupt` or `store.failed`."""
    path = None if data_dir is None else data_dir / "chain.sqlite"
    if database_url is None and (path is None or not path.exists()):
        raise NodeError(NO_STORE, path=str(data_dir))
    named = None if database_url is None else read_url(database_url)
    if named is not None and named.get_backend_name() == "sqlite" and not Path(named.database or "").is_file():
        raise NodeError(NO_STORE, path=str(named.database))  # SQLite would make an empty file of that name
    engine = open_engine(database_url or f"sqlite:///{path}", read_only=True)
    try:
        with engine.connect() as connection:
            begin_snapshot(connection)
            yield connection
    except DatabaseError as fault:
        raise explain_fault(fault, describe_store(engine.url)) from fault
    finally:
        engine.dispose()


def audit_source(
    source: BlockSource, params: Params, *, progress: Progress | None = None, stored: Connection | None = None
) -> AuditReport:
    """Replay a source from genesis. `stored` is the store that it came from: its tables are compared, too."""
    figures = BlockFigures(params)
    with Replay(params, figures.add, progress=progress) as replay:
        report = AuditReport(replay.chain.chain_id, figures)
        with timing(report._set_seconds):
            if stored is not None:
                _check_pages(stored, report)
            of_pages = len(report.findings)
            _replay(source, replay, report, stored)
            tip = replay.chain.tip
            report.height, report.tip, report.time = tip.height, tip.hash, tip.header.time
            report.state_root = replay.chain.state_root
            report.chain = load_chain_record(Overlay(replay.chain.state))
            with replay.engine.connect() as fresh:
                if stored is not None and len(report.findings) == of_pages:
                    _compare(stored, fresh, report)
                _measure(fresh, report)
    return report


@contextmanager
def _finding_damages(report: AuditReport, stored: Connection | None) -> Iterator[None]:
    """Within, damage of what is read is a finding; other faults of this machine are raised."""
    try:
        yield
    except NodeError as fault:
        if fault.code not in DAMAGES:
            raise
        report.findings.append(Finding.of(fault))
    except DatabaseError as fault:
        if stored is None:
            raise
        explained = explain_fault(fault, describe_store(stored.engine.url))
        if explained.code not in DAMAGES:
            raise explained from fault
        report.findings.append(Finding.of(explained))


def _check_pages(stored: Connection, report: AuditReport) -> None:
    """A page may be damaged where no row lies: comparing rows would not see it."""
    with _finding_damages(report, stored):
        found = check_soundness(stored)
        report.database, report.unchecked = found.text, found.unchecked


def _replay(source: BlockSource, replay: Replay, report: AuditReport, stored: Connection | None) -> None:
    with _finding_damages(report, stored):
        check_genesis(source, replay)
        replay.feed(source.blocks())
        check_end(source, replay)


def _compare(stored: Connection, fresh: Connection, report: AuditReport) -> None:
    for table in FOLLOWING:
        with _finding_damages(report, stored):
            reason = find_difference(table, stored, fresh)
            if reason is not None:
                report.findings.append(Finding.of(NodeError(ROWS_DIFFER, table=table.name, reason=reason)))


def _measure(fresh: Connection, report: AuditReport) -> None:
    """What the state at the tip holds: programs at the end of their present day but for what its day brings still."""

    def present_day(program: Program) -> Day:
        return program.day_at(report.time)

    report.positions = measure_programs(fresh, present_day)
    report.findings.extend(Finding.of(fault) for position in report.positions for fault in position.faults())
    terms = {key[1:]: record for key, record in scan_records(fresh, CAMPAIGN_TERMS.prefix)}
    report.campaigns = [
        CampaignPosition(CampaignId(key[1:]), record, terms[key[1:]])
        for key, record in scan_records(fresh, CAMPAIGNS.prefix)
    ]
    report.coin_shares = measure_shares(account.balance for _, account in scan_records(fresh, ACCOUNTS.prefix))
