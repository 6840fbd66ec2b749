"""Reviews: who may speak, that every revision stays, that the counts are right, and that a subject can only answer."""

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.crowdfunding.campaign_cancel import CampaignCancel
from ledger.domains.crowdfunding.pledge_cancel import PledgeCancel
from ledger.domains.crowdfunding.state import DONE, FAILED, NO_CAMPAIGN, former_pledge_key
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.state import NO_PROGRAM
from ledger.domains.voice.contribution_credit import CampaignProduct, ContributionCredit
from ledger.domains.voice.contribution_record import ContributionRecord
from ledger.domains.voice.contributions import ContributionSlip, contribution_id_of, sign_slip
from ledger.domains.voice.review import NO_STANDING, OWN_SUBJECT, REVIEW, ReviewWrite, ReviewWritten
from ledger.domains.voice.review_reply import NO_REVIEW, NOT_SUBJECT, REVIEW_REPLY, ReviewReplied, ReviewReply
from ledger.domains.voice.reviews import (
    CRITICISE,
    ENDORSE,
    CampaignSubject,
    Contributed,
    Earned,
    PledgeStanding,
    ProgramSubject,
    Redeemed,
    Review,
    Scores,
    Standing,
    Subject,
    review_key,
    scores_key,
)
from ledger.kinds import Cost
from ledger.transaction import Prepaid
from ledger.types import CampaignId, ContributionId, Hash, MissionId, ProgramId
from tests.ledger.domains.crowdfunding.test_steps import begin
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, TILL, Shop, some_hash

TEXT = some_hash("a text")


def say(
    shop: Shop,
    *,
    author: Signer = FAN,
    subject: Subject | None = None,
    standing: Standing | None = None,
    stance: int = CRITICISE,
    score: int = 1,
    text: Hash = TEXT,
    **options: object,
) -> None:
    payload = ReviewWrite(
        ProgramSubject(shop.program) if subject is None else subject, standing or Earned(), stance, score, text
    )
    shop.chain.send("review", payload, author=author, **options)


def reply(shop: Shop, *, to: Signer = FAN, author: Signer = OWNER, subject: Subject | None = None) -> None:
    payload = ReviewReply(subject or ProgramSubject(shop.program), to.address, some_hash("we are sorry"))
    shop.chain.send("review.reply", payload, author=author)


def review_of(shop: Shop, author: Signer = FAN, subject: bytes | None = None) -> Review:
    return shop.chain.record(review_key(Hash(subject or shop.program), author.address))


def scores_of(shop: Shop, subject: bytes | None = None) -> Scores:
    return shop.chain.record(scores_key(Hash(subject or shop.program)))


@pytest.fixture
def customer(shop: Shop) -> Shop:
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 500)
    return shop


def contribute(shop: Shop, fan: Signer) -> ContributionId:
    slip = ContributionSlip(
        1, shop.program, fan.address, MissionId(b""), 0, some_hash("work"), TILL.key, shop.now, bytes(32)
    )
    signed = sign_slip(slip, shop.chain.chain_id, TILL.seeds[0])
    shop.chain.send("contribution.record", ContributionRecord(signed.slip, signed.signature), author=fan)
    return contribution_id_of(slip)


def test_a_criticism_stands(customer: Shop) -> None:
    now = customer.now
    say(customer, score=2)
    assert customer.chain.events == (ReviewWritten(Hash(customer.program), FAN.address, 1, CRITICISE, 2, TEXT, 0),)
    assert customer.chain.events[0].subjects() == (customer.program, FAN.address)
    found = review_of(customer)
    assert (found.stance, found.score, found.text, found.standing) == (CRITICISE, 2, TEXT, Earned())
    assert (found.first_at, found.latest_at, found.revisions) == (now, now, 1)
    assert (found.reply, found.replied_at, found.replies) == (b"", 0, 0)
    assert found.deposit == customer.chain.params.record_deposit
    assert scores_of(customer) == Scores((0,) * 5, (0, 1, 0, 0, 0), 0)


def test_a_revision_replaces_the_count_and_nothing_else(customer: Shop) -> None:
    customer.earn(FRIEND, 5)
    say(customer)
    say(customer, author=FRIEND, score=1)
    first_at = review_of(customer).first_at
    locked = customer.chain.state.chain.locked
    now = customer.now
    say(customer, stance=ENDORSE, score=5, text=Hash(b""))
    assert customer.chain.events[0] == ReviewWritten(Hash(customer.program), FAN.address, 2, ENDORSE, 5, Hash(b""), 0)
    found = review_of(customer)
    assert (found.stance, found.score, found.text, found.revisions) == (ENDORSE, 5, b"", 2)
    assert (found.first_at, found.latest_at) == (first_at, now)
    assert customer.chain.state.chain.locked == locked, "a revision locks nothing"
    assert scores_of(customer) == Scores((0, 0, 0, 0, 1), (1, 0, 0, 0, 0), 0)


def test_only_who_had_to_do_with_it_speaks(customer: Shop) -> None:
    for author in (FRIEND, STRANGER):
        for standing in (Earned(), Redeemed()):
            with refused(NO_STANDING):
                say(customer, author=author, standing=standing)
    with refused(NO_STANDING):
        say(customer, standing=Redeemed())
    with refused(OWN_SUBJECT):
        say(customer, author=OWNER)
    with refused(NO_PROGRAM):
        say(customer, subject=ProgramSubject(ProgramId(NOWHERE)))
    with refused(NO_CAMPAIGN):
        say(customer, subject=CampaignSubject(CampaignId(NOWHERE)))


def test_who_left_still_speaks(customer: Shop) -> None:
    customer.chain.send("member.leave", MemberLeave(customer.program), author=FAN)
    say(customer)


def test_standing_by_a_redemption(customer: Shop) -> None:
    reward = customer.list_reward()
    hold = customer.redeem(FAN, reward, quantity=3)
    with refused(NO_STANDING):
        say(customer, standing=Redeemed())
    customer.fulfil(hold, 1)
    customer.fulfil(hold, 2)
    assert customer.member(FAN).redemptions == 2
    say(customer, standing=Redeemed())
    assert review_of(customer).standing == Redeemed()


def test_standing_by_a_pledge(customer: Shop) -> None:
    own, points = customer.create_campaign(), customer.create_campaign(in_points=True)
    others = customer.create_campaign(author=STRANGER)
    for campaign in (own, points, others):
        customer.pledge(FAN, campaign, 10)
        standing = PledgeStanding(campaign, 0)
        say(customer, subject=CampaignSubject(campaign), standing=standing)
        assert review_of(customer, subject=campaign).standing == standing
        with refused(NO_STANDING):
            say(customer, author=FRIEND, subject=CampaignSubject(campaign), standing=standing)
        with refused(NO_STANDING):
            say(customer, subject=CampaignSubject(campaign), standing=PledgeStanding(campaign, 1))
        with refused(NO_STANDING):
            say(customer, subject=CampaignSubject(campaign))
    for campaign in (own, points):
        say(customer, standing=PledgeStanding(campaign, 0))
    with refused(NO_STANDING):
        say(customer, standing=PledgeStanding(others, 0))
    with refused(NO_STANDING):
        say(customer, subject=CampaignSubject(own), standing=PledgeStanding(points, 0))
    with refused(OWN_SUBJECT):
        say(customer, author=STRANGER, subject=CampaignSubject(others), standing=PledgeStanding(others, 0))


def test_what_was_said_before_a_refund_may_be_said_again(customer: Shop) -> None:
    campaign = customer.create_campaign(goal=1_000)
    for fan in (FAN, FRIEND):
        customer.pledge(fan, campaign, 10)
    subject = CampaignSubject(campaign)
    say(customer, subject=subject, standing=PledgeStanding(campaign, 0))
    customer.pass_days(8)
    customer.chain.mine(8)
    assert customer.campaign(campaign).status == FAILED
    assert customer.pledge_of(campaign, 0) is None
    say(customer, subject=subject, standing=PledgeStanding(campaign, 0), score=2)
    assert review_of(customer, subject=campaign).revisions == 2
    with refused(NO_STANDING):
        say(customer, subject=subject, standing=PledgeStanding(campaign, 1))
    with refused(NO_STANDING):
        say(customer, author=FRIEND, subject=subject, standing=PledgeStanding(campaign, 1))


def test_a_pledge_to_a_campaign_that_is_done_stands_until_its_backer_ends_it(customer: Shop) -> None:
    campaign = customer.create_campaign(goal=10)
    customer.pledge(FAN, campaign, 10)
    customer.pass_days(8)
    customer.chain.mine(8)
    assert customer.campaign(campaign).status == DONE
    subject = CampaignSubject(campaign)
    say(customer, standing=PledgeStanding(campaign, 0))
    customer.chain.send("pledge.cancel", PledgeCancel(campaign, 0), author=FAN, payment=Prepaid())
    with refused(NO_STANDING):
        say(customer, subject=subject, standing=PledgeStanding(campaign, 0))


def test_who_lost_something_to_a_campaign_may_say_so_afterwards(customer: Shop) -> None:
    campaign = begin(customer, quantities=(500, 500))
    customer.chain.send("campaign.cancel", CampaignCancel(campaign), author=OWNER)
    customer.chain.mine()
    assert customer.pledge_of(campaign, 0) is None
    assert customer.chain.record(former_pledge_key(campaign, 0)).returned == 350
    standing = PledgeStanding(campaign, 0)
    for subject in (CampaignSubject(campaign), ProgramSubject(customer.program)):
        say(customer, subject=subject, standing=standing)
        with refused(NO_STANDING):
            say(customer, author=FRIEND, subject=subject, standing=standing)
    customer.chain.send("pledge.cancel", PledgeCancel(campaign, 1), author=FRIEND, payment=Prepaid())
    with refused(NO_STANDING):
        say(customer, author=FRIEND, subject=CampaignSubject(campaign), standing=PledgeStanding(campaign, 1))


def test_standing_by_a_contribution(customer: Shop) -> None:
    contribution = contribute(customer, STRANGER)
    campaign = customer.create_campaign()
    standing = Contributed(contribution)
    say(customer, author=STRANGER, standing=standing)
    with refused(NO_STANDING):
        say(customer, author=FRIEND, standing=standing)
    with refused(NO_STANDING):
        say(customer, author=STRANGER, standing=Contributed(ContributionId(NOWHERE)))
    with refused(NO_STANDING):
        say(customer, author=STRANGER, subject=CampaignSubject(campaign), standing=standing)
    credit = ContributionCredit(contribution, CampaignProduct(campaign))
    customer.chain.send("contribution.credit", credit, author=OWNER)
    say(customer, author=STRANGER, subject=CampaignSubject(campaign), standing=standing)


def test_a_subject_answers_and_that_is_all(customer: Shop) -> None:
    say(customer)
    for author in (FAN, TILL, STRANGER):
        with refused(NOT_SUBJECT):
            reply(customer, author=author)
    with refused(NO_REVIEW, author=FRIEND.address):
        reply(customer, to=FRIEND)
    now = customer.now
    reply(customer)
    text = some_hash("we are sorry")
    assert customer.chain.events == (ReviewReplied(Hash(customer.program), FAN.address, 1, text, OWNER.address),)
    assert customer.chain.events[0].subjects() == (customer.program, FAN.address, OWNER.address)
    found = review_of(customer)
    assert (found.reply, found.replied_at, found.replies) == (text, now, 1)
    reply(customer)
    assert scores_of(customer) == Scores((0,) * 5, (1, 0, 0, 0, 0), 2)
    with refused(NO_PROGRAM):
        reply(customer, subject=ProgramSubject(ProgramId(NOWHERE)))
    with refused(NO_CAMPAIGN):
        reply(customer, subject=CampaignSubject(CampaignId(NOWHERE)))


def test_a_creator_answers_for_its_campaign(customer: Shop) -> None:
    campaign = customer.create_campaign(author=STRANGER)
    customer.pledge(FAN, campaign, 10)
    subject = CampaignSubject(campaign)
    say(customer, subject=subject, standing=PledgeStanding(campaign, 0))
    with refused(NOT_SUBJECT):
        reply(customer, subject=subject)
    reply(customer, subject=subject, author=STRANGER)
    assert review_of(customer, subject=campaign).replies == 1


def test_the_pool_may_pay_and_criticism_costs_what_praise_costs(customer: Shop) -> None:
    customer.join(POOR)
    customer.earn(POOR, 10)
    say(customer, author=POOR, payment=customer.sponsored)
    spent = customer.books.sponsor_day_spent
    say(customer, author=POOR, payment=customer.sponsored, stance=ENDORSE, score=5)
    assert customer.books.sponsor_day_spent > spent
    with refused(INSUFFICIENT):
        say(customer, author=POOR)
    payload = ReviewWrite(ProgramSubject(customer.program), Earned(), ENDORSE, 1, TEXT)
    assert REVIEW.cost(payload) == Cost(records=4, slots=2)
    assert REVIEW_REPLY.cost(ReviewReply(payload.subject, FAN.address, TEXT)) == Cost(records=2)


def test_who_was_never_a_member_has_earned_nothing(customer: Shop) -> None:
    for standing in (Earned(), Redeemed()):
        with refused(NO_STANDING):
            say(customer, author=TILL, standing=standing)
