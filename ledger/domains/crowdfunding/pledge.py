"""`pledge`: a fan backs a campaign; what it gives is in escrow from now on (spec CRF-2)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit, prepay_exit
from ledger.domains.accounts.state import account_key
from ledger.domains.crowdfunding.escrow import own_weight, put_in
from ledger.domains.crowdfunding.events import Pledged
from ledger.domains.crowdfunding.places import check_add_ons, take_places
from ledger.domains.crowdfunding.state import (
    CHOSEN,
    OPEN,
    Campaign,
    ChosenAddOn,
    Pledge,
    campaign_key,
    campaign_terms_key,
    load_campaign,
    load_campaign_terms,
    pledge_key,
)
from ledger.domains.crowdfunding.terms import SOME, CampaignTerms
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CAMPAIGN_TIERS_MAX
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, CampaignId, RecordKey

CAMPAIGN_OVER = Code(
    "pledge.campaign_over",
    "the campaign has ended",
    "Use `pledge.late` if it takes late pledges, or look for the creator's next campaign.",
)
TOO_MUCH = Code("pledge.too_much", "the campaign would hold more than a number can", "Pledge less.")


@dataclass(frozen=True, slots=True)
class PledgeMake:
    """`quantity` in the campaign's unit, for a tier (1 is the first, 0 none), with add-ons (which, how many)."""

    campaign: Annotated[CampaignId, identifier()]
    quantity: Annotated[int, SOME]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]
    add_ons: Annotated[tuple[ChosenAddOn, ...], CHOSEN] = ()


def check(payload: PledgeMake) -> None:
    """Each add-on is named once."""
    check_add_ons(payload.add_ons)


def apply(view: RuleView, call: Call, payload: PledgeMake, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `pledge.campaign_over`, `pledge.no_tier`, `pledge.no_add_on`, `pledge.below_tier`,
    `pledge.tier_taken`, `pledge.add_on_taken`, `pledge.too_much`, `program.closed`, `member.unknown`, `points.insufficient` (in
    points), `coin.insufficient` or `coin.pool_insufficient`.
    """
    campaign = load_campaign(view, payload.campaign)
    if campaign.status != OPEN or campaign.is_over(context):
        raise RuleViolation(CAMPAIGN_OVER)
    terms = load_campaign_terms(view, payload.campaign)
    campaign = add_pledge(view, call, payload, campaign, terms, context)
    view.put(campaign_key(payload.campaign), campaign)
    return (APPLIED,)


def add_pledge(
    view: RuleView, call: Call, payload: PledgeMake, campaign: Campaign, terms: CampaignTerms, context: Context
) -> Campaign:
    """Put the units into escrow and make the pledge's record; returns the campaign with it."""
    campaign = take_places(campaign, terms, quantity=payload.quantity, tier=payload.tier, add_ons=payload.add_ons)
    refuse_too_much(campaign, payload.quantity)
    lots, backing = put_in(view, campaign, call.author, payload.quantity, context)
    pledge = Pledge(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        prepaid=prepay_exit(view, call, context),
        backer=call.author,
        quantity=payload.quantity,
        tier=payload.tier,
        lots=lots,
        add_ons=payload.add_ons,
        voted_round=0,
        approves=False,
    )
    number = campaign.pledges
    view.put(pledge_key(payload.campaign, number), pledge)
    late = campaign.status != OPEN
    view.emit(Pledged(payload.campaign, call.author, number, payload.quantity, payload.tier, late))
    return replace(
        campaign,
        pledges=number + 1,
        pledged=campaign.pledged + payload.quantity,
        weight=campaign.weight + payload.quantity,
        own_weight=campaign.own_weight + own_weight(campaign, call.author, payload.quantity),
        escrowed=campaign.escrowed + payload.quantity,
        backing=campaign.backing + backing,
    )


def refuse_too_much(campaign: Campaign, quantity: int) -> None:
    """Raise `pledge.too_much` where `quantity` more would pass what a number can hold."""
    if campaign.pledged + quantity > INTEGER_MAX:
        raise RuleViolation(TOO_MUCH)


def cost(payload: PledgeMake) -> Cost:
    """Campaign, member, books, days and payer are touched; the pledge is made."""
    return Cost(records=6, slots=1, due=1)


def reads(author: Address, payload: PledgeMake) -> tuple[RecordKey, ...]:
    """Campaign, its terms, and the backer."""
    return (campaign_key(payload.campaign), campaign_terms_key(payload.campaign), account_key(author))


PLEDGE = Kind(
    name="pledge",
    anchor="CRF-2",
    payload=Struct(PledgeMake),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    waits_for_recovery=True,
)
