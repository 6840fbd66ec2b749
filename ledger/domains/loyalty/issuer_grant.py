"""`issuer.grant`: a key may act for a program within scopes and a daily cap (spec LOY-4)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit
from ledger.domains.loyalty.events import IssuerGranted
from ledger.domains.loyalty.program_update import NOT_OWNER, VERSION_KEEP_SECONDS
from ledger.domains.loyalty.state import POINTS, SCOPES_ALL, Grant, grant_key, load_program, program_key
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import GRANT_SPANS_MAX
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Day, Points, ProgramId, RecordKey, Timestamp

TOO_MANY_GRANTS = Code(
    "issuer.too_many_grants",
    "receipts may still count by {count} earlier grants of this issuer",
    "Wait, or grant another key: receipts keep the grant of their time.",
)


@dataclass(frozen=True, slots=True)
class IssuerGrant:
    """Scopes add up: 1 sign receipts, 2 settle, 4 enrol, 8 fulfil. `daily_cap` bounds the points that a key settles in a program's
    day, and what contests can credit of a till's receipts of one day.

    A new grant to the same issuer replaces the old one, a revoked one included; what it used today stays used, and a till's
    receipts of the time before keep the scopes and the cap of their time.
    """

    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, identifier()]
    scopes: Annotated[int, Integer(1, SCOPES_ALL)]
    daily_cap: Annotated[Points, POINTS]


def apply(view: RuleView, call: Call, payload: IssuerGrant, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, for a first grant `coin.insufficient` or
    `coin.pool_insufficient`, for a later one `issuer.too_many_grants`.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    key = grant_key(payload.program, payload.issuer)
    earlier: Grant | None = view.get(key)
    if earlier is None:
        deposit = lock_deposit(view, call, context)
        span = (payload.scopes, payload.daily_cap, context.time, Timestamp(0))
        grant = Grant(call.payer, deposit, *span, day=Day(0), day_used=Points(0), earlier=(), contested=())
    else:
        grant = _replace_grant(earlier, payload, context.time)
    view.put(key, grant)
    view.emit(IssuerGranted(payload.program, payload.issuer, payload.scopes, payload.daily_cap))
    return (APPLIED,)


def _replace_grant(earlier: Grant, payload: IssuerGrant, now: Timestamp) -> Grant:
    """The new grant over the old one, which is remembered as long as a receipt of its time can matter (spec LOY-4)."""
    unchanged = (earlier.scopes, earlier.daily_cap) == (payload.scopes, payload.daily_cap)
    if unchanged and not earlier.revoked_at:
        return earlier
    ended = (earlier.granted_at, earlier.revoked_at or now, earlier.scopes, earlier.daily_cap)
    spans = [span for span in (*earlier.earlier, ended) if span[0] < span[1] and span[1] > now - VERSION_KEEP_SECONDS]
    if len(spans) > GRANT_SPANS_MAX:
        raise RuleViolation(TOO_MANY_GRANTS, count=len(spans))
    return replace(
        earlier,
        scopes=payload.scopes,
        daily_cap=payload.daily_cap,
        granted_at=now,
        revoked_at=Timestamp(0),
        earlier=tuple(spans),
    )


def cost(payload: IssuerGrant) -> Cost:
    """The grant is made, the payer touched."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: IssuerGrant) -> tuple[RecordKey, ...]:
    """The program and the grant."""
    return (program_key(payload.program), grant_key(payload.program, payload.issuer))


ISSUER_GRANT = Kind(
    name="issuer.grant", anchor="LOY-4", payload=Struct(IssuerGrant), apply=apply, cost=cost, reads=reads
)
