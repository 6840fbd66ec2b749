"""Answers about programs, their rewards, members and books."""

from typing import Any, ClassVar

from pydantic import Field

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
    ShownDay,
    Standing,
    Sunset,
)
from api.http.schemas.redemptions import HandOutItem


class ProgramItem(Answer):
    """A program in short."""

    id: str
    owner: str
    name: str
    unit: str
    decimals: int
    offset_minutes: int = Field(description="The program's days begin this many minutes before those of UTC.")
    members: int
    sunset: Sunset | None

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_ID,
        "owner": EXAMPLE_ADDRESS,
        "name": "Corner Shop",
        "unit": "points",
        "decimals": 0,
        "offset_minutes": -300,
        "members": 2_469,
        "sunset": None,
    }


class ProgramsAnswer(PageAnswer):
    """Programs in the order in which they were made."""

    items: list[ProgramItem]

    EXAMPLE: ClassVar[Example] = {"items": [ProgramItem.EXAMPLE], "next_cursor": None}


class TierItem(Answer):
    """A tier: who earned `threshold` points in a tier period has it."""

    name: str
    threshold: int

    EXAMPLE: ClassVar[Example] = {"name": "silver", "threshold": 5_000}


class ShownTerms(Answer):
    """One version of what a program promises. Rules and expiry say in `type` what they are."""

    version: int
    effective_from: int
    rules: list[dict[str, Any]]
    expiry: dict[str, Any]
    activation_delay_days: int
    return_window_days: int
    period_days: int
    period_anchor_day: int
    settle_grace_days: int
    remainder_max: int
    issuance_cap: int
    hold_seconds: int
    notice_days: int
    sponsor: dict[str, int]
    tiers: list[TierItem]
    tier_period_days: int
    tier_anchor_day: int
    tier_grace_days: int
    adjust_day_max: int
    transfer_day_max: int
    wind_down_days: int
    referral: dict[str, int]
    floor: dict[str, int] = Field(description="`points` points buy a value of at least `cents` cents; both 0: none.")
    refund_days: int = Field(description="How long a fulfilled redemption can be refunded; 0: not at all.")
    offer_day_max: int
    collateral: int = Field(description="Coin per 1,000 points that is put aside as long as they stand.")
    burn: int = Field(description="Coin per 1,000 points that is burned when they are issued.")

    EXAMPLE: ClassVar[Example] = {
        "version": 1,
        "effective_from": EXAMPLE_TIME,
        "rules": [{"type": "rate_per_amount", "points": 1, "per_cents": 10}],
        "expiry": {"type": "rolling_expiry", "days": 365},
        "activation_delay_days": 0,
        "return_window_days": 0,
        "period_days": 7,
        "period_anchor_day": 0,
        "settle_grace_days": 3,
        "remainder_max": 50,
        "issuance_cap": 1_000_000_000,
        "hold_seconds": 86_400,
        "notice_days": 30,
        "sponsor": {"rate": 1, "member_day_max": 20_000, "block_max": 8_000_000, "day_max": 900_000_000},
        "tiers": [TierItem.EXAMPLE],
        "tier_period_days": 365,
        "tier_anchor_day": 0,
        "tier_grace_days": 30,
        "adjust_day_max": 5_000,
        "transfer_day_max": 500,
        "wind_down_days": 90,
        "referral": {"referrer": 100, "joiner": 50},
        "floor": {"points": 100, "cents": 100},
        "refund_days": 14,
        "offer_day_max": 2_000,
        "collateral": 2_500,
        "burn": 0,
    }


class TermsAnswer(Answer):
    """All versions of a program's terms that a receipt may still name, and the chain's time."""

    offset_minutes: int
    time: int
    items: list[ShownTerms]

    EXAMPLE: ClassVar[Example] = {"offset_minutes": -300, "time": EXAMPLE_TIME, "items": [ShownTerms.EXAMPLE]}


class BooksItem(Answer):
    """The fee pool in coin, and where the program's points are: issued + restored = the sum of the seven that follow.

    Of the `contest_points_locked` that contests may credit outside of the issuance cap, `contest_points` are free;
    `contest_coin` repays contests that are upheld. `adjusted` points were given without a purchase; of a million issued,
    `reversed_ppm` were taken back for returns. `challenge_points` are set aside for challenges, `offered` for open offers, and
    no room for anything else. Of the `security`, coin that is put aside, `collateral` stands behind points; the rest is for what
    contests, challenges and offers may credit. `burned` coin left the supply, `collateral_paid` went to members after the close.
    """

    pool: int
    issued: int
    restored: int
    pending: int
    available: int
    held: int
    escrowed: int
    redeemed: int
    expired: int
    reversed: int
    members: int
    contest_points: int
    contest_points_locked: int
    contest_points_credited: int
    contest_coin: int
    contests_open: int
    adjusted: int
    challenge_points: int
    challenge_points_reversed: int
    offered: int
    reversed_ppm: int
    security: int
    collateral: int
    burned: int
    collateral_paid: int

    EXAMPLE: ClassVar[Example] = {
        "pool": 40_000_000,
        "issued": 12_000,
        "restored": 0,
        "pending": 0,
        "available": 9_100,
        "held": 100,
        "escrowed": 500,
        "redeemed": 2_300,
        "expired": 0,
        "reversed": 0,
        "members": 2_469,
        "contest_points": 99_999_801,
        "contest_points_locked": 100_000_000,
        "contest_points_credited": 199,
        "contest_coin": 60_000,
        "contests_open": 0,
        "adjusted": 250,
        "challenge_points": 10_000,
        "challenge_points_reversed": 0,
        "offered": 400,
        "reversed_ppm": 0,
        "security": 250_024_253,
        "collateral": 24_250,
        "burned": 0,
        "collateral_paid": 0,
    }


class ProgramAnswer(ProgramItem):
    """A program with the terms in force, those that are announced and not yet in force, its books, and what it waits for."""

    terms: ShownTerms
    announced: ShownTerms | None
    books: BooksItem
    hand_out: HandOutItem

    EXAMPLE: ClassVar[Example] = {
        **ProgramItem.EXAMPLE,
        "terms": ShownTerms.EXAMPLE,
        "announced": None,
        "books": BooksItem.EXAMPLE,
        "hand_out": HandOutItem.EXAMPLE,
    }


class RewardLimit(Answer):
    """What one member may get: `total` units altogether, and `count` units within `days` days; 0 is no such bound."""

    total: int
    count: int
    days: int

    EXAMPLE: ClassVar[Example] = {"total": 10, "count": 1, "days": 7}


class AnnouncedChange(Answer):
    """A change for the worse that waits for its notice."""

    effective_from: int
    price: int
    stock_change: int = Field(description="What will be taken away: 0 or less.")
    listed: bool
    limit: RewardLimit | None
    opens_at: int | None
    closes_at: int | None
    tier_min: int

    EXAMPLE: ClassVar[Example] = {
        "effective_from": EXAMPLE_TIME,
        "price": 120,
        "stock_change": 0,
        "listed": True,
        "limit": RewardLimit.EXAMPLE,
        "opens_at": None,
        "closes_at": None,
        "tier_min": 0,
    }


class RewardItem(Answer):
    """Something that points buy, as it is now. `stock` null: it does not run out; `limit` null: a member may have any number.

    `price` is what one costs now, which the program's price floor may have lowered. `value_cents` is what the program says that
    one is worth, null where it says nothing. It can be redeemed from `opens_at` until before `closes_at`; null: without end.
    """

    id: str
    name: str
    price: int
    stock: int | None
    listed: bool
    value_cents: int | None
    limit: RewardLimit | None
    opens_at: int | None
    closes_at: int | None
    tier_min: int = Field(description="Members of this tier and above may have it; 0: all.")
    announced: AnnouncedChange | None

    EXAMPLE: ClassVar[Example] = {
        "id": "6a" * 32,
        "name": "Coffee",
        "price": 100,
        "stock": None,
        "listed": True,
        "value_cents": 250,
        "limit": RewardLimit.EXAMPLE,
        "opens_at": None,
        "closes_at": EXAMPLE_TIME + 2_592_000,
        "tier_min": 1,
        "announced": AnnouncedChange.EXAMPLE,
    }


class RewardsAnswer(PageAnswer):
    """Rewards in the order in which they were listed."""

    items: list[RewardItem]

    EXAMPLE: ClassVar[Example] = {"items": [RewardItem.EXAMPLE], "next_cursor": None}


class MemberItem(Standing):
    """A member and its points."""

    address: str

    EXAMPLE: ClassVar[Example] = {"address": EXAMPLE_ADDRESS, **Standing.EXAMPLE}


class MembersAnswer(PageAnswer):
    """Members in the order in which they first joined; those who left are marked by `left_at`."""

    items: list[MemberItem]

    EXAMPLE: ClassVar[Example] = {"items": [MemberItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class GrantSpan(Answer):
    """What an issuer might do from `from` until `until`."""

    from_: int = Field(alias="from")
    until: int
    scopes: list[str]
    daily_cap: int

    EXAMPLE: ClassVar[Example] = {
        "from": 1_793_000_000,
        "until": 1_793_491_200,
        "scopes": ["till"],
        "daily_cap": 50_000,
    }


class IssuerItem(Answer):
    """A key that may act for the program. Receipts of a till count by the grant of their time: the present one holds from
    `granted_at` until `revoked_at` (null: it is live), the ones before it are `earlier`.
    """

    address: str
    scopes: list[str]
    daily_cap: int
    granted_at: int
    revoked_at: int | None
    earlier: list[GrantSpan]

    EXAMPLE: ClassVar[Example] = {
        "address": EXAMPLE_ADDRESS,
        "scopes": ["till", "enrol"],
        "daily_cap": 100_000,
        "granted_at": 1_793_491_200,
        "revoked_at": None,
        "earlier": [GrantSpan.EXAMPLE],
    }


class IssuersAnswer(PageAnswer):
    """Issuers in the order in which they were first granted; those who were revoked stay."""

    items: list[IssuerItem]

    EXAMPLE: ClassVar[Example] = {"items": [IssuerItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class LiabilityDay(ShownDay):
    """What moves when this day begins: points that become available, and points that expire if not used before."""

    activating: int
    expiring: int

    EXAMPLE: ClassVar[Example] = {"day": 21_123, "date": "2027-11-01", "activating": 0, "expiring": 9_100}


class LiabilityAnswer(Answer):
    """What a program owes its members. `outstanding` = pending + available + held + escrowed."""

    program: str
    height: int
    time: int
    today: ShownDay
    outstanding: int
    books: BooksItem
    days: list[LiabilityDay]
    days_complete: bool

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "height": 1_440,
        "time": EXAMPLE_TIME,
        "today": ShownDay.EXAMPLE,
        "outstanding": 9_700,
        "books": BooksItem.EXAMPLE,
        "days": [LiabilityDay.EXAMPLE],
        "days_complete": True,
    }
