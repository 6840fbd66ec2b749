"""`contribution.record`: a fan puts on record what it did, with the slip that the brand signed (spec MIS-3)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.domains.loyalty.shapes import TIME
from ledger.domains.loyalty.state import SCOPE_RECORD, Grant, grant_key, load_program, program_key
from ledger.domains.voice.contributions import (
    ROLE,
    SLIP,
    Contribution,
    ContributionSlip,
    contribution_id_of,
    contribution_key,
    load_mission,
    mission_key,
    slip_signing_hash,
)
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.policy import address_of_key
from ledger.schema import Octets, OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import (
    Address,
    ChainId,
    ContributionId,
    Hash,
    MissionId,
    ProgramId,
    RecordKey,
    Signature,
    Timestamp,
)

NOT_YOURS = Code(
    "contribution.not_yours", "the slip is for {fan}, not for the author", "Sign with the account that the slip names."
)
FUTURE = Code("contribution.future", "the slip's time {time} has not come", "Wait; the issuer's clock was wrong.")
NOT_AN_ISSUER = Code(
    "contribution.not_an_issuer",
    "the key that signed the slip had no grant to record contributions at its time",
    "Ask the brand for a slip by a key that has the scope `record`.",
)
RECORDED = Code("contribution.recorded", "this contribution is on record already", "Nothing needs to be done.")
OTHER_MISSION = Code(
    "contribution.other_mission", "the mission is one of another program", "Ask the brand for a corrected slip."
)
OVER = Code("mission.over", "the mission took work until {until}", "Ask for a slip without a mission.")
FULL = Code("mission.full", "all {places} places of the mission are taken", "Ask for a slip without a mission.")

NO_PRODUCT_YET = Hash(b"")


@dataclass(frozen=True, slots=True)
class ContributionRecord:
    """The slip, and the issuer's signature of it."""

    slip: Annotated[ContributionSlip, SLIP]
    signature: Annotated[Signature, Octets(64, 64)]


@declare_event
@dataclass(frozen=True, slots=True)
class ContributionRecorded(Event):
    """A fan and a brand agree that the fan did this."""

    name: ClassVar[str] = "contribution.recorded"
    contribution: Annotated[ContributionId, identifier()]
    program: Annotated[ProgramId, identifier()]
    fan: Annotated[Address, identifier()]
    mission: Annotated[MissionId, OptionalIdentifier()]
    role: Annotated[int, ROLE]
    work: Annotated[Hash, identifier()]
    worked_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        named = (self.fan, self.program, self.contribution)
        return (*named, self.mission) if self.mission else named


def attestations(author: Address, payload: ContributionRecord, chain_id: ChainId) -> tuple[Attestation, ...]:
    """The issuer's signature of the slip."""
    return ((payload.slip.issuer, slip_signing_hash(chain_id, payload.slip), payload.signature),)


def apply(view: RuleView, call: Call, payload: ContributionRecord, context: Context) -> tuple[str, ...]:
    """Codes in order: `contribution.not_yours`, `program.unknown`, `contribution.future`, `contribution.not_an_issuer`,
    `contribution.recorded`, `mission.unknown`, `contribution.other_mission`, `mission.over`, `mission.full`,
    `coin.insufficient` or `coin.pool_insufficient`.
    """
    slip = payload.slip
    if call.author != slip.fan:
        raise RuleViolation(NOT_YOURS, fan=slip.fan)
    load_program(view, slip.program)
    if slip.time > context.time:
        raise RuleViolation(FUTURE, time=slip.time)
    issuer = _issuer(view, slip)
    contribution_id = contribution_id_of(slip)
    if view.get(contribution_key(contribution_id)) is not None:
        raise RuleViolation(RECORDED)
    if slip.mission:
        _take_place(view, slip)
    contribution = Contribution(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        program=slip.program,
        fan=slip.fan,
        mission=slip.mission,
        role=slip.role,
        work=slip.work,
        issuer=issuer,
        worked_at=slip.time,
        recorded_at=context.time,
        credited_at=Timestamp(0),
        product=NO_PRODUCT_YET,
    )
    view.put(contribution_key(contribution_id), contribution)
    view.emit(
        ContributionRecorded(contribution_id, slip.program, slip.fan, slip.mission, slip.role, slip.work, slip.time)
    )
    return (APPLIED,)


def _issuer(view: RuleView, slip: ContributionSlip) -> Address:
    """Who signed the slip, if it might at that time."""
    issuer = address_of_key(slip.issuer)
    grant: Grant | None = view.get(grant_key(slip.program, issuer))
    span = None if grant is None else grant.span_at(slip.time)
    if span is None or not span[2] & SCOPE_RECORD:
        raise RuleViolation(NOT_AN_ISSUER)
    return issuer


def _take_place(view: RuleView, slip: ContributionSlip) -> None:
    """One more contribution to the mission that the slip names."""
    mission = load_mission(view, slip.mission)
    if mission.program != slip.program:
        raise RuleViolation(OTHER_MISSION)
    if slip.time > mission.until:
        raise RuleViolation(OVER, until=mission.until)
    if mission.places and mission.taken >= mission.places:
        raise RuleViolation(FULL, places=mission.places)
    view.put(mission_key(slip.mission), replace(mission, taken=mission.taken + 1))


def cost(payload: ContributionRecord) -> Cost:
    """The contribution is made, mission and payer change; the slip's signature is checked."""
    return Cost(records=3, slots=1, signatures=1)


def reads(author: Address, payload: ContributionRecord) -> tuple[RecordKey, ...]:
    """Program, grant and mission."""
    slip = payload.slip
    return (
        program_key(slip.program),
        grant_key(slip.program, address_of_key(slip.issuer)),
        mission_key(slip.mission),
    )


CONTRIBUTION_RECORD = Kind(
    name="contribution.record",
    anchor="MIS-3",
    payload=Struct(ContributionRecord),
    apply=apply,
    cost=cost,
    reads=reads,
    attestations=attestations,
)
