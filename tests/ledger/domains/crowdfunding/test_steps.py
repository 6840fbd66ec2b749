"""Milestones and delivery: votes on a frozen basis, silence, the second attempt, lateness, and what is released."""

from typing import Any

import pytest

from ledger.domains.crowdfunding.decisions import days_late
from ledger.domains.crowdfunding.delivery_confirm import DELIVERY_CONFIRM, DeliveryConfirm
from ledger.domains.crowdfunding.events import (
    CampaignDone,
    CampaignReleased,
    CampaignSettled,
    CampaignStopped,
    PledgeRefunded,
    StepDecided,
    StepSubmitted,
    StepVoted,
)
from ledger.domains.crowdfunding.milestone_submit import MILESTONE_SUBMIT, NOT_NEXT, MilestoneSubmit
from ledger.domains.crowdfunding.milestone_vote import MILESTONE_VOTE, MilestoneVote
from ledger.domains.crowdfunding.state import (
    DONE,
    FUNDED,
    NO_CAMPAIGN,
    NO_PLEDGE,
    NOT_BACKER,
    NOT_CREATOR,
    NOT_FUNDED,
    OVERDUE,
    REJECTED,
    campaign_key,
    campaign_terms_key,
    pledge_key,
)
from ledger.domains.crowdfunding.steps import IS_DELIVERY, NO_VOTE_OPEN, NOT_SUBMITTED, OWN_PLEDGE, VOTE_OPEN
from ledger.types import CampaignId, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, Shop, some_hash

DAY = DAY_SECONDS
COIN = ProgramId(b"")


def begin(shop: Shop, *, quantities: tuple[int, ...] = (600, 400), own: int = 0, **terms: Any) -> CampaignId:
    """A funded campaign 30/30/40 in coin: the first part is released at settlement, the steps are due 10 and 20 days later."""
    deadline = shop.now + DAY
    promised: dict[str, Any] = {
        "milestones": (
            ("Start", 3_000, 0),
            ("Mould", 3_000, deadline + 10 * DAY),
            ("Series", 4_000, deadline + 20 * DAY),
        ),
        "grace_seconds": 5 * DAY,
        "vote_seconds": 2 * DAY,
        "retry_seconds": 3 * DAY,
    }
    campaign_id = shop.create_campaign(days=1, goal=1, **{**promised, **terms})
    for fan, quantity in zip((FAN, FRIEND, STRANGER), quantities, strict=False):
        shop.pledge(fan, campaign_id, quantity)
    if own:
        shop.pledge(OWNER, campaign_id, own)
    shop.pass_days(1)
    assert shop.campaign(campaign_id).status == FUNDED
    return campaign_id


def test_a_step_is_voted_on_and_released(shop: Shop) -> None:
    campaign_id = begin(shop)
    record = shop.campaign(campaign_id)
    assert (record.step, record.escrowed, record.released, record.shares_left) == (1, 700, 300, 7_000)
    now = shop.now
    shop.submit(campaign_id)
    assert shop.chain.events == (
        StepSubmitted(campaign_id, OWNER.address, 1, 1, 1, some_hash("evidence", 1), 1_000, Timestamp(now + 2 * DAY)),
    )
    assert shop.chain.events[0].subjects() == (campaign_id, OWNER.address)
    shop.vote(FAN, campaign_id, 0, approves=True)
    assert shop.chain.events == (StepVoted(campaign_id, FAN.address, 0, 1, True, 600),)
    assert shop.chain.events[0].subjects() == (FAN.address, campaign_id)
    shop.end_vote(campaign_id)
    assert shop.chain.events == (
        StepDecided(campaign_id, OWNER.address, 1, 1, False, True, 600, 0, 1_000, 0),
        CampaignReleased(campaign_id, OWNER.address, COIN, 1, 300, False),
    )
    assert shop.chain.events[0].subjects() == (campaign_id, OWNER.address)
    record = shop.campaign(campaign_id)
    assert (record.step, record.escrowed, record.released, record.late_days) == (2, 400, 600, (0, 0))
    shop.submit(campaign_id)
    shop.vote(FAN, campaign_id, 0, approves=True)
    shop.end_vote(campaign_id)
    assert CampaignDone(campaign_id, OWNER.address, Timestamp(0), 0) in shop.chain.events
    record = shop.campaign(campaign_id)
    assert (record.status, record.escrowed, record.released, record.until) == (DONE, 0, 1_000, 0)
    with refused(NOT_FUNDED, status="done"):
        shop.submit(campaign_id)


@pytest.mark.parametrize(
    ("yes", "no", "silence_approves", "approved"),
    [
        (501, 0, False, True),
        (500, 0, False, False),
        (500, 500, False, False),
        (501, 499, True, True),
        (0, 499, True, True),
        (0, 500, True, False),
        (0, 0, True, True),
        (0, 0, False, False),
    ],
)
def test_silence_counts_as_declared_and_a_tie_rejects(
    shop: Shop, yes: int, no: int, silence_approves: bool, approved: bool
) -> None:
    quantities = tuple(part for part in (yes, no, 1_000 - yes - no) if part)
    campaign_id = begin(shop, quantities=quantities, silence_approves=silence_approves)
    shop.submit(campaign_id)
    fans = iter(zip((FAN, FRIEND, STRANGER), range(3), strict=True))
    for part, approves in ((yes, True), (no, False)):
        if part:
            fan, number = next(fans)
            shop.vote(fan, campaign_id, number, approves=approves)
    shop.end_vote(campaign_id)
    assert StepDecided(campaign_id, OWNER.address, 1, 1, False, approved, yes, no, 1_000, 0) in shop.chain.events
    assert shop.campaign(campaign_id).step == (2 if approved else 1)


def test_a_vote_may_be_changed_while_it_is_open(shop: Shop) -> None:
    campaign_id = begin(shop)
    shop.submit(campaign_id)
    for approves, yes, no in ((True, 600, 0), (False, 0, 600), (False, 0, 600), (True, 600, 0)):
        shop.vote(FAN, campaign_id, 0, approves=approves)
        record = shop.campaign(campaign_id)
        assert (record.yes, record.no) == (yes, no)


def test_a_creators_own_pledges_have_no_weight(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(10,), own=990)
    shop.submit(campaign_id)
    assert shop.campaign(campaign_id).basis == 10
    with refused(OWN_PLEDGE):
        shop.vote(OWNER, campaign_id, 1, approves=True)
    shop.vote(FAN, campaign_id, 0, approves=False)
    shop.end_vote(campaign_id)
    assert shop.campaign(campaign_id).attempt == 2


def test_nobody_but_the_creator_means_a_tie(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(), own=990, silence_approves=True, retry_seconds=0)
    shop.submit(campaign_id)
    shop.end_vote(campaign_id)
    shop.chain.mine()
    record = shop.campaign(campaign_id)
    assert (record.status, record.escrowed, record.returned) == (REJECTED, 0, 693)


def test_rejected_twice_returns_seventy_percent_to_the_unit(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(333, 333, 334))
    before = [shop.coin_of(fan) for fan in (FAN, FRIEND, STRANGER)]
    for attempt in (1, 2):
        shop.submit(campaign_id)
        assert shop.campaign(campaign_id).attempt == attempt
        shop.end_vote(campaign_id)
    assert CampaignStopped(campaign_id, OWNER.address, REJECTED, 1, 700) in shop.chain.events
    shop.chain.mine()
    refunds = [event for block in shop.chain.mined[-2:] for _, event in block.transition.events]
    assert [event.quantity for event in refunds if isinstance(event, PledgeRefunded)] == [233, 233, 234]
    after = [shop.coin_of(fan) for fan in (FAN, FRIEND, STRANGER)]
    assert [now - then for now, then in zip(after, before, strict=True)] == [233, 233, 234]
    record = shop.campaign(campaign_id)
    assert (record.released, record.returned, record.escrowed, record.weight) == (300, 700, 0, 0)


def test_a_second_attempt_can_succeed(shop: Shop) -> None:
    campaign_id = begin(shop)
    shop.submit(campaign_id)
    shop.end_vote(campaign_id)
    shop.submit(campaign_id)
    shop.vote(FAN, campaign_id, 0, approves=True)
    assert shop.campaign(campaign_id).round == 2
    shop.end_vote(campaign_id)
    record = shop.campaign(campaign_id)
    assert (record.step, record.attempt, record.late_days) == (2, 1, (0, 0))


def test_a_rejected_step_that_is_not_tried_again_is_overdue(shop: Shop) -> None:
    campaign_id = begin(shop)
    shop.submit(campaign_id)
    shop.end_vote(campaign_id)
    shop.end_vote(campaign_id)
    shop.chain.mine()
    assert (shop.campaign(campaign_id).status, shop.campaign(campaign_id).returned) == (OVERDUE, 700)


def test_without_a_retry_the_first_rejection_ends_it(shop: Shop) -> None:
    campaign_id = begin(shop, retry_seconds=0)
    shop.submit(campaign_id)
    shop.end_vote(campaign_id)
    assert shop.campaign(campaign_id).status == REJECTED


def test_a_creator_who_disappears_leaves_the_escrow_to_its_backers(shop: Shop) -> None:
    campaign_id = begin(shop)
    record = shop.campaign(campaign_id)
    assert record.until == shop.campaign(campaign_id).until
    shop.chain.mine(6)
    shop.chain.block(time=record.until - 1)
    shop.submit(campaign_id)
    shop.end_vote(campaign_id)
    shop.pass_days(40)
    shop.chain.mine()
    assert (shop.campaign(campaign_id).status, shop.campaign(campaign_id).returned) == (OVERDUE, 700)


def test_a_step_that_begins_late_gives_the_creator_its_grace(shop: Shop) -> None:
    """The step before was accepted after this one's due time: the grace counts from then."""
    deadline = shop.now + DAY
    campaign_id = begin(
        shop,
        milestones=(("Mould", 5_000, deadline + 2 * DAY), ("Series", 5_000, deadline + 3 * DAY)),
        vote_seconds=10 * DAY,
        silence_approves=True,
    )
    shop.submit(campaign_id)
    shop.end_vote(campaign_id)
    decided = shop.chain.mined[-1].context.time
    assert shop.campaign(campaign_id).until == decided + 5 * DAY


def test_an_outage_does_not_eat_a_vote(shop: Shop) -> None:
    campaign_id = begin(shop)
    shop.submit(campaign_id)
    record = shop.campaign(campaign_id)
    shop.chain.block(time=record.until)
    while shop.chain.height < record.until_height:
        shop.vote(FAN, campaign_id, 0, approves=True)
    shop.chain.mine()
    assert shop.campaign(campaign_id).step == 2


def deliverable(shop: Shop, **terms: Any) -> CampaignId:
    deadline = shop.now + DAY
    return begin(
        shop,
        milestones=(("Start", 6_000, 0),),
        reserve=4_000,
        delivery_due=Timestamp(deadline + 10 * DAY),
        grace_seconds=30 * DAY,
        **terms,
    )


def test_a_delivery_nineteen_days_late_reads_nineteen(shop: Shop) -> None:
    campaign_id = deliverable(shop)
    due = shop.chain.record(campaign_terms_key(campaign_id)).delivery_due
    shop.chain.block(time=due + 19 * DAY)
    shop.submit(campaign_id)
    shop.confirm(FAN, campaign_id, 0)
    submitted_at = shop.campaign(campaign_id).submitted_at
    shop.end_vote(campaign_id)
    assert shop.chain.events == (
        StepDecided(campaign_id, OWNER.address, 1, 1, True, True, 600, 0, 1_000, 19),
        CampaignReleased(campaign_id, OWNER.address, COIN, 1, 400, False),
        CampaignDone(campaign_id, OWNER.address, submitted_at, 19),
    )
    record = shop.campaign(campaign_id)
    assert (record.late_days, record.delivered_at, record.released) == ((0, 19), submitted_at, 1_000)


def test_a_delivery_that_never_comes_gives_the_reserve_back(shop: Shop) -> None:
    campaign_id = deliverable(shop)
    shop.pass_days(60)
    shop.chain.mine()
    record = shop.campaign(campaign_id)
    assert (record.status, record.returned, record.weight) == (OVERDUE, 400, 0)


def test_without_a_reserve_a_missing_delivery_is_on_the_record_only(shop: Shop) -> None:
    deadline = shop.now + DAY
    terms: dict[str, Any] = {"milestones": (("All", 10_000, 0),), "delivery_due": Timestamp(deadline + 5 * DAY)}
    campaign_id = begin(shop, **terms)
    shop.pass_days(30)
    record = shop.campaign(campaign_id)
    assert (record.status, record.released, record.weight, record.returned) == (OVERDUE, 1_000, 1_000, 0)
    assert shop.pledge_of(campaign_id, 0) is not None


def test_a_delivery_without_a_reserve_can_be_accepted(shop: Shop) -> None:
    deadline = shop.now + DAY
    terms: dict[str, Any] = {"milestones": (("All", 10_000, 0),), "delivery_due": Timestamp(deadline + 5 * DAY)}
    campaign_id = begin(shop, silence_approves=True, **terms)
    shop.submit(campaign_id)
    shop.end_vote(campaign_id)
    record = shop.campaign(campaign_id)
    assert (record.status, record.step, record.late_days) == (DONE, 2, (0, 0))


def test_submitting_fails_in_the_documented_order(shop: Shop) -> None:
    evidence = some_hash("photo")
    with refused(NO_CAMPAIGN):
        shop.chain.send("milestone.submit", MilestoneSubmit(CampaignId(NOWHERE), 0, evidence), author=STRANGER)
    not_yet = shop.create_campaign()
    with refused(NOT_CREATOR):
        shop.submit(not_yet, author=STRANGER)
    with refused(NOT_FUNDED, status="open"):
        shop.submit(not_yet)
    campaign_id = begin(shop)
    with refused(NOT_NEXT, step=1, found=0):
        shop.submit(campaign_id, step=0)
    shop.submit(campaign_id)
    with refused(VOTE_OPEN, step=1, until=shop.campaign(campaign_id).until):
        shop.submit(campaign_id, step=0)
    keys = (campaign_key(campaign_id), campaign_terms_key(campaign_id))
    assert MILESTONE_SUBMIT.reads(OWNER.address, MilestoneSubmit(campaign_id, 1, evidence)) == keys


def test_voting_fails_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_CAMPAIGN):
        shop.vote(STRANGER, CampaignId(NOWHERE), 9, approves=True)
    not_yet = shop.create_campaign()
    with refused(NOT_FUNDED, status="open"):
        shop.vote(STRANGER, not_yet, 9, approves=True)
    campaign_id = deliverable(shop, own=10)
    with refused(NO_VOTE_OPEN):
        shop.vote(STRANGER, campaign_id, 9, approves=True)
    shop.submit(campaign_id)
    with refused(IS_DELIVERY):
        shop.vote(STRANGER, campaign_id, 9, approves=True)
    with refused(NO_PLEDGE, number=9):
        shop.confirm(STRANGER, campaign_id, 9)
    with refused(NOT_BACKER, number=0):
        shop.confirm(STRANGER, campaign_id, 0)
    with refused(OWN_PLEDGE):
        shop.confirm(OWNER, campaign_id, 2)
    other = begin(shop)
    shop.submit(other)
    with refused(NOT_SUBMITTED, step=1):
        shop.confirm(STRANGER, other, 9)
    keys = (campaign_key(other), campaign_terms_key(other), pledge_key(other, 1))
    assert MILESTONE_VOTE.reads(FAN.address, MilestoneVote(other, 1, True)) == keys
    assert DELIVERY_CONFIRM.reads(FAN.address, DeliveryConfirm(other, 1, True)) == keys


@pytest.mark.parametrize(("late", "days"), [(-5, 0), (0, 0), (1, 1), (DAY, 1), (DAY + 1, 2), (19 * DAY, 19)])
def test_begun_days_count_whole(late: int, days: int) -> None:
    due = Timestamp(1_000_000)
    assert days_late(Timestamp(due + late), due) == days
    assert days_late(Timestamp(due), Timestamp(0)) == 0


def test_stretch_goals_are_counted_at_settlement(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=1, goal=10, stretch=((20, "Blue"), (30, "Green")))
    shop.pledge(FAN, campaign_id, 29)
    shop.pass_days(1)
    assert [event.stretch for event in shop.chain.events if isinstance(event, CampaignSettled)] == [1]


def test_keep_it_all_is_funded_below_its_goal_but_not_by_nothing(shop: Shop) -> None:
    some = shop.create_campaign(days=1, goal=1_000, all_or_nothing=False)
    none = shop.create_campaign(days=1, goal=1_000, all_or_nothing=False)
    shop.pledge(FAN, some, 1)
    shop.pass_days(1)
    assert (shop.campaign(some).released, shop.campaign(some).status) == (1, DONE)
    assert shop.campaign(none).status == 2


def test_points_are_released_from_the_front_and_come_back_from_behind(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 100)
    shop.chain.advance(days=5)
    shop.earn(FAN, 100)
    deadline = shop.now + DAY
    milestones = (("Start", 6_000, 0), ("End", 4_000, deadline + DAY))
    campaign_id = shop.create_campaign(days=1, in_points=True, goal=1, milestones=milestones, grace_seconds=60)
    shop.pledge(FAN, campaign_id, 200)
    late = shop.today + 30
    shop.pass_days(1)
    assert (shop.books.escrowed, shop.books.redeemed) == (80, 120)
    shop.pass_days(3)
    shop.chain.mine()
    assert shop.campaign(campaign_id).status == OVERDUE
    assert [lot[2:] for lot in shop.member(FAN).lots] == [(late, 80)]
    assert (shop.books.escrowed, shop.books.redeemed) == (0, 120)


def test_a_share_may_be_nothing_and_all_of_them_are_everything(shop: Shop) -> None:
    """Of three units one is left: it goes to one of three backers of a unit each, and all three pledges end."""
    deadline = shop.now + DAY
    milestones = (("Start", 9_000, 0), ("End", 1_000, deadline + DAY))
    campaign_id = begin(shop, quantities=(1, 1, 1), milestones=milestones, grace_seconds=60)
    assert shop.campaign(campaign_id).escrowed == 1
    shop.pass_days(3)
    shop.chain.mine()
    events = [event for block in shop.chain.mined[-3:] for _, event in block.transition.events]
    assert [event.quantity for event in events if isinstance(event, PledgeRefunded)] == [0, 0, 1]
    assert shop.chain.state.chain.escrow == 0
