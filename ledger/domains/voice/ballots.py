"""What casting and committing share: until when, once only, with which power, and how a choice is sealed (spec VOI-3)."""

from collections.abc import Sequence

from ledger.codec import pack
from ledger.domains.voice.state import MODE_NAMES, Proposal, ballot_key, load_proposal
from ledger.errors import Code, RuleViolation
from ledger.hashing import BALLOT
from ledger.kinds import Context
from ledger.state import RuleView
from ledger.types import Address, Hash, ProposalId

WRONG_MODE = Code(
    "ballot.wrong_mode",
    "this is a vote with {mode} ballots",
    "Cast a ballot where votes are open; commit to a choice where they are sealed.",
)
TOO_LATE = Code("ballot.too_late", "voting is over since {until:time}", "Nothing: the proposal takes no more ballots.")
ALREADY = Code(
    "ballot.already",
    "{voter} has a ballot in this proposal, and ballots can't be changed",
    "Nothing: the first ballot stands. Why, is in the spec under VOI-3.",
)

SALT_BYTES = 32
"""So many random bytes hide a choice among a dozen: nobody can try them all."""


def require_mode(view: RuleView, proposal_id: ProposalId, mode: int, voter: Address, context: Context) -> Proposal:
    """The proposal in which `voter` may still vote in this mode.

    Raises `proposal.unknown`, `ballot.wrong_mode`, `ballot.too_late`, `ballot.already`.
    """
    proposal = load_proposal(view, proposal_id)
    if proposal.mode != mode:
        raise RuleViolation(WRONG_MODE, mode=MODE_NAMES[proposal.mode])
    if proposal.voting_is_over(context):
        raise RuleViolation(TOO_LATE, until=proposal.voting_until)
    if view.get(ballot_key(proposal_id, voter)) is not None:
        raise RuleViolation(ALREADY, voter=voter)
    return proposal


def seal_choice(proposal_id: ProposalId, voter: Address, choice: Sequence[int], salt: bytes) -> Hash:
    """The commitment to a choice: it names proposal and voter, so a copy opens for nobody else."""
    assert len(salt) == SALT_BYTES, "a salt has 32 bytes"
    return BALLOT(proposal_id + voter + pack(tuple(choice)) + salt)
