"""Points given, given on and taken back, over HTTP: named after what people suffered elsewhere."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from api.http.schemas.accounts import AccountAnswer, HistoryAnswer
from api.http.schemas.contests import ContestAnswer
from api.http.schemas.programs import LiabilityAnswer, MembersAnswer, ProgramAnswer, ProgramsAnswer
from api.http.schemas.returns import ReturnsAnswer
from ledger.address import encode_address
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.points_transfer import PointsTransfer
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.domains.loyalty.referral_bonus import ReferralBonus
from ledger.domains.loyalty.returns import SignedReturn, return_id_of
from ledger.domains.loyalty.state import RollingExpiry
from ledger.domains.rewards.redeem import Redeem
from ledger.types import Points, RewardId, Timestamp
from tests.api.http.conftest import open_client
from tests.api.http.test_reading import read, read_all
from tests.support.contests import GRACE_DAYS, Settled, contest, settle, sign
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.returns import answer_by_return, reversal, take_return
from tests.support.shop import FAN, FRIEND, OWNER, TILL

pytestmark = pytest.mark.asyncio


class Counter:
    """A shop behind its API: everything is sent and read over HTTP; blocks are mined here."""

    def __init__(self, shop: LiveShop, client: httpx2.AsyncClient) -> None:
        self.shop, self.client = shop, client

    async def send(self, kind: str, payload: Any, *, author: Signer, expect: str | None = None, **options: Any) -> None:
        """Post a transaction, and mine it; `expect` is the code of its refusal."""
        raw = self.shop.chain.sign(kind, payload, author=author, **options).raw
        response = await self.client.post(
            "/v1/transactions", content=raw, headers={"content-type": "application/msgpack"}
        )
        if expect is None:
            assert response.status_code == 202, response.text
            self.shop.chain.mine()
        else:
            assert (response.status_code, response.json()["code"]) == (422, expect)

    async def standing(self, fan: Signer) -> dict[str, Any]:
        """What a fan has, as its wallet reads it."""
        path = f"/v1/accounts/{encode_address(self.shop.chain.params.address_prefix, fan.address)}"
        return (await read(self.client, path, AccountAnswer))["programs"][0]

    async def program(self) -> dict[str, Any]:
        """The program, as everybody reads it."""
        return await read(self.client, f"/v1/programs/{self.shop.program.hex()}", ProgramAnswer)

    async def returns(self) -> list[dict[str, Any]]:
        """The program's returns."""
        return await read_all(self.client, f"/v1/programs/{self.shop.program.hex()}/returns", ReturnsAnswer, 1)

    async def redeem(self, fan: Signer, reward: RewardId, quantity: int, expect: str | None = None) -> None:
        """Ask for a reward of 10 points."""
        await self.send("redeem", Redeem(self.shop.program, reward, quantity, Points(10)), author=fan, expect=expect)

    async def reverse(
        self, settled: Settled, signed: SignedReturn, points: int | None = None, expect: str | None = None
    ) -> None:
        """Take points back."""
        await self.send("reverse", reversal(settled, signed, points), author=TILL, expect=expect)


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    """Goods come back within two days, points live for ten."""
    found = LiveShop(
        tmp_path_factory.mktemp("points") / "data",
        return_window_days=2,
        activation_delay_days=2,
        expiry=RollingExpiry(10),
        hold_seconds=30 * DAY_SECONDS,
        adjust_day_max=Points(100),
        transfer_day_max=Points(50),
        referral=ReferralBonus(Points(20), Points(10)),
    )
    found.join(FAN, FRIEND)
    yield found
    found.close()


@pytest_asyncio.fixture
async def counter(shop: LiveShop, live_app: FastAPI) -> AsyncIterator[Counter]:
    """The shop's counter."""
    async with open_client(live_app) as client:
        yield Counter(shop, client)


def buy(shop: LiveShop, points: int, sequence: int) -> tuple[SignedReceipt, Settled]:
    """A purchase of FAN's, settled at once."""
    bought = sign(shop, FAN, sequence=sequence, points=points)
    return bought, settle(shop, [bought])


async def test_refund_farming(shop: LiveShop, counter: Counter) -> None:
    """Buy, earn, redeem, return: the points go back out of that lot and what is pending; what was spent is not taken twice."""
    bought, settled = buy(shop, 100, 1)
    shop.chain.advance(days=2)
    signed = take_return(shop, bought)
    reward = shop.list_reward(price=10, stock=100)
    await counter.redeem(FAN, reward, 7)
    await counter.reverse(settled, signed, expect="reverse.points_gone")
    await counter.reverse(settled, signed, 30)
    assert (await counter.standing(FAN))["available"] == 0
    await counter.reverse(settled, signed, 1, expect="reverse.points_gone")
    buy(shop, 50, 2)
    await counter.reverse(settled, signed, 40)
    standing = await counter.standing(FAN)
    assert (standing["pending"], standing["available"], standing["held"]) == (10, 0, 70)
    books = (await counter.program())["books"]
    assert (books["issued"], books["reversed"], books["reversed_ppm"]) == (150, 70, 466_666)
    (shown,) = await counter.returns()
    assert (shown["id"], shown["points"], shown["reversed"]) == (return_id_of(signed.returned).hex(), 100, 70)
    assert [item["points"] for item in shown["reversals"]] == [30, 40]
    address = encode_address(shop.chain.params.address_prefix, FAN.address)
    history = await read(
        counter.client, f"/v1/accounts/{address}/history", HistoryAnswer, event="points.reversed", limit=10
    )
    assert [item["data"]["points"] for item in history["items"]] == [40, 30]
    shop.chain.advance(days=2, blocks=2)
    assert (await counter.standing(FAN))["available"] == 10
    await counter.reverse(
        settled, signed, 1, expect="reverse.points_gone"
    )  # what another purchase gave is the fan's by now


async def test_double_refund(shop: LiveShop, counter: Counter) -> None:
    """The same return again, and more than the entry gave."""
    bought, settled = buy(shop, 100, 1)
    signed = take_return(shop, bought, points=60)
    await counter.reverse(settled, signed)
    await counter.reverse(settled, signed, 1, expect="return.used")
    again = take_return(shop, bought, points=60, number=2)
    await counter.reverse(settled, again, expect="reverse.above_entry")
    await counter.reverse(settled, again, 40)
    forged = take_return(shop, bought, signers=(TILL, TILL))
    await counter.reverse(settled, forged, 1, expect="return.wrong_policy")
    assert (await counter.standing(FAN))["pending"] == 0
    assert [shown["reversed"] for shown in await counter.returns()] == [60, 40]


async def test_already_returned(shop: LiveShop, counter: Counter) -> None:
    """The purchase went back before it was settled; contested all the same, the fan's own signature answers."""
    bought = sign(shop, FAN)
    signed = take_return(shop, bought)
    shop.chain.advance(days=GRACE_DAYS)
    which = contest(shop, bought)
    await counter.send("earn.answer_contest", answer_by_return(bought, signed), author=OWNER)
    shown = await read(counter.client, f"/v1/contests/{which.hex()}", ContestAnswer)
    assert (shown["outcome"], shown["credited"], shown["repaid"]) == ("returned", 0, 0)
    assert await counter.returns() == [], "nothing was taken"


async def test_expiry_that_eats_points_already_spent(shop: LiveShop, counter: Counter) -> None:
    """What was redeemed before it would have expired stays redeemed, and the books lose only what was left."""
    buy(shop, 100, 1)
    shop.chain.advance(days=9)
    reward = shop.list_reward(price=10, stock=100)
    buy(shop, 30, 2)
    await counter.redeem(FAN, reward, 6)
    before = await counter.standing(FAN)
    assert (before["available"], before["held"], before["next_expiry"]["points"]) == (40, 60, 40)
    shop.chain.advance(days=1)
    shop.chain.mine(2)
    after = await counter.standing(FAN)
    assert (after["available"], after["held"], after["pending"]) == (0, 60, 30), "of the spent ones none expired"
    books = (await counter.program())["books"]
    assert (books["expired"], books["held"]) == (40, 60)
    await counter.redeem(FAN, reward, 1, expect="points.insufficient")
    shop.chain.advance(days=1)
    shop.chain.mine(2)
    await counter.redeem(FAN, reward, 3)
    liability = await read(counter.client, f"/v1/programs/{shop.program.hex()}/liability", LiabilityAnswer)
    assert liability["outstanding"] == 90


async def test_holds_that_availability_ignores(shop: LiveShop, counter: Counter) -> None:
    """Points that are held can't be spent a second time: not redeemed, not given away, not taken back."""
    bought, settled = buy(shop, 100, 1)
    shop.chain.advance(days=2)
    reward = shop.list_reward(price=10, stock=100)
    await counter.redeem(FAN, reward, 8)
    standing = await counter.standing(FAN)
    assert (standing["available"], standing["held"]) == (20, 80)
    await counter.redeem(FAN, reward, 3, expect="points.insufficient")
    gift = PointsTransfer(shop.program, FRIEND.address, Points(21))
    await counter.send("points.transfer", gift, author=FAN, expect="points.insufficient")
    await counter.reverse(settled, take_return(shop, bought), 21, expect="reverse.points_gone")
    await counter.redeem(FAN, reward, 2)
    assert (await counter.standing(FAN))["available"] == 0


async def test_points_given_and_given_on(shop: LiveShop, counter: Counter) -> None:
    await counter.send("adjust", Adjust(shop.program, FAN.address, Points(90), "apology.late"), author=OWNER)
    more = Adjust(shop.program, FAN.address, Points(11), "apology.late")
    await counter.send("adjust", more, author=OWNER, expect="adjust.day_cap")
    shop.chain.advance(days=2)
    gift = PointsTransfer(shop.program, FRIEND.address, Points(50))
    await counter.send("points.transfer", gift, author=FAN, payment=shop.sponsored)
    await counter.send("points.transfer", gift, author=FAN, expect="points.transfer_limit")
    fan, friend = await counter.standing(FAN), await counter.standing(FRIEND)
    assert (fan["available"], friend["available"]) == (40, 50)
    assert fan["next_expiry"]["day"] == friend["next_expiry"]["day"], "old points got no new life"
    program = await counter.program()
    assert program["books"]["adjusted"] == 90
    shown = [program["terms"][name] for name in ("adjust_day_max", "transfer_day_max", "wind_down_days", "referral")]
    assert shown == [100, 50, 30, {"referrer": 20, "joiner": 10}]


async def test_referred_members_and_what_they_agreed_to(shop: LiveShop, counter: Counter) -> None:
    newcomer = Signer.named("newcomer")
    payload = MemberJoin(shop.program, TILL.address, FAN.address, gives_back_from_all=True)
    await counter.send("member.join", payload, author=newcomer, payment=shop.sponsored, cosigners=(TILL,))
    shop.earn(newcomer, 5)
    shop.chain.advance(days=3)
    shop.chain.mine(2)
    assert (await counter.standing(FAN))["pending"] == 20
    members = await read_all(counter.client, f"/v1/programs/{shop.program.hex()}/members", MembersAnswer, 50)
    assert [member["gives_back_from_all"] for member in members] == [False, False, True]
    assert members[-1]["pending"] == 10


async def test_a_program_that_ends(shop: LiveShop, counter: Counter) -> None:
    end = shop.now + 11 * DAY_SECONDS
    assert (await counter.program())["sunset"] is None
    early = ProgramSunset(shop.program, Timestamp(shop.now + DAY_SECONDS))
    await counter.send("program.sunset", early, author=OWNER, expect="program.sunset_too_early")
    await counter.send("program.sunset", ProgramSunset(shop.program, Timestamp(end)), author=OWNER)
    announced = {"state": "announced", "sunset_at": end, "closes_at": end + 30 * DAY_SECONDS}
    assert (await counter.program())["sunset"] == announced
    assert (await counter.standing(FAN))["sunset"] == announced
    shop.chain.advance(days=12)
    states = []
    for _ in range(2):
        listed = await read(counter.client, "/v1/programs", ProgramsAnswer)
        states.append(listed["items"][0]["sunset"]["state"])
        shop.chain.advance(days=30)
    assert states == ["winding_down", "closed"]


async def test_what_is_not_there(counter: Counter) -> None:
    response = await counter.client.get(f"/v1/programs/{'11' * 32}/returns")
    assert (response.status_code, response.json()["code"]) == (404, "program.unknown")
