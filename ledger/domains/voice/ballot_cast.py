"""`ballot.cast`: an open ballot, counted at once (spec VOI-3)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit
from ledger.domains.voice.ballots import require_mode
from ledger.domains.voice.events import BallotCast
from ledger.domains.voice.power import PROOFS, PowerProof, check_power
from ledger.domains.voice.state import CHOICE, NO_HASH, OPENLY, Ballot, ballot_key, load_tally, proposal_key, tally_key
from ledger.domains.voice.tally import check_choice, count_ballot
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, ProposalId, RecordKey


@dataclass(frozen=True, slots=True)
class CastBallot:
    """The author's choice, by option numbers from 0 on, and what its power at the snapshot rests on."""

    proposal: Annotated[ProposalId, identifier()]
    choice: Annotated[tuple[int, ...], CHOICE]
    proofs: Annotated[tuple[PowerProof, ...], PROOFS]


def apply(view: RuleView, call: Call, payload: CastBallot, context: Context) -> tuple[str, ...]:
    """Codes in order: `proposal.unknown`, `ballot.wrong_mode`, `ballot.too_late`, `ballot.already`, `ballot.choice`,
    `ballot.proofs`, `ballot.not_in_snapshot`, `ballot.no_power`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    proposal = require_mode(view, payload.proposal, OPENLY, call.author, context)
    check_choice(proposal, payload.choice)
    power, age = check_power(view, proposal, call.author, payload.proofs)
    deposit = lock_deposit(view, call, context)
    ballot = Ballot(call.payer, deposit, Amount(0), power, age, NO_HASH, payload.choice, context.time)
    view.put(ballot_key(payload.proposal, call.author), ballot)
    tally = count_ballot(load_tally(view, payload.proposal), proposal, payload.choice, power, age)
    view.put(tally_key(payload.proposal), tally)
    view.emit(BallotCast(payload.proposal, call.author, power, age, payload.choice))
    return (APPLIED,)


def cost(payload: CastBallot) -> Cost:
    """The ballot is made, the tally and the payer change. The paths are weighed by their bytes."""
    return Cost(records=3, slots=1)


def reads(author: Address, payload: CastBallot) -> tuple[RecordKey, ...]:
    """Proposal, tally and ballot."""
    return (proposal_key(payload.proposal), tally_key(payload.proposal), ballot_key(payload.proposal, author))


BALLOT_CAST = Kind(name="ballot.cast", anchor="VOI-3", payload=Struct(CastBallot), apply=apply, cost=cost, reads=reads)
