"""`campaign.cancel`: the creator gives up; what is in escrow goes back to the backers (spec CRF-10)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.crowdfunding.decisions import stop
from ledger.domains.crowdfunding.state import (
    CANCELLED,
    FUNDED,
    NOT_CREATOR,
    OPEN,
    STATUS_NAMES,
    campaign_key,
    load_campaign,
    refuse_waiting,
)
from ledger.errors import Code, RuleViolation
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, RecordKey

NOTHING_LEFT = Code(
    "campaign.nothing_left",
    "the campaign is {status}, and nothing is left in escrow that a cancellation could give back",
    "What was released is settled between you and your backers.",
)


@dataclass(frozen=True, slots=True)
class CampaignCancel:
    """Which campaign ends."""

    campaign: Annotated[CampaignId, identifier()]


def apply(view: RuleView, call: Call, payload: CampaignCancel, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `campaign.not_creator`, `campaign.nothing_left`, `campaign.waiting`."""
    campaign = load_campaign(view, payload.campaign)
    if campaign.creator != call.author:
        raise RuleViolation(NOT_CREATOR)
    if campaign.status != OPEN and not (campaign.status == FUNDED and campaign.escrowed):
        raise RuleViolation(NOTHING_LEFT, status=STATUS_NAMES[campaign.status])
    refuse_waiting(campaign, context)
    view.put(campaign_key(payload.campaign), stop(view, payload.campaign, campaign, CANCELLED, context))
    return (APPLIED,)


def cost(payload: CampaignCancel) -> Cost:
    """The campaign changes, and its refund is queued."""
    return Cost(records=2, due=1)


def reads(author: Address, payload: CampaignCancel) -> tuple[RecordKey, ...]:
    """The campaign."""
    return (campaign_key(payload.campaign),)


CAMPAIGN_CANCEL = Kind(
    name="campaign.cancel", anchor="CRF-10", payload=Struct(CampaignCancel), apply=apply, cost=cost, reads=reads
)
