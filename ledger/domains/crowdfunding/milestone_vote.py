"""`milestone.vote`: a backer says whether a milestone was reached (spec CRF-8)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.crowdfunding.state import NUMBER, campaign_key, campaign_terms_key, pledge_key
from ledger.domains.crowdfunding.steps import cast_vote
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Boolean, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, RecordKey


@dataclass(frozen=True, slots=True)
class MilestoneVote:
    """The vote of one pledge, with its whole quantity. It can be changed while the vote is open."""

    campaign: Annotated[CampaignId, identifier()]
    number: Annotated[int, NUMBER]
    approves: Annotated[bool, Boolean()]


def apply(view: RuleView, call: Call, payload: MilestoneVote, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `campaign.not_funded`, `campaign.waiting`, `milestone.no_vote`, `milestone.is_delivery`,
    `pledge.unknown`, `pledge.not_backer`, `milestone.own_pledge`.
    """
    cast_vote(view, call, payload.campaign, payload.number, context, approves=payload.approves, on_delivery=False)
    return (APPLIED,)


def cost(payload: MilestoneVote) -> Cost:
    """Campaign and pledge change."""
    return Cost(records=2)


def reads(author: Address, payload: MilestoneVote) -> tuple[RecordKey, ...]:
    """Campaign, terms and pledge."""
    return (
        campaign_key(payload.campaign),
        campaign_terms_key(payload.campaign),
        pledge_key(payload.campaign, payload.number),
    )


MILESTONE_VOTE = Kind(
    name="milestone.vote", anchor="CRF-8", payload=Struct(MilestoneVote), apply=apply, cost=cost, reads=reads
)
