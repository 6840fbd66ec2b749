"""What backers suffered elsewhere, tried over HTTP: no refund, a creator who is gone, votes that silence decides, parcels too late.

Nobody signs what time decides: after the last transaction of a story there are empty blocks only.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.http.app import create_app
from api.http.schemas.accounts import AccountAnswer, HistoryAnswer
from api.http.schemas.campaigns import AccountPledgesAnswer, CampaignAnswer, CampaignsAnswer, PledgesAnswer
from ledger.address import encode_address
from ledger.domains.crowdfunding.campaign_post_update import CampaignPostUpdate
from ledger.domains.crowdfunding.delivery_confirm import DeliveryConfirm
from ledger.domains.crowdfunding.milestone_submit import MilestoneSubmit
from ledger.domains.crowdfunding.milestone_vote import MilestoneVote
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.pledge_cancel import PledgeCancel
from ledger.domains.crowdfunding.pledge_withdraw import PledgeWithdraw
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit
from ledger.hashing import object_id
from ledger.transaction import OwnFee, Payment, Prepaid
from ledger.types import Amount, CampaignId, Timestamp, TxId
from tests.api.http.conftest import UNLIMITED, open_client
from tests.api.http.test_reading import read, read_all
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL, some_hash

pytestmark = pytest.mark.asyncio
DAY = DAY_SECONDS
MSGPACK = {"content-type": "application/msgpack"}
CREATOR, BACKERS = OWNER, (FAN, FRIEND, STRANGER)


class Story:
    """A creator and its backers, whose every act is sent over HTTP."""

    def __init__(self, shop: LiveShop, client: httpx2.AsyncClient) -> None:
        self.shop, self.client, self.chain = shop, client, shop.chain

    async def post(self, kind: str, payload: Any, author: Signer, payment: Payment | None = None) -> httpx2.Response:
        transaction = self.chain.sign(kind, payload, author=author, payment=payment)
        self.last = transaction.txid
        return await self.client.post("/v1/transactions", content=transaction.raw, headers=MSGPACK)

    async def send(self, kind: str, payload: Any, author: Signer, payment: Payment | None = None) -> TxId:
        """Send one transaction and mine it; returns its id."""
        response = await self.post(kind, payload, author, payment)
        assert response.status_code == 202, response.text
        self.chain.mine()
        return self.last

    async def refused(self, kind: str, payload: Any, author: Signer) -> dict[str, Any]:
        """Why the API refuses a transaction."""
        response = await self.post(kind, payload, author)
        assert response.status_code in (400, 422), response.text
        return response.json()

    async def open(self, *, days: int = 1, goal: int = 1, creator: Signer = CREATOR, **terms: Any) -> CampaignId:
        unit = PointsUnit(self.shop.program) if terms.pop("in_points", False) else CoinUnit()
        payload = CampaignTerms("A lamp", unit, goal, Timestamp(self.chain.time + days * DAY), **terms)
        return CampaignId(object_id("campaign", await self.send("campaign.create", payload, creator), 0))

    async def pledge(self, fan: Signer, campaign: CampaignId, quantity: int) -> None:
        await self.send("pledge", PledgeMake(campaign, quantity, 0), fan)

    async def campaign(self, campaign: CampaignId) -> dict[str, Any]:
        return await read(self.client, f"/v1/campaigns/{campaign.hex()}", CampaignAnswer)

    async def pledges(self, campaign: CampaignId) -> list[dict[str, Any]]:
        return await read_all(self.client, f"/v1/campaigns/{campaign.hex()}/pledges", PledgesAnswer, 50)

    async def events(self, campaign: CampaignId, name: str) -> list[dict[str, Any]]:
        """What happened under one name, the oldest first, and which of it somebody signed."""
        path = f"/v1/campaigns/{campaign.hex()}/history"
        page = await read(self.client, path, HistoryAnswer, event=name, limit=100)
        return page["items"][::-1]

    def text(self, signer: Signer) -> str:
        return encode_address(self.chain.params.address_prefix, signer.address)

    async def coin(self, signer: Signer) -> int:
        return (await read(self.client, f"/v1/accounts/{self.text(signer)}", AccountAnswer))["coin"]

    def pass_time(self, days: float) -> None:
        """Empty blocks."""
        self.chain.advance(seconds=round(days * DAY), blocks=8)
        self.chain.mine(2)

    async def pass_decision(self, campaign: CampaignId) -> None:
        """Empty blocks until the next decision was made."""
        decision = (await self.campaign(campaign))["next_decision"]
        self.chain.advance(seconds=max(decision["at"] - self.chain.time, 1), blocks=8)
        self.chain.mine(2)

    async def submit(self, campaign: CampaignId, step: int) -> None:
        await self.send("milestone.submit", MilestoneSubmit(campaign, step, some_hash("photo", step)), CREATOR)

    async def vote(self, fan: Signer, campaign: CampaignId, number: int, *, approves: bool) -> None:
        await self.send("milestone.vote", MilestoneVote(campaign, number, approves), fan)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LiveShop]:
    found = LiveShop(tmp_path / "data")
    yield found
    found.close()


@pytest_asyncio.fixture
async def story(shop: LiveShop) -> Any:
    app = create_app(shop.node, UNLIMITED)
    async with open_client(app) as client:
        yield Story(shop, client)
    app.state.services.close()


def thirty_thirty_forty(story: Story, **more: Any) -> dict[str, Any]:
    deadline = story.chain.time + DAY
    milestones = (("Start", 3_000, 0), ("Mould", 3_000, deadline + 10 * DAY), ("Series", 4_000, deadline + 20 * DAY))
    times = {"grace_seconds": 5 * DAY, "vote_seconds": 2 * DAY, "retry_seconds": 3 * DAY}
    return {"milestones": milestones, **times, **more}


async def test_a_goal_of_1000_with_999_pledged_refunds_every_backer_with_no_signature(story: Story) -> None:
    before = {fan: await story.coin(fan) for fan in BACKERS}
    campaign = await story.open(goal=1_000, milestones=(("All", 10_000, story.chain.time + 9 * DAY),))
    spent = dict.fromkeys(BACKERS, 0)
    for fan, quantity in zip(BACKERS, (500, 499 - 100, 100), strict=True):
        await story.pledge(fan, campaign, quantity)
        spent[fan] = before[fan] - await story.coin(fan) - quantity
    shown = await story.campaign(campaign)
    assert (shown["status"], shown["pledged"], shown["escrowed"]) == ("open", 999, 999)
    assert "999 of 1000 pledged" in shown["says"]
    await story.pass_decision(campaign)
    shown = await story.campaign(campaign)
    assert (shown["status"], shown["escrowed"], shown["returned"], shown["weight"]) == ("failed", 0, 999, 0)
    assert "every pledge goes back by itself" in shown["says"]
    refunds = await story.events(campaign, "pledge.refunded")
    assert [event["data"]["quantity"] for event in refunds] == [500, 399, 100]
    assert all(event["txid"] is None for event in refunds), "no transaction caused it"
    assert all(item["ended"] for item in await story.pledges(campaign))
    deposit = story.chain.params.record_deposit
    for fan in BACKERS:
        assert await story.coin(fan) == before[fan] - spent[fan] + deposit, "all of it, and the deposit"


async def test_in_the_last_day_a_goal_exceeded_by_10_gives_10_back_and_not_11(story: Story) -> None:
    campaign = await story.open(goal=1_000, days=3)
    for quantity in (989, 11, 10):
        await story.pledge(FAN, campaign, quantity)
    decision = (await story.campaign(campaign))["next_decision"]
    story.chain.advance(seconds=decision["at"] - DAY - story.chain.time)
    problem = await story.refused("pledge.cancel", PledgeCancel(campaign, 1), FAN)
    assert problem["code"] == "pledge.goal_reached"
    assert "999 would be pledged" in problem["detail"]
    await story.send("pledge.cancel", PledgeCancel(campaign, 2), FAN, Prepaid())
    await story.pass_decision(campaign)
    shown = await story.campaign(campaign)
    assert (shown["status"], shown["released"]) == ("done", 1_000)


async def test_the_second_of_30_30_40_rejected_gives_70_percent_back_to_the_unit(story: Story) -> None:
    campaign = await story.open(**thirty_thirty_forty(story))
    for fan, quantity in zip(BACKERS, (333, 333, 334), strict=True):
        await story.pledge(fan, campaign, quantity)
    await story.pass_decision(campaign)
    for attempt in (1, 2):
        await story.submit(campaign, 1)
        for number, fan in enumerate(BACKERS):
            await story.vote(fan, campaign, number, approves=False)
        vote = (await story.campaign(campaign))["vote"]
        assert (vote["attempt"], vote["no"], vote["basis"], vote["would_be_accepted"]) == (attempt, 1_000, 1_000, False)
        await story.pass_decision(campaign)
    shown = await story.campaign(campaign)
    assert (shown["status"], shown["released"], shown["returned"], shown["escrowed"]) == ("rejected", 300, 700, 0)
    refunds = await story.events(campaign, "pledge.refunded")
    assert [event["data"]["quantity"] for event in refunds] == [233, 233, 234]
    assert [step["state"] for step in shown["steps"]] == ["accepted", "never reached", "never reached"]


async def test_who_says_no_leaves_with_its_part_and_pays_nothing(story: Story) -> None:
    campaign = await story.open(**thirty_thirty_forty(story))
    for fan, quantity in zip(BACKERS, (600, 300, 100), strict=True):
        await story.pledge(fan, campaign, quantity)
    await story.pass_decision(campaign)
    problem = await story.refused("pledge.withdraw", PledgeWithdraw(campaign, 1), FRIEND)
    assert problem["code"] == "pledge.not_refused"
    await story.submit(campaign, 1)
    await story.vote(FRIEND, campaign, 1, approves=False)
    page = await read(story.client, f"/v1/accounts/{story.text(FRIEND)}/pledges", AccountPledgesAnswer)
    (own,) = page["items"]
    assert (own["vote"], own["may_withdraw"], own["would_get_back"], own["quantity"]) == ("no", True, 210, 300)
    assert own["open_vote"]["title"] == "Mould"
    coin = await story.coin(FRIEND)
    await story.send("pledge.withdraw", PledgeWithdraw(campaign, 1), FRIEND, Prepaid())
    assert await story.coin(FRIEND) == coin + 210
    page = await read(story.client, f"/v1/accounts/{story.text(FRIEND)}/pledges", AccountPledgesAnswer)
    assert [(item["ended"], item["on_record"]) for item in page["items"]] == [(True, True)], "90 went to the creator"
    await story.send("pledge.cancel", PledgeCancel(campaign, 1), FRIEND)
    page = await read(story.client, f"/v1/accounts/{story.text(FRIEND)}/pledges", AccountPledgesAnswer)
    assert [(item["ended"], item["on_record"]) for item in page["items"]] == [(True, False)]
    await story.vote(FAN, campaign, 0, approves=True)
    await story.pass_decision(campaign)
    shown = await story.campaign(campaign)
    assert [step["state"] for step in shown["steps"]] == ["accepted", "accepted", "next"]
    assert (shown["released"], shown["returned"], shown["escrowed"]) == (510, 210, 280)


@pytest.mark.parametrize(("silence_approves", "released"), [(True, 1_000), (False, 300)])
async def test_nobody_votes_and_silence_means_what_was_declared(
    story: Story, silence_approves: bool, released: int
) -> None:
    campaign = await story.open(**thirty_thirty_forty(story, silence_approves=silence_approves, retry_seconds=0))
    await story.pledge(FAN, campaign, 1_000)
    shown = await story.campaign(campaign)
    assert shown["silence"] == ("approves" if silence_approves else "rejects")
    await story.pass_decision(campaign)
    for step in (1, 2):
        if (await story.campaign(campaign))["status"] == "funded":
            await story.submit(campaign, step)
            await story.pass_decision(campaign)
    shown = await story.campaign(campaign)
    assert (shown["status"], shown["released"]) == ("done" if silence_approves else "rejected", released)
    assert shown["returned"] == 1_000 - released


async def test_a_creator_who_disappears(story: Story) -> None:
    story.shop.join(FAN)
    story.shop.earn(FAN, 500)
    campaign = await story.open(in_points=True, **thirty_thirty_forty(story))
    await story.pledge(FAN, campaign, 500)
    await story.pass_decision(campaign)
    assert 'The creator shows "Mould" by ' in (await story.campaign(campaign))["says"]
    story.pass_time(20)
    shown = await story.campaign(campaign)
    assert (shown["status"], shown["released"], shown["returned"]) == ("overdue", 150, 350)
    account = await read(story.client, f"/v1/accounts/{story.text(FAN)}", AccountAnswer)
    assert account["programs"][0]["available"] == 350
    assert [item["on_record"] for item in await story.pledges(campaign)] == [True], (
        "who lost something keeps its standing"
    )
    page = await read(story.client, f"/v1/accounts/{story.text(CREATOR)}/campaigns", CampaignsAnswer)
    assert [item["status"] for item in page["items"]] == ["overdue"], "everybody sees what became of it"


async def test_a_thousand_pledges_of_one_unit_delay_nobody_elses_refund(story: Story) -> None:
    crowded = await story.open(goal=10**6)
    for start in range(0, 1_000, 250):
        for _ in range(start, start + 250):
            payload = PledgeMake(crowded, 1, 0)
            transaction = story.chain.sign("pledge", payload, author=STRANGER, payment=OwnFee(Amount(5_000)))
            story.chain.submit(transaction)
        story.chain.mine()
    small = await story.open(creator=TILL, goal=10)
    await story.pledge(FAN, small, 9)
    decision = (await story.campaign(small))["next_decision"]
    story.chain.advance(seconds=decision["at"] - story.chain.time, blocks=7)
    story.chain.mine(1)
    assert (await story.campaign(small))["returned"] == 9, "in the first block after its deadline"
    story.chain.mine(1)
    shown = await story.campaign(crowded)
    assert (shown["status"], shown["returned"], shown["pledges"]) == ("failed", 1_000, 1_000)


async def test_a_delivery_19_days_late_reads_19_for_ever(story: Story) -> None:
    deadline = story.chain.time + DAY
    campaign = await story.open(
        milestones=(("Start", 6_000, 0),),
        reserve=4_000,
        delivery_due=Timestamp(deadline + 10 * DAY),
        grace_seconds=30 * DAY,
        vote_seconds=2 * DAY,
    )
    await story.pledge(FAN, campaign, 100)
    await story.pass_decision(campaign)
    await story.send("campaign.post_update", CampaignPostUpdate(campaign, some_hash("It will be late.")), CREATOR)
    story.chain.advance(seconds=deadline + (10 + 19) * DAY - story.chain.time - 120, blocks=8)
    await story.submit(campaign, 1)
    problem = await story.refused("milestone.vote", MilestoneVote(campaign, 0, approves=True), FAN)
    assert problem["code"] == "milestone.is_delivery"
    await story.send("delivery.confirm", DeliveryConfirm(campaign, 0, received=True), FAN)
    await story.pass_decision(campaign)
    shown = await story.campaign(campaign)
    assert (shown["status"], shown["late_days"], shown["released"], shown["updates"]) == ("done", 19, 100, 1)
    assert shown["says"] == "Delivered 19 days late, as its backers confirmed."
    (done,) = await story.events(campaign, "campaign.done")
    assert done["data"]["late_days"] == 19
    (decided,) = await story.events(campaign, "milestone.decided")
    assert (decided["data"]["late_days"], decided["data"]["is_delivery"]) == (19, True)
    assert len(await story.events(campaign, "campaign.update_posted")) == 1


async def test_a_late_pledge_stands_as_all_others_do(story: Story) -> None:
    late_until = Timestamp(story.chain.time + DAY + 9 * DAY)
    campaign = await story.open(**thirty_thirty_forty(story, late_until=late_until))
    await story.pledge(FAN, campaign, 100)
    await story.pass_decision(campaign)
    await story.send("pledge.late", PledgeMake(campaign, 50, 0), FRIEND)
    shown = await story.campaign(campaign)
    assert (shown["pledged"], shown["escrowed"], shown["released"]) == (150, 105, 45)
    first, second = await story.pledges(campaign)
    assert (first["would_get_back"], second["would_get_back"]) == (70, 35)
    assert (first["late"], second["late"]) == (False, True)
