"""`ballot.reveal`: a sealed ballot is opened, by anybody who knows its opening; its commitment has paid for that (spec VOI-4)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import spend_prepaid
from ledger.domains.voice.ballots import SALT_BYTES, seal_choice
from ledger.domains.voice.events import BallotRevealed
from ledger.domains.voice.state import (
    CHOICE,
    Ballot,
    ballot_key,
    load_proposal,
    load_tally,
    proposal_key,
    tally_key,
)
from ledger.domains.voice.tally import check_choice, count_ballot
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Octets, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, ProposalId, RecordKey

NOT_COMMITTED = Code(
    "ballot.not_committed",
    "{voter} has no sealed ballot in this proposal",
    "Check the proposal and the voter's address.",
)
REVEALED = Code("ballot.revealed", "the ballot of {voter} is open already", "Nothing: it was counted once.")
TOO_EARLY = Code(
    "ballot.too_early",
    "sealed ballots can't be opened while voting goes on, until {until:time} at least",
    "Wait until voting is over, or hand the opening to a node that sends it then.",
)
REVEAL_OVER = Code(
    "ballot.reveal_over", "revealing is over since {until:time}", "Nothing: a ballot that stayed sealed has abstained."
)
WRONG_OPENING = Code(
    "ballot.wrong_opening",
    "choice and salt are not those to which {voter} committed",
    "Send the choice and the salt that the wallet kept.",
)


@dataclass(frozen=True, slots=True)
class RevealBallot:
    """The opening of a voter's commitment. The author may be anybody."""

    proposal: Annotated[ProposalId, identifier()]
    voter: Annotated[Address, identifier()]
    choice: Annotated[tuple[int, ...], CHOICE]
    salt: Annotated[bytes, Octets(SALT_BYTES, SALT_BYTES)]


def apply(view: RuleView, call: Call, payload: RevealBallot, context: Context) -> tuple[str, ...]:
    """Codes in order: `proposal.unknown`, `ballot.not_committed`, `ballot.revealed`, `ballot.too_early`, `ballot.reveal_over`,
    `ballot.wrong_opening`, `ballot.choice`.
    """
    proposal = load_proposal(view, payload.proposal)
    key = ballot_key(payload.proposal, payload.voter)
    ballot: Ballot | None = view.get(key)
    if ballot is None or not ballot.commitment:
        raise RuleViolation(NOT_COMMITTED, voter=payload.voter)
    if ballot.choice:
        raise RuleViolation(REVEALED, voter=payload.voter)
    if not proposal.voting_is_over(context):
        raise RuleViolation(TOO_EARLY, until=proposal.voting_until)
    if proposal.revealing_is_over(context):
        raise RuleViolation(REVEAL_OVER, until=proposal.reveal_until)
    if seal_choice(payload.proposal, payload.voter, payload.choice, payload.salt) != ballot.commitment:
        raise RuleViolation(WRONG_OPENING, voter=payload.voter)
    check_choice(proposal, payload.choice)
    spend_prepaid(view, ballot.prepaid)
    view.put(key, replace(ballot, prepaid=Amount(0), choice=payload.choice))
    tally = count_ballot(load_tally(view, payload.proposal), proposal, payload.choice, ballot.power, ballot.age)
    view.put(tally_key(payload.proposal), tally)
    view.emit(BallotRevealed(payload.proposal, payload.voter, ballot.power, payload.choice))
    return (APPLIED,)


def cost(payload: RevealBallot) -> Cost:
    """Ballot and tally change."""
    return Cost(records=2)


def reads(author: Address, payload: RevealBallot) -> tuple[RecordKey, ...]:
    """Proposal, tally and ballot."""
    return (proposal_key(payload.proposal), tally_key(payload.proposal), ballot_key(payload.proposal, payload.voter))


BALLOT_REVEAL = Kind(
    name="ballot.reveal",
    anchor="VOI-4",
    payload=Struct(RevealBallot),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
