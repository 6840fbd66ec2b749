"""What happens at the deadline with nobody's signature: release or refunds, and nobody waits for another campaign's thousands."""

import pytest

from ledger.domains.crowdfunding.events import CampaignDone, CampaignReleased, CampaignSettled, PledgeRefunded
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.state import DONE, FAILED, FUNDED, OPEN, PLEDGES, pledge_key
from ledger.params import DUE_CHUNK, EXIT_WEIGHT
from ledger.state import Overlay
from ledger.transaction import OwnFee, Transaction
from ledger.transition import run_due_work
from ledger.types import Amount, CampaignId, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Scenario, sim_params
from tests.support.shop import FAN, FRIEND, OWNER, POOR, STRANGER, Shop
from tests.support.shop import FUNDED as RICH

NO_PROGRAM = ProgramId(b"")


def test_a_funded_campaign_pays_its_creator(shop: Shop) -> None:
    campaign_id = shop.create_campaign(goal=500, days=1)
    shop.pledge(FAN, campaign_id, 500)
    coin = shop.coin_of(OWNER)
    shop.pass_days(1)
    assert shop.chain.events == (
        CampaignSettled(campaign_id, OWNER.address, FUNDED, 500, 0),
        CampaignReleased(campaign_id, OWNER.address, NO_PROGRAM, 0, 500, False),
        CampaignDone(campaign_id, OWNER.address, Timestamp(0), 0),
    )
    assert {event.subjects() for event in shop.chain.events} == {(campaign_id, OWNER.address)}
    assert shop.coin_of(OWNER) == coin + 500
    record = shop.campaign(campaign_id)
    assert (record.status, record.pledged, record.escrowed, record.released) == (DONE, 500, 0, 500)
    assert (record.step, record.shares_left, record.late_days) == (1, 0, (0,))
    assert shop.chain.record(pledge_key(campaign_id, 0)) is not None, "the pledge shows what was backed"


def test_a_campaign_one_unit_short_refunds_everybody(shop: Shop) -> None:
    campaign_id = shop.create_campaign(goal=500, days=1)
    before = shop.coin_of(FAN)
    transaction_fee = 2 * shop.chain.sign("pledge", make(campaign_id, 499), author=FAN).weight
    shop.pledge(FAN, campaign_id, 499)
    shop.pass_days(1)
    assert shop.chain.events == (
        CampaignSettled(campaign_id, OWNER.address, FAILED, 499, 0),
        PledgeRefunded(campaign_id, FAN.address, 0, 499),
    )
    assert shop.chain.events[1].subjects() == (FAN.address, campaign_id)
    prepaid = EXIT_WEIGHT * shop.chain.params.fee_rate_min
    assert shop.coin_of(FAN) == before - transaction_fee - prepaid
    record = shop.campaign(campaign_id)
    assert (record.status, record.pledged, record.escrowed, record.returned) == (FAILED, 499, 0, 499)
    assert shop.chain.record(pledge_key(campaign_id, 0)) is None


def test_a_campaign_without_pledges_just_ends(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=1)
    shop.pass_days(1)
    assert shop.chain.events == (CampaignSettled(campaign_id, OWNER.address, FAILED, 0, 0),)
    assert shop.campaign(campaign_id).status == FAILED


def test_points_of_a_funded_campaign_count_as_redeemed(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 500)
    campaign_id = shop.create_campaign(in_points=True, goal=300, days=1)
    shop.pledge(FAN, campaign_id, 300)
    shop.pass_days(1)
    assert (shop.books.escrowed, shop.books.redeemed, shop.books.available) == (0, 300, 200)
    released = CampaignReleased(campaign_id, OWNER.address, shop.program, 0, 300, False)
    assert released in shop.chain.events, "it names the creator, whom the program's owner owes"
    assert released.subjects() == (campaign_id, OWNER.address, shop.program)


def test_points_of_a_failed_campaign_go_back_to_their_lots(shop: Shop) -> None:
    shop.join(FAN, POOR)
    shop.earn(FAN, 500)
    shop.earn(POOR, 50)
    lots = shop.member(FAN).lots
    campaign_id = shop.create_campaign(in_points=True, goal=1_000, days=7)
    pool = shop.books.pool
    shop.pledge(FAN, campaign_id, 300)
    shop.pledge(POOR, campaign_id, 20, payment=shop.sponsored)
    spent = pool - shop.books.pool
    shop.pass_days(7)
    assert (shop.books.escrowed, shop.points_of(FAN), shop.points_of(POOR)) == (0, 500, 50)
    assert shop.member(FAN).lots == lots
    assert shop.books.pool == pool - spent + 10_000


def test_points_that_expired_in_escrow_come_back_with_the_grace(shop: Shop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 500)
    campaign_id = shop.create_campaign(in_points=True, goal=1_000, days=40)
    shop.pledge(FAN, campaign_id, 300)
    shop.pass_days(40)
    assert (shop.books.expired, shop.points_of(FAN)) == (200, 300)
    assert shop.member(FAN).lots[0][2] == shop.today + 14


def test_a_deadline_in_an_outage_waits_for_its_blocks(shop: Shop) -> None:
    campaign_id = shop.create_campaign(days=1, goal=5)
    shop.pledge(FAN, campaign_id, 5)
    record = shop.campaign(campaign_id)
    shop.chain.block(time=record.until)
    while shop.chain.height < record.until_height:
        shop.chain.mine()
        assert shop.campaign(campaign_id).status == OPEN
    shop.chain.mine()
    assert shop.campaign(campaign_id).status == DONE


def make(campaign_id: CampaignId, quantity: int) -> PledgeMake:
    return PledgeMake(campaign_id, quantity, 0)


def sign_one(chain: Scenario, campaign_id: CampaignId) -> Transaction:
    return chain.sign("pledge", make(campaign_id, 1), author=STRANGER, payment=OwnFee(Amount(5_000)))


def fill(chain: Scenario, campaign_id: CampaignId, count: int) -> None:
    """`count` pledges of one unit, many in a block."""
    for start in range(0, count, 500):
        pledges = [sign_one(chain, campaign_id) for _ in range(min(500, count - start))]
        chain.block(*pledges)


@pytest.mark.parametrize("count", [DUE_CHUNK, DUE_CHUNK + 1, 3 * DUE_CHUNK])
def test_refunds_come_in_chunks(shop: Shop, count: int) -> None:
    campaign_id = shop.create_campaign(days=1)
    fill(shop.chain, campaign_id, count)
    shop.pass_days(1)
    numbers = [event.number for event in shop.chain.events if isinstance(event, PledgeRefunded)]
    assert numbers == list(range(count))
    assert shop.chain.state.table(PLEDGES.prefix) == {}


def test_due_work_counts_the_pledges_that_a_piece_gives_back() -> None:
    """Fifteen campaigns with a pledge each are as much work as one with fifteen, and hold up the queue no longer."""
    params = sim_params(*(signer.address for signer in RICH), due_weight_max=15_000)
    shop = Shop(params=params)
    campaigns = [shop.create_campaign(days=1) for _ in range(15)]
    for campaign_id in campaigns:
        shop.pledge(FAN, campaign_id, 1)
    shop.chain.mine(6)
    shop.chain.block(time=shop.campaign(campaigns[-1]).until)
    shop.chain.mine()
    assert [shop.campaign(campaign_id).returned for campaign_id in campaigns] == [1] * 15


def test_a_thousand_pledges_of_one_unit_delay_nobody_elses_refund() -> None:
    """The queue is served in turn: the second campaign's only refund comes after one chunk of the first campaign's 1,000."""
    params = sim_params(*(signer.address for signer in RICH), due_weight_max=20_800, block_weight_max=10**8)
    shop = Shop(params=params)
    crowded = shop.create_campaign(days=1, goal=10**6)
    fill(shop.chain, crowded, 1_000)
    small = shop.create_campaign(author=FRIEND, days=1, goal=10)
    shop.pledge(FAN, small, 9)
    shop.chain.mine(6)
    later = shop.campaign(small).until
    assert later < shop.campaign(crowded).until + DAY_SECONDS
    shop.chain.block(time=later)
    shop.chain.mine()
    assert (shop.campaign(crowded).status, shop.campaign(small).status) == (FAILED, FAILED)
    for _ in range(2):
        shop.chain.mine()
    assert shop.campaign(small).returned == 9
    assert DUE_CHUNK <= shop.campaign(crowded).returned <= 6 * DUE_CHUNK
    refunded = shop.campaign(crowded).returned
    assert run_due_work(Overlay(shop.chain.state), shop.chain.context) == 2, "two chunks fit into a block"
    shop.chain.mine(-(-(1_000 - refunded) // (2 * DUE_CHUNK)))
    assert shop.campaign(crowded).returned == 1_000
    assert shop.chain.state.chain.escrow == 0
