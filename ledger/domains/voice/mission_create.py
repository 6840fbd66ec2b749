"""`mission.create`: a brand asks fans to help, until a time, with so many places (spec MIS-1)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.domains.loyalty.program_sunset import NOT_OWNER, refuse_ended
from ledger.domains.loyalty.shapes import TIME
from ledger.domains.loyalty.state import load_program, program_key
from ledger.domains.voice.contributions import PLACES, Mission, mission_key
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, MissionId, ProgramId, RecordKey, Timestamp

UNTIL_PASSED = Code("mission.until", "the mission would end at {until}, and it is {time}", "Choose a later end.")


@dataclass(frozen=True, slots=True)
class MissionCreate:
    """What to help with: a title, the hash of its text, the last time of work for it, and the places (0: no limit)."""

    program: Annotated[ProgramId, identifier()]
    title: Annotated[str, Text(1, 128)]
    text: Annotated[Hash, identifier()]
    until: Annotated[Timestamp, TIME]
    places: Annotated[int, PLACES]


@declare_event
@dataclass(frozen=True, slots=True)
class MissionCreated(Event):
    """A brand asked for help."""

    name: ClassVar[str] = "mission.created"
    mission: Annotated[MissionId, identifier()]
    program: Annotated[ProgramId, identifier()]
    title: Annotated[str, Text(1, 128)]
    text: Annotated[Hash, identifier()]
    until: Annotated[Timestamp, TIME]
    places: Annotated[int, PLACES]
    owner: Annotated[Address, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.mission, self.program)


def apply(view: RuleView, call: Call, payload: MissionCreate, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `program.ended`, `mission.until`, `coin.insufficient` or
    `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    refuse_ended(program, context.time)
    if payload.until <= context.time:
        raise RuleViolation(UNTIL_PASSED, until=payload.until, time=context.time)
    deposit = lock_deposit(view, call, context)
    mission_id = MissionId(object_id("mission", call.txid, 0))
    mission = Mission(
        call.payer, deposit, payload.program, payload.title, payload.text, payload.until, payload.places, 0
    )
    view.put(mission_key(mission_id), mission)
    view.emit(
        MissionCreated(
            mission_id, payload.program, payload.title, payload.text, payload.until, payload.places, call.author
        )
    )
    return (APPLIED,)


def cost(payload: MissionCreate) -> Cost:
    """The mission is made, the payer touched."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: MissionCreate) -> tuple[RecordKey, ...]:
    """The program."""
    return (program_key(payload.program),)


MISSION_CREATE = Kind(
    name="mission.create", anchor="MIS-1", payload=Struct(MissionCreate), apply=apply, cost=cost, reads=reads
)
