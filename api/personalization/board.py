"""What everybody may know of a program at a tip: rewards, campaigns and proposals. Nothing of any fan; remembered by tip."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from cachetools import LRUCache

from ledger.domains.crowdfunding.events import CampaignCreated
from ledger.domains.crowdfunding.state import (
    FUNDED,
    OPEN,
    Campaign,
    load_campaign,
    load_campaign_terms,
)
from ledger.domains.crowdfunding.terms import CampaignTerms, collects_points_of
from ledger.domains.loyalty.state import Program, Terms, load_program, load_terms
from ledger.domains.rewards.floor import price_of
from ledger.domains.rewards.state import Reward, load_reward
from ledger.domains.voice.state import VOTING, Proposal, load_proposal
from ledger.state import Overlay
from ledger.types import ProgramId, ProposalId, RewardId
from node.store.reader import Snapshot

LISTED_MAX: Final = 1_000
"""Rewards, campaigns and proposals of a program that are looked at, of each; the last ones."""
PROGRAMS_REMEMBERED: Final = 64
DELIVERY: Final = "Delivery"


@dataclass(frozen=True, slots=True)
class RewardOnOffer:
    """A reward that can be redeemed now; members of the tier `tier_min` and above may have it. `value_cents` 0: nobody said."""

    id: str
    name: str
    price: int
    tier_min: int
    value_cents: int = 0


@dataclass(frozen=True, slots=True)
class CampaignNow:
    """A campaign of the program. `until` is its next decision, 0 for none; `round` other than 0: a vote on `step` is open.

    `due_at` is when the present step is due, 0 for none; `is_delivery`: that step is the delivery.
    """

    id: str
    title: str
    is_open: bool
    is_funded: bool
    pledged: int
    goal: int
    deadline: int
    until: int
    round: int
    step_title: str
    due_at: int
    is_delivery: bool
    delivered_at: int
    updates: int


@dataclass(frozen=True, slots=True)
class ProposalNow:
    """A proposal that can be voted on. `campaign` empty: every member may; else its backers."""

    id: str
    title: str
    voting_until: int
    snapshot_at: int
    campaign: str


@dataclass(frozen=True, slots=True)
class Board:
    """A program at one tip."""

    program: ProgramId
    name: str
    unit: str
    offset_minutes: int
    record: Program
    terms: Terms
    rewards: tuple[RewardOnOffer, ...]
    campaigns: dict[str, CampaignNow]
    proposals: tuple[ProposalNow, ...]

    def point_value(self) -> Fraction | None:
        """What a point costs the program at most, in cents: by its dearest reward, or what its floor promises. None: not known."""
        worth = [Fraction(one.value_cents, one.price) for one in self.rewards if one.value_cents]
        if self.terms.floor.points:
            worth.append(Fraction(self.terms.floor.cents, self.terms.floor.points))
        return max(worth, default=None)


class Boards:
    """Boards by program and tip."""

    def __init__(self) -> None:
        self._remembered: LRUCache[ProgramId, tuple[bytes, Board]] = LRUCache(PROGRAMS_REMEMBERED)

    def read(self, view: Snapshot, program_id: ProgramId) -> Board:
        """The board at the snapshot's tip. Raises `program.unknown`."""
        tip = view.tip()
        known = self._remembered.get(program_id)
        if known is None or known[0] != tip.hash:
            known = self._remembered[program_id] = (tip.hash, _make_board(view, program_id))
        return known[1]


def _make_board(view: Snapshot, program_id: ProgramId) -> Board:
    overlay, now = Overlay(view), view.tip().header.time
    program: Program = load_program(overlay, program_id)
    terms: Terms = load_terms(overlay, program_id, program.version_at(now))
    return Board(
        program=program_id,
        name=program.name,
        unit=program.unit,
        offset_minutes=program.offset_minutes,
        record=program,
        terms=terms,
        rewards=tuple(_rewards(view, program_id, terms)),
        campaigns={found.id: found for found in _campaigns(view, program_id, program)},
        proposals=tuple(_proposals(view, program_id)),
    )


def _rewards(view: Snapshot, program_id: ProgramId, terms: Terms) -> Iterator[RewardOnOffer]:
    overlay, now = Overlay(view), view.tip().header.time
    for row in view.listed_last(program_id, "reward", LISTED_MAX):
        reward: Reward = load_reward(overlay, program_id, RewardId(row.id), now)
        if reward.listed and reward.stock and reward.window.is_open(now):
            price = price_of(reward, terms.floor)
            yield RewardOnOffer(row.id.hex(), reward.name, price, reward.tier_min, reward.value_cents)


def _campaigns(view: Snapshot, program_id: ProgramId, program: Program) -> Iterator[CampaignNow]:
    overlay = Overlay(view)
    created = {
        event.campaign: (row.height, row.sequence)
        for subject in (program_id, program.owner)
        for row in view.history(subject, None, LISTED_MAX, CampaignCreated.name)
        if isinstance(event := row.event, CampaignCreated)
    }
    for campaign_id in sorted(created, key=created.__getitem__):
        campaign = load_campaign(overlay, campaign_id)
        if campaign.creator == program.owner or collects_points_of(campaign.unit, program_id):
            yield _show(campaign_id.hex(), campaign, load_campaign_terms(overlay, campaign_id))


def _show(campaign_id: str, campaign: Campaign, terms: CampaignTerms) -> CampaignNow:
    step, count = campaign.step, len(terms.milestones)
    is_funded = campaign.status == FUNDED and step < terms.steps
    return CampaignNow(
        id=campaign_id,
        title=terms.title,
        is_open=campaign.status == OPEN,
        is_funded=is_funded,
        pledged=campaign.pledged,
        goal=terms.goal,
        deadline=terms.deadline,
        until=campaign.until,
        round=campaign.round if campaign.submitted_at else 0,
        step_title=terms.milestones[step][0] if step < count else DELIVERY,
        due_at=terms.due_time(step) if is_funded else 0,
        is_delivery=is_funded and step == count,
        delivered_at=campaign.delivered_at,
        updates=campaign.updates,
    )


def _proposals(view: Snapshot, program_id: ProgramId) -> Iterator[ProposalNow]:
    overlay, now = Overlay(view), view.tip().header.time
    for row in view.listed_last(program_id, "proposal", LISTED_MAX):
        proposal: Proposal = load_proposal(overlay, ProposalId(row.id))
        if proposal.status == VOTING and now < proposal.voting_until:
            campaign = getattr(proposal.weight, "campaign", b"")
            until = proposal.voting_until
            yield ProposalNow(row.id.hex(), proposal.title, until, proposal.snapshot_at, campaign.hex())
