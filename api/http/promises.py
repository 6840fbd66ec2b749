"""The public record of promises: what a program's owner was asked and answered, and what its campaigns promised."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from api.http.deps import Services
from api.http.rendering import show_time
from api.http.voice_words import words_of_answer
from ledger.domains.crowdfunding.campaign_create import CampaignCreated
from ledger.domains.crowdfunding.state import STATUS_NAMES, load_campaign
from ledger.domains.voice.obligation_fulfil import days_late
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
        *(_of_campaign(view, CampaignId(row.id), creator, row) for row in _rows(view, creator, "account_campaign")),
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
            "winner": proposal.options[proposal.leaders[0]] if proposal.leaders else None,
        },
    }


def obligation_days_late(obligation: Obligation | None, view: Snapshot) -> int:
    """Days from the due time to when it was fulfilled, or to now where it was not."""
    if obligation is None:
        return 0
    until = obligation.fulfilled_at or view.tip().header.time
    return days_late(obligation.due_at, Timestamp(until))


def _of_campaign(view: Snapshot, campaign_id: CampaignId, creator: Address, row: ListedRow) -> dict[str, Any]:
    """From the event that made it, which says what was promised, and the record, which says how that stands."""
    made = view.event_at(creator, row.position)
    assert isinstance(made, CampaignCreated), "a listed campaign was made by this event"
    campaign = load_campaign(Overlay(view), campaign_id)
    return {
        "kind": "campaign",
        "id": campaign_id.hex(),
        "program": None,
        "title": made.title,
        "height": row.position[0],
        "state": STATUS_NAMES[campaign.status],
        "due_at": made.deadline,
        "due_date": show_time(made.deadline),
        "days_late": 0,
        "in_words": f"{campaign.pledged} of {made.goal} pledged until {show_time(made.deadline)}.",
        "details": {"goal": made.goal, "pledged": campaign.pledged, "pledges": campaign.pledges},
    }
