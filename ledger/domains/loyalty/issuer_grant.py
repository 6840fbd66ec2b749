"""`issuer.grant`: a key may act for a program within scopes and a daily cap (spec LOY-4)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit
from ledger.domains.loyalty.events import IssuerGranted
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import POINTS, SCOPES_ALL, Grant, grant_key, load_program, program_key
from ledger.errors import RuleViolation
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Day, Points, ProgramId, RecordKey, Timestamp


@dataclass(frozen=True, slots=True)
class IssuerGrant:
    """Scopes add up: 1 sign receipts, 2 settle, 4 enrol, 8 fulfil. `daily_cap` bounds the points settled in a program's day.

    A new grant to the same issuer replaces the old one, a revoked one included; what it used today stays used.
    """

    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, identifier()]
    scopes: Annotated[int, Integer(1, SCOPES_ALL)]
    daily_cap: Annotated[Points, POINTS]


def apply(view: RuleView, call: Call, payload: IssuerGrant, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `coin.insufficient` or `coin.pool_insufficient`."""
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    key = grant_key(payload.program, payload.issuer)
    earlier: Grant | None = view.get(key)
    if earlier is None:
        deposit = lock_deposit(view, call, context)
        earlier = Grant(call.payer, deposit, 1, Points(0), context.time, Timestamp(0), Day(0), Points(0))
    grant = Grant(
        payer=earlier.payer,
        deposit=earlier.deposit,
        scopes=payload.scopes,
        daily_cap=payload.daily_cap,
        granted_at=context.time if earlier.revoked_at else earlier.granted_at,
        revoked_at=Timestamp(0),
        day=earlier.day,
        day_used=earlier.day_used,
    )
    view.put(key, grant)
    view.emit(IssuerGranted(payload.program, payload.issuer, payload.scopes, payload.daily_cap))
    return (APPLIED,)


def cost(payload: IssuerGrant) -> Cost:
    """The grant is made, the payer touched."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: IssuerGrant) -> tuple[RecordKey, ...]:
    """The program and the grant."""
    return (program_key(payload.program), grant_key(payload.program, payload.issuer))


ISSUER_GRANT = Kind(
    name="issuer.grant", anchor="LOY-4", payload=Struct(IssuerGrant), apply=apply, cost=cost, reads=reads
)
