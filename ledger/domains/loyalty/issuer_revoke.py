"""`issuer.revoke`: a key may no longer act for a program; the grant stays as a tombstone (spec LOY-5)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.events import IssuerRevoked
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import NOT_GRANTED, Grant, grant_key, load_program, program_key
from ledger.errors import RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, ProgramId, RecordKey


@dataclass(frozen=True, slots=True)
class IssuerRevoke:
    """Ends the grant of `issuer`, from the next transaction on."""

    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, identifier()]


def apply(view: RuleView, call: Call, payload: IssuerRevoke, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `issuer.not_granted`. The issuer itself may revoke, too."""
    program = load_program(view, payload.program)
    if call.author not in (program.owner, payload.issuer):
        raise RuleViolation(NOT_OWNER)
    key = grant_key(payload.program, payload.issuer)
    grant: Grant | None = view.get(key)
    if grant is None or grant.revoked_at:
        raise RuleViolation(NOT_GRANTED, issuer=payload.issuer)
    view.put(key, replace(grant, revoked_at=context.time))
    view.emit(IssuerRevoked(payload.program, payload.issuer))
    return (APPLIED,)


def cost(payload: IssuerRevoke) -> Cost:
    """The grant changes."""
    return Cost(records=1)


def reads(author: Address, payload: IssuerRevoke) -> tuple[RecordKey, ...]:
    """The program and the grant."""
    return (program_key(payload.program), grant_key(payload.program, payload.issuer))


ISSUER_REVOKE = Kind(
    name="issuer.revoke", anchor="LOY-5", payload=Struct(IssuerRevoke), apply=apply, cost=cost, reads=reads
)
