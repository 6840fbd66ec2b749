"""The public record of promises: what a program's owner was asked and answered, and what its campaigns promised."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from api.http.campaigns import describe_state
from api.http.deps import Services
from api.http.voice_words import words_of_answer
from api.words import show_time
from ledger.domains.crowdfunding.decisions import days_late
from ledger.domains.crowdfunding.state import FUNDED, STATUS_NAMES, load_campaign, load_campaign_terms
from ledger.domains.voice.obligation_fulfil import days_late as days_late_of
from ledger.domains.voice.state import (
    OBLIGATION_STATUS_NAMES,
    PROPOSAL_STATUS_NAMES,
    Obligation,
    load_proposal,
    load_tally,
    obligation_key,
)
from ledger.state import Overlay
from ledger.types import Address, CampaignId, ProgramId, ProposalId, Timestamp
from node.store.reader import ListedRow, Snapshot

PROMISES_MAX: Final = 500
"""Items of one record: more than a brand promises in years, and about 100 ms of work."""


def collect_promises(services: Services, view: Snapshot, programs: list[ProgramId], creator: Address) -> dict[str, Any]:
    """The proposals of these programs and the campaigns of their owner, by height; how many stand how."""
    items = [
        *(
            _of_proposal(view, ProposalId(row.id), row)
            for program in programs
            for row in _rows(view, program, "proposal")
        ),
        *(_of_campaign(view, CampaignId(row.id), row) for row in _rows(view, creator, "account_campaign")),
    ]
    items.sort(key=lambda item: item["height"])
    return {
        "program": programs[0].hex() if len(programs) == 1 else None,
        "owner": services.renderer.address(creator),
        "counts": dict(sorted(Counter(item["state"] for item in items).items())),
        "items": items[:PROMISES_MAX],
        "is_whole": len(items) <= PROMISES_MAX,
    }


def _rows(view: Snapshot, parent: bytes, kind: str) -> Iterator[ListedRow]:
    yield from view.listed(parent, kind, None, PROMISES_MAX + 1)


def _of_proposal(view: Snapshot, proposal_id: ProposalId, row: ListedRow) -> dict[str, Any]:
    state = Overlay(view)
    proposal, tally = load_proposal(state, proposal_id), load_tally(state, proposal_id)
    obligation: Obligation | None = view.record(obligation_key(proposal_id))
    late = obligation_days_late(obligation, view)
    due_at = None if obligation is None else obligation.due_at
    word = PROPOSAL_STATUS_NAMES[proposal.status]
    if obligation is not None:
        word = "adopted" if not obligation.status else OBLIGATION_STATUS_NAMES[obligation.status]
    return {
        "kind": "proposal",
        "id": proposal_id.hex(),
        "program": proposal.program.hex(),
        "title": proposal.title,
        "height": row.position[0],
        "state": word,
        "due_at": due_at,
        "due_date": None if due_at is None else show_time(due_at),
        "days_late": late,
        "in_words": words_of_answer(proposal, tally, obligation, late),
        "details": {
            "binding": proposal.is_binding,
            "counted": tally.counted,
            "quorum": proposal.quorum,
            "text": proposal.text.hex(),
            "why": proposal.why.hex() or None,
            "winner": proposal.options[proposal.leaders[0]] if proposal.leaders else None,
        },
    }


def obligation_days_late(obligation: Obligation | None, view: Snapshot) -> int:
    """Days from the due time to when it was fulfilled, or to now where it was not."""
    if obligation is None:
        return 0
    until = obligation.fulfilled_at or view.tip().header.time
    return days_late_of(obligation.due_at, Timestamp(until))


def _of_campaign(view: Snapshot, campaign_id: CampaignId, row: ListedRow) -> dict[str, Any]:
    """What its terms promised, and how that stands: lateness of the last step that was accepted, or of the present one by now."""
    state = Overlay(view)
    campaign, terms = load_campaign(state, campaign_id), load_campaign_terms(state, campaign_id)
    due_at = terms.due_time(min(campaign.step, terms.steps - 1)) or terms.deadline
    if campaign.status == FUNDED and campaign.step < terms.steps:
        shown_at = campaign.submitted_at or view.tip().header.time
        days = days_late(Timestamp(shown_at), terms.due_time(campaign.step))
    else:
        days = sum(campaign.late_days[-1:])
    return {
        "kind": "campaign",
        "id": campaign_id.hex(),
        "program": None,
        "title": terms.title,
        "height": row.position[0],
        "state": STATUS_NAMES[campaign.status],
        "due_at": due_at,
        "due_date": show_time(due_at),
        "days_late": days,
        "in_words": describe_state(campaign, terms),
        "details": {
            "goal": terms.goal,
            "pledged": campaign.pledged,
            "pledges": campaign.pledges,
            "released": campaign.released,
            "returned": campaign.returned,
            "late_days": list(campaign.late_days),
            "delivered_at": campaign.delivered_at or None,
            "updates": campaign.updates,
        },
    }
