"""`delivery.confirm`: a backer says whether what was promised has arrived (spec CRF-8)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.crowdfunding.state import NUMBER, campaign_key, campaign_terms_key, pledge_key
from ledger.domains.crowdfunding.steps import cast_vote
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Boolean, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, RecordKey


@dataclass(frozen=True, slots=True)
class DeliveryConfirm:
    """What one pledge says of the delivery. It can be changed while the vote is open."""

    campaign: Annotated[CampaignId, identifier()]
    number: Annotated[int, NUMBER]
    received: Annotated[bool, Boolean()]


def apply(view: RuleView, call: Call, payload: DeliveryConfirm, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `campaign.not_funded`, `campaign.waiting`, `milestone.no_vote`, `delivery.not_submitted`,
    `pledge.unknown`, `pledge.not_backer`, `milestone.own_pledge`.
    """
    cast_vote(view, call, payload.campaign, payload.number, context, approves=payload.received, on_delivery=True)
    return (APPLIED,)


def cost(payload: DeliveryConfirm) -> Cost:
    """Campaign and pledge change."""
    return Cost(records=2)


def reads(author: Address, payload: DeliveryConfirm) -> tuple[RecordKey, ...]:
    """Campaign, terms and pledge."""
    return (
        campaign_key(payload.campaign),
        campaign_terms_key(payload.campaign),
        pledge_key(payload.campaign, payload.number),
    )


DELIVERY_CONFIRM = Kind(
    name="delivery.confirm", anchor="CRF-8", payload=Struct(DeliveryConfirm), apply=apply, cost=cost, reads=reads
)
