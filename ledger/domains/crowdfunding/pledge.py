"""`pledge`: a fan backs a campaign; what it gives is in escrow from now on (spec CRF-2)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import account_payer, lock_deposit, prepay_exit, take_from
from ledger.domains.accounts.state import account_key
from ledger.domains.crowdfunding.settlement import is_over
from ledger.domains.crowdfunding.state import (
    OPEN,
    Campaign,
    CoinUnit,
    Pledge,
    campaign_key,
    load_campaign,
    pledge_key,
)
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.state import Lot, load_member, load_program, member_key
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CAMPAIGN_TIERS_MAX
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, Amount, CampaignId, Points, ProgramId, RecordKey

CAMPAIGN_OVER = Code("pledge.campaign_over", "the campaign has ended", "Look for the creator's next campaign.")
NO_TIER = Code(
    "pledge.no_tier", "the campaign has {count} tiers, not {tier}", "Choose one of its tiers, or 0 for none."
)
BELOW_TIER = Code("pledge.below_tier", "this tier begins at {least}, and {offered} is offered", "Pledge more.")
TIER_TAKEN = Code("pledge.tier_taken", "all {limit} places of this tier are taken", "Choose another tier.")
TOO_MUCH = Code("pledge.too_much", "the campaign would hold more than a number can", "Pledge less.")


@dataclass(frozen=True, slots=True)
class PledgeMake:
    """`quantity` in the campaign's unit, for a tier (1 is the first, 0 none)."""

    campaign: Annotated[CampaignId, identifier()]
    quantity: Annotated[int, Integer(1, INTEGER_MAX)]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]


@declare_event
@dataclass(frozen=True, slots=True)
class Pledged(Event):
    """A fan backed a campaign. `number` names the pledge within it."""

    name: ClassVar[str] = "pledge.made"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, Integer(0, 2**32 - 1)]
    quantity: Annotated[int, Integer(1, INTEGER_MAX)]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


def apply(view: RuleView, call: Call, payload: PledgeMake, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `pledge.campaign_over`, `pledge.no_tier`, `pledge.below_tier`, `pledge.tier_taken`,
    `pledge.too_much`, `member.unknown`, `points.insufficient` (points) or `coin.insufficient` (coin), `coin.pool_insufficient`.
    """
    campaign = load_campaign(view, payload.campaign)
    if campaign.status != OPEN or is_over(campaign, context):
        raise RuleViolation(CAMPAIGN_OVER)
    taken = _take_tier(campaign, payload)
    if campaign.pledged + payload.quantity > INTEGER_MAX:
        raise RuleViolation(TOO_MUCH)
    lots: tuple[Lot, ...] = ()
    backing = 0
    if isinstance(campaign.unit, CoinUnit):
        take_from(view, account_payer(call.author), Amount(payload.quantity), "escrow")
    else:
        lots, backing = _escrow_points(view, campaign.unit.program, call.author, Points(payload.quantity), context)
    pledge = Pledge(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        prepaid=prepay_exit(view, call, context),
        backer=call.author,
        quantity=payload.quantity,
        tier=payload.tier,
        lots=lots,
    )
    number = campaign.pledges
    view.put(pledge_key(payload.campaign, number), pledge)
    grown = replace(
        campaign,
        taken=taken,
        pledged=campaign.pledged + payload.quantity,
        escrowed=campaign.escrowed + payload.quantity,
        pledges=number + 1,
        backing=campaign.backing + backing,
    )
    view.put(campaign_key(payload.campaign), grown)
    view.emit(Pledged(payload.campaign, call.author, number, payload.quantity, payload.tier))
    return (APPLIED,)


def _take_tier(campaign: Campaign, payload: PledgeMake) -> tuple[int, ...]:
    if payload.tier == 0:
        return campaign.taken
    if payload.tier > len(campaign.tiers):
        raise RuleViolation(NO_TIER, count=len(campaign.tiers), tier=payload.tier)
    index = payload.tier - 1
    _, least, limit = campaign.tiers[index]
    if payload.quantity < least:
        raise RuleViolation(BELOW_TIER, least=least, offered=payload.quantity)
    if limit and campaign.taken[index] >= limit:
        raise RuleViolation(TIER_TAKEN, limit=limit)
    return (*campaign.taken[:index], campaign.taken[index] + 1, *campaign.taken[index + 1 :])


def _escrow_points(
    view: RuleView, program_id: ProgramId, backer: Address, points: Points, context: Context
) -> tuple[tuple[Lot, ...], int]:
    """Move points into escrow: the lots that were taken, and the thousandths of coin behind them."""
    program = load_program(view, program_id)
    member = load_member(view, program_id, backer)
    book = PointsBook.open(view, program_id, program, context)
    left, taken = book.take(member.lots, points, "escrowed")
    view.put(member_key(program_id, backer), replace(member, lots=left))
    book.save()
    return taken, book.backing_of(taken)


def cost(payload: PledgeMake) -> Cost:
    """Campaign, member, books, days and payer are touched; the pledge is made."""
    return Cost(records=6, slots=1, due=1)


def reads(author: Address, payload: PledgeMake) -> tuple[RecordKey, ...]:
    """Campaign and backer."""
    return (campaign_key(payload.campaign), account_key(author))


PLEDGE = Kind(
    name="pledge",
    anchor="CRF-2",
    payload=Struct(PledgeMake),
    apply=apply,
    cost=cost,
    reads=reads,
    waits_for_recovery=True,
)
