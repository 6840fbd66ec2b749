"""`pledge.cancel`: a backer takes a pledge back while the campaign is open, or ends the record after its end (spec CRF-6)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import give_to, spend_prepaid
from ledger.domains.crowdfunding.escrow import end_pledge, own_weight, return_units
from ledger.domains.crowdfunding.events import PledgeCancelled
from ledger.domains.crowdfunding.places import free_places
from ledger.domains.crowdfunding.pledge_change import BOUND, grow, refuse_falling_below
from ledger.domains.crowdfunding.state import (
    NOT_BACKER,
    NUMBER,
    OPEN,
    FormerPledge,
    campaign_key,
    campaign_terms_key,
    former_pledge_key,
    load_campaign,
    load_campaign_terms,
    load_pledge,
    pledge_key,
    refuse_waiting,
)
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, RecordKey

NOT_PREPAID = Code(
    "pledge.not_prepaid",
    "what was prepaid for this pledge was used when it was withdrawn",
    "Pay the fee, or let a program pay it.",
)


@dataclass(frozen=True, slots=True)
class PledgeCancel:
    """Which pledge ends."""

    campaign: Annotated[CampaignId, identifier()]
    number: Annotated[int, NUMBER]


def apply(view: RuleView, call: Call, payload: PledgeCancel, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `pledge.unknown`, `pledge.not_backer`, `campaign.waiting` or `pledge.bound`,
    `pledge.goal_reached`; of a pledge that left: `pledge.not_prepaid` behind `pledge.not_backer`.
    """
    campaign = load_campaign(view, payload.campaign)
    former: FormerPledge | None = view.get(former_pledge_key(payload.campaign, payload.number))
    if former is not None:
        return _forget(view, call, payload, former)
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


def _forget(view: RuleView, call: Call, payload: PledgeCancel, former: FormerPledge) -> tuple[str, ...]:
    """End what a pledge left, which is no standing any more."""
    if former.backer != call.author:
        raise RuleViolation(NOT_BACKER, number=payload.number)
    if not call.payer and not former.prepaid:
        raise RuleViolation(NOT_PREPAID)
    view.delete(former_pledge_key(payload.campaign, payload.number))
    spend_prepaid(view, former.prepaid)
    give_to(view, former.payer, former.deposit, "locked")
    view.emit(PledgeCancelled(payload.campaign, call.author, payload.number, 0))
    return (APPLIED,)


def cost(payload: PledgeCancel) -> Cost:
    """Campaign, pledge, member, books, a day, and the accounts of backer and payer change."""
    return Cost(records=7)


def reads(author: Address, payload: PledgeCancel) -> tuple[RecordKey, ...]:
    """Campaign, terms, and pledge, or what it left."""
    return (
        campaign_key(payload.campaign),
        campaign_terms_key(payload.campaign),
        pledge_key(payload.campaign, payload.number),
        former_pledge_key(payload.campaign, payload.number),
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
