"""`ballot.commit`: a sealed ballot, to be opened when voting is over (spec VOI-3)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit, prepay_exit
from ledger.domains.voice.ballots import require_mode
from ledger.domains.voice.events import BallotCommitted
from ledger.domains.voice.power import PROOFS, PowerProof, check_power
from ledger.domains.voice.state import SEALED, Ballot, ballot_key, load_tally, proposal_key, tally_key
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, ProposalId, RecordKey


@dataclass(frozen=True, slots=True)
class CommitBallot:
    """A commitment to the author's choice, and what its power at the snapshot rests on. Revealing is prepaid."""

    proposal: Annotated[ProposalId, identifier()]
    commitment: Annotated[Hash, identifier()]
    proofs: Annotated[tuple[PowerProof, ...], PROOFS]


def apply(view: RuleView, call: Call, payload: CommitBallot, context: Context) -> tuple[str, ...]:
    """Codes in order: `proposal.unknown`, `ballot.wrong_mode`, `ballot.too_late`, `ballot.already`, `ballot.proofs`,
    `ballot.not_in_snapshot`, `ballot.no_power`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    proposal = require_mode(view, payload.proposal, SEALED, call.author, context)
    power, age = check_power(view, proposal, call.author, payload.proofs)
    deposit = lock_deposit(view, call, context)
    prepaid = prepay_exit(view, call, context)
    ballot = Ballot(call.payer, deposit, prepaid, power, age, payload.commitment, (), context.time)
    view.put(ballot_key(payload.proposal, call.author), ballot)
    tally = load_tally(view, payload.proposal)
    view.put(tally_key(payload.proposal), replace(tally, committed=tally.committed + 1))
    view.emit(BallotCommitted(payload.proposal, call.author, power, age))
    return (APPLIED,)


def cost(payload: CommitBallot) -> Cost:
    """The ballot is made, the tally and the payer change. The paths are weighed by their bytes."""
    return Cost(records=3, slots=1)


def reads(author: Address, payload: CommitBallot) -> tuple[RecordKey, ...]:
    """Proposal, tally and ballot."""
    return (proposal_key(payload.proposal), tally_key(payload.proposal), ballot_key(payload.proposal, author))


BALLOT_COMMIT = Kind(
    name="ballot.commit", anchor="VOI-3", payload=Struct(CommitBallot), apply=apply, cost=cost, reads=reads
)
