"""`redeem.cancel`: the fan changes its mind, or the shop can't deliver; the points go back, without a fee (spec RWD-5)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.state import SCOPE_FULFIL, load_program, require_grant
from ledger.domains.rewards.holds import release_hold
from ledger.domains.rewards.state import hold_key, load_hold
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, HoldId, RecordKey


@dataclass(frozen=True, slots=True)
class RedeemCancel:
    """The hold that ends."""

    hold: Annotated[HoldId, identifier()]


def apply(view: RuleView, call: Call, payload: RedeemCancel, context: Context) -> tuple[str, ...]:
    """Codes in order: `redeem.unknown`, `issuer.not_granted`, `issuer.no_scope`. Member and owner need no grant."""
    hold = load_hold(view, payload.hold)
    program = load_program(view, hold.program)
    if call.author not in (hold.member, program.owner):
        require_grant(view, hold.program, call.author, SCOPE_FULFIL)
    release_hold(view, payload.hold, hold, context, timed_out=False)
    return (APPLIED,)


def cost(payload: RedeemCancel) -> Cost:
    """The hold is deleted; member, books, days, reward, count and payer change."""
    return Cost(records=7)


def reads(author: Address, payload: RedeemCancel) -> tuple[RecordKey, ...]:
    """The hold."""
    return (hold_key(payload.hold),)


REDEEM_CANCEL = Kind(
    name="redeem.cancel",
    anchor="RWD-5",
    payload=Struct(RedeemCancel),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
