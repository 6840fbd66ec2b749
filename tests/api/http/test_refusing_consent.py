"""Refusing every consent costs nothing: two fans do the same over HTTP; one grants all that can be granted, one refuses all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH, PURPOSE_NAMES
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.loyalty.earn import Earn, Entry, OpenEntry
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.hashing import object_id
from ledger.transaction import Prepaid
from ledger.types import CampaignId, HoldId, Points, ReceiptHash, Timestamp, TxId
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer
from tests.support.partner_shop import PARTNER, PartnerShop
from tests.support.shop import FAN, FRIEND, TILL, some_hash

GRANTER, REFUSER = FAN, FRIEND
NET_CENTS: Final = (1_147, 5_000, 333)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PartnerShop]:
    """A shop that nobody has joined yet."""
    tiers = (("silver", 100), ("gold", 500))
    shop = LiveShop(tmp_path / "data", activation_delay_days=1, tiers=tiers, tier_period_days=28, tier_grace_days=28)
    found = PartnerShop(shop)
    yield found
    found.close()
    shop.close()


def send(desk: PartnerShop, kind: str, payload: Any, author: Signer, **options: Any) -> TxId:
    """Post a transaction; its txid. It waits for the next block."""
    transaction = desk.shop.chain.sign(kind, payload, author=author, **{"payment": desk.shop.sponsored, **options})
    response = desk.post(transaction)
    assert response.status_code == 202, response.text
    return transaction.txid


def both(desk: PartnerShop, kind: str, payload: Any, **options: Any) -> list[TxId]:
    """Both fans do the same in one block."""
    sent = [send(desk, kind, payload, fan, **options) for fan in (GRANTER, REFUSER)]
    desk.shop.chain.mine()
    return sent


def compare(desk: PartnerShop) -> dict[str, Any]:
    """What each fan is shown of its points must be the same; returns it."""
    shown = [desk.ask(f"/v1/accounts/{desk.text(fan)}")["programs"] for fan in (GRANTER, REFUSER)]
    assert shown[0] == shown[1]
    return shown[0][0]


def buy(desk: PartnerShop, net_cents: int, number: int) -> None:
    """The same purchase by both: receipts handed over, settled in one batch; the granter's in clear, as it agreed."""
    shop = desk.shop
    points = net_cents // 10
    for fan in (GRANTER, REFUSER):
        desk.hand_over(desk.sign(member=fan.address, net_cents=net_cents, points=Points(points)))
    receipt = ReceiptHash(some_hash("open", number))
    entries: tuple[Entry, ...] = (
        OpenEntry(GRANTER.address, shop.today, receipt, 1, shop.now, net_cents, 0),
        shop.entry(REFUSER, points),
    )
    txid = send(desk, "earn", Earn(shop.program, entries), TILL, payment=None)
    shop.chain.mine()
    assert desk.ask(f"/v1/transactions/{txid.hex()}")["codes"] == ["applied", "applied"]


def test_refusing_every_consent_costs_no_points_rewards_refunds_or_tier(desk: PartnerShop) -> None:
    shop, chain = desk.shop, desk.shop.chain
    both(desk, "member.join", MemberJoin(shop.program, TILL.address), cosigners=(TILL,))
    for purpose in range(len(PURPOSE_NAMES)):
        for grantee in (shop.program, PARTNER.address):
            send(desk, "consent.grant", ConsentGrant(grantee, purpose, "", Timestamp(0)), GRANTER, payment=None)
    chain.mine()
    consents = [len(desk.ask("/v1/me/consents", fan)["items"]) for fan in (GRANTER, REFUSER)]
    assert consents == [2 * len(PURPOSE_NAMES), 0] and len(PURPOSE_NAMES) > PUBLISH
    for number, net_cents in enumerate(NET_CENTS):
        buy(desk, net_cents, number)
        assert compare(desk)["pending"] > 0
    chain.advance(days=1, blocks=8)
    earned = sum(net_cents // 10 for net_cents in NET_CENTS)
    assert compare(desk)["available"] == earned
    assert compare(desk)["tier"]["name"] == "gold"
    reward = shop.list_reward(price=100)
    redeem = Redeem(shop.program, reward, 1, Points(100))
    kept = [HoldId(object_id("hold", txid, 0)) for txid in both(desk, "redeem", redeem)]
    given_up = [HoldId(object_id("hold", txid, 0)) for txid in both(desk, "redeem", redeem)]
    assert compare(desk)["held"] == 200
    for hold in kept:
        send(desk, "redeem.fulfil", RedeemFulfil(hold, 1), TILL, payment=None)
    for hold, fan in zip(given_up, (GRANTER, REFUSER), strict=True):
        send(desk, "redeem.cancel", RedeemCancel(hold), fan, payment=Prepaid())
    chain.mine()
    assert compare(desk)["available"] == earned - 100
    failing = CampaignId(shop.create_campaign(in_points=True, goal=10**6, days=1))
    both(desk, "pledge", PledgeMake(failing, 50, 0))
    assert compare(desk)["available"] == earned - 150
    chain.advance(days=1, blocks=8)
    chain.mine(3)
    assert compare(desk)["available"] == earned - 100, "the refund reaches both"
    names = [
        [item["name"] for item in desk.ask(f"/v1/accounts/{desk.text(fan)}/history", params={"limit": 200})["items"]]
        for fan in (GRANTER, REFUSER)
    ]
    assert [name for name in names[0] if not name.startswith("consent.")] == names[1]
    receipts = [[item["points"] for item in desk.ask("/v1/receipts", fan)["items"]] for fan in (GRANTER, REFUSER)]
    assert receipts[0] == receipts[1] == [net_cents // 10 for net_cents in reversed(NET_CENTS)]
    shop.pass_days(31)
    assert compare(desk)["available"] == 0, "what expires, expires for both"
