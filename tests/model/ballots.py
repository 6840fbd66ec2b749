"""Power at the snapshot, ballots and reveals: VOI-2 to VOI-4."""

from typing import Any

from ledger.codec import pack, unpack
from tests.model.campaign_records import Pledge
from tests.model.proposals import proposal_of, voting_is_over
from tests.model.records import DAY, Member, Refused, refuse_unless
from tests.model.state import Model
from tests.model.tallies import count, is_allowed
from tests.model.transaction import Call
from tests.model.voice_records import (
    EACH_MEMBER,
    OPEN_BALLOTS,
    PLEDGED_TO,
    SEALED_BALLOTS,
    Ballot,
    Proposal,
)
from tests.second_decoder.hashing import be4, is_included, leaf_hash, tagged

AGE_BOUNDS = (30 * DAY, 90 * DAY, 365 * DAY, 1_095 * DAY)
AGE_OF_PLEDGES = 5

Proof = tuple[int, bytes, int, tuple[bytes, ...]]


def _record_shown(proposal: Proposal, key: bytes, proof: Proof) -> Any:
    """VOI-2: the record's array, if it stood in the snapshot.

    The leaf's bytes are those of an array of two: its head, the key, and the value as it was shown.
    """
    _, value, slot, path = proof
    leaf = leaf_hash(b"\x92" + pack(key) + value)
    shown = is_included(leaf, slot, proposal.snapshot_slots, list(path), proposal.snapshot_root)
    refuse_unless(shown, "ballot.not_in_snapshot")
    return unpack(value)


def _power_of_member(model: Model, proposal: Proposal, member: Member) -> int:
    if member.left_at != 0:
        return 0
    if proposal.weight[0] == EACH_MEMBER:
        return 1
    day = model.day_at(proposal.program, proposal.snapshot_at)
    not_active = sum(points for _, activation_day, _, points in member.lots if activation_day > day)
    return min(proposal.weight[1], member.earned - not_active)


def _age_of_member(proposal: Proposal, member: Member) -> int:
    age = proposal.snapshot_at - member.joined_at
    return sum(age >= bound for bound in AGE_BOUNDS)


def power_and_age(model: Model, proposal: Proposal, voter: bytes, proofs: tuple[Proof, ...]) -> tuple[int, int]:
    """VOI-2."""
    numbers = [proof[0] for proof in proofs]
    if proposal.weight[0] != PLEDGED_TO:
        refuse_unless(numbers == [0], "ballot.proofs")
        member = Member(*_record_shown(proposal, b"M" + proposal.program + voter, proofs[0]))
        power = _power_of_member(model, proposal, member)
        refuse_unless(power >= 1, "ballot.no_power")
        return power, _age_of_member(proposal, member)
    refuse_unless(numbers == sorted(set(numbers)), "ballot.proofs")
    campaign = proposal.weight[1]
    pledges = [Pledge(*_record_shown(proposal, b"P" + campaign + be4(proof[0]), proof)) for proof in proofs]
    theirs = all(pledge.backer == voter for pledge in pledges)
    refuse_unless(theirs and model.campaigns[campaign].creator != voter, "ballot.no_power")
    return sum(pledge.quantity for pledge in pledges), AGE_OF_PLEDGES


def _open_to(model: Model, wanted: bytes, mode: int, voter: bytes) -> Proposal:
    """What casting and committing ask for first (VOI-3)."""
    proposal = proposal_of(model, wanted)
    refuse_unless(proposal.mode == mode, "ballot.wrong_mode")
    refuse_unless(not voting_is_over(model, proposal), "ballot.too_late")
    refuse_unless((wanted, voter) not in model.ballots, "ballot.already")
    return proposal


def _count(model: Model, wanted: bytes, ballot: Ballot) -> None:
    model.tallies[wanted] = count(model.proposals[wanted], model.tallies[wanted], ballot)


def cast(model: Model, call: Call, payload: tuple) -> list[str]:
    """VOI-3."""
    wanted, choice, proofs = payload
    proposal = _open_to(model, wanted, OPEN_BALLOTS, call.author)
    refuse_unless(is_allowed(proposal, choice), "ballot.choice")
    power, age = power_and_age(model, proposal, call.author, proofs)
    model.take(call.payer, model.record_deposit)
    ballot = Ballot(call.payer, model.record_deposit, 0, power, age, b"", choice, model.now)
    model.ballots[wanted, call.author] = ballot
    _count(model, wanted, ballot)
    return [""]


def commit(model: Model, call: Call, payload: tuple) -> list[str]:
    """VOI-3."""
    wanted, commitment, proofs = payload
    proposal = _open_to(model, wanted, SEALED_BALLOTS, call.author)
    power, age = power_and_age(model, proposal, call.author, proofs)
    model.take(call.payer, model.record_deposit)
    model.take(call.payer, model.prepaid_exit)
    kept = (call.payer, model.record_deposit, model.prepaid_exit)
    model.ballots[wanted, call.author] = Ballot(*kept, power, age, commitment, (), model.now)
    tally = model.tallies[wanted]
    model.tallies[wanted] = tally._replace(committed=tally.committed + 1)
    return [""]


def commitment_of(proposal: bytes, voter: bytes, choice: tuple[int, ...], salt: bytes) -> bytes:
    """VOI-3."""
    return tagged("BALLOT", proposal + voter + pack(choice) + salt)


def reveal(model: Model, _: Call, payload: tuple) -> list[str]:
    """VOI-4."""
    wanted, voter, choice, salt = payload
    proposal = proposal_of(model, wanted)
    ballot = model.ballots.get((wanted, voter))
    if ballot is None or ballot.commitment == b"":
        raise Refused("ballot.not_committed")
    refuse_unless(ballot.choice == (), "ballot.revealed")
    refuse_unless(voting_is_over(model, proposal), "ballot.too_early")
    is_over = (
        proposal.reveal_height != 0 and model.now >= proposal.reveal_until and model.height >= proposal.reveal_height
    )
    refuse_unless(not is_over, "ballot.reveal_over")
    refuse_unless(commitment_of(wanted, voter, choice, salt) == ballot.commitment, "ballot.wrong_opening")
    refuse_unless(is_allowed(proposal, choice), "ballot.choice")
    model.fees += ballot.prepaid
    ballot = ballot._replace(prepaid=0, choice=choice)
    model.ballots[wanted, voter] = ballot
    _count(model, wanted, ballot)
    return [""]
