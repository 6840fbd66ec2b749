"""What a chain says about one program's settling: who could sign receipts when, which terms held, and every entry (spec AUD-5).

Whoever holds the receipts can hold them against this: what the chain took in is proved, what the receipts say is compared with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from ledger.domains.loyalty.contests import contest_id_of
from ledger.domains.loyalty.earn import CREDITED, Earn, Entry
from ledger.domains.loyalty.earn_contest import EarnContest
from ledger.domains.loyalty.events import ContestDecided, ContestOpened, PointsEarned
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.state import OPEN, PROGRAMS, SCOPE_TILL, TERMS, Books, Program, Terms
from ledger.errors import Code
from ledger.kinds import APPLIED
from ledger.params import Params
from ledger.types import (
    Address,
    ChainId,
    ContestId,
    Day,
    Height,
    Points,
    ProgramId,
    ReceiptHash,
    Timestamp,
    TxId,
)
from node.audit import Finding
from node.audit_programs import measure_programs
from node.errors import NodeError
from node.replay import (
    DAMAGES,
    BlockSource,
    Progress,
    Replay,
    ReplayedBlock,
    blocks_until,
    check_end,
    check_genesis,
)
from node.store.scan import scan_events, scan_records

REMEMBERED_SECONDS: Final = 100 * 86_400
"""How far a replay goes between two looks at the versions: a program's record forgets none in 169 days (spec LOY-3)."""

PROGRAM_UNKNOWN = Code(
    "audit.program_unknown",
    "the chain has no program {program}",
    "Check the id, and that the receipts belong to this chain.",
)


@dataclass(frozen=True, slots=True)
class GrantSpan:
    """What an issuer could do from `since` on, until before `until`; None: it still can."""

    since: Timestamp
    until: Timestamp | None
    scopes: int


@dataclass(frozen=True, slots=True)
class SettledEntry:
    """One entry of a batch that stands in a block. `clock` is the time that its rules saw; `code` is its result code."""

    height: Height
    txid: TxId
    index: int
    clock: Timestamp
    entry: Entry
    code: str

    @property
    def is_credited(self) -> bool:
        """Whether it gave its points."""
        return self.code in CREDITED


@dataclass(frozen=True, slots=True)
class ContestedReceipt:
    """A receipt that a fan contested at `height`: `points` is what it is worth, `outcome` and `credited` what came of it so far."""

    height: Height
    txid: TxId
    contest: ContestId
    member: Address
    till: Address
    sequence: int
    receipt: ReceiptHash
    points: Points
    outcome: int
    credited: Points
    decided_at: Height | None


@dataclass(slots=True)
class ProgramSettlements:
    """The facts. `program.versions` holds every version that was ever announced, also those that the record forgot.

    `earned_points` is what all entries gave, sealed ones and those in clear.
    """

    chain_id: ChainId
    program_id: ProgramId
    program: Program
    books: Books
    terms: dict[int, Terms]
    grants: dict[Address, list[GrantSpan]]
    entries: list[SettledEntry]
    height: Height
    clock: Timestamp
    findings: list[Finding] = field(default_factory=list[Finding])
    contests: list[ContestedReceipt] = field(default_factory=list[ContestedReceipt])
    earned_points: int = 0
    address_prefix: str = ""

    def is_till(self, issuer: Address, time: Timestamp) -> bool:
        """Whether `issuer` could sign receipts at `time`."""
        return any(
            span.scopes & SCOPE_TILL and span.since <= time and (span.until is None or time <= span.until)
            for span in self.grants.get(issuer, ())
        )

    def terms_at(self, time: Timestamp) -> Terms:
        """The terms in force at `time`."""
        return self.terms[self.program.version_at(time)]

    def period_of(self, time: Timestamp, clock: Timestamp) -> int:
        """The period that holds `time`, numbered by the terms in force at `clock` (spec LOY-11)."""
        terms = self.terms_at(clock)
        return (self.program.day_at(time) - terms.period_anchor_day) // max(terms.period_days, 1)

    def period_end(self, period: int, clock: Timestamp) -> Timestamp:
        """The first second after a period that is numbered by the terms in force at `clock`."""
        terms = self.terms_at(clock)
        length = max(terms.period_days, 1)
        return self.program.day_start(Day((period + 1) * length + terms.period_anchor_day))


@dataclass(slots=True)
class _Collector:
    """Takes the facts out of the blocks of a replay."""

    program_id: ProgramId
    grants: dict[Address, list[GrantSpan]] = field(default_factory=dict[Address, list[GrantSpan]])
    entries: list[SettledEntry] = field(default_factory=list[SettledEntry])
    versions: dict[int, int] = field(default_factory=dict[int, int])
    contests: list[tuple[Height, TxId, Address, EarnContest]] = field(
        default_factory=list[tuple[Height, TxId, Address, EarnContest]]
    )

    def watch(self, shown: ReplayedBlock) -> None:
        """Look through a block that verified."""
        for transaction, codes in zip(shown.transactions, shown.block.results, strict=True):
            payload = transaction.payload
            if getattr(payload, "program", None) != self.program_id:
                continue
            if isinstance(payload, Earn):
                for index, (entry, code) in enumerate(zip(payload.entries, codes, strict=True)):
                    self.entries.append(SettledEntry(shown.height, transaction.txid, index, shown.clock, entry, code))
            elif isinstance(payload, EarnContest) and APPLIED in codes:
                self.contests.append((shown.height, transaction.txid, transaction.author, payload))
            elif isinstance(payload, IssuerGrant):
                self._end(payload.issuer, shown.clock)
                self.grants.setdefault(payload.issuer, []).append(GrantSpan(shown.clock, None, payload.scopes))
            elif isinstance(payload, IssuerRevoke):
                self._end(payload.issuer, shown.clock)

    def _end(self, issuer: Address, clock: Timestamp) -> None:
        spans = self.grants.get(issuer)
        if spans and spans[-1].until is None:
            spans[-1] = replace(spans[-1], until=clock)


def collect_settlements(
    source: BlockSource, params: Params, program_id: ProgramId, *, progress: Progress | None = None
) -> ProgramSettlements:
    """Replay a source and take out what it says about a program's settling.

    A source that does not verify leaves a finding, and the facts of what verified. Raises `audit.program_unknown`.
    """
    collector = _Collector(program_id)
    findings: list[Finding] = []
    with Replay(params, collector.watch, progress=progress) as replay:
        try:
            check_genesis(source, replay)
            blocks = source.blocks()
            while replay.chain.tip.height < source.height:
                before = replay.chain.tip.height
                replay.feed(blocks_until(blocks, replay.clock, replay.clock + REMEMBERED_SECONDS))
                _remember_versions(replay, collector)
                if replay.chain.tip.height == before:
                    break
            replay.feed(blocks)
            check_end(source, replay)
        except NodeError as fault:
            if fault.code not in DAMAGES:
                raise
            findings.append(Finding.of(fault))
        return _read_facts(replay, collector, findings)


def _programs(replay: Replay, program_id: ProgramId) -> Iterator[Program]:
    with replay.engine.connect() as connection:
        for _, found in scan_records(connection, PROGRAMS.prefix + program_id):
            yield found


def _remember_versions(replay: Replay, collector: _Collector) -> None:
    for found in _programs(replay, collector.program_id):
        collector.versions.update(found.versions)


def _read_facts(replay: Replay, collector: _Collector, findings: list[Finding]) -> ProgramSettlements:
    _remember_versions(replay, collector)
    program_id = collector.program_id
    program = next(_programs(replay, program_id), None)
    if program is None:
        raise NodeError(PROGRAM_UNKNOWN, program=program_id)
    by_time = sorted(collector.versions.items(), key=lambda item: (item[1], item[0]))
    with replay.engine.connect() as connection:
        terms = {
            int.from_bytes(key[33:], "big"): found for key, found in scan_records(connection, TERMS.prefix + program_id)
        }
        (position,) = measure_programs(connection, lambda found: found.day_at(replay.clock), program_id.__eq__)
        contests = list(_read_contests(connection, collector))
        earned = _sum_of_entries(connection, program_id)
    return ProgramSettlements(
        chain_id=replay.chain.chain_id,
        program_id=program_id,
        program=replace(program, versions=tuple(by_time)),
        books=position.recorded,
        terms=terms,
        grants=collector.grants,
        entries=collector.entries,
        height=replay.chain.tip.height,
        clock=replay.clock,
        findings=findings,
        contests=contests,
        earned_points=earned,
        address_prefix=replay.chain.params.address_prefix,
    )


def _read_contests(connection: Connection, collector: _Collector) -> Iterator[ContestedReceipt]:
    """Each contest that was taken, with what came of it."""
    opened: dict[ContestId, ContestOpened] = {}
    decided: dict[ContestId, tuple[Height, ContestDecided]] = {}
    for _, event in scan_events(connection, ContestOpened.name, collector.program_id):
        assert isinstance(event, ContestOpened), "events are found by their name"
        opened[event.contest] = event
    for height, event in scan_events(connection, ContestDecided.name, collector.program_id):
        assert isinstance(event, ContestDecided), "events are found by their name"
        decided[event.contest] = (height, event)
    for height, txid, member, payload in collector.contests:
        contest = contest_id_of(payload.program, payload.till, payload.sequence)
        ended = decided.get(contest)
        yield ContestedReceipt(
            height=height,
            txid=txid,
            contest=contest,
            member=member,
            till=opened[contest].till,
            sequence=payload.sequence,
            receipt=payload.receipt_hash(member),
            points=opened[contest].points,
            outcome=OPEN if ended is None else ended[1].outcome,
            credited=Points(0) if ended is None else ended[1].credited,
            decided_at=None if ended is None else ended[0],
        )


def _sum_of_entries(connection: Connection, program_id: ProgramId) -> int:
    """What the program's credited entries gave, each in its member's history."""
    events = (event for _, event in scan_events(connection, PointsEarned.name))
    return sum(event.points for event in events if isinstance(event, PointsEarned) and event.program == program_id)
