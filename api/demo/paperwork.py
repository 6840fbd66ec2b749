"""What passes between the replay's driver and its office: the order for a week, and the finished transactions of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.demo.journey import HouseholdId
from api.demo.plan import Plan
from api.demo.products import Feeds
from api.demo.promotions import Promotion, PromotionId
from api.wallet.builder import ChainFacts
from ledger.domains.loyalty.receipts import SignedReceipt
from ledger.domains.loyalty.state import NO_POINTS
from ledger.types import Address, Height, Points, ProgramId, RewardId, Timestamp

BRAND: Final = HouseholdId(0)
"""Stands for the brand where a household is named; the data's households count from 1."""


@dataclass(frozen=True, slots=True)
class Purchases:
    """Which purchases: as `load_journey` reads them."""

    as_of: Timestamp
    weeks: int | None
    data_dir: Path | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the purchases are, in numbers. `periods` are the settlement periods with a basket, ascending; `cents` what each
    household spent.
    """

    weeks: int
    shift_seconds: int
    first_basket: Timestamp
    last_basket: Timestamp
    baskets: int
    lines: int
    redemptions: int
    periods: tuple[int, ...]
    cents: Mapping[HouseholdId, int]
    promotions: tuple[Promotion, ...]
    feeds: Feeds


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the office must know of the chain before it signs anything."""

    facts: ChainFacts
    program: ProgramId
    rewards: Mapping[PromotionId, RewardId]
    plan: Plan
    receipts_path: Path


@dataclass(frozen=True, slots=True)
class Signed:
    """A finished transaction: the block that it is for, whose it is, and, for what takes points, how many.

    `reward` is the campaign of the shop whose coupon a redemption asks for. `kind` is said where the driver must tell them apart.
    """

    height: Height
    household: HouseholdId
    account: Address
    raw: bytes
    points: Points = NO_POINTS
    reward: PromotionId | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class HandOver:
    """A receipt, as the till wrote it with its lines, for the app of the household that bought."""

    household: HouseholdId
    signed: SignedReceipt
    lines: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Returned:
    """What came back in a week: lines, and returns; how many of these had earned nothing, and so took no signature; points that
    fans signed to give back, and those of them that no entry was left to give; and bonuses of offers that go back as well.
    """

    lines: int = 0
    returns: int = 0
    without_points: int = 0
    points_signed: int = 0
    points_beyond_entries: int = 0
    bonuses: int = 0


@dataclass(slots=True)
class Spent:
    """What receipts of one kind add up to."""

    receipts: int = 0
    cents: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class Week:
    """A period's transactions, by what they are.

    `hand_overs` are its receipts for apps, by time.
    `promised` are the points of its receipts by household, `credited` those of its entries. `spent` is by (whether the household
    refuses every consent, the tier that the till applied). `tiers_risen` and `tiers_fallen` count fans since the week before.
    """

    period: int
    settled: Height
    joins: tuple[Signed, ...]
    consents: tuple[Signed, ...]
    redemptions: tuple[Signed, ...]
    settlements: tuple[Signed, ...]
    reversals: tuple[Signed, ...]
    offers: tuple[Signed, ...]
    hand_overs: tuple[HandOver, ...]
    promised: Mapping[HouseholdId, Points]
    credited: Mapping[HouseholdId, Points]
    returned: Returned = field(default_factory=Returned)
    spent: Mapping[tuple[bool, int], Spent] = field(default_factory=dict[tuple[bool, int], Spent])
    tiers_risen: int = 0
    tiers_fallen: int = 0
