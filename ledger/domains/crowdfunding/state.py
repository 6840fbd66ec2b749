"""Records of the crowdfunding domain: campaigns and pledges."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.state import COIN, LOT, PAYER, POINTS, TIME, Lot
from ledger.errors import Code, RuleViolation
from ledger.params import CAMPAIGN_TIERS_MAX, LOTS_MAX
from ledger.schema import Integer, ListOf, OneOf, Row, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Address, Amount, CampaignId, Height, ProgramId, RecordKey, Timestamp

NO_CAMPAIGN = Code("campaign.unknown", "there is no campaign {campaign}", "`GET /v1/campaigns` lists them.")

# What became of a campaign (spec CRF-3).
OPEN = 0
FUNDED = 1
FAILED = 2
STATUS_NAMES = ("open", "funded", "failed")

QUANTITY = Integer(0, INTEGER_MAX)

Tier = tuple[str, int, int]
"""(title, least pledge, how many may take it; 0 is no limit)."""

TIER = Row(Text(1, 128), Integer(1, INTEGER_MAX), Integer(0, 2**31 - 1))


@dataclass(frozen=True, slots=True)
class CoinUnit:
    """The campaign collects coin."""

    tag: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class PointsUnit:
    """The campaign collects a program's points; funded, they count as redeemed with that program."""

    tag: ClassVar[int] = 1
    program: Annotated[ProgramId, identifier()]


Unit = CoinUnit | PointsUnit
UNIT = OneOf(CoinUnit, PointsUnit)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign: its terms, which freeze when it is made, and what was pledged so far.

    `taken` counts the pledges of each tier. `pledges` numbers them; `refunded` is how many of a failed campaign's went back,
    `escrowed` what was neither released nor refunded, `backing` thousandths of coin behind points that were pledged (spec COL-4).
    """

    creator: Annotated[Address, identifier()]
    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    title: Annotated[str, Text(1, 128)]
    unit: Annotated[Unit, UNIT]
    goal: Annotated[int, Integer(1, INTEGER_MAX)]
    deadline: Annotated[Timestamp, TIME]
    deadline_height: Annotated[Height, Integer(0, 2**32 - 1)]
    tiers: Annotated[tuple[Tier, ...], ListOf(TIER, 0, CAMPAIGN_TIERS_MAX)]
    taken: Annotated[tuple[int, ...], ListOf(QUANTITY, 0, CAMPAIGN_TIERS_MAX)]
    status: Annotated[int, Integer(OPEN, FAILED)]
    pledged: Annotated[int, QUANTITY]
    pledges: Annotated[int, Integer(0, 2**32 - 1)]
    refunded: Annotated[int, Integer(0, 2**32 - 1)]
    escrowed: Annotated[int, QUANTITY]
    backing: Annotated[int, QUANTITY] = 0


@dataclass(frozen=True, slots=True)
class Pledge:
    """What a backer put into a campaign. `tier` 0 is no tier, 1 the first. `lots` are the points' lots, none for coin."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    backer: Annotated[Address, identifier()]
    quantity: Annotated[int, POINTS]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]
    lots: Annotated[tuple[Lot, ...], ListOf(LOT, 0, LOTS_MAX)]


CAMPAIGNS = Table(b"F", Campaign)
PLEDGES = Table(b"P", Pledge)


def campaign_key(campaign: CampaignId) -> RecordKey:
    """`F` + campaign."""
    return RecordKey(b"F" + campaign)


def pledge_key(campaign: CampaignId, number: int) -> RecordKey:
    """`P` + campaign + number as 4 bytes."""
    return RecordKey(b"P" + campaign + number.to_bytes(4, "big"))


def load_campaign(view: RuleView, campaign: CampaignId) -> Campaign:
    """The campaign, or `campaign.unknown`."""
    found: Campaign | None = view.get(campaign_key(campaign))
    if found is None:
        raise RuleViolation(NO_CAMPAIGN, campaign=campaign)
    return found
