"""`milestone.submit`: the creator says that a step is done, and its backers vote on it (spec CRF-8)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.crowdfunding.decisions import decide_at
from ledger.domains.crowdfunding.events import StepSubmitted
from ledger.domains.crowdfunding.state import (
    NOT_CREATOR,
    STEP,
    campaign_key,
    campaign_terms_key,
    load_campaign,
    load_campaign_terms,
    require_funded,
)
from ledger.domains.crowdfunding.steps import refuse_open_vote
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, Hash, RecordKey, Timestamp

NOT_NEXT = Code(
    "milestone.not_next", "the campaign's present step is {step}, not {found}", "Submit the steps in their order."
)


@dataclass(frozen=True, slots=True)
class MilestoneSubmit:
    """The present step (0 is the first milestone; their number is the delivery), and the SHA-256 of what shows it."""

    campaign: Annotated[CampaignId, identifier()]
    step: Annotated[int, STEP]
    evidence: Annotated[Hash, identifier()]


def apply(view: RuleView, call: Call, payload: MilestoneSubmit, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `campaign.not_creator`, `campaign.not_funded`, `campaign.waiting`, `milestone.vote_open`,
    `milestone.not_next`.
    """
    campaign = load_campaign(view, payload.campaign)
    if campaign.creator != call.author:
        raise RuleViolation(NOT_CREATOR)
    require_funded(campaign, context)
    refuse_open_vote(campaign)
    if payload.step != campaign.step:
        raise RuleViolation(NOT_NEXT, step=campaign.step, found=payload.step)
    closes_at = Timestamp(context.time + load_campaign_terms(view, payload.campaign).vote_seconds)
    submitted = replace(
        campaign,
        round=campaign.round + 1,
        submitted_at=context.time,
        basis=campaign.weight - campaign.own_weight,
        yes=0,
        no=0,
    )
    view.put(campaign_key(payload.campaign), decide_at(view, payload.campaign, submitted, closes_at, context))
    view.emit(
        StepSubmitted(
            payload.campaign,
            call.author,
            submitted.step,
            submitted.attempt,
            submitted.round,
            payload.evidence,
            submitted.basis,
            closes_at,
        )
    )
    return (APPLIED,)


def cost(payload: MilestoneSubmit) -> Cost:
    """The campaign changes; the end of the vote is queued, and perhaps a second attempt after it."""
    return Cost(records=2, due=2)


def reads(author: Address, payload: MilestoneSubmit) -> tuple[RecordKey, ...]:
    """Campaign and terms."""
    return (campaign_key(payload.campaign), campaign_terms_key(payload.campaign))


MILESTONE_SUBMIT = Kind(
    name="milestone.submit", anchor="CRF-8", payload=Struct(MilestoneSubmit), apply=apply, cost=cost, reads=reads
)
