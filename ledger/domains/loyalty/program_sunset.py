"""`program.sunset`: the owner announces a program's end; what was promised until then is kept (spec LOY-21).

Earning ends at the date, redeeming only after the wind-down. From the announcement on nothing gets worse, and nothing takes it
back. Contests ask for none of this.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.events import SunsetAnnounced
from ledger.domains.loyalty.state import TIME_END, Program, load_program, load_terms, program_key
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, ProgramId, RecordKey, Timestamp

NOT_OWNER = Code("program.not_owner", "only the program's owner may do this", "Sign with the owner's key.")
ALREADY_ANNOUNCED = Code(
    "program.sunset_announced",
    "the program's end is announced for {sunset_at:time}",
    "Nothing can be done: an announced end stands.",
)
TOO_EARLY = Code(
    "program.sunset_too_early",
    "the end must be announced {notice_days:day} ahead, for {earliest:time} at the earliest",
    "Choose a later date.",
)
PROGRAM_ENDING = Code(
    "program.ending",
    "the program's end is announced for {sunset_at:time}: from the announcement on nothing gets worse",
    "Only improve it; what was promised stays until the end.",
)
PROGRAM_ENDED = Code(
    "program.ended", "the program ended at {sunset_at:time}: nothing is earned any more", "Spend what you have in time."
)
PROGRAM_CLOSED = Code(
    "program.closed", "the program's wind-down ended at {closes_at:time}", "Nothing can be redeemed any more."
)
ENTRY_ENDED = Code(
    "earn.program_ended", "the program ended before this period began", "Nothing: later purchases earn nothing."
)
ENTRY_CARRIES = Code(
    "earn.carries_on", "the program has ended, and the entry carries points on", "Settle them in this entry instead."
)

DAYS_AHEAD_MAX = 366


@dataclass(frozen=True, slots=True)
class ProgramSunset:
    """The last second at whose period something can be earned. Irreversible."""

    program: Annotated[ProgramId, identifier()]
    sunset_at: Annotated[Timestamp, Integer(1, TIME_END - DAYS_AHEAD_MAX * 86_400)]


def apply(view: RuleView, call: Call, payload: ProgramSunset, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `program.sunset_announced`, `program.sunset_too_early`."""
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    if program.sunset_at:
        raise RuleViolation(ALREADY_ANNOUNCED, sunset_at=program.sunset_at)
    terms = load_terms(view, payload.program, program.version_at(context.time))
    earliest = context.time + terms.notice_days * 86_400
    if payload.sunset_at < earliest:
        raise RuleViolation(TOO_EARLY, notice_days=terms.notice_days, earliest=earliest)
    closes_at = Timestamp(payload.sunset_at + terms.wind_down_days * 86_400)
    view.put(program_key(payload.program), replace(program, sunset_at=payload.sunset_at, closes_at=closes_at))
    view.emit(SunsetAnnounced(payload.program, payload.sunset_at, closes_at))
    return (APPLIED,)


def refuse_worse(program: Program) -> None:
    """Raise `program.ending` once the end is announced: what follows would make something worse for fans."""
    if program.sunset_at:
        raise RuleViolation(PROGRAM_ENDING, sunset_at=program.sunset_at)


def refuse_ended(program: Program, now: Timestamp) -> None:
    """Raise `program.ended` once earning has ended."""
    if program.has_ended(now):
        raise RuleViolation(PROGRAM_ENDED, sunset_at=program.sunset_at)


def refuse_closed(program: Program, now: Timestamp) -> None:
    """Raise `program.closed` once the wind-down is over."""
    if program.has_closed(now):
        raise RuleViolation(PROGRAM_CLOSED, closes_at=program.closes_at)


def cost(payload: ProgramSunset) -> Cost:
    """The program changes."""
    return Cost(records=1)


def reads(author: Address, payload: ProgramSunset) -> tuple[RecordKey, ...]:
    """The program."""
    return (program_key(payload.program),)


PROGRAM_SUNSET = Kind(
    name="program.sunset", anchor="LOY-21", payload=Struct(ProgramSunset), apply=apply, cost=cost, reads=reads
)
