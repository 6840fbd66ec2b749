"""`pledge.change`: a backer raises or lowers a pledge, or takes another tier, before the deadline (spec CRF-6)."""

from dataclasses import dataclass
from typing import Annotated, Final

from ledger.domains.crowdfunding.escrow import own_weight, put_in, return_units
from ledger.domains.crowdfunding.events import PledgeChanged
from ledger.domains.crowdfunding.places import check_add_ons, free_places, take_places
from ledger.domains.crowdfunding.pledge import refuse_too_much
from ledger.domains.crowdfunding.state import (
    CHOSEN,
    NUMBER,
    OPEN,
    Campaign,
    ChosenAddOn,
    Pledge,
    campaign_key,
    campaign_terms_key,
    load_campaign,
    load_campaign_terms,
    load_pledge,
    pledge_key,
    refuse_waiting,
)
from ledger.domains.crowdfunding.terms import SOME, CampaignTerms
from ledger.domains.loyalty.points import join_lots
from ledger.domains.loyalty.state import Lot
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CAMPAIGN_TIERS_MAX, LOTS_MAX
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, Day, RecordKey

BOUND = Code(
    "pledge.bound",
    "the campaign is not open any more, and the pledge belongs to it",
    "Vote no on a step and withdraw; what a campaign that stops still holds comes back by itself.",
)
GOAL_REACHED = Code(
    "pledge.goal_reached",
    "in the last day the reached goal {goal} must stay reached: {left} would be pledged, and {most} at most can be taken back",
    "Take back less, or leave the pledge as it is.",
)
TOO_MANY_LOTS = Code(
    "pledge.too_many_lots",
    "with these the pledge would hold {count} lots of points, and it can hold {maximum}",
    "Make another pledge for the rest.",
)
LAST_DAY_SECONDS: Final = 86_400
NOTHING_EXPIRES: Final = Day(-1)
"""In escrow lots stay, whatever their days."""


@dataclass(frozen=True, slots=True)
class PledgeChange:
    """A pledge as it is to be."""

    campaign: Annotated[CampaignId, identifier()]
    number: Annotated[int, NUMBER]
    quantity: Annotated[int, SOME]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]
    add_ons: Annotated[tuple[ChosenAddOn, ...], CHOSEN] = ()


def check(payload: PledgeChange) -> None:
    """Each add-on is named once."""
    check_add_ons(payload.add_ons)


def refuse_falling_below(campaign: Campaign, terms: CampaignTerms, taken: int, context: Context) -> None:
    """Raise `pledge.goal_reached` if `taken` units less would take a reached goal below it on the last day."""
    is_last_day = terms.all_or_nothing and context.time >= terms.deadline - LAST_DAY_SECONDS
    if is_last_day and campaign.pledged - taken < terms.goal <= campaign.pledged:
        most = campaign.pledged - terms.goal
        raise RuleViolation(GOAL_REACHED, goal=terms.goal, left=campaign.pledged - taken, most=most)


def apply(view: RuleView, call: Call, payload: PledgeChange, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `pledge.unknown`, `pledge.not_backer`, `pledge.bound`, `campaign.waiting`,
    `pledge.no_tier`, `pledge.no_add_on`, `pledge.below_tier`, `pledge.tier_taken`, `pledge.add_on_taken`, `pledge.goal_reached`,
    `pledge.too_much`, `coin.insufficient` (coin) or `program.closed`, `member.unknown`, `points.insufficient`,
    `pledge.too_many_lots` (points).
    """
    campaign = load_campaign(view, payload.campaign)
    pledge = load_pledge(view, payload.campaign, payload.number, call.author)
    if campaign.status != OPEN:
        raise RuleViolation(BOUND)
    refuse_waiting(campaign, context)
    terms = load_campaign_terms(view, payload.campaign)
    campaign = take_places(
        free_places(campaign, pledge),
        terms,
        quantity=payload.quantity,
        tier=payload.tier,
        add_ons=payload.add_ons,
    )
    added = payload.quantity - pledge.quantity
    refuse_falling_below(campaign, terms, -added, context)
    refuse_too_much(campaign, added)
    lots, backing = _move(view, campaign, pledge, added, context)
    changed = replace(pledge, quantity=payload.quantity, tier=payload.tier, add_ons=payload.add_ons, lots=lots)
    view.put(pledge_key(payload.campaign, payload.number), changed)
    view.put(campaign_key(payload.campaign), grow(campaign, call.author, added, backing))
    view.emit(
        PledgeChanged(payload.campaign, call.author, payload.number, pledge.quantity, payload.quantity, payload.tier)
    )
    return (APPLIED,)


def _move(
    view: RuleView, campaign: Campaign, pledge: Pledge, added: int, context: Context
) -> tuple[tuple[Lot, ...], int]:
    """Put more in, or give some back; returns the pledge's lots, and how much more backing (or less) the campaign has."""
    if added < 0:
        kept, lost = return_units(view, campaign, pledge, -added, context, ends=False)
        return kept, -lost
    if not added:
        return pledge.lots, 0
    taken, backing = put_in(view, campaign, pledge.backer, added, context)
    lots = join_lots(pledge.lots, taken, NOTHING_EXPIRES)
    if len(lots) > LOTS_MAX:
        raise RuleViolation(TOO_MANY_LOTS, count=len(lots), maximum=LOTS_MAX)
    return lots, backing


def grow(campaign: Campaign, backer: Address, added: int, backing: int) -> Campaign:
    """An open campaign with `added` units more (or less) of a backer's, and `backing` behind them."""
    return replace(
        campaign,
        pledged=campaign.pledged + added,
        weight=campaign.weight + added,
        own_weight=campaign.own_weight + own_weight(campaign, backer, added),
        escrowed=campaign.escrowed + added,
        backing=campaign.backing + backing,
    )


def cost(payload: PledgeChange) -> Cost:
    """Campaign, pledge, member, books, days and the backer's account change."""
    return Cost(records=7)


def reads(author: Address, payload: PledgeChange) -> tuple[RecordKey, ...]:
    """Campaign, terms and pledge."""
    return (
        campaign_key(payload.campaign),
        campaign_terms_key(payload.campaign),
        pledge_key(payload.campaign, payload.number),
    )


PLEDGE_CHANGE = Kind(
    name="pledge.change",
    anchor="CRF-6",
    payload=Struct(PledgeChange),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    waits_for_recovery=True,
)
