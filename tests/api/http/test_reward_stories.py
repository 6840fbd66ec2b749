"""What people suffered elsewhere, tried over HTTP: double refunds, prices that rise overnight, a retry that posts twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.http.app import create_app
from api.http.schemas.accounts import AccountAnswer
from api.http.schemas.programs import LiabilityAnswer, RewardsAnswer
from api.http.schemas.redemptions import RedemptionAnswer, RedemptionsAnswer
from ledger.address import encode_address
from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.redeem_refund import RedeemRefund
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import Limit, Window
from ledger.hashing import object_id
from ledger.transaction import Payment, Prepaid
from ledger.types import FulfilmentId, HoldId, Points, ProgramId, RewardId, Timestamp, TxId
from tests.api.http.conftest import UNLIMITED, open_client
from tests.api.http.test_reading import read, read_all
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.shop import FAN, FRIEND, OWNER, TILL, make_terms, some_hash

pytestmark = pytest.mark.asyncio
NOTICE = 10 * DAY_SECONDS
MSGPACK = {"content-type": "application/msgpack"}


class Story:
    """A shop whose every act is sent over HTTP; the fan has 1,000 points."""

    def __init__(self, shop: LiveShop, client: httpx2.AsyncClient) -> None:
        self.shop, self.client = shop, client
        self.program = shop.program.hex()

    async def send(self, kind: str, payload: Any, author: Signer, payment: Payment | None = None) -> TxId:
        """Send one transaction and mine it; returns its id."""
        transaction = self.shop.chain.sign(kind, payload, author=author, payment=payment)
        response = await self.client.post("/v1/transactions", content=transaction.raw, headers=MSGPACK)
        assert response.status_code == 202, response.text
        self.shop.chain.mine()
        return transaction.txid

    async def refused(self, kind: str, payload: Any, author: Signer) -> str:
        """Why the API refuses a transaction."""
        transaction = self.shop.chain.sign(kind, payload, author=author)
        response = await self.client.post("/v1/transactions", content=transaction.raw, headers=MSGPACK)
        assert response.status_code in (400, 422), response.text
        return response.json()["code"]

    async def offer(self, *, price: int = 100, stock: int = 10, **options: Any) -> RewardId:
        payload = RewardList(self.shop.program, "Coffee", Points(price), stock, **options)
        return RewardId(object_id("reward", await self.send("reward.list", payload, OWNER), 0))

    async def redeem(self, reward: RewardId, units: int = 1, accepted: int = 100) -> HoldId:
        payload = Redeem(self.shop.program, reward, units, Points(accepted))
        return HoldId(object_id("hold", await self.send("redeem", payload, FAN), 0))

    async def reward(self, wanted: RewardId) -> dict[str, Any]:
        page = await read(self.client, f"/v1/programs/{self.program}/rewards", RewardsAnswer)
        return next(item for item in page["items"] if item["id"] == wanted.hex())

    async def redemption(self, hold: HoldId) -> dict[str, Any]:
        return await read(self.client, f"/v1/redemptions/{hold.hex()}", RedemptionAnswer)

    async def standing(self) -> tuple[int, int]:
        """What the fan has available, and what is held."""
        address = encode_address(self.shop.chain.params.address_prefix, FAN.address)
        answer = await read(self.client, f"/v1/accounts/{address}", AccountAnswer)
        return answer["programs"][0]["available"], answer["programs"][0]["held"]

    async def books(self) -> dict[str, int]:
        answer = await read(self.client, f"/v1/programs/{self.program}/liability", LiabilityAnswer)
        return answer["books"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LiveShop]:
    found = LiveShop(tmp_path / "data", refund_days=7, hold_seconds=DAY_SECONDS)
    found.join(FAN, FRIEND)
    found.earn(FAN, 1_000)
    yield found
    found.close()


@pytest_asyncio.fixture
async def story(shop: LiveShop) -> Any:
    app = create_app(shop.node, UNLIMITED)
    async with open_client(app) as client:
        yield Story(shop, client)
    app.state.services.close()


async def test_double_refund(story: Story) -> None:
    hold = await story.redeem(await story.offer(), 2)
    txid = await story.send("redeem.fulfil", RedeemFulfil(hold, 2), TILL)
    assert await story.standing() == (800, 0)
    (item,) = (await story.redemption(hold))["fulfilments"]
    assert (item["quantity"], item["refundable"], item["refunded"]) == (2, 2, 0)
    fulfilment = FulfilmentId(object_id("fulfilment", txid, 0))
    assert item["id"] == fulfilment.hex()
    await story.send("redeem.refund", RedeemRefund(fulfilment, 1), TILL)
    assert await story.refused("redeem.refund", RedeemRefund(fulfilment, 2), TILL) == "redeem.quantity_above"
    await story.send("redeem.refund", RedeemRefund(fulfilment, 1), TILL)
    for author in (TILL, OWNER):
        assert await story.refused("redeem.refund", RedeemRefund(fulfilment, 1), author) == "redeem.not_refundable"
    assert await story.standing() == (1_000, 0)
    books = await story.books()
    assert (books["redeemed"], books["issued"]) == (0, 1_000)
    shown = await story.redemption(hold)
    assert (shown["fulfilled"], shown["refunded"], shown["fulfilments"][0]["refundable"]) == (2, 2, 0)


async def test_a_refund_too_late(story: Story) -> None:
    hold = await story.redeem(await story.offer())
    txid = await story.send("redeem.fulfil", RedeemFulfil(hold, 1), TILL)
    fulfilment = FulfilmentId(object_id("fulfilment", txid, 0))
    story.shop.chain.advance(days=7, blocks=8)
    story.shop.chain.mine()
    assert await story.refused("redeem.refund", RedeemRefund(fulfilment, 1), TILL) == "redeem.not_refundable"


async def test_devaluation_overnight(story: Story) -> None:
    """A price rises, the stock becomes 0, a limit is tightened, the window closes: everything waits for the notice."""
    reward = await story.offer(value_cents=100)
    since = story.shop.now + NOTICE
    worse = RewardUpdate(
        story.shop.program,
        reward,
        Points(500),
        -10,
        False,
        Limit(1, 0, 0),
        Window(Timestamp(0), Timestamp(story.shop.now + DAY_SECONDS)),
    )
    await story.send("reward.update", worse, OWNER)
    shown = await story.reward(reward)
    assert (shown["price"], shown["stock"], shown["listed"], shown["limit"], shown["closes_at"]) == (
        100,
        10,
        True,
        None,
        None,
    )
    announced = shown["announced"]
    assert (announced["effective_from"], announced["price"], announced["stock_change"]) == (since, 500, -10)
    assert await story.refused("reward.update", worse, OWNER) == "reward.update_pending"
    await story.redeem(reward, 2)
    story.shop.chain.advance(days=5)
    await story.redeem(reward, 1)
    story.shop.chain.mine_block(since)
    shown = await story.reward(reward)
    assert (shown["price"], shown["stock"], shown["listed"], shown["announced"]) == (500, 0, False, None)
    assert await story.refused("redeem", Redeem(story.shop.program, reward, 1, Points(500)), FAN) == "redeem.not_listed"


async def test_devaluation_by_a_floor(story: Story) -> None:
    """A promised floor refuses a price, lowers every price when it rises, and falls after the notice only."""
    reward = await story.offer(price=125, value_cents=100)

    async def publish(latest: int, floor: Floor) -> None:
        await story.send("program.update", _terms(story.shop.program, latest, floor), OWNER)

    await publish(1, Floor(Points(1), 1))
    assert (await story.reward(reward))["price"] == 100
    dear = RewardUpdate(story.shop.program, reward, Points(101), 0, True)
    assert await story.refused("reward.update", dear, OWNER) == "reward.below_floor"
    payload = RewardList(story.shop.program, "Air", Points(1), 1)
    assert await story.refused("reward.list", payload, OWNER) == "reward.below_floor"
    await publish(2, Floor(Points(2), 1))
    assert (await story.reward(reward))["price"] == 100
    await story.redeem(reward)
    story.shop.chain.advance(seconds=NOTICE)
    assert (await story.reward(reward))["price"] == 125


def _terms(program: ProgramId, latest: int, floor: Floor) -> ProgramUpdate:
    return ProgramUpdate(program, latest, make_terms(floor=floor, refund_days=7, hold_seconds=DAY_SECONDS))


async def test_double_posting_on_a_retry(story: Story) -> None:
    """A wallet that hears no answer sends the same redemption again: three times, before and after its block, is one hold."""
    reward = await story.offer()
    transaction = story.shop.chain.sign("redeem", Redeem(story.shop.program, reward, 1, Points(100)), author=FAN)
    answers = [await story.client.post("/v1/transactions", content=transaction.raw, headers=MSGPACK) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    story.shop.chain.mine()
    again = await story.client.post("/v1/transactions", content=transaction.raw, headers=MSGPACK)
    assert (again.status_code, again.json()["code"]) == (409, "envelope.repeated")
    story.shop.chain.mine()
    assert await story.standing() == (900, 100)
    found = await read_all(story.client, f"/v1/programs/{story.program}/redemptions", RedemptionsAnswer, 10)
    assert [item["txid"] for item in found] == [transaction.txid.hex()]
    assert (await story.reward(reward))["stock"] == 9


async def test_holds_that_availability_ignores(story: Story) -> None:
    """Held points are not available, held stock is not on the shelf, and a second redemption sees both."""
    reward = await story.offer(price=400, stock=2)
    first = await story.redeem(reward, 2, accepted=400)
    assert await story.standing() == (200, 800)
    assert (await story.reward(reward))["stock"] == 0
    again = Redeem(story.shop.program, reward, 1, Points(400))
    assert await story.refused("redeem", again, FAN) == "redeem.out_of_stock"
    other = await story.offer(price=201)
    assert (
        await story.refused("redeem", Redeem(story.shop.program, other, 1, Points(201)), FAN) == "points.insufficient"
    )
    books = await story.books()
    assert (books["available"], books["held"], books["redeemed"]) == (200, 800, 0)
    await story.send("redeem.fulfil", RedeemFulfil(first, 1), TILL)
    assert await story.standing() == (200, 400)
    await story.send("redeem.cancel", RedeemCancel(first), FAN, Prepaid())
    assert await story.standing() == (600, 0)
    assert (await story.reward(reward))["stock"] == 1


async def test_a_limit_holds_over_http_and_is_given_back(story: Story) -> None:
    reward = await story.offer(price=10, limit=Limit(3, 2, 7))
    assert (await story.reward(reward))["limit"] == {"total": 3, "count": 2, "days": 7}
    hold = await story.redeem(reward, 2)
    wanted = Redeem(story.shop.program, reward, 1, Points(100))
    assert await story.refused("redeem", wanted, FAN) == "redeem.limit_reached"
    await story.send("redeem.cancel", RedeemCancel(hold), FAN, Prepaid())
    await story.redeem(reward, 2)
    story.shop.chain.advance(days=7)
    assert (
        await story.refused("redeem", Redeem(story.shop.program, reward, 2, Points(100)), FAN) == "redeem.limit_reached"
    )
    await story.redeem(reward)


async def test_some_now_some_later_and_codes(story: Story) -> None:
    hold = await story.redeem(await story.offer(), 3)
    await story.send("redeem.fulfil", RedeemFulfil(hold, 1, (some_hash("code"),)), TILL)
    shown = await story.redemption(hold)
    assert (shown["held"], shown["fulfilled"], shown["quantity"]) == (2, 1, 3)
    assert shown["fulfilments"][0]["codes"] == [some_hash("code").hex()]
    assert shown["expires_at"] is not None
    await story.send("redeem.fulfil", RedeemFulfil(hold, 2), TILL)
    shown = await story.redemption(hold)
    assert (shown["held"], shown["fulfilled"], shown["expires_at"]) == (0, 3, None)
    assert [item["quantity"] for item in shown["fulfilments"]] == [1, 2]
    assert await story.refused("redeem.fulfil", RedeemFulfil(hold, 1), TILL) == "redeem.unknown"
