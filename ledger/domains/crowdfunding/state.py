"""Records of the crowdfunding domain: campaigns with their terms, and pledges."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.crowdfunding.terms import UNIT, CampaignTerms, Unit
from ledger.domains.loyalty.state import COIN, LOT, PAYER, POINTS, TIME, Lot
from ledger.errors import Code, RuleViolation
from ledger.kinds import Context
from ledger.params import CAMPAIGN_ADD_ONS_MAX, CAMPAIGN_MILESTONES_MAX, CAMPAIGN_TIERS_MAX, LOTS_MAX, SHARES
from ledger.schema import Boolean, Integer, ListOf, Row, identifier
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Address, Amount, CampaignId, Height, RecordKey, Timestamp

NO_CAMPAIGN = Code("campaign.unknown", "there is no campaign {campaign}", "`GET /v1/campaigns` lists them.")
NO_PLEDGE = Code(
    "pledge.unknown",
    "the campaign has no pledge {number}",
    "It may have been cancelled or refunded; `fansumer wallet pledges` lists yours.",
)
NOT_BACKER = Code("pledge.not_backer", "pledge {number} is another account's", "Name a pledge of your own.")
NOT_CREATOR = Code(
    "campaign.not_creator", "only the campaign's creator may do this", "Sign with the creator's account."
)
NOT_FUNDED = Code(
    "campaign.not_funded",
    "the campaign is {status}, and this needs one that is funded and not at its end",
    "Look at the campaign's state.",
)
WAITING = Code(
    "campaign.waiting",
    "the campaign's time was up at {until:time}, and a block is about to do what follows from it",
    "Try again in the next block.",
)

# What became of a campaign (spec CRF-1).
OPEN = 0
FUNDED = 1
FAILED = 2
CANCELLED = 3
REJECTED = 4
OVERDUE = 5
DONE = 6
STATUS_NAMES = ("open", "funded", "failed", "cancelled", "rejected", "overdue", "done")
STATUS = Integer(OPEN, DONE)

QUANTITY = Integer(0, INTEGER_MAX)
NUMBER = Integer(0, 2**32 - 1)
STEP = Integer(0, CAMPAIGN_MILESTONES_MAX)

ChosenAddOn = tuple[int, int]
"""(add-on, 1 is the first; how many)."""
CHOSEN = ListOf(Row(Integer(1, CAMPAIGN_ADD_ONS_MAX), Integer(1, 1_000)), 0, CAMPAIGN_ADD_ONS_MAX)


@dataclass(frozen=True, slots=True)
class Campaign:
    """How a campaign stands; what it promised is in its `CampaignTerms`.

    `pledged` = `escrowed` + `released` + `returned`, all in its unit. `weight` are the quantities of its pledges, `own_weight` of
    the creator's own. `taken` counts the pledges of each tier, `added` the pieces of each add-on, `pledges` numbers the pledges.
    Decision number `stage` falls at `until` and not before `until_height` (0: there is none). `step` is the milestone that comes
    next, `shares_left` what is not released, of 10,000. `submitted_at` other than 0: round `round` of voting is open, on `basis`
    with `yes` and `no`. `late_days` are those of the steps that were approved;
    `delivered_at` is when an accepted delivery was submitted. A stopped campaign gives `refund_total` back, to pledges of
    `refund_weight`. `backing` are thousandths of coin behind the points of its pledges (spec COL-4).
    """

    creator: Annotated[Address, identifier()]
    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    unit: Annotated[Unit, UNIT]
    status: Annotated[int, STATUS]
    pledged: Annotated[int, QUANTITY]
    weight: Annotated[int, QUANTITY]
    own_weight: Annotated[int, QUANTITY]
    escrowed: Annotated[int, QUANTITY]
    released: Annotated[int, QUANTITY]
    returned: Annotated[int, QUANTITY]
    pledges: Annotated[int, NUMBER]
    taken: Annotated[tuple[int, ...], ListOf(QUANTITY, 0, CAMPAIGN_TIERS_MAX)]
    added: Annotated[tuple[int, ...], ListOf(QUANTITY, 0, CAMPAIGN_ADD_ONS_MAX)]
    stage: Annotated[int, NUMBER]
    until: Annotated[Timestamp, TIME]
    until_height: Annotated[Height, NUMBER]
    step: Annotated[int, Integer(0, CAMPAIGN_MILESTONES_MAX + 1)]
    shares_left: Annotated[int, Integer(0, SHARES)]
    attempt: Annotated[int, Integer(1, 2)]
    round: Annotated[int, NUMBER]
    submitted_at: Annotated[Timestamp, TIME]
    basis: Annotated[int, QUANTITY]
    yes: Annotated[int, QUANTITY]
    no: Annotated[int, QUANTITY]
    late_days: Annotated[tuple[int, ...], ListOf(QUANTITY, 0, CAMPAIGN_MILESTONES_MAX + 1)]
    delivered_at: Annotated[Timestamp, TIME]
    updates: Annotated[int, NUMBER]
    refund_total: Annotated[int, QUANTITY]
    refund_weight: Annotated[int, QUANTITY]
    backing: Annotated[int, QUANTITY]

    def is_over(self, context: Context) -> bool:
        """Whether its next decision has come, by time and by height."""
        return bool(self.until) and context.time >= self.until and context.height >= self.until_height


@dataclass(frozen=True, slots=True)
class Pledge:
    """What a backer put into a campaign. `tier` 0 is no tier, 1 the first. `lots` are the points' lots, none for coin.

    `voted_round` is the round of voting in which it voted last (0: never), and `approves` what it said.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    backer: Annotated[Address, identifier()]
    quantity: Annotated[int, POINTS]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]
    lots: Annotated[tuple[Lot, ...], ListOf(LOT, 0, LOTS_MAX)]
    add_ons: Annotated[tuple[ChosenAddOn, ...], CHOSEN]
    voted_round: Annotated[int, NUMBER]
    approves: Annotated[bool, Boolean()]


@dataclass(frozen=True, slots=True)
class FormerPledge:
    """A pledge that left when part of it was released to the creator: its backer's standing, until the backer ends it.

    `quantity` is what was pledged, `returned` what came back. `prepaid` is 0 where leaving used it up.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    backer: Annotated[Address, identifier()]
    quantity: Annotated[int, POINTS]
    returned: Annotated[int, POINTS]


CAMPAIGNS = Table(b"F", Campaign)
CAMPAIGN_TERMS = Table(b"f", CampaignTerms)
PLEDGES = Table(b"P", Pledge)
FORMER_PLEDGES = Table(b"b", FormerPledge)


def campaign_key(campaign: CampaignId) -> RecordKey:
    """`F` + campaign."""
    return RecordKey(b"F" + campaign)


def campaign_terms_key(campaign: CampaignId) -> RecordKey:
    """`f` + campaign."""
    return RecordKey(b"f" + campaign)


def pledge_key(campaign: CampaignId, number: int) -> RecordKey:
    """`P` + campaign + number as 4 bytes."""
    return RecordKey(b"P" + campaign + number.to_bytes(4, "big"))


def former_pledge_key(campaign: CampaignId, number: int) -> RecordKey:
    """`b` + campaign + number as 4 bytes."""
    return RecordKey(b"b" + campaign + number.to_bytes(4, "big"))


def load_campaign(view: RuleView, campaign: CampaignId) -> Campaign:
    """The campaign, or `campaign.unknown`."""
    found: Campaign | None = view.get(campaign_key(campaign))
    if found is None:
        raise RuleViolation(NO_CAMPAIGN, campaign=campaign)
    return found


def load_campaign_terms(view: RuleView, campaign: CampaignId) -> CampaignTerms:
    """The terms of a campaign that exists."""
    found: CampaignTerms | None = view.get(campaign_terms_key(campaign))
    assert found is not None, f"campaign {campaign.hex()} has no terms"
    return found


def load_pledge(view: RuleView, campaign: CampaignId, number: int, backer: Address) -> Pledge:
    """The backer's pledge. Raises `pledge.unknown`, `pledge.not_backer`."""
    found: Pledge | None = view.get(pledge_key(campaign, number))
    if found is None:
        raise RuleViolation(NO_PLEDGE, number=number)
    if found.backer != backer:
        raise RuleViolation(NOT_BACKER, number=number)
    return found


def refuse_waiting(campaign: Campaign, context: Context) -> None:
    """Raise `campaign.waiting` between the time of a decision and the work that makes it."""
    if campaign.is_over(context):
        raise RuleViolation(WAITING, until=campaign.until)


def require_funded(campaign: Campaign, context: Context) -> None:
    """Raise `campaign.not_funded` unless steps are being taken, then `campaign.waiting`."""
    if campaign.status != FUNDED:
        raise RuleViolation(NOT_FUNDED, status=STATUS_NAMES[campaign.status])
    refuse_waiting(campaign, context)
