"""Steps of a funded campaign, as its creator and its backers act on them (spec CRF-8)."""

from ledger.domains.crowdfunding.events import StepVoted
from ledger.domains.crowdfunding.state import (
    Campaign,
    campaign_key,
    load_campaign,
    load_campaign_terms,
    load_pledge,
    pledge_key,
    require_funded,
)
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import Call, Context
from ledger.state import RuleView
from ledger.types import CampaignId

VOTE_OPEN = Code(
    "milestone.vote_open",
    "backers are voting on step {step} until {until:time}",
    "Wait until the vote is counted.",
)
NO_VOTE_OPEN = Code("milestone.no_vote", "no vote is open in this campaign", "Wait until the creator submits a step.")
IS_DELIVERY = Code(
    "milestone.is_delivery", "the vote that is open is about the delivery", "Answer with `delivery.confirm` instead."
)
NOT_SUBMITTED = Code(
    "delivery.not_submitted",
    "the vote that is open is about milestone {step}, not about the delivery",
    "Vote with `milestone.vote`, or wait for the delivery.",
)
OWN_PLEDGE = Code("milestone.own_pledge", "a creator's own pledge has no vote", "Leave the vote to the backers.")


def refuse_open_vote(campaign: Campaign) -> None:
    """Raise `milestone.vote_open` while backers vote."""
    if campaign.submitted_at:
        raise RuleViolation(VOTE_OPEN, step=campaign.step, until=campaign.until)


def cast_vote(
    view: RuleView,
    call: Call,
    campaign_id: CampaignId,
    number: int,
    context: Context,
    *,
    approves: bool,
    on_delivery: bool,
) -> None:
    """Count a pledge's vote, or change it.

    Codes in order: `campaign.unknown`, `campaign.not_funded`, `campaign.waiting`, `milestone.no_vote`, `milestone.is_delivery` or
    `delivery.not_submitted`, `pledge.unknown`, `pledge.not_backer`, `milestone.own_pledge`.
    """
    campaign = load_campaign(view, campaign_id)
    require_funded(campaign, context)
    if not campaign.submitted_at:
        raise RuleViolation(NO_VOTE_OPEN)
    is_delivery = campaign.step == len(load_campaign_terms(view, campaign_id).milestones)
    if is_delivery and not on_delivery:
        raise RuleViolation(IS_DELIVERY)
    if on_delivery and not is_delivery:
        raise RuleViolation(NOT_SUBMITTED, step=campaign.step)
    pledge = load_pledge(view, campaign_id, number, call.author)
    if pledge.backer == campaign.creator:
        raise RuleViolation(OWN_PLEDGE)
    yes, no = campaign.yes, campaign.no
    if pledge.voted_round == campaign.round:
        yes -= pledge.quantity if pledge.approves else 0
        no -= 0 if pledge.approves else pledge.quantity
    yes += pledge.quantity if approves else 0
    no += 0 if approves else pledge.quantity
    view.put(campaign_key(campaign_id), replace(campaign, yes=yes, no=no))
    view.put(pledge_key(campaign_id, number), replace(pledge, voted_round=campaign.round, approves=approves))
    view.emit(StepVoted(campaign_id, call.author, number, campaign.round, approves, pledge.quantity))
