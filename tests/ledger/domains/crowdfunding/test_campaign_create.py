"""`campaign.create`: terms that freeze when it is made."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.campaign_create import BAD_DEADLINE, CAMPAIGN_CREATE, TOO_LONG
from ledger.domains.crowdfunding.decisions import DEADLINE_BLOCKS_MIN
from ledger.domains.crowdfunding.events import CampaignCreated
from ledger.domains.crowdfunding.state import OPEN, campaign_terms_key
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit
from ledger.domains.loyalty.program_sunset import PROGRAM_CLOSED, ProgramSunset
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import NO_PROGRAM, program_key
from ledger.errors import Malformed
from ledger.kinds import Cost
from ledger.params import CAMPAIGN_DUE_SECONDS_MAX, CAMPAIGN_SECONDS_MAX
from ledger.types import Amount, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Scenario
from tests.support.refusal import refused
from tests.support.shop import FAN, NOWHERE, OWNER, POOR, Shop


def campaign(chain: Scenario, *, seconds: int = DAY_SECONDS) -> CampaignTerms:
    return CampaignTerms("Lamp", CoinUnit(), 1_000, Timestamp(chain.time + seconds), (("Early", 10, 2),))


def test_a_campaign_opens(shop: Shop) -> None:
    height, deadline = shop.chain.height, Timestamp(shop.now + 7 * DAY_SECONDS)
    campaign_id = shop.create_campaign(author=FAN, goal=500, days=7, tiers=(("Early", 10, 2), ("Any", 1, 0)))
    assert shop.chain.events == (CampaignCreated(campaign_id, FAN.address, "Lamp", 500, deadline, ProgramId(b"")),)
    assert shop.chain.events[0].subjects() == (campaign_id, FAN.address)
    record = shop.campaign(campaign_id)
    assert (record.status, record.taken, record.until_height) == (OPEN, (0, 0), height + DEADLINE_BLOCKS_MIN)
    assert (record.until, record.shares_left, record.unit) == (deadline, 10_000, CoinUnit())
    terms: CampaignTerms = shop.chain.record(campaign_terms_key(campaign_id))
    assert (terms.title, terms.goal, terms.deadline) == ("Lamp", 500, deadline)


@pytest.mark.parametrize("seconds", [0, -1, CAMPAIGN_SECONDS_MAX + 1])
def test_a_deadline_that_has_passed_or_is_too_far_is_refused(chain: Scenario, seconds: int) -> None:
    with refused(BAD_DEADLINE, now=chain.time, deadline=chain.time + seconds):
        chain.send("campaign.create", campaign(chain, seconds=seconds), author=FAN)


@pytest.mark.parametrize("seconds", [1, CAMPAIGN_SECONDS_MAX])
def test_the_nearest_and_the_farthest_deadline(chain: Scenario, seconds: int) -> None:
    chain.send("campaign.create", campaign(chain, seconds=seconds), author=FAN)


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    send = shop.chain.send
    payload = replace(campaign(shop.chain, seconds=0), unit=PointsUnit(ProgramId(NOWHERE)))
    with refused(BAD_DEADLINE):
        send("campaign.create", payload, author=FAN)
    payload = replace(payload, deadline=Timestamp(shop.now + DAY_SECONDS))
    late = Timestamp(shop.now + CAMPAIGN_DUE_SECONDS_MAX + 1)
    with refused(TOO_LONG, last=late, latest=late - 1):
        send("campaign.create", replace(payload, delivery_due=late), author=FAN)
    with refused(NO_PROGRAM):
        send("campaign.create", payload, author=FAN)
    payload = replace(payload, unit=PointsUnit(shop.program))
    with refused(NOT_OWNER):
        send("campaign.create", payload, author=FAN)
    with refused(NOT_OWNER):
        licensed = replace(payload, unit=PointsUnit(shop.program, FAN.address))
        send("campaign.create", licensed, author=OWNER, cosigners=(FAN,))
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


def test_the_farthest_delivery(shop: Shop) -> None:
    payload = replace(campaign(shop.chain), delivery_due=Timestamp(shop.now + CAMPAIGN_DUE_SECONDS_MAX))
    shop.chain.send("campaign.create", payload, author=FAN)


def test_a_closed_programs_points_fund_nothing(shop: Shop) -> None:
    shop.chain.send("program.sunset", ProgramSunset(shop.program, Timestamp(shop.now + 10 * DAY_SECONDS)), author=OWNER)
    shop.chain.advance(days=40)
    with refused(PROGRAM_CLOSED):
        shop.create_campaign(in_points=True)


def test_a_licensed_voucher_needs_the_programs_owner_as_second_witness(shop: Shop) -> None:
    unit = PointsUnit(shop.program, OWNER.address)
    payload = replace(campaign(shop.chain), unit=unit)
    shop.chain.send("campaign.create", payload, author=FAN, cosigners=(OWNER,))
    (event,) = shop.chain.events
    assert isinstance(event, CampaignCreated)
    assert event.program == shop.program
    assert event.subjects() == (event.campaign, FAN.address, shop.program)
    assert shop.campaign(event.campaign).unit == unit
    with pytest.raises(Malformed):
        shop.chain.send("campaign.create", payload, author=FAN)


def test_every_decision_is_paid_for_in_advance(shop: Shop) -> None:
    assert CAMPAIGN_CREATE.cost(campaign(shop.chain)) == Cost(records=4, slots=3, due=14)
