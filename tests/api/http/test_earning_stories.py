"""What people suffered when they earned, tried over HTTP: tiers by balance, points on points, and contests won and lost."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.http.app import create_app
from api.http.schemas.accounts import AccountAnswer
from api.http.schemas.contests import ContestAnswer
from api.http.schemas.programs import ProgramAnswer
from ledger.address import encode_address
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH
from ledger.domains.loyalty.earn import Earn, Entry, OpenEntry
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.domains.loyalty.state import RatePerAmount, RatePerCode, TierMultiplier
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.reward_list import RewardList
from ledger.hashing import object_id
from ledger.params import CONTEST_ANSWER_BLOCKS_MIN, CONTEST_ANSWER_SECONDS
from ledger.transaction import Payment
from ledger.types import ContestId, HoldId, Points, ReceiptHash, RewardId, Timestamp, TxId
from tests.api.http.conftest import UNLIMITED, open_client
from tests.api.http.test_reading import read
from tests.support.contests import GRACE_DAYS, PREPAID, contest_id, payload_of, settle, sign
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import GENESIS_DAY, Signer
from tests.support.shop import FAN, FRIEND, OWNER, TILL, some_hash

pytestmark = pytest.mark.asyncio
MSGPACK = {"content-type": "application/msgpack"}
TIER_PERIOD = 100
RULES = (RatePerAmount(Points(1), 10), RatePerCode("bread", Points(1), 10), TierMultiplier(1, 2, 1))


class Desk:
    """A shop behind its API: what fans and shop do is sent and read over HTTP; blocks are mined here."""

    def __init__(self, shop: LiveShop, client: httpx2.AsyncClient) -> None:
        self.shop, self.client = shop, client

    async def post(self, kind: str, payload: Any, author: Signer, payment: Payment | None = None) -> httpx2.Response:
        raw = self.shop.chain.sign(kind, payload, author=author, payment=payment).raw
        return await self.client.post("/v1/transactions", content=raw, headers=MSGPACK)

    async def send(self, kind: str, payload: Any, author: Signer, payment: Payment | None = None) -> TxId:
        """Send a transaction, and mine it; returns its id."""
        response = await self.post(kind, payload, author, payment)
        assert response.status_code == 202, response.text
        self.shop.chain.mine()
        return TxId(bytes.fromhex(response.json()["txid"]))

    async def codes(self, txid: TxId) -> list[str]:
        """What became of each entry of a batch."""
        return (await self.client.get(f"/v1/transactions/{txid.hex()}")).json()["codes"]

    async def settle(self, *entries: Entry) -> list[str]:
        """Settle entries; their codes."""
        return await self.codes(await self.send("earn", Earn(self.shop.program, entries), TILL))

    async def standing(self, fan: Signer = FAN) -> dict[str, Any]:
        """What a fan has, as its wallet reads it."""
        path = f"/v1/accounts/{encode_address(self.shop.chain.params.address_prefix, fan.address)}"
        return (await read(self.client, path, AccountAnswer))["programs"][0]

    async def books(self) -> dict[str, int]:
        return (await read(self.client, f"/v1/programs/{self.shop.program.hex()}", ProgramAnswer))["books"]

    async def contest(self, signed: SignedReceipt, *, wrong_points: bool = False) -> ContestId:
        """File a contest of the fan's, paid for when it joined."""
        await self.send("earn.contest", payload_of(signed, wrong_points=wrong_points), FAN, PREPAID)
        return contest_id(signed)

    async def read_contest(self, which: ContestId) -> dict[str, Any]:
        return await read(self.client, f"/v1/contests/{which.hex()}", ContestAnswer)

    def bought(self, cents: int, number: int, **changes: Any) -> OpenEntry:
        """A purchase of now whose inputs are published: every node computes its points."""
        receipt = ReceiptHash(some_hash("bought", number))
        return OpenEntry(
            FAN.address, self.shop.today, receipt, 1, self.shop.now, cents, **{"paid_with_points_cents": 0, **changes}
        )


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LiveShop]:
    """Silver is from 300 points on, and doubles what a purchase gives."""
    found = LiveShop(
        tmp_path / "data",
        rules=RULES,
        tiers=(("silver", 300),),
        tier_period_days=TIER_PERIOD,
        tier_anchor_day=GENESIS_DAY % TIER_PERIOD,
    )
    found.join(FAN, FRIEND)
    found.chain.send("consent.grant", ConsentGrant(found.program, PUBLISH, "", Timestamp(0)), author=FAN)
    yield found
    found.close()


@pytest_asyncio.fixture
async def desk(shop: LiveShop) -> AsyncIterator[Desk]:
    app = create_app(shop.node, UNLIMITED)
    async with open_client(app) as client:
        yield Desk(shop, client)
    app.state.services.close()


async def test_tiers_by_balance(desk: Desk) -> None:
    """Who spends its points, or lets them expire, keeps its tier and earns by it; who was given as many earned none."""
    shop = desk.shop
    listed = await desk.send("reward.list", RewardList(shop.program, "Bread", Points(300), 5), OWNER)
    reward = RewardId(object_id("reward", listed, 0))
    assert await desk.settle(desk.bought(1_500, 1)) == ["applied"]
    assert ((await desk.standing())["available"], (await desk.standing())["tier"]) == (150, None)
    shop.chain.advance(days=20, blocks=2)
    assert await desk.settle(desk.bought(1_500, 2)) == ["applied"]
    assert (await desk.standing())["tier"]["name"] == "silver"
    redeemed = await desk.send("redeem", Redeem(shop.program, reward, 1, Points(300)), FAN)
    await desk.send("redeem.fulfil", RedeemFulfil(HoldId(object_id("hold", redeemed, 0)), 1), TILL)
    spent = await desk.standing()
    assert (spent["available"], spent["held"], spent["tier"]["name"]) == (0, 0, "silver")
    assert await desk.settle(desk.bought(1_000, 3)) == ["applied"]
    assert (await desk.standing())["available"] == 200, "the tier's multiplier counts at a balance of nothing"
    shop.chain.advance(days=40, blocks=2)
    expired = await desk.standing()
    assert (expired["available"], expired["tier"]["name"]) == (0, "silver")
    assert (await desk.standing(FRIEND))["tier"] is None


async def test_earning_on_the_part_paid_with_points(desk: Desk) -> None:
    """Points that pay earn nothing, in no rule: not when every node computes an entry, and not when a fan contests."""
    half = desk.bought(2_000, 1, paid_with_points_cents=1_000, codes=(("bread", 2_000),))
    assert await desk.settle(half) == ["applied"]
    assert (await desk.standing())["available"] == 100 + 100
    whole = desk.bought(2_000, 2, paid_with_points_cents=2_000, codes=(("bread", 2_000),))
    assert await desk.settle(whole) == ["applied"]
    assert (await desk.standing())["available"] == 200
    paid = {"net_cents": 2_000, "codes": (("bread", 2_000),)}
    right = sign(desk.shop, points=200, paid_with_points_cents=1_000, **paid)
    nothing = sign(desk.shop, sequence=2, points=0, paid_with_points_cents=2_000, **paid)
    desk.shop.chain.advance(days=GRACE_DAYS)
    for signed in (right, nothing):
        refused = await desk.post("earn.contest", payload_of(signed, wrong_points=True), FAN, PREPAID)
        assert (refused.status_code, refused.json()["code"]) == (422, "contest.nothing_owed")


async def test_a_contest_won(desk: Desk) -> None:
    """The shop settles nothing and answers nothing: the reserve pays what the till signed, and the contest costs nothing."""
    shop = desk.shop
    signed = sign(shop)
    early = await desk.post("earn.contest", payload_of(signed), FAN, PREPAID)
    assert (early.status_code, early.json()["code"]) == (422, "contest.too_early")
    shop.chain.advance(days=GRACE_DAYS)
    reserve = (await desk.books())["contest_points"]
    which = await desk.contest(signed)
    assert (await desk.read_contest(which))["outcome"] == "open"
    assert (await desk.books())["contest_points"] == reserve - 500
    assert (await desk.standing())["available"] == 0, "nothing is given before the shop could answer"
    shop.chain.advance(seconds=CONTEST_ANSWER_SECONDS + 60, blocks=CONTEST_ANSWER_BLOCKS_MIN)
    shop.chain.mine()
    shown = await desk.read_contest(which)
    assert (shown["outcome"], shown["credited"]) == ("unsettled", 500) and shown["repaid"] > 0
    assert (await desk.standing())["available"] == 500
    books = await desk.books()
    assert (books["issued"], books["contests_open"], books["contest_points_credited"]) == (500, 0, 500)
    late = settle(shop, [signed])
    refused = await desk.post("earn.answer_contest", late.answer(signed), OWNER)
    assert (refused.status_code, refused.json()["code"]) == (422, "contest.closed")


async def test_a_contest_won_by_wrong_points(desk: Desk) -> None:
    """The till promised too few: every node computes what the rule gives, and what the shop settled short is credited."""
    shop = desk.shop
    signed = sign(shop, points=100)
    settled = settle(shop, [signed])
    assert (await desk.standing())["available"] == 100
    shop.chain.advance(days=GRACE_DAYS)
    which = await desk.contest(signed, wrong_points=True)
    assert (await desk.read_contest(which))["points"] == 700, "500 for the sum, 200 for the bread"
    await desk.send("earn.answer_contest", settled.answer(signed), OWNER)
    shown = await desk.read_contest(which)
    assert (shown["outcome"], shown["credited"]) == ("settled_short", 600)
    assert (await desk.standing())["available"] == 700


async def test_a_contest_lost(desk: Desk) -> None:
    """The shop did settle and shows it: nothing is credited a second time, and what the fan paid is not given back."""
    shop = desk.shop
    signed, other = sign(shop), sign(shop, sequence=2)
    settled = settle(shop, [signed, other])
    shop.chain.advance(days=GRACE_DAYS)
    before = await desk.books()
    which = await desk.contest(signed)
    await desk.send("earn.answer_contest", settled.answer(signed), OWNER)
    shown = await desk.read_contest(which)
    assert (shown["outcome"], shown["credited"], shown["repaid"]) == ("settled_in_time", 0, 0)
    assert (await desk.standing())["available"] == 1_000
    after = await desk.books()
    assert (after["contest_points"], after["issued"]) == (before["contest_points"], before["issued"])
    again = await desk.post("earn.contest", payload_of(signed), FAN, PREPAID)
    assert (again.status_code, again.json()["code"]) == (422, "contest.already")


async def test_double_posting_on_a_retry(desk: Desk) -> None:
    """A shop that hears no answer sends its batch again, before and after the block: the fan has the points once."""
    shop = desk.shop
    raw = shop.chain.sign("earn", Earn(shop.program, (shop.entry(FAN, 70),)), author=TILL).raw
    answers = [await desk.client.post("/v1/transactions", content=raw, headers=MSGPACK) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    shop.chain.mine()
    again = await desk.client.post("/v1/transactions", content=raw, headers=MSGPACK)
    assert (again.status_code, again.json()["code"]) == (409, "envelope.repeated")
    shop.chain.mine()
    standing = await desk.standing()
    assert (standing["available"], (await desk.books())["issued"]) == (70, 70)
