"""`finality.set_attestors`: more than two thirds of the set choose the next one (spec FIN-7)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.codec import pack_shaped
from ledger.domains.finality.events import SetChosen
from ledger.domains.finality.members import APPROVALS, check_approvals, check_members, liar_keys, refuse_liars
from ledger.domains.finality.state import (
    FINALITY_KEY,
    NOT_ATTESTOR,
    SOME_ATTESTORS,
    Scheduled,
    load_finality,
    next_checkpoint_height,
)
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.finality.attestors import SET_NUMBER
from ledger.finality.certificates import NO_QUORUM
from ledger.hashing import ATTESTOR_SET
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.params import Attestor
from ledger.schema import Struct
from ledger.state import RuleView
from ledger.types import Address, ChainId, Hash, PublicKey, RecordKey, Signature

NOT_IN_FORCE = Code(
    "finality.set_number",
    "set {found} is not in force: it is set {expected}",
    "Let those who are in force now sign for their own set's number.",
)
CHANGE_WAITS = Code(
    "finality.change_waits",
    "a change of the set waits until the checkpoint at height {holder} is final",
    "Wait until it is in force; then choose again.",
)


@dataclass(frozen=True, slots=True)
class SetAttestors:
    """The members of the next set, and the signatures of those in set `set_number` who choose it, by ascending key."""

    set_number: Annotated[int, SET_NUMBER]
    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    approvals: Annotated[tuple[tuple[PublicKey, Signature], ...], APPROVALS]


def choice_hash(chain_id: ChainId, set_number: int, members: tuple[Attestor, ...]) -> Hash:
    """What each who chooses signs: `ATTESTOR_SET(chain id ‖ enc([set number, members]))`."""
    return Hash(ATTESTOR_SET(chain_id + pack_shaped((set_number, SOME_ATTESTORS.encode(members)))))


def check(payload: SetAttestors) -> None:
    """Raise `Malformed` `finality.order`, `finality.key`."""
    check_members(payload.members)
    check_approvals(payload.approvals)


def attestations(author: Address, payload: SetAttestors, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Every approval's signature."""
    message = choice_hash(chain_id, payload.set_number, payload.members)
    return tuple((key, message, signature) for key, signature in payload.approvals)


def apply(view: RuleView, call: Call, payload: SetAttestors, context: Context) -> tuple[str, ...]:
    """Codes in order: `finality.none`, `.set_number`, `.change_waits`, `.not_attestor`, `.quorum`, `.known_liar`.

    What evidence left of the set does not stand in the way: it is replaced, and whoever lied is kept out anyway.
    """
    finality = load_finality(view)
    if payload.set_number != finality.number:
        raise RuleViolation(NOT_IN_FORCE, found=payload.set_number, expected=finality.number)
    if finality.scheduled and finality.scheduled[0].is_chosen:
        raise RuleViolation(CHANGE_WAITS, holder=finality.scheduled[0].holder_height)
    keys = {key for key, _ in payload.approvals}
    in_force = finality.in_force
    for key in sorted(keys - {member.key for member in finality.members}):
        raise RuleViolation(NOT_ATTESTOR, key=key)
    if not in_force.is_quorum(keys):
        raise RuleViolation(NO_QUORUM, found=in_force.weight_of(keys), total=in_force.weight, number=in_force.number)
    refuse_liars(view, payload.members)
    holder = next_checkpoint_height(context.params, context.height)
    scheduled = Scheduled(payload.members, holder, is_chosen=True)
    view.put(FINALITY_KEY, replace(finality, scheduled=(scheduled,)))
    view.emit(SetChosen(payload.members, holder))
    return (APPLIED,)


def cost(payload: SetAttestors) -> Cost:
    """The sets, whether each new member has lied, and the signatures."""
    return Cost(records=1 + len(payload.members), signatures=len(payload.approvals))


def reads(author: Address, payload: SetAttestors) -> tuple[RecordKey, ...]:
    """The sets, and whether each new member has lied."""
    return (FINALITY_KEY, *liar_keys(payload.members))


FINALITY_SET_ATTESTORS = Kind(
    name="finality.set_attestors",
    anchor="FIN-7",
    payload=Struct(SetAttestors),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
)
