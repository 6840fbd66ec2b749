"""`obligation.fulfil`: the owner says that it did what it had adopted: kept, late, or broken all the same (spec VOI-7)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import load_program
from ledger.domains.voice.events import ObligationFulfilled
from ledger.domains.voice.state import BROKEN, KEPT, LATE, load_obligation, obligation_key
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, ProposalId, RecordKey, Timestamp

FULFILLED = Code(
    "obligation.fulfilled", "the obligation was fulfilled already", "Nothing: the first evidence is on record."
)


@dataclass(frozen=True, slots=True)
class ObligationFulfil:
    """What was adopted is done; `evidence` is a hash of what shows it."""

    proposal: Annotated[ProposalId, identifier()]
    evidence: Annotated[Hash, identifier()]


def apply(view: RuleView, call: Call, payload: ObligationFulfil, context: Context) -> tuple[str, ...]:
    """Codes in order: `obligation.unknown`, `program.not_owner`, `obligation.fulfilled`."""
    obligation = load_obligation(view, payload.proposal)
    if call.author != load_program(view, obligation.program).owner:
        raise RuleViolation(NOT_OWNER)
    if obligation.fulfilled_at:
        raise RuleViolation(FULFILLED)
    late = days_late(obligation.due_at, context.time)
    status = BROKEN if obligation.is_broken(context) else LATE if late else KEPT
    done = replace(obligation, status=status, fulfilled_at=context.time, evidence=payload.evidence)
    view.put(obligation_key(payload.proposal), done)
    view.emit(ObligationFulfilled(payload.proposal, obligation.program, status, late, payload.evidence))
    return (APPLIED,)


def days_late(due_at: Timestamp, done_at: Timestamp) -> int:
    """Days from the due time on, a begun one counted; 0 in time."""
    return -(-max(0, done_at - due_at) // 86_400)


def cost(payload: ObligationFulfil) -> Cost:
    """The obligation changes."""
    return Cost(records=1)


def reads(author: Address, payload: ObligationFulfil) -> tuple[RecordKey, ...]:
    """The obligation."""
    return (obligation_key(payload.proposal),)


OBLIGATION_FULFIL = Kind(
    name="obligation.fulfil", anchor="VOI-7", payload=Struct(ObligationFulfil), apply=apply, cost=cost, reads=reads
)
