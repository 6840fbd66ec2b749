"""`pledge.withdraw`: a backer who said no takes its part of what is not yet released (spec CRF-9)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.crowdfunding.escrow import leave, return_units
from ledger.domains.crowdfunding.events import PledgeWithdrawn
from ledger.domains.crowdfunding.places import free_places
from ledger.domains.crowdfunding.state import (
    NUMBER,
    Campaign,
    Pledge,
    campaign_key,
    load_campaign,
    load_pledge,
    pledge_key,
    require_funded,
)
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, RecordKey

NOT_REFUSED = Code(
    "pledge.not_refused",
    "this pledge did not vote no on what the creator submitted last",
    "Vote no while a vote is open; then it can be withdrawn.",
)


@dataclass(frozen=True, slots=True)
class PledgeWithdraw:
    """Which pledge leaves."""

    campaign: Annotated[CampaignId, identifier()]
    number: Annotated[int, NUMBER]


def has_refused(campaign: Campaign, pledge: Pledge) -> bool:
    """Whether the pledge's vote in the latest round is no."""
    return 0 < campaign.round == pledge.voted_round and not pledge.approves


def apply(view: RuleView, call: Call, payload: PledgeWithdraw, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `pledge.unknown`, `pledge.not_backer`, `campaign.not_funded`, `campaign.waiting`,
    `pledge.not_refused`.
    """
    campaign = load_campaign(view, payload.campaign)
    pledge = load_pledge(view, payload.campaign, payload.number, call.author)
    require_funded(campaign, context)
    if not has_refused(campaign, pledge):
        raise RuleViolation(NOT_REFUSED)
    share = campaign.escrowed * pledge.quantity // campaign.weight
    _, backing = return_units(view, campaign, pledge, share, context)
    left = replace(
        free_places(campaign, pledge),
        weight=campaign.weight - pledge.quantity,
        escrowed=campaign.escrowed - share,
        returned=campaign.returned + share,
        backing=campaign.backing - backing,
    )
    view.put(campaign_key(payload.campaign), left)
    leave(view, payload.campaign, campaign, payload.number, pledge, share, prepaid=0)
    view.emit(PledgeWithdrawn(payload.campaign, call.author, payload.number, share))
    return (APPLIED,)


def cost(payload: PledgeWithdraw) -> Cost:
    """Campaign, pledge, member, books, a day, and the accounts of backer and payer change; what the pledge leaves is made."""
    return Cost(records=8)


def reads(author: Address, payload: PledgeWithdraw) -> tuple[RecordKey, ...]:
    """Campaign and pledge."""
    return (campaign_key(payload.campaign), pledge_key(payload.campaign, payload.number))


PLEDGE_WITHDRAW = Kind(
    name="pledge.withdraw",
    anchor="CRF-9",
    payload=Struct(PledgeWithdraw),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
