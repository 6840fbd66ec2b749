"""What a ballot's power rests on: records as they stood at the proposal's snapshot, each with its path (spec VOI-2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, NamedTuple

from ledger.codec import unpack
from ledger.domains.crowdfunding.state import Campaign, Pledge, load_campaign, pledge_key
from ledger.domains.loyalty.state import Member, load_program, member_key
from ledger.domains.voice.state import AGE_DAYS, AGE_NOT_SHOWN, EarnedPoints, PledgedTo, Proposal
from ledger.errors import Code, RuleViolation
from ledger.merkle import verify_inclusion
from ledger.params import BALLOT_PROOFS_MAX, BALLOT_VALUE_BYTES_MAX
from ledger.schema import Integer, ListOf, Octets, Struct, identifier
from ledger.state import RuleView, decode_record, record_leaf
from ledger.types import INTEGER_MAX, Address, Day, Hash, RecordKey, Slot

WRONG_PROOFS = Code(
    "ballot.proofs",
    "one proof of the membership, numbered 0, is needed; of pledges one for each, by ascending numbers",
    "Ask a node for your power at the snapshot, and show what it gives.",
)
NOT_IN_SNAPSHOT = Code(
    "ballot.not_in_snapshot",
    "what is shown was not in the state after block {height}, the proposal's snapshot",
    "Who joined or pledged later can't vote on it. Otherwise ask a node for your power at the snapshot.",
)
NO_POWER = Code(
    "ballot.no_power",
    "what is shown gives no power: {reason}",
    "Nothing: by the proposal's rule this account does not vote on it.",
)


@dataclass(frozen=True, slots=True)
class PowerProof:
    """One record at the snapshot: the pledge's number (0 for a membership), the record's encoding, its slot and path."""

    number: Annotated[int, Integer(0, 2**32 - 1)]
    value: Annotated[bytes, Octets(1, BALLOT_VALUE_BYTES_MAX)]
    slot: Annotated[Slot, Integer(0, INTEGER_MAX)]
    path: Annotated[tuple[Hash, ...], ListOf(identifier(), 0, 64)]


PROOFS = ListOf(Struct(PowerProof), 1, BALLOT_PROOFS_MAX)


class Power(NamedTuple):
    """What a voter's ballot weighs, and the class of its membership's age."""

    power: int
    age: int


def power_key(proposal: Proposal, voter: Address, number: int) -> RecordKey:
    """The key of the record that a voter's power rests on: its membership, or its pledge of this number."""
    if isinstance(proposal.weight, PledgedTo):
        return pledge_key(proposal.weight.campaign, number)
    return member_key(proposal.program, voter)


def check_power(view: RuleView, proposal: Proposal, voter: Address, proofs: Sequence[PowerProof]) -> Power:
    """The voter's power. Raises `ballot.proofs`, `ballot.not_in_snapshot`, `ballot.no_power`."""
    numbers = [proof.number for proof in proofs]
    if isinstance(proposal.weight, PledgedTo):
        if any(a >= b for a, b in pairwise(numbers)):
            raise RuleViolation(WRONG_PROOFS)
    elif numbers != [0]:
        raise RuleViolation(WRONG_PROOFS)
    for proof in proofs:
        leaf = record_leaf(power_key(proposal, voter, proof.number), proof.value)
        root, size = proposal.snapshot_root, proposal.snapshot_slots
        if not verify_inclusion(root, leaf, proof.slot, size, proof.path):
            raise RuleViolation(NOT_IN_SNAPSHOT, height=proposal.snapshot_height)
    records = [decode_record(power_key(proposal, voter, p.number), unpack(p.value)) for p in proofs]
    if isinstance(proposal.weight, PledgedTo):
        return _power_of_pledges(load_campaign(view, proposal.weight.campaign), voter, records)
    # An owner never changes its program's offset, so today's record says which day the snapshot's was.
    today = load_program(view, proposal.program).day_at(proposal.snapshot_at)
    return power_of_member(proposal, records[0], today)


def power_of_member(proposal: Proposal, member: Member, snapshot_day: Day) -> Power:
    """What a membership gives. Raises `ballot.no_power`."""
    if member.left_at:
        raise RuleViolation(NO_POWER, reason="it had left the program by then")
    age_days = (proposal.snapshot_at - member.joined_at) // 86_400
    age = sum(1 for begins in AGE_DAYS if begins <= age_days)
    if not isinstance(proposal.weight, EarnedPoints):
        return Power(1, age)
    waiting = sum(lot[3] for lot in member.lots if lot[1] > snapshot_day)
    power = min(proposal.weight.cap, member.earned - waiting)
    if power < 1:
        raise RuleViolation(NO_POWER, reason="it had earned no points past the return window by then")
    return Power(power, age)


def _power_of_pledges(campaign: Campaign, voter: Address, pledges: Sequence[Pledge]) -> Power:
    if voter == campaign.creator:
        raise RuleViolation(NO_POWER, reason="the campaign's creator has no vote in it")
    if any(pledge.backer != voter for pledge in pledges):
        raise RuleViolation(NO_POWER, reason="a pledge that is shown is another backer's")
    return Power(sum(pledge.quantity for pledge in pledges), AGE_NOT_SHOWN)
