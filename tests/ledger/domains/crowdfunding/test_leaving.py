"""Late pledges, withdrawals, a creator that gives up, updates: who comes and goes while steps are taken."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.domains.crowdfunding.campaign_cancel import CAMPAIGN_CANCEL, NOTHING_LEFT, CampaignCancel
from ledger.domains.crowdfunding.campaign_post_update import (
    CAMPAIGN_POST_UPDATE,
    TOO_MANY_UPDATES,
    UPDATES_MAX,
    CampaignPostUpdate,
)
from ledger.domains.crowdfunding.events import (
    CampaignReleased,
    CampaignStopped,
    PledgeCancelled,
    Pledged,
    PledgeRefunded,
    PledgeWithdrawn,
    UpdatePosted,
)
from ledger.domains.crowdfunding.places import BAD_ADD_ONS, NO_TIER
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.pledge_cancel import NOT_PREPAID, PledgeCancel
from ledger.domains.crowdfunding.pledge_late import NOT_LATE, PLEDGE_LATE
from ledger.domains.crowdfunding.pledge_withdraw import NOT_REFUSED, PLEDGE_WITHDRAW, PledgeWithdraw
from ledger.domains.crowdfunding.state import (
    CANCELLED,
    FORMER_PLEDGES,
    NO_CAMPAIGN,
    NO_PLEDGE,
    NOT_BACKER,
    NOT_CREATOR,
    NOT_FUNDED,
    PLEDGES,
    REJECTED,
    WAITING,
    campaign_key,
    campaign_terms_key,
    former_pledge_key,
    pledge_key,
)
from ledger.domains.crowdfunding.steps import VOTE_OPEN
from ledger.errors import Malformed
from ledger.kinds import Call, Cost
from ledger.params import EXIT_WEIGHT
from ledger.state import Overlay
from ledger.transaction import Prepaid
from ledger.types import Amount, CampaignId, ProgramId, Timestamp, TxId
from tests.ledger.domains.crowdfunding.test_steps import DAY, begin
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, Shop, some_hash


def withdraw(shop: Shop, fan: Signer, campaign_id: CampaignId, number: int) -> None:
    shop.chain.send("pledge.withdraw", PledgeWithdraw(campaign_id, number), author=fan, payment=Prepaid())


def late(shop: Shop, fan: Signer, campaign_id: CampaignId, quantity: int, *, tier: int = 0) -> None:
    shop.chain.send("pledge.late", PledgeMake(campaign_id, quantity, tier), author=fan)


def give_up(shop: Shop, campaign_id: CampaignId, author: Signer = OWNER) -> None:
    shop.chain.send("campaign.cancel", CampaignCancel(campaign_id), author=author)


def test_who_says_no_takes_its_part_and_its_no_still_counts(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(500, 500), tiers=(("One", 1, 1),), retry_seconds=0)
    shop.submit(campaign_id)
    shop.vote(FAN, campaign_id, 0, approves=False)
    shop.vote(FRIEND, campaign_id, 1, approves=True)
    coin = shop.coin_of(FAN)
    withdraw(shop, FAN, campaign_id, 0)
    assert shop.chain.events == (PledgeWithdrawn(campaign_id, FAN.address, 0, 350),)
    assert shop.chain.events[0].subjects() == (FAN.address, campaign_id)
    assert shop.coin_of(FAN) == coin + 350, "what went to the creator keeps the pledge on record"
    former = shop.chain.record(former_pledge_key(campaign_id, 0))
    assert (former.backer, former.quantity, former.returned, former.prepaid) == (FAN.address, 500, 350, 0)
    record = shop.campaign(campaign_id)
    assert (record.weight, record.escrowed, record.returned, record.basis, record.no) == (500, 350, 350, 1_000, 500)
    shop.end_vote(campaign_id)
    shop.chain.mine()
    record = shop.campaign(campaign_id)
    assert (record.status, record.returned, record.escrowed) == (REJECTED, 700, 0), "a tie rejects"


def test_after_the_vote_a_no_still_leaves_until_the_next_submission(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(600, 300, 100))
    shop.submit(campaign_id)
    for fan, number in ((FRIEND, 1), (STRANGER, 2)):
        shop.vote(fan, campaign_id, number, approves=False)
    shop.vote(FAN, campaign_id, 0, approves=True)
    shop.end_vote(campaign_id)
    assert shop.campaign(campaign_id).escrowed == 400
    withdraw(shop, FRIEND, campaign_id, 1)
    assert shop.campaign(campaign_id).escrowed == 280
    shop.submit(campaign_id)
    with refused(NOT_REFUSED):
        withdraw(shop, STRANGER, campaign_id, 2)


def test_whoever_leaves_last_takes_the_rest(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(1, 1, 1))
    assert shop.campaign(campaign_id).escrowed == 3, "no unit is released before its time"
    shop.submit(campaign_id)
    for number, fan in enumerate((FAN, FRIEND, STRANGER)):
        shop.vote(fan, campaign_id, number, approves=False)
        withdraw(shop, fan, campaign_id, number)
    record = shop.campaign(campaign_id)
    assert (record.weight, record.escrowed, record.returned) == (0, 0, 3)


def test_a_share_of_nothing_moves_nothing(shop: Shop) -> None:
    deadline = shop.now + DAY
    milestones = (("Start", 9_999, 0), ("End", 1, deadline + 10 * DAY))
    campaign_id = begin(shop, quantities=(1, 99_999), milestones=milestones)
    assert shop.campaign(campaign_id).escrowed == 10
    shop.submit(campaign_id)
    shop.vote(FAN, campaign_id, 0, approves=False)
    withdraw(shop, FAN, campaign_id, 0)
    assert shop.chain.events == (PledgeWithdrawn(campaign_id, FAN.address, 0, 0),)


def test_withdrawn_points_are_those_that_live_longest(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 100)
    shop.chain.advance(days=5)
    shop.earn(FAN, 100)
    deadline = shop.now + DAY
    milestones = (("Start", 6_000, 0), ("End", 4_000, deadline + DAY))
    campaign_id = shop.create_campaign(days=1, in_points=True, goal=1, milestones=milestones)
    shop.pledge(FAN, campaign_id, 200)
    lives = shop.today + 30
    shop.pass_days(1)
    shop.submit(campaign_id)
    shop.vote(FAN, campaign_id, 0, approves=False)
    withdraw(shop, FAN, campaign_id, 0)
    assert [lot[2:] for lot in shop.member(FAN).lots] == [(lives, 80)]
    assert (shop.books.escrowed, shop.books.redeemed) == (0, 120)


def test_withdrawing_fails_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_CAMPAIGN):
        withdraw(shop, STRANGER, CampaignId(NOWHERE), 0)
    not_yet = shop.create_campaign()
    with refused(NO_PLEDGE):
        withdraw(shop, STRANGER, not_yet, 0)
    shop.pledge(FAN, not_yet, 5)
    with refused(NOT_BACKER):
        withdraw(shop, STRANGER, not_yet, 0)
    with refused(NOT_FUNDED, status="open"):
        withdraw(shop, FAN, not_yet, 0)
    campaign_id = begin(shop)
    with refused(NOT_REFUSED):
        withdraw(shop, FAN, campaign_id, 0)
    shop.submit(campaign_id)
    with refused(NOT_REFUSED):
        withdraw(shop, FAN, campaign_id, 0)
    shop.vote(FAN, campaign_id, 0, approves=True)
    with refused(NOT_REFUSED):
        withdraw(shop, FAN, campaign_id, 0)
    payload = PledgeWithdraw(campaign_id, 0)
    assert PLEDGE_WITHDRAW.reads(FAN.address, payload) == (campaign_key(campaign_id), pledge_key(campaign_id, 0))
    assert (PLEDGE_WITHDRAW.prepaid_weight, PLEDGE_WITHDRAW.waits_for_recovery) == (EXIT_WEIGHT, False)


def end(shop: Shop, fan: Signer, campaign_id: CampaignId, number: int, **how: Any) -> None:
    shop.chain.send("pledge.cancel", PledgeCancel(campaign_id, number), author=fan, **how)


def test_who_lost_something_stays_on_record_until_it_ends_that_itself(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(500, 500), retry_seconds=0)
    shop.submit(campaign_id)
    shop.vote(FAN, campaign_id, 0, approves=False)
    withdraw(shop, FAN, campaign_id, 0)
    deposit, coin = shop.chain.params.record_deposit, shop.coin_of(FAN)
    with refused(NOT_BACKER):
        end(shop, FRIEND, campaign_id, 0)
    with refused(NOT_PREPAID):
        end(shop, FAN, campaign_id, 0, payment=Prepaid())
    end(shop, FAN, campaign_id, 0)
    fee = shop.chain.mined[-1].transactions[0].weight * 2
    assert shop.chain.events == (PledgeCancelled(campaign_id, FAN.address, 0, 0),)
    assert shop.coin_of(FAN) == coin + deposit - fee
    assert shop.chain.record(former_pledge_key(campaign_id, 0)) is None
    with refused(NO_PLEDGE):
        end(shop, FAN, campaign_id, 0)


def test_a_refund_keeps_on_record_who_lost_something_and_its_end_is_prepaid(shop: Shop) -> None:
    campaign_id = begin(shop, quantities=(500, 500))
    prepaid = shop.chain.record(pledge_key(campaign_id, 1)).prepaid
    give_up(shop, campaign_id)
    shop.chain.mine()
    former = shop.chain.record(former_pledge_key(campaign_id, 1))
    assert (former.backer, former.quantity, former.returned, former.prepaid) == (FRIEND.address, 500, 350, prepaid)
    assert shop.chain.record(pledge_key(campaign_id, 1)) is None
    coin = shop.coin_of(FRIEND)
    end(shop, FRIEND, campaign_id, 1, payment=Prepaid())
    assert shop.coin_of(FRIEND) == coin + shop.chain.params.record_deposit
    assert shop.chain.state.table(FORMER_PLEDGES.prefix).keys() == {former_pledge_key(campaign_id, 0)}


def test_a_refund_of_all_leaves_nothing(shop: Shop) -> None:
    campaign_id = shop.create_campaign(goal=10_000)
    shop.pledge(FAN, campaign_id, 5)
    give_up(shop, campaign_id)
    shop.chain.mine()
    assert shop.chain.state.table(PLEDGES.prefix) == shop.chain.state.table(FORMER_PLEDGES.prefix) == {}


def lateable(shop: Shop, **terms: Any) -> CampaignId:
    return begin(shop, late_until=Timestamp(shop.now + 11 * DAY), **terms)


def test_of_a_late_pledge_the_same_part_is_released_as_of_all(shop: Shop) -> None:
    campaign_id = lateable(shop)
    coin = shop.coin_of(OWNER)
    late(shop, STRANGER, campaign_id, 101)
    assert shop.chain.events == (
        Pledged(campaign_id, STRANGER.address, 2, 101, 0, True),
        CampaignReleased(campaign_id, OWNER.address, ProgramId(b""), 1, 30, True),
    )
    assert shop.coin_of(OWNER) == coin + 30
    record = shop.campaign(campaign_id)
    assert (record.pledged, record.weight, record.escrowed, record.released) == (1_101, 1_101, 771, 330)
    late(shop, OWNER, campaign_id, 1)
    record = shop.campaign(campaign_id)
    assert (record.own_weight, record.escrowed) == (1, 772), "what is kept is rounded up"
    assert len(shop.chain.events) == 1


def test_late_points_lie_with_the_pledge_and_count_as_redeemed_in_part(shop: Shop) -> None:
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 100)
    shop.earn(FRIEND, 100)
    deadline = shop.now + DAY
    milestones = (("Start", 6_000, 0), ("End", 4_000, deadline + 5 * DAY))
    campaign_id = shop.create_campaign(
        days=1, in_points=True, goal=1, milestones=milestones, late_until=Timestamp(deadline + 5 * DAY)
    )
    shop.pledge(FAN, campaign_id, 100)
    shop.pass_days(1)
    late(shop, FRIEND, campaign_id, 50)
    assert (shop.books.escrowed, shop.books.redeemed) == (60, 90)
    give_up(shop, campaign_id)
    shop.chain.mine()
    assert (shop.points_of(FAN), shop.points_of(FRIEND), shop.books.escrowed) == (40, 70, 0)


def test_late_pledges_fail_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_CAMPAIGN):
        late(shop, STRANGER, CampaignId(NOWHERE), 5)
    never = begin(shop)
    with refused(NOT_LATE, late_until=0):
        late(shop, STRANGER, never, 5, tier=1)
    not_yet = shop.create_campaign()
    with refused(NOT_FUNDED, status="open"):
        late(shop, STRANGER, not_yet, 5)
    campaign_id = lateable(shop)
    until = shop.now - 1 + 10 * DAY
    with refused(NO_TIER, count=0, tier=1):
        late(shop, STRANGER, campaign_id, 5, tier=1)
    with refused(BAD_ADD_ONS, Malformed):
        shop.chain.send("pledge.late", PledgeMake(campaign_id, 5, 0, ((1, 1), (1, 1))), author=STRANGER)
    shop.submit(campaign_id)
    with refused(VOTE_OPEN):
        late(shop, STRANGER, campaign_id, 5, tier=1)
    shop.end_vote(campaign_id)
    shop.chain.block(time=until)
    assert PLEDGE_LATE.cost(PledgeMake(campaign_id, 5, 0)) == Cost(records=7, slots=1, due=1)
    assert PLEDGE_LATE.waits_for_recovery


def test_late_pledges_end_to_the_second(shop: Shop) -> None:
    campaign_id = lateable(shop)
    late_until = shop.chain.record(campaign_terms_key(campaign_id)).late_until
    shop.chain.block(time=late_until - 1)
    pledge = shop.chain.sign("pledge.late", PledgeMake(campaign_id, 5, 0), author=FAN)
    shop.chain.block(pledge, time=late_until)
    with refused(NOT_LATE, late_until=late_until):
        late(shop, FAN, campaign_id, 5)


def test_a_creator_gives_up_before_the_deadline(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=5)
    shop.pledge(FAN, campaign_id, 70)
    give_up(shop, campaign_id)
    assert shop.chain.events == (CampaignStopped(campaign_id, OWNER.address, CANCELLED, 0, 70),)
    assert shop.chain.events[0].subjects() == (campaign_id, OWNER.address)
    shop.chain.mine()
    assert shop.chain.events == (PledgeRefunded(campaign_id, FAN.address, 0, 70),)
    assert shop.chain.events[0].subjects() == (FAN.address, campaign_id)
    shop.pass_days(6)
    assert shop.campaign(campaign_id).status == CANCELLED, "its deadline decides nothing any more"


def test_a_creator_gives_up_during_a_vote(shop: Shop) -> None:
    campaign_id = begin(shop)
    shop.submit(campaign_id)
    give_up(shop, campaign_id)
    shop.chain.mine()
    record = shop.campaign(campaign_id)
    assert (record.status, record.returned, record.submitted_at) == (CANCELLED, 700, 0)


def test_a_campaign_that_nobody_backed_is_cancelled(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=5)
    give_up(shop, campaign_id)
    assert shop.campaign(campaign_id).status == CANCELLED


def test_giving_up_fails_in_the_documented_order(shop: Shop) -> None:
    with refused(NO_CAMPAIGN):
        give_up(shop, CampaignId(NOWHERE), STRANGER)
    campaign_id = shop.create_campaign(days=1, goal=5)
    with refused(NOT_CREATOR):
        give_up(shop, campaign_id, STRANGER)
    shop.pledge(FAN, campaign_id, 5)
    shop.pass_days(1)
    with refused(NOTHING_LEFT, status="done"):
        give_up(shop, campaign_id)
    deadline = shop.now + DAY
    all_released = begin(shop, milestones=(("All", 10_000, 0),), delivery_due=Timestamp(deadline + 5 * DAY))
    with refused(NOTHING_LEFT, status="funded"):
        give_up(shop, all_released)
    assert CAMPAIGN_CANCEL.reads(OWNER.address, CampaignCancel(campaign_id)) == (campaign_key(campaign_id),)


def waits(shop: Shop, campaign_id: CampaignId, kind: Any, payload: Any, author: Signer) -> None:
    """The kind is refused on a state in which the campaign's time is up and its due work was not done."""
    record = shop.campaign(campaign_id)
    overlay = Overlay(shop.chain.state)
    overlay.put(campaign_key(campaign_id), _up(record))
    call = Call(TxId(NOWHERE), author.address, b"", False, Amount(0))
    with refused(WAITING, until=1):
        kind.apply(overlay, call, payload, shop.chain.context)


def _up(record: Any) -> Any:
    return replace(record, until=Timestamp(1), until_height=0)


def test_between_a_time_and_its_work_nothing_is_done(shop: Shop) -> None:
    campaign_id = lateable(shop)
    waits(shop, campaign_id, CAMPAIGN_CANCEL, CampaignCancel(campaign_id), OWNER)
    waits(shop, campaign_id, PLEDGE_WITHDRAW, PledgeWithdraw(campaign_id, 0), FAN)
    waits(shop, campaign_id, PLEDGE_LATE, PledgeMake(campaign_id, 5, 0), FAN)


def test_updates_are_counted(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=5)
    text_hash = some_hash("We have a mould.")
    with refused(NO_CAMPAIGN):
        shop.chain.send("campaign.post_update", CampaignPostUpdate(CampaignId(NOWHERE), text_hash), author=FAN)
    with refused(NOT_CREATOR):
        shop.chain.send("campaign.post_update", CampaignPostUpdate(campaign_id, text_hash), author=FAN)
    for number in (1, 2):
        shop.chain.send("campaign.post_update", CampaignPostUpdate(campaign_id, text_hash), author=OWNER)
        assert shop.chain.events == (UpdatePosted(campaign_id, OWNER.address, number, text_hash),)
    assert shop.chain.events[0].subjects() == (campaign_id, OWNER.address)
    assert shop.campaign(campaign_id).updates == 2
    payload = CampaignPostUpdate(campaign_id, text_hash)
    assert CAMPAIGN_POST_UPDATE.reads(OWNER.address, payload) == (campaign_key(campaign_id),)


def test_updates_end_where_numbers_do(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=5)
    overlay = Overlay(shop.chain.state)
    overlay.put(campaign_key(campaign_id), replace(shop.campaign(campaign_id), updates=UPDATES_MAX))
    call = Call(TxId(NOWHERE), OWNER.address, b"", False, Amount(0))
    with refused(TOO_MANY_UPDATES, count=UPDATES_MAX):
        CAMPAIGN_POST_UPDATE.apply(overlay, call, CampaignPostUpdate(campaign_id, some_hash("x")), shop.chain.context)


@pytest.mark.parametrize("kind", [CAMPAIGN_CANCEL, CAMPAIGN_POST_UPDATE])
def test_what_a_creator_does_touches_its_campaign(kind: Any) -> None:
    assert kind.cost(None).slots == 0
