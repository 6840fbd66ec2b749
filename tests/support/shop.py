"""A shop with a program, a till and fans: the setting of most tests of rules."""

from dataclasses import replace
from typing import Any

from ledger.codec import pack
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToPool, Transfer
from ledger.domains.crowdfunding.delivery_confirm import DeliveryConfirm
from ledger.domains.crowdfunding.milestone_submit import MilestoneSubmit
from ledger.domains.crowdfunding.milestone_vote import MilestoneVote
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.state import Campaign, Pledge, campaign_key, pledge_key
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit, Tier
from ledger.domains.loyalty.earn import Earn, Entry, SealedEntry
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import (
    SCOPES_ALL,
    Books,
    Member,
    Program,
    RatePerAmount,
    RollingExpiry,
    SponsorPolicy,
    Terms,
    books_key,
    member_key,
    program_key,
)
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.redeem_refund import RedeemRefund
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.state import (
    Count,
    Fulfilment,
    Hold,
    Reward,
    count_id_of,
    count_key,
    fulfilment_key,
    hold_key,
    reward_key,
)
from ledger.hashing import OBJECT, object_id
from ledger.params import Params
from ledger.transaction import Sponsored
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    CampaignId,
    Day,
    FulfilmentId,
    Hash,
    HoldId,
    Points,
    ProgramId,
    RewardId,
    Timestamp,
)
from tests.support.memory_chain import DAY_SECONDS, Scenario, Signer

OWNER = Signer.named("owner")
TILL = Signer.named("till")
FAN = Signer.named("fan")
FRIEND = Signer.named("friend")
STRANGER = Signer.named("stranger")
POOR = Signer.named("poor")
"""Everybody but `POOR` holds coin at genesis."""
FUNDED = (OWNER, TILL, FAN, FRIEND, STRANGER)

NOWHERE = bytes(32)
"""The id of nothing."""
POOL = Amount(1_000_000)
SPONSOR = SponsorPolicy(Amount(2), Amount(100_000), Amount(300_000), Amount(700_000))


def make_terms(**changes: Any) -> Terms:
    """Terms that settle on demand and activate at once; points expire after 30 days; notice is 10 days."""
    terms = Terms(
        rules=(RatePerAmount(Points(1), 10),),
        expiry=RollingExpiry(30),
        activation_delay_days=0,
        return_window_days=0,
        period_days=0,
        period_anchor_day=0,
        settle_grace_days=3,
        remainder_max=Points(100),
        issuance_cap=Points(1_000_000_000),
        hold_seconds=3_600,
        notice_days=10,
        sponsor=SPONSOR,
    )
    return replace(terms, **changes)


def some_hash(*parts: Any) -> Hash:
    """A hash that stands for something off chain."""
    return Hash(OBJECT(pack(parts)))


class Shop:
    """`OWNER`'s program with `TILL` as its issuer, on a chain of its own."""

    def __init__(
        self, *, offset_minutes: int = 0, pool: int = POOL, params: Params | None = None, **terms: Any
    ) -> None:
        self.chain = Scenario(*FUNDED, params=params)
        self.program = self.create_program(OWNER, offset_minutes=offset_minutes, **terms)
        self.fill_pool(pool)
        self.grant(TILL)

    @property
    def now(self) -> Timestamp:
        """The chain's clock."""
        return self.chain.time

    @property
    def today(self) -> Day:
        """The program's day."""
        return self.terms_of_program.day_at(self.now)

    @property
    def terms_of_program(self) -> Program:
        """The program's record."""
        return self.chain.record(program_key(self.program))

    def midnight(self, *, days: int) -> Timestamp:
        """The first second of the program's day that is `days` from today."""
        return self.terms_of_program.day_start(Day(self.today + days))

    @property
    def books(self) -> Books:
        """The program's books."""
        return self.chain.record(books_key(self.program))

    @property
    def sponsored(self) -> Sponsored:
        """Payment by the program's pool."""
        return Sponsored(self.program)

    def member(self, fan: Signer) -> Member:
        """A member's record."""
        return self.chain.record(member_key(self.program, fan.address))

    def create_program(self, owner: Signer, *, offset_minutes: int = 0, **terms: Any) -> ProgramId:
        """Publish a program."""
        payload = ProgramCreate("Corner Shop", "point", 0, offset_minutes, make_terms(**terms))
        self.chain.send("program.create", payload, author=owner)
        return ProgramId(object_id("program", self.chain.last_txid, 0))

    def fill_pool(self, amount: int, *, author: Signer = OWNER) -> None:
        """Give the fee pool coin."""
        self.chain.send("transfer", Transfer(ToPool(self.program), Amount(amount)), author=author)

    def grant(self, issuer: Signer, *, scopes: int = SCOPES_ALL, daily_cap: int = INTEGER_MAX, **options: Any) -> None:
        """Let an issuer act."""
        payload = IssuerGrant(self.program, issuer.address, scopes, Points(daily_cap))
        self.chain.send("issuer.grant", payload, **{"author": OWNER, **options})

    def join_alone(self, *fans: Signer) -> None:
        """Let fans join who pay for themselves."""
        for fan in fans:
            self.chain.send("member.join", MemberJoin(self.program, Address(b"")), author=fan)

    def join(self, *fans: Signer) -> None:
        """Let fans join, countersigned by the till and paid by the pool."""
        payload = MemberJoin(self.program, TILL.address)
        for fan in fans:
            self.chain.send("member.join", payload, author=fan, payment=self.sponsored, cosigners=(TILL,))

    def entry(self, fan: Signer, points: int, *, period: int | None = None) -> SealedEntry:
        """A sealed entry for today, or for a period."""
        period = self.today if period is None else period
        seal = some_hash("receipts", fan.address, points, period)
        return SealedEntry(fan.address, period, Points(points), seal, some_hash("remainder", points))

    def settle(self, *entries: Entry, author: Signer = TILL, **options: Any) -> tuple[str, ...]:
        """Settle a batch; the codes of its entries."""
        return self.chain.send("earn", Earn(self.program, entries), author=author, **options)

    def earn(self, fan: Signer, points: int, **options: Any) -> tuple[str, ...]:
        """Settle one sealed entry."""
        return self.settle(self.entry(fan, points, **options))

    def list_reward(self, *, price: int = 100, stock: int = 10, **options: Any) -> RewardId:
        """Offer something; `options` are its value, limit and window."""
        payload = RewardList(self.program, "Coffee", Points(price), stock, **options)
        self.chain.send("reward.list", payload, author=OWNER)
        return RewardId(object_id("reward", self.chain.last_txid, 0))

    def reward(self, reward: RewardId) -> Reward:
        """A reward's record as it is now."""
        return self.chain.record(reward_key(self.program, reward)).at(self.now)

    def redeem(
        self, fan: Signer, reward: RewardId, *, quantity: int = 1, price: int | None = None, **options: Any
    ) -> HoldId:
        """Ask for a reward."""
        accepted = Points(self.reward(reward).price if price is None else price)
        self.chain.send("redeem", Redeem(self.program, reward, quantity, accepted), author=fan, **options)
        return HoldId(object_id("hold", self.chain.last_txid, 0))

    def hold(self, hold: HoldId) -> Hold | None:
        """A hold's record, while it is open."""
        return self.chain.record(hold_key(hold))

    def fulfil(
        self, hold: HoldId, quantity: int = 1, codes: tuple[Hash, ...] = (), *, author: Signer = TILL, **options: Any
    ) -> FulfilmentId:
        """Hand units out."""
        self.chain.send("redeem.fulfil", RedeemFulfil(hold, quantity, codes), author=author, **options)
        return FulfilmentId(object_id("fulfilment", self.chain.last_txid, 0))

    def refund(self, fulfilment: FulfilmentId, quantity: int = 1, *, author: Signer = TILL, **options: Any) -> None:
        """Take units back."""
        self.chain.send("redeem.refund", RedeemRefund(fulfilment, quantity), author=author, **options)

    def fulfilment(self, fulfilment: FulfilmentId) -> Fulfilment | None:
        """What was handed out, while it can be refunded."""
        return self.chain.record(fulfilment_key(fulfilment))

    def count(self, fan: Signer, reward: RewardId) -> Count | None:
        """What a fan has had of a reward that has a limit."""
        return self.chain.record(count_key(count_id_of(self.program, reward, fan.address)))

    def create_campaign(
        self,
        *,
        author: Signer = OWNER,
        in_points: bool = False,
        goal: int = 1_000,
        days: int = 7,
        tiers: tuple[Tier, ...] = (),
        **terms: Any,
    ) -> CampaignId:
        """Open a campaign in coin, or in this program's points; `terms` are the rest of what it promises."""
        unit = PointsUnit(self.program) if in_points else CoinUnit()
        payload = CampaignTerms("Lamp", unit, goal, Timestamp(self.now + days * DAY_SECONDS), tiers, **terms)
        self.chain.send("campaign.create", payload, author=author)
        return CampaignId(object_id("campaign", self.chain.last_txid, 0))

    def campaign(self, campaign: CampaignId) -> Campaign:
        """A campaign's record."""
        return self.chain.record(campaign_key(campaign))

    def pledge(
        self,
        fan: Signer,
        campaign: CampaignId,
        quantity: int,
        *,
        tier: int = 0,
        add_ons: tuple[tuple[int, int], ...] = (),
        **options: Any,
    ) -> int:
        """Back a campaign; returns the pledge's number."""
        number = self.campaign(campaign).pledges
        self.chain.send("pledge", PledgeMake(campaign, quantity, tier, add_ons), author=fan, **options)
        return number

    def pledge_of(self, campaign: CampaignId, number: int) -> Pledge | None:
        """A pledge's record, while there is one."""
        return self.chain.record(pledge_key(campaign, number))

    def submit(self, campaign: CampaignId, *, author: Signer = OWNER, step: int | None = None) -> None:
        """Say that the present step is done."""
        present = self.campaign(campaign).step if step is None else step
        payload = MilestoneSubmit(campaign, present, some_hash("evidence", present))
        self.chain.send("milestone.submit", payload, author=author)

    def vote(self, fan: Signer, campaign: CampaignId, number: int, *, approves: bool) -> None:
        """Vote on a milestone."""
        self.chain.send("milestone.vote", MilestoneVote(campaign, number, approves), author=fan)

    def confirm(self, fan: Signer, campaign: CampaignId, number: int, *, received: bool = True) -> None:
        """Say whether it arrived."""
        self.chain.send("delivery.confirm", DeliveryConfirm(campaign, number, received), author=fan)

    def end_vote(self, campaign: CampaignId) -> None:
        """Let the time of the campaign's next decision come, and let it be made."""
        left = self.campaign(campaign).until - self.now
        self.chain.advance(seconds=max(left, 1), blocks=8)
        self.chain.mine()

    def pass_days(self, days: int) -> None:
        """Let days pass, and let what fell due be done: two blocks at least."""
        self.chain.advance(days=days, blocks=8)
        self.chain.mine()

    def points_of(self, fan: Signer) -> int:
        """What a fan can spend today."""
        return sum(lot[3] for lot in self.member(fan).lots if lot[1] <= self.today < lot[2])

    def coin_of(self, account: Signer | Address) -> int:
        """An account's coin."""
        address = account.address if isinstance(account, Signer) else account
        found = self.chain.record(account_key(address))
        return 0 if found is None else found.balance
