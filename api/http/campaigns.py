"""How a campaign and its pledges are shown: terms, state in words, votes, lateness, and what a backer would get back now."""

from typing import Any, Final

from api.http.deps import Services
from api.words import show_time
from ledger.domains.crowdfunding.escrow import share_between
from ledger.domains.crowdfunding.events import Pledged
from ledger.domains.crowdfunding.pledge_withdraw import has_refused
from ledger.domains.crowdfunding.state import (
    DONE,
    FUNDED,
    OPEN,
    STATUS_NAMES,
    Campaign,
    Pledge,
    former_pledge_key,
    load_campaign,
    load_campaign_terms,
    pledge_key,
)
from ledger.domains.crowdfunding.terms import CampaignTerms, PointsUnit
from ledger.errors import show_moment
from ledger.state import Overlay
from ledger.types import CampaignId
from node.store.reader import Snapshot

DELIVERY_TITLE: Final = "Delivery"
ENDINGS: Final = {
    "failed": "The goal was not reached: every pledge goes back by itself, in full.",
    "cancelled": "The creator gave up: what was still in escrow goes back to its backers by itself.",
    "rejected": "The backers did not accept a step: what was still in escrow goes back to them by itself.",
    "overdue": "A step was not shown in time: what was still in escrow goes back to the backers by itself.",
}


def show_campaign(services: Services, view: Snapshot, campaign_id: CampaignId) -> dict[str, Any]:
    """A campaign as it stands. Raises `campaign.unknown`."""
    overlay = Overlay(view)
    campaign, terms = load_campaign(overlay, campaign_id), load_campaign_terms(overlay, campaign_id)
    return {
        "id": campaign_id.hex(),
        "creator": services.renderer.address(campaign.creator),
        "title": terms.title,
        "status": STATUS_NAMES[campaign.status],
        "says": describe_state(campaign, terms),
        "next_decision": _show_next(campaign),
        **_show_terms(services, campaign, terms),
        "pledged": campaign.pledged,
        "pledges": campaign.pledges,
        "weight": campaign.weight,
        "own_weight": campaign.own_weight,
        "escrowed": campaign.escrowed,
        "released": campaign.released,
        "returned": campaign.returned,
        "steps": [_show_step(campaign, terms, step) for step in range(terms.steps)],
        "vote": _show_vote(campaign, terms) if campaign.submitted_at else None,
        "delivered_at": campaign.delivered_at or None,
        "late_days": sum(campaign.late_days[-1:]) if campaign.delivered_at else None,
        "updates": campaign.updates,
    }


def _show_next(campaign: Campaign) -> dict[str, Any] | None:
    if not campaign.until:
        return None
    what = "settlement" if campaign.status == OPEN else "end of the vote" if campaign.submitted_at else "step overdue"
    return {
        "what": what,
        "at": campaign.until,
        "date": show_time(campaign.until),
        "height": campaign.until_height,
    }


def _show_terms(services: Services, campaign: Campaign, terms: CampaignTerms) -> dict[str, Any]:
    unit = terms.unit
    in_points = isinstance(unit, PointsUnit)
    return {
        "unit": {
            "type": "points" if in_points else "coin",
            "program": unit.program.hex() if isinstance(unit, PointsUnit) else None,
            "licensor": services.renderer.address(unit.licensor)
            if isinstance(unit, PointsUnit) and unit.licensor
            else None,
        },
        "goal": terms.goal,
        "all_or_nothing": terms.all_or_nothing,
        "deadline": terms.deadline,
        "deadline_date": show_time(terms.deadline),
        "tiers": [
            {"number": number, "title": title, "least": least, "limit": limit or None, "taken": taken}
            for number, ((title, least, limit), taken) in enumerate(
                zip(terms.tiers, campaign.taken, strict=True), start=1
            )
        ],
        "add_ons": [
            {"number": number, "title": title, "price": price, "limit": limit or None, "added": added}
            for number, ((title, price, limit), added) in enumerate(
                zip(terms.add_ons, campaign.added, strict=True), start=1
            )
        ],
        "stretch_goals": [
            {"amount": amount, "title": title, "reached": campaign.pledged >= amount} for amount, title in terms.stretch
        ],
        "reserve": terms.reserve,
        "grace_seconds": terms.grace_seconds,
        "vote_seconds": terms.vote_seconds,
        "retry_seconds": terms.retry_seconds,
        "silence": "approves" if terms.silence_approves else "rejects",
        "late_until": terms.late_until or None,
        "delivery_key": terms.delivery_key.hex() or None,
    }


def _title_of(terms: CampaignTerms, step: int) -> str:
    return terms.milestones[step][0] if step < len(terms.milestones) else DELIVERY_TITLE


def _show_step(campaign: Campaign, terms: CampaignTerms, step: int) -> dict[str, Any]:
    due = terms.due_time(step)
    is_accepted = step < campaign.step
    is_present = step == campaign.step and campaign.status == FUNDED
    state = "accepted" if is_accepted else "to come" if campaign.status in (OPEN, FUNDED) else "never reached"
    if is_present:
        state = "vote open" if campaign.submitted_at else "rejected once" if campaign.attempt > 1 else "next"
    return {
        "step": step,
        "title": _title_of(terms, step),
        "is_delivery": step == len(terms.milestones),
        "share": terms.share(step),
        "due": due or None,
        "due_date": show_time(due) if due else None,
        "state": state,
        "late_days": campaign.late_days[step] if is_accepted else None,
    }


def _show_vote(campaign: Campaign, terms: CampaignTerms) -> dict[str, Any]:
    silent = campaign.basis - campaign.yes - campaign.no
    yes_side = campaign.yes + (silent if terms.silence_approves else 0)
    return {
        "step": campaign.step,
        "title": _title_of(terms, campaign.step),
        "attempt": campaign.attempt,
        "round": campaign.round,
        "submitted_at": campaign.submitted_at,
        "closes_at": campaign.until,
        "closes_date": show_time(campaign.until),
        "closes_height": campaign.until_height,
        "basis": campaign.basis,
        "yes": campaign.yes,
        "no": campaign.no,
        "silent": silent,
        "would_be_accepted": 2 * yes_side > campaign.basis,
    }


def describe_state(campaign: Campaign, terms: CampaignTerms) -> str:
    """How it stands, in a sentence or two."""
    until = show_moment(campaign.until)
    if campaign.status == OPEN:
        then = "every pledge goes back by itself unless the goal is reached"
        if not terms.all_or_nothing:
            then = "what was pledged is kept, whether the goal is reached or not"
        return f"Open until {until}: {campaign.pledged} of {terms.goal} pledged. Then {then}."
    if campaign.status == DONE:
        if not campaign.delivered_at:
            return "Everything was released to the creator; nothing was to be delivered."
        late = campaign.late_days[-1]
        return f"Delivered {_how_late(late)}, as its backers confirmed."
    if campaign.status != FUNDED:
        nothing = "" if campaign.refund_weight else " Nothing was left in escrow."
        return ENDINGS[STATUS_NAMES[campaign.status]] + nothing
    title = _title_of(terms, campaign.step)
    if campaign.submitted_at:
        return (
            f'Funded. Backers vote on "{title}" until {until}: {campaign.yes} yes, {campaign.no} no of {campaign.basis}; '
            f"silence {'approves' if terms.silence_approves else 'rejects'}."
        )
    again = " again, for the last time," if campaign.attempt > 1 else ""
    left = "what is in escrow goes back" if campaign.escrowed else "the campaign ends as overdue"
    return f'Funded. The creator shows "{title}"{again} by {until}, or {left}.'


def _how_late(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'} late" if days else "in time"


def show_pledge(
    services: Services, view: Snapshot, campaign_id: CampaignId, event: Pledged, height: int
) -> dict[str, Any]:
    """A pledge: as it was made, and, while there is one, as its record stands."""
    campaign: Campaign = load_campaign(Overlay(view), campaign_id)
    record: Pledge | None = view.record(pledge_key(campaign_id, event.number))
    former = None if record is not None else view.record(former_pledge_key(campaign_id, event.number))
    return {
        "number": event.number,
        "backer": services.renderer.address(event.backer),
        "quantity": event.quantity if record is None else record.quantity,
        "tier": (event.tier if record is None else record.tier) or None,
        "add_ons": [] if record is None else [{"number": number, "count": count} for number, count in record.add_ons],
        "height": height,
        "late": event.late,
        "ended": record is None,
        "on_record": record is not None or former is not None,
        "would_get_back": 0 if record is None else worth_now(campaign, record),
        "vote": None if record is None else _vote_of(campaign, record),
        "may_withdraw": record is not None and campaign.status == FUNDED and has_refused(campaign, record),
    }


def worth_now(campaign: Campaign, pledge: Pledge) -> int:
    """What a pledge gets back if everything ended now; of a stopped campaign, to a unit, what is on its way."""
    total, weight = campaign.escrowed, campaign.weight
    if campaign.refund_weight:
        total, weight = campaign.refund_total, campaign.refund_weight
    return share_between(total, weight, 0, pledge.quantity)


def _vote_of(campaign: Campaign, pledge: Pledge) -> str | None:
    if not campaign.round or pledge.voted_round != campaign.round:
        return None
    return "yes" if pledge.approves else "no"
