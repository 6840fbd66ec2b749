"""What happens to a shop in a few weeks: every kind of change that a block can make, and that a reorganisation must take back."""

from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.transaction import Prepaid
from ledger.types import Timestamp
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL, Shop

NAMES_OF_A_LIFE = {
    "campaign.created",
    "campaign.settled",
    "coin.moved",
    "consent.granted",
    "consent.revoked",
    "earn.settled",
    "issuer.granted",
    "issuer.revoked",
    "member.joined",
    "member.left",
    "pledge.made",
    "pledge.refunded",
    "points.earned",
    "points.skipped",
    "program.created",
    "redeem.fulfilled",
    "redeem.opened",
    "redeem.released",
    "reward.listed",
}
"""Names of the events that `live` leaves behind."""


def live(shop: Shop, scale: int = 1) -> None:
    """Join, earn, redeem in every way, back campaigns that end in every way, revoke, leave, and let points expire."""
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 500 * scale)
    shop.settle(shop.entry(FRIEND, 300 * scale), shop.entry(STRANGER, 10))
    _redeem_in_every_way(shop)
    _back_campaigns(shop, scale)
    grant = ConsentGrant(shop.program, PERSONALISE, "", Timestamp(0))
    shop.chain.send("consent.grant", grant, author=FAN)
    shop.chain.send("consent.revoke", ConsentRevoke(shop.program, PERSONALISE, ""), author=FAN, payment=Prepaid())
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, TILL.address), author=OWNER)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FRIEND, payment=Prepaid())
    shop.pass_days(3)
    shop.pass_days(40)


def _redeem_in_every_way(shop: Shop) -> None:
    reward = shop.list_reward(price=50)
    fulfilled = shop.redeem(FAN, reward)
    shop.chain.send("redeem.fulfil", RedeemFulfil(fulfilled, 1), author=TILL)
    cancelled = shop.redeem(FRIEND, reward)
    shop.chain.send("redeem.cancel", RedeemCancel(cancelled), author=FRIEND, payment=Prepaid())
    shop.redeem(FAN, reward, quantity=2)


def _back_campaigns(shop: Shop, scale: int) -> None:
    funded = shop.create_campaign(goal=1_000, days=2)
    shop.pledge(FAN, funded, 2_000 * scale)
    failed = shop.create_campaign(goal=10**9, days=2)
    shop.pledge(FAN, failed, 3_000)
    shop.pledge(FRIEND, failed, 4_000 * scale)
    in_points = shop.create_campaign(in_points=True, goal=10**6, days=2)
    shop.pledge(FAN, in_points, 60)
