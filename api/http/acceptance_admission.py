"""Which acceptances are kept: signed by a till that may hand rewards out, for an open redemption that is not yet deep."""

from typing import Any

from api.http.deps import Services
from api.http.redemptions import SeenRedemption
from api.receipts.acceptances import AcceptanceRefused
from api.wallet.receipts import CLOCK_SECONDS_MAX
from ledger.domains.loyalty.state import SCOPE_FULFIL, grant_allows, load_program
from ledger.domains.rewards.acceptance import AcceptanceStatement, SignedAcceptance, acceptance_is_signed
from ledger.errors import Code
from ledger.policy import address_of_key
from ledger.state import RuleView
from ledger.types import Timestamp

NOT_SIGNED = Code(
    "acceptance.not_signed",
    "the till that it names did not sign this acceptance for this chain",
    "Let the till sign again, for the chain of this node.",
)
TILL_NOT_GRANTED = Code(
    "acceptance.till_not_granted",
    "the till may not hand out rewards of this program",
    "Ask the program's owner for `issuer.grant` with the scope fulfil.",
)
WRONG_TIME = Code(
    "acceptance.wrong_time",
    "the acceptance's time is off by {seconds} seconds",
    "Set the till's clock, and accept again.",
)
NO_REDEMPTION = Code(
    "acceptance.no_redemption",
    "the redemption is neither in a block nor does it wait for one here",
    "Let the fan send it again, or ask another node; do not hand the reward out.",
)
WRONG_REDEMPTION = Code(
    "acceptance.wrong_redemption",
    "the redemption is of another program or member than the acceptance says",
    "Read the redemption again, and sign what it says.",
)
NOT_OPEN = Code(
    "acceptance.not_open",
    "nothing of the redemption is held any more",
    "It was handed out, given up or timed out; do not hand the reward out.",
)
TOO_LATE = Code(
    "acceptance.settled",
    "{confirmations} blocks stand on the redemption, and the acceptance ends at {depth}",
    "Hand the reward out: nobody has to bear anything.",
)


def admit_acceptance(
    view: RuleView, signed: SignedAcceptance, seen: SeenRedemption | None, services: Services, *, now: Timestamp
) -> None:
    """Raises in this order: acceptance.not_signed, program.unknown, acceptance.till_not_granted, .wrong_time, .no_redemption,
    .wrong_redemption, .settled, .not_open.
    """
    statement = signed.statement
    if not acceptance_is_signed(signed, services.chain_id):
        raise AcceptanceRefused(NOT_SIGNED)
    program = load_program(view, statement.program)
    till = address_of_key(statement.till)
    if till != program.owner and not grant_allows(view, statement.program, till, SCOPE_FULFIL):
        raise AcceptanceRefused(TILL_NOT_GRANTED)
    if abs(statement.accepted_at - now) > CLOCK_SECONDS_MAX:
        raise AcceptanceRefused(WRONG_TIME, seconds=abs(statement.accepted_at - now))
    if seen is None:
        raise AcceptanceRefused(NO_REDEMPTION)
    if not _names(statement, seen.facts, services):
        raise AcceptanceRefused(WRONG_REDEMPTION)
    confirmations = seen.depth.confirmations
    if confirmations >= statement.depth:
        raise AcceptanceRefused(TOO_LATE, confirmations=confirmations, depth=statement.depth)
    if confirmations and not seen.facts["held"]:
        raise AcceptanceRefused(NOT_OPEN)


def _names(statement: AcceptanceStatement, facts: dict[str, Any], services: Services) -> bool:
    member = services.renderer.address(statement.member)
    return (facts["program"], facts["member"]) == (statement.program.hex(), member)
