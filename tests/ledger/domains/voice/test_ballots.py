"""`ballot.cast` and `ballot.commit`: power at the snapshot, once, unchanged, until voting is over."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.state import pledge_key
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.state import member_key
from ledger.domains.voice.ballot_cast import BALLOT_CAST, CastBallot
from ledger.domains.voice.ballot_commit import BALLOT_COMMIT, CommitBallot
from ledger.domains.voice.ballots import ALREADY, TOO_LATE, WRONG_MODE, seal_choice
from ledger.domains.voice.events import BallotCast, BallotCommitted
from ledger.domains.voice.power import NO_POWER, NOT_IN_SNAPSHOT, WRONG_PROOFS
from ledger.domains.voice.state import (
    AGE_NOT_SHOWN,
    APPROVAL,
    NO_PROPOSAL,
    RANKED,
    EarnedPoints,
    PledgedTo,
    ballot_key,
    proposal_key,
    tally_key,
)
from ledger.domains.voice.tally import BAD_CHOICE
from ledger.errors import Code
from ledger.transaction import Prepaid
from ledger.types import Amount, Hash, ProposalId, Slot
from tests.support.assembly import SALT, Assembly
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, Shop, some_hash


def test_one_member_one_vote(assembly: Assembly) -> None:
    proposal = assembly.propose()
    assembly.cast(proposal, FAN, 0)
    event = BallotCast(proposal, FAN.address, 1, 0, (0,))
    assert assembly.chain.events == (event,)
    assert event.subjects() == (FAN.address, proposal)
    assembly.cast(proposal, FRIEND, 1)
    assembly.cast(proposal, STRANGER, 0)
    tally = assembly.tally(proposal)
    assert (tally.counted, tally.counts, tally.power, tally.largest) == (3, (2, 1), 3, 1)
    ballot = assembly.ballot(proposal, FRIEND)
    assert (ballot.choice, ballot.power, ballot.commitment, ballot.prepaid, ballot.deposit) == ((1,), 1, b"", 0, 10_000)


def test_who_votes_twice_is_refused(assembly: Assembly) -> None:
    proposal = assembly.propose()
    assembly.cast(proposal, FAN, 0)
    for choice in (0, 1):
        with refused(ALREADY, voter=FAN.address):
            assembly.cast(proposal, FAN, choice)
    assert assembly.tally(proposal).counted == 1


def test_who_joined_after_the_snapshot_has_no_proof(assembly: Assembly) -> None:
    proposal, late = assembly.propose(), Signer.named("late")
    assembly.shop.join(late)
    key = member_key(assembly.shop.program, late.address)
    assert key not in assembly.snapshots[proposal].records
    stored = assembly.chain.state.records[key]
    forged = replace(assembly.proof(proposal, member_key(assembly.shop.program, FAN.address)), slot=stored.slot)
    path = assembly.chain.state.tree.inclusion_path(stored.slot)
    for proof in (replace(forged, value=stored.value_bytes), replace(forged, value=stored.value_bytes, path=path)):
        with refused(NOT_IN_SNAPSHOT, height=assembly.proposal(proposal).snapshot_height):
            payload, paid = CastBallot(proposal, (0,), (proof,)), assembly.shop.sponsored
            assembly.chain.send("ballot.cast", payload, author=late, payment=paid)


def test_another_ones_membership_is_none_of_yours(assembly: Assembly) -> None:
    proposal = assembly.propose()
    proofs = assembly.proofs(proposal, FRIEND)
    with refused(NOT_IN_SNAPSHOT):
        assembly.chain.send("ballot.cast", CastBallot(proposal, (0,), proofs), author=FAN)


def test_who_left_before_the_snapshot_has_no_vote_and_who_leaves_after_it_has(assembly: Assembly) -> None:
    leave = MemberLeave(assembly.shop.program)
    assembly.chain.send("member.leave", leave, author=FRIEND, payment=Prepaid())
    proposal = assembly.propose()
    assembly.chain.send("member.leave", leave, author=FAN, payment=Prepaid())
    assembly.cast(proposal, FAN, 0)
    with refused(NO_POWER, reason="it had left the program by then"):
        assembly.cast(proposal, FRIEND, 0)


@pytest.mark.parametrize(("days", "age"), [(0, 0), (29, 0), (30, 1), (89, 1), (90, 2), (365, 3), (1_095, 4)])
def test_the_age_of_the_membership_is_counted(assembly: Assembly, days: int, age: int) -> None:
    joined = assembly.shop.member(FAN).joined_at
    if days:
        assembly.chain.block(time=joined + days * DAY_SECONDS)
    proposal = assembly.propose()
    assembly.cast(proposal, FAN, 1)
    assert assembly.ballot(proposal, FAN).age == age
    assert assembly.tally(proposal).ages[age] == (1, 1)


def test_points_that_may_come_back_do_not_vote() -> None:
    shop = Shop(activation_delay_days=10, return_window_days=10)
    shop.join(FAN, FRIEND)
    assembly = Assembly(shop)
    shop.earn(FAN, 500)
    shop.pass_days(12)
    shop.earn(FAN, 70)
    shop.redeem(FAN, shop.list_reward(price=400))
    assert (shop.member(FAN).earned, shop.points_of(FAN)) == (570, 100)
    proposal, capped = assembly.propose(weight=EarnedPoints(10_000)), assembly.propose(weight=EarnedPoints(300))
    assembly.cast(proposal, FAN, 1)
    assembly.cast(capped, FAN, 1)
    assert assembly.tally(proposal).counts == (0, 500)
    assert assembly.tally(capped).counts == (0, 300)
    with refused(NO_POWER, reason="it had earned no points past the return window by then"):
        assembly.cast(proposal, FRIEND, 1)
    shop.chain.replay()


def test_pledges_vote_with_what_was_pledged(assembly: Assembly) -> None:
    shop = assembly.shop
    campaign = shop.create_campaign(days=30)
    for backer, quantity in ((FAN, 300), (FRIEND, 70), (FAN, 5), (OWNER, 1_000)):
        shop.pledge(backer, campaign, quantity)
    proposal = assembly.propose("now", "later", "never", method=APPROVAL, weight=PledgedTo(campaign))
    assembly.cast(proposal, FAN, 0, 1, pledges=(0, 2))
    assembly.cast(proposal, FRIEND, 2, pledges=(1,))
    tally = assembly.tally(proposal)
    assert (tally.counts, tally.power, tally.largest, tally.counted) == ((305, 305, 70), 375, 305, 2)
    assert tally.ages[AGE_NOT_SHOWN] == (2, 375)
    with refused(NO_POWER, reason="the campaign's creator has no vote in it"):
        assembly.cast(proposal, OWNER, 0, pledges=(3,))
    with refused(NO_POWER, reason="a pledge that is shown is another backer's"):
        assembly.cast(proposal, STRANGER, 0, pledges=(0,))


@pytest.mark.parametrize("pledges", [(0, 0), (2, 0)])
def test_a_pledge_is_shown_once(assembly: Assembly, pledges: tuple[int, ...]) -> None:
    shop = assembly.shop
    campaign = shop.create_campaign(days=30)
    for backer in (FAN, FRIEND, FAN):
        shop.pledge(backer, campaign, 10)
    proposal = assembly.propose(weight=PledgedTo(campaign))
    with refused(WRONG_PROOFS):
        assembly.cast(proposal, FAN, 0, pledges=pledges)


def test_a_pledge_of_another_number_is_not_in_the_snapshot(assembly: Assembly) -> None:
    campaign = assembly.shop.create_campaign(days=30)
    assembly.shop.pledge(FAN, campaign, 10)
    proposal = assembly.propose(weight=PledgedTo(campaign))
    shown = replace(assembly.proof(proposal, pledge_key(campaign, 0)), number=1)
    with refused(NOT_IN_SNAPSHOT):
        assembly.chain.send("ballot.cast", CastBallot(proposal, (0,), (shown,)), author=FAN)


def test_failures_of_casting_come_in_the_documented_order(assembly: Assembly) -> None:
    shop, chain = assembly.shop, assembly.chain
    sealed, proposal = assembly.propose(reveal_days=1), assembly.propose(method=RANKED, days=3)
    proof = assembly.proofs(proposal, FAN)[0]
    payload = CastBallot(ProposalId(NOWHERE), (5,), (replace(proof, number=1, slot=Slot(2**40)),))
    with refused(NO_PROPOSAL, proposal=NOWHERE):
        chain.send("ballot.cast", payload, author=FAN)
    with refused(WRONG_MODE, mode="sealed"):
        chain.send("ballot.cast", replace(payload, proposal=sealed), author=FAN)
    payload = replace(payload, proposal=proposal)
    assembly.cast(proposal, FRIEND, 0)
    with refused(ALREADY, voter=FRIEND.address):
        chain.send("ballot.cast", payload, author=FRIEND)
    with refused(BAD_CHOICE, method="ranked", count=2):
        chain.send("ballot.cast", payload, author=FAN)
    payload = replace(payload, choice=(1, 0))
    with refused(WRONG_PROOFS):
        chain.send("ballot.cast", payload, author=FAN)
    with refused(WRONG_PROOFS):
        chain.send("ballot.cast", replace(payload, proofs=(proof, replace(proof, number=1))), author=FAN)
    payload = replace(payload, proofs=(replace(proof, slot=Slot(2**40)),))
    with refused(NOT_IN_SNAPSHOT):
        chain.send("ballot.cast", payload, author=FAN)
    shop.join(POOR)
    last = assembly.propose()
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(11_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        assembly.cast(last, POOR, 0)
    keys = (proposal_key(last), tally_key(last), ballot_key(last, FAN.address))
    assert BALLOT_CAST.reads(FAN.address, CastBallot(last, (0,), (proof,))) == keys
    assert BALLOT_COMMIT.reads(FAN.address, CommitBallot(last, some_hash(1), (proof,))) == keys


def test_voting_ends_at_the_later_of_its_time_and_six_blocks(assembly: Assembly) -> None:
    proposal = assembly.propose()
    until, height = assembly.proposal(proposal).voting_until, assembly.proposal(proposal).voting_height
    assembly.chain.block(time=until)
    assembly.cast(proposal, FAN, 0)
    while assembly.chain.height < height - 1:
        assembly.chain.mine()
    assembly.cast(proposal, FRIEND, 0)
    with refused(TOO_LATE, until=until):
        assembly.cast(proposal, STRANGER, 0)
    assembly.chain.mine()
    assert assembly.tally(proposal).counted == 2


def test_a_commitment_says_who_and_how_much_and_not_what(assembly: Assembly) -> None:
    proposal = assembly.propose(reveal_days=1)
    before = assembly.chain.state.chain.locked
    assembly.commit(proposal, FAN, 1)
    event = BallotCommitted(proposal, FAN.address, 1, 0)
    assert assembly.chain.events == (event,)
    assert event.subjects() == (FAN.address, proposal)
    ballot, tally = assembly.ballot(proposal, FAN), assembly.tally(proposal)
    assert (ballot.choice, ballot.commitment) == ((), seal_choice(proposal, FAN.address, (1,), SALT))
    assert ballot.deposit + ballot.prepaid == assembly.chain.state.chain.locked - before == 12_400
    assert (tally.committed, tally.counted, tally.counts, tally.power) == (1, 0, (0, 0), 0)
    with refused(ALREADY, voter=FAN.address):
        assembly.commit(proposal, FAN, 0)


def test_failures_of_committing(assembly: Assembly) -> None:
    shop, chain = assembly.shop, assembly.chain
    proposal, openly = assembly.propose(reveal_days=1), assembly.propose()
    proof = assembly.proofs(proposal, FAN)[0]

    def fails(code: Code, payload: CommitBallot) -> None:
        with refused(code):
            chain.send("ballot.commit", payload, author=FAN)

    payload = CommitBallot(ProposalId(NOWHERE), some_hash("sealed"), (proof, proof))
    fails(NO_PROPOSAL, payload)
    fails(WRONG_MODE, replace(payload, proposal=openly))
    payload = replace(payload, proposal=proposal)
    fails(WRONG_PROOFS, payload)
    fails(NOT_IN_SNAPSHOT, replace(payload, proofs=(replace(proof, path=(Hash(NOWHERE),)),)))
    payload = replace(payload, proofs=(proof,))
    shop.join(POOR)
    last = assembly.propose(reveal_days=1)
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(14_000)), author=FAN)
    with refused(INSUFFICIENT, needed=2_400):
        assembly.commit(last, POOR, 0)
    chain.block(time=assembly.proposal(proposal).voting_until)
    chain.mine(5)
    fails(TOO_LATE, payload)
