"""What time decides about a campaign: its settlement, the end of a vote, an overdue step. Nobody signs it (spec CRF-3, CRF-8)."""

from typing import Final

from ledger.domains.crowdfunding.escrow import pay_out
from ledger.domains.crowdfunding.events import CampaignDone, CampaignSettled, CampaignStopped, StepDecided
from ledger.domains.crowdfunding.refunds import REFUND_DUE
from ledger.domains.crowdfunding.state import (
    DONE,
    FAILED,
    FUNDED,
    OPEN,
    OVERDUE,
    REJECTED,
    Campaign,
    campaign_key,
    load_campaign,
    load_campaign_terms,
)
from ledger.domains.crowdfunding.terms import NEVER_DUE, CampaignTerms
from ledger.due import schedule
from ledger.errors import SECONDS_A_DAY
from ledger.evolve import replace
from ledger.kinds import Context, DueKind
from ledger.state import RuleView
from ledger.types import CampaignId, Height, Timestamp

DECIDE_DUE: Final = "campaign.decide"
DEADLINE_BLOCKS_MIN: Final = 6
"""Whatever is open to backers or creator is open for at least so many blocks: an outage must not eat it (spec CRF-3)."""
NO_VOTE: Final = Timestamp(0)


def decide_at(view: RuleView, campaign_id: CampaignId, campaign: Campaign, at: Timestamp, context: Context) -> Campaign:
    """Name the time of the campaign's next decision, and queue it; returns the campaign."""
    stage = campaign.stage + 1
    schedule(view, kind=DECIDE_DUE, subject=campaign_id, number=stage, due=at)
    return replace(campaign, stage=stage, until=at, until_height=Height(context.height + DEADLINE_BLOCKS_MIN))


def _decide_nothing_more(campaign: Campaign, status: int) -> Campaign:
    """The campaign in its last status: time decides nothing about it any more."""
    return replace(
        campaign,
        status=status,
        stage=campaign.stage + 1,
        until=Timestamp(0),
        until_height=Height(0),
        submitted_at=NO_VOTE,
    )


def decide(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work at the time of a decision. One that was overtaken does nothing; too early by height, it comes again."""
    campaign_id = CampaignId(subject)
    campaign = load_campaign(view, campaign_id)
    if campaign.stage != number:
        return
    if not campaign.is_over(context):
        schedule(view, kind=DECIDE_DUE, subject=subject, number=number, due=Timestamp(context.time + 1))
        return
    terms = load_campaign_terms(view, campaign_id)
    if campaign.status == OPEN:
        campaign = _settle(view, campaign_id, campaign, terms, context)
    elif campaign.submitted_at:
        campaign = _count_vote(view, campaign_id, campaign, terms, context)
    else:
        campaign = stop(view, campaign_id, campaign, OVERDUE, context)
    view.put(campaign_key(campaign_id), campaign)


def _settle(
    view: RuleView, campaign_id: CampaignId, campaign: Campaign, terms: CampaignTerms, context: Context
) -> Campaign:
    is_funded = campaign.pledged >= (terms.goal if terms.all_or_nothing else 1)
    status = FUNDED if is_funded else FAILED
    reached = terms.stretch_reached(campaign.pledged)
    view.emit(CampaignSettled(campaign_id, campaign.creator, status, campaign.pledged, reached))
    if not is_funded:
        return stop(view, campaign_id, campaign, FAILED, context)
    campaign = replace(campaign, status=FUNDED)
    if terms.milestones and terms.due_time(0) == NEVER_DUE:
        campaign = _take_step(view, campaign_id, campaign, terms, context, late_days=0)
    return _begin_step(view, campaign_id, campaign, terms, context)


def _take_step(
    view: RuleView,
    campaign_id: CampaignId,
    campaign: Campaign,
    terms: CampaignTerms,
    context: Context,
    *,
    late_days: int,
) -> Campaign:
    """Release the present step's share, and go on to the next one."""
    share, left = terms.share(campaign.step), campaign.shares_left
    quantity = campaign.escrowed * share // left if share else 0
    campaign = pay_out(view, campaign_id, campaign, quantity, context)
    return replace(
        campaign,
        step=campaign.step + 1,
        shares_left=left - share,
        late_days=(*campaign.late_days, late_days),
    )


def _begin_step(
    view: RuleView, campaign_id: CampaignId, campaign: Campaign, terms: CampaignTerms, context: Context
) -> Campaign:
    """Give the creator its time for the present step, or end a campaign that has no more."""
    if campaign.step == terms.steps:
        late_days = campaign.late_days[-1] if terms.delivery_due else 0
        view.emit(CampaignDone(campaign_id, campaign.creator, campaign.delivered_at, late_days))
        return _decide_nothing_more(campaign, DONE)
    overdue_at = max(terms.due_time(campaign.step), context.time) + terms.grace_seconds
    begun = replace(campaign, attempt=1, submitted_at=NO_VOTE)
    return decide_at(view, campaign_id, begun, Timestamp(overdue_at), context)


def _count_vote(
    view: RuleView, campaign_id: CampaignId, campaign: Campaign, terms: CampaignTerms, context: Context
) -> Campaign:
    silent = campaign.basis - campaign.yes - campaign.no
    assert silent >= 0, "more weight has voted than there is"
    yes_side = campaign.yes + (silent if terms.silence_approves else 0)
    approved = 2 * yes_side > campaign.basis
    late_days = days_late(campaign.submitted_at, terms.due_time(campaign.step))
    view.emit(
        StepDecided(
            campaign_id,
            campaign.creator,
            campaign.step,
            campaign.attempt,
            campaign.step == len(terms.milestones),
            approved,
            campaign.yes,
            campaign.no,
            campaign.basis,
            late_days,
        )
    )
    if approved:
        if campaign.step == len(terms.milestones):
            campaign = replace(campaign, delivered_at=campaign.submitted_at)
        campaign = _take_step(view, campaign_id, campaign, terms, context, late_days=late_days)
        return _begin_step(view, campaign_id, campaign, terms, context)
    if campaign.attempt == 1 and terms.retry_seconds:
        retried = replace(campaign, attempt=2, submitted_at=NO_VOTE)
        return decide_at(view, campaign_id, retried, Timestamp(context.time + terms.retry_seconds), context)
    return stop(view, campaign_id, campaign, REJECTED, context)


def days_late(submitted_at: Timestamp, due: Timestamp) -> int:
    """How many days after its due time a step was submitted, begun days counting whole; 0 in time, or without a due time."""
    return -(-max(submitted_at - due, 0) // SECONDS_A_DAY) if due else 0


def stop(view: RuleView, campaign_id: CampaignId, campaign: Campaign, status: int, context: Context) -> Campaign:
    """End a campaign before its end: what is in escrow goes back (spec CRF-4). Returns the campaign."""
    if status != FAILED:
        view.emit(CampaignStopped(campaign_id, campaign.creator, status, campaign.step, campaign.escrowed))
    if campaign.escrowed:
        schedule(view, kind=REFUND_DUE, subject=campaign_id, number=0, due=context.time)
    return replace(
        _decide_nothing_more(campaign, status),
        refund_total=campaign.escrowed,
        refund_weight=campaign.weight,
    )


DECIDE = DueKind(name=DECIDE_DUE, anchor="CRF-3", weight=400, apply=decide)
