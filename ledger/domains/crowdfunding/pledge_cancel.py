"""`pledge.cancel`: a backer takes a pledge back while the campaign is open, or ends the record after its end (spec CRF-6)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.crowdfunding.escrow import end_pledge, own_weight, return_units
from ledger.domains.crowdfunding.events import PledgeCancelled
from ledger.domains.crowdfunding.places import free_places
from ledger.domains.crowdfunding.pledge_change import BOUND, grow, refuse_falling_below
from ledger.domains.crowdfunding.state import (
    NUMBER,
    OPEN,
    campaign_key,
    campaign_terms_key,
    load_campaign,
    load_campaign_terms,
    load_pledge,
    pledge_key,
    refuse_waiting,
)
from ledger.errors import RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, RecordKey


@dataclass(frozen=True, slots=True)
class PledgeCancel:
    """Which pledge ends."""

    campaign: Annotated[CampaignId, identifier()]
    number: Annotated[int, NUMBER]


def apply(view: RuleView, call: Call, payload: PledgeCancel, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `pledge.unknown`, `pledge.not_backer`, `campaign.waiting` or `pledge.bound`,
    `pledge.goal_reached`.
    """
    campaign = load_campaign(view, payload.campaign)
    pledge = load_pledge(view, payload.campaign, payload.number, call.author)
    if campaign.status == OPEN:
        refuse_waiting(campaign, context)
        refuse_falling_below(campaign, load_campaign_terms(view, payload.campaign), pledge.quantity, context)
        returned = pledge.quantity
        _, backing = return_units(view, campaign, pledge, returned, context)
        left = grow(free_places(campaign, pledge), call.author, -returned, -backing)
    elif campaign.until or campaign.escrowed:
        raise RuleViolation(BOUND)
    else:
        returned = 0
        left = replace(
            campaign,
            weight=campaign.weight - pledge.quantity,
            own_weight=campaign.own_weight - own_weight(campaign, call.author, pledge.quantity),
        )
    view.put(campaign_key(payload.campaign), left)
    end_pledge(view, payload.campaign, payload.number, pledge)
    view.emit(PledgeCancelled(payload.campaign, call.author, payload.number, returned))
    return (APPLIED,)


def cost(payload: PledgeCancel) -> Cost:
    """Campaign, pledge, member, books, a day, and the accounts of backer and payer change."""
    return Cost(records=7)


def reads(author: Address, payload: PledgeCancel) -> tuple[RecordKey, ...]:
    """Campaign, terms and pledge."""
    return (
        campaign_key(payload.campaign),
        campaign_terms_key(payload.campaign),
        pledge_key(payload.campaign, payload.number),
    )


PLEDGE_CANCEL = Kind(
    name="pledge.cancel",
    anchor="CRF-6",
    payload=Struct(PledgeCancel),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
