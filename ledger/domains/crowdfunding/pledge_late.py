"""`pledge.late`: a fan joins a funded campaign; of its pledge the same part is released as of everybody's (spec CRF-7)."""

from ledger.domains.crowdfunding.escrow import pay_out
from ledger.domains.crowdfunding.pledge import PledgeMake, add_pledge, check, reads
from ledger.domains.crowdfunding.state import campaign_key, load_campaign, load_campaign_terms, require_funded
from ledger.domains.crowdfunding.steps import refuse_open_vote
from ledger.errors import Code, RuleViolation
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import SHARES
from ledger.schema import Struct
from ledger.state import RuleView

NOT_LATE = Code(
    "pledge.not_late",
    "the campaign takes no late pledges, or no more: until {late_until:time}",
    "Look for the creator's next campaign.",
)


def apply(view: RuleView, call: Call, payload: PledgeMake, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `campaign.not_funded`, `campaign.waiting`, `milestone.vote_open`, `pledge.not_late`,
    then as for `pledge`: `pledge.no_tier`, `pledge.no_add_on`, `pledge.below_tier`, `pledge.tier_taken`, `pledge.add_on_taken`,
    `pledge.too_much`, `program.closed`, `member.unknown`, `points.insufficient`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    campaign = load_campaign(view, payload.campaign)
    require_funded(campaign, context)
    refuse_open_vote(campaign)
    terms = load_campaign_terms(view, payload.campaign)
    if context.time >= terms.late_until:
        raise RuleViolation(NOT_LATE, late_until=terms.late_until)
    campaign = add_pledge(view, call, payload, campaign, terms, context)
    kept = -(-payload.quantity * campaign.shares_left // SHARES)
    campaign = pay_out(view, payload.campaign, campaign, payload.quantity - kept, context, late=True)
    view.put(campaign_key(payload.campaign), campaign)
    return (APPLIED,)


def cost(payload: PledgeMake) -> Cost:
    """What a pledge touches, and the creator."""
    return Cost(records=7, slots=1, due=1)


PLEDGE_LATE = Kind(
    name="pledge.late",
    anchor="CRF-7",
    payload=Struct(PledgeMake),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    waits_for_recovery=True,
)
