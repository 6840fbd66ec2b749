"""What each program owed at the end of one of its days, by replay up to that day, with proofs (spec AUD-4).

A block counts if the chain's time for its rules (its parent's header time) lies within the day or before it. Programs may have days
of their own (an offset from UTC), so the replay goes on until the last program's day is over, and each is measured at its own.
"""

from dataclasses import dataclass, field
from typing import Final

from ledger.domains.loyalty.state import PROGRAMS, Program, books_key, days_key, program_key
from ledger.errors import Code
from ledger.params import Params
from ledger.proofs import encode_proof
from ledger.types import BlockHash, ChainId, Day, Height, ProgramId, RecordKey, Timestamp
from node.audit import GENESIS_CLOCK, Finding
from node.audit_programs import ProgramPosition, measure_programs
from node.errors import NodeError
from node.proofs import make_record_proof
from node.replay import (
    DAMAGES,
    BlockSource,
    Progress,
    Replay,
    ReplayedBlock,
    blocks_until,
    check_end,
    check_genesis,
    timing,
)
from node.store.scan import scan_records

DAY_SECONDS: Final = 86_400
OFFSET_SECONDS_MAX: Final = 1_439 * 60
"""No program's day begins further from UTC's (spec LOY-1)."""
MAKES_PROGRAMS: Final = "program.create"

BEFORE_GENESIS = Code(
    "audit.before_genesis",
    "the chain's first block is of a later day than {date}: nothing was owed then",
    "Name a later day.",
)
IN_FUTURE = Code(
    "audit.in_future",
    "the chain has not come to {date}: its time is {time:time}",
    "Name an earlier day, or ask a source that holds more blocks.",
)
NO_PROGRAM = Code(
    "audit.no_program",
    "the program {program} did not exist at the end of {date}",
    "Check the id; `fansumer chain programs` lists them.",
)


@dataclass(frozen=True, slots=True)
class ProgramLiability:
    """A program at the end of the day, and the block after which that was so.

    `clock` is that block's time for its rules, `next_clock` that of the block that follows. `is_over` False: the chain had not yet
    reached the end of the day, and more of it may come. `proofs` hold the recorded totals, and what waited in a day's record.
    """

    position: ProgramPosition
    height: Height
    block: BlockHash
    clock: Timestamp
    next_clock: Timestamp
    is_over: bool
    proofs: dict[str, bytes]


@dataclass(slots=True)
class LiabilityReport:
    """What all programs owed. It is good if there are no findings; with findings that stopped the replay there are no figures."""

    chain_id: ChainId
    day: Day
    programs: list[ProgramLiability] = field(default_factory=list[ProgramLiability])
    findings: list[Finding] = field(default_factory=list[Finding])
    blocks: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether everything verified."""
        return not self.findings

    def _set_seconds(self, seconds: float) -> None:
        self.seconds = seconds


def audit_liability(
    source: BlockSource,
    params: Params,
    day: Day,
    program: ProgramId | None = None,
    *,
    shown_date: str,
    progress: Progress | None = None,
) -> LiabilityReport:
    """Every program's position at the end of its day `day` (days since 1970-01-01), or that of one.

    Raises `audit.before_genesis`, `audit.in_future` or `audit.no_program`, whose texts name `shown_date`.
    """
    if (day + 1) * DAY_SECONDS <= params.genesis_time:
        raise NodeError(BEFORE_GENESIS, date=shown_date)
    work = _Measuring(day, program)
    with Replay(params, work.watch, progress=progress) as replay:
        report = LiabilityReport(replay.chain.chain_id, day)
        with timing(report._set_seconds):
            try:
                check_genesis(source, replay)
                work.run(source, replay, report)
            except NodeError as fault:
                if fault.code not in DAMAGES:
                    raise
                report.findings.append(Finding.of(fault))
                report.programs.clear()
                return report
        if not report.programs:
            # A day that has not begun has no end, and a program that was not there owed nothing.
            if work.open_programs or replay.clock < day * DAY_SECONDS:
                raise NodeError(IN_FUTURE, date=shown_date, time=replay.clock)
            if program is not None:
                raise NodeError(NO_PROGRAM, program=program, date=shown_date)
    return report


@dataclass(slots=True)
class _Measuring:
    """One run: feeds the replay, and measures each program when its day is over."""

    day: Day
    program: ProgramId | None
    open_programs: dict[ProgramId, Program] = field(default_factory=dict[ProgramId, Program])
    done: set[ProgramId] = field(default_factory=set[ProgramId])
    clock: Timestamp = GENESIS_CLOCK
    has_new: bool = True

    def watch(self, shown: ReplayedBlock) -> None:
        """Remember the last block's time, and whether it may have made a program."""
        self.clock = shown.clock
        self.has_new = self.has_new or any(tx.kind.name == MAKES_PROGRAMS for tx in shown.transactions)

    def run(self, source: BlockSource, replay: Replay, report: LiabilityReport) -> None:
        """Replay as far as is needed. In one go to where the first program's day may end, then block by block."""
        blocks = source.blocks()
        utc_end = (self.day + 1) * DAY_SECONDS
        replay.feed(blocks_until(blocks, replay.clock, utc_end - OFFSET_SECONDS_MAX - 1))
        while True:
            self._measure_what_is_over(replay, report)
            if self._is_finished(replay.clock, utc_end):
                break
            raw = next(blocks, None)
            if raw is None:
                check_end(source, replay)
                break
            replay.feed((raw,))
        report.blocks = replay.chain.tip.height
        for program_id in sorted(self.open_programs):
            if replay.clock >= self.open_programs[program_id].day_start(self.day):
                self._measure(program_id, replay, report, is_over=False)
        report.programs.sort(key=lambda found: found.position.program_id)

    def _is_finished(self, clock: Timestamp, utc_end: int) -> bool:
        return self.program in self.done or (not self.open_programs and clock >= utc_end + OFFSET_SECONDS_MAX)

    def _measure_what_is_over(self, replay: Replay, report: LiabilityReport) -> None:
        if self.has_new:
            self.has_new = False
            with replay.engine.connect() as connection:
                for key, found in scan_records(connection, PROGRAMS.prefix):
                    program_id = ProgramId(key[1:])
                    is_wanted = program_id not in self.done and self.program in (None, program_id)
                    if is_wanted and self.clock < found.day_start(Day(self.day + 1)):
                        self.open_programs[program_id] = found
        over = [
            program_id
            for program_id, found in self.open_programs.items()
            if found.day_start(Day(self.day + 1)) <= replay.clock
        ]
        for program_id in over:
            self._measure(program_id, replay, report, is_over=True)
            del self.open_programs[program_id]
            self.done.add(program_id)

    def _measure(self, program_id: ProgramId, replay: Replay, report: LiabilityReport, *, is_over: bool) -> None:
        with replay.engine.connect() as connection:
            (position,) = measure_programs(connection, lambda _: self.day, program_id.__eq__)
        report.findings.extend(Finding.of(fault) for fault in position.faults())
        tip = replay.chain.tip
        proofs = {"books": books_key(program_id)} | {
            f"day-{day}": days_key(program_id, day) for day in position.waiting
        }
        name = program_key(program_id)
        report.programs.append(
            ProgramLiability(
                position=position,
                height=tip.height,
                block=tip.hash,
                clock=self.clock,
                next_clock=replay.clock,
                is_over=is_over,
                proofs={what: _prove(replay, key, name) for what, key in proofs.items()},
            )
        )


def _prove(replay: Replay, key: RecordKey, name: RecordKey) -> bytes:
    return encode_proof(make_record_proof(replay.chain, key, name))
