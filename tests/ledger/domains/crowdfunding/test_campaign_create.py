"""`campaign.create`: terms that freeze when it is made."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.campaign_create import (
    BAD_DEADLINE,
    CAMPAIGN_CREATE,
    DURATION_DAYS_MAX,
    CampaignCreate,
    CampaignCreated,
)
from ledger.domains.crowdfunding.settlement import DEADLINE_BLOCKS_MIN, SETTLE_DUE
from ledger.domains.crowdfunding.state import OPEN, CoinUnit, PointsUnit
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import NO_PROGRAM, program_key
from ledger.types import Amount, ProgramId, Timestamp
from tests.support.due_queue import queued
from tests.support.memory_chain import DAY_SECONDS, Scenario
from tests.support.refusal import refused
from tests.support.shop import FAN, NOWHERE, OWNER, POOR, Shop


def campaign(chain: Scenario, *, seconds: int = DAY_SECONDS) -> CampaignCreate:
    return CampaignCreate("Lamp", CoinUnit(), 1_000, Timestamp(chain.time + seconds), (("Early", 10, 2),))


def test_a_campaign_opens(shop: Shop) -> None:
    height, deadline = shop.chain.height, Timestamp(shop.now + 7 * DAY_SECONDS)
    campaign_id = shop.create_campaign(author=FAN, goal=500, days=7, tiers=(("Early", 10, 2), ("Any", 1, 0)))
    assert shop.chain.events == (CampaignCreated(campaign_id, FAN.address, "Lamp", 500, deadline),)
    assert shop.chain.events[0].subjects() == (campaign_id, FAN.address)
    record = shop.campaign(campaign_id)
    assert (record.status, record.taken, record.deadline_height) == (OPEN, (0, 0), height + DEADLINE_BLOCKS_MIN)
    assert (record.pledged, record.pledges, record.refunded, record.escrowed) == (0, 0, 0, 0)
    assert queued(shop.chain, SETTLE_DUE) == [(deadline, campaign_id, 0)]


@pytest.mark.parametrize("seconds", [0, -1, DURATION_DAYS_MAX * DAY_SECONDS + 1])
def test_a_deadline_that_has_passed_or_is_too_far_is_refused(chain: Scenario, seconds: int) -> None:
    deadline = chain.time + seconds
    with refused(BAD_DEADLINE, time=chain.time, deadline=deadline, days_max=DURATION_DAYS_MAX):
        chain.send("campaign.create", campaign(chain, seconds=seconds), author=FAN)


@pytest.mark.parametrize("seconds", [1, DURATION_DAYS_MAX * DAY_SECONDS])
def test_the_nearest_and_the_farthest_deadline(chain: Scenario, seconds: int) -> None:
    chain.send("campaign.create", campaign(chain, seconds=seconds), author=FAN)


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    send = shop.chain.send
    payload = replace(campaign(shop.chain, seconds=0), unit=PointsUnit(ProgramId(NOWHERE)))
    with refused(BAD_DEADLINE):
        send("campaign.create", payload, author=FAN)
    payload = replace(payload, deadline=Timestamp(shop.now + DAY_SECONDS))
    with refused(NO_PROGRAM):
        send("campaign.create", payload, author=FAN)
    payload = replace(payload, unit=PointsUnit(shop.program))
    with refused(NOT_OWNER):
        send("campaign.create", payload, author=FAN)
    send("transfer", Transfer(ToAccount(POOR.address), Amount(11_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        send("campaign.create", campaign(shop.chain), author=POOR)
    send("campaign.create", payload, author=OWNER)
    assert CAMPAIGN_CREATE.reads(OWNER.address, payload) == (program_key(shop.program),)
    assert CAMPAIGN_CREATE.reads(OWNER.address, campaign(shop.chain)) == ()


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=11_000)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.chain.send("campaign.create", campaign(shop.chain), author=OWNER, payment=shop.sponsored)
