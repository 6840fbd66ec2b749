"""What the chain says of one member, for the consent gate alone: it asks for no more than was granted (spec PER-1)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from cachetools import LRUCache

from api.http.standing import pending_points
from api.personalization.facts import CAMPAIGNS, STANDING, VOICE, Backing, FanFacts, FanStanding, Said
from ledger.domains.crowdfunding.state import Campaign, Pledge, campaign_key, pledge_key
from ledger.domains.crowdfunding.terms import collects_points_of
from ledger.domains.loyalty.events import PointsEarned
from ledger.domains.loyalty.points import usable_points
from ledger.domains.loyalty.state import NEVER, Member, Program, Terms, member_key, program_key, terms_key
from ledger.domains.loyalty.tiers import member_tier
from ledger.domains.offers.state import Offer, offer_key
from ledger.domains.voice.contributions import Contribution, contribution_key
from ledger.domains.voice.reviews import CRITICISE, Review, review_key
from ledger.domains.voice.state import Proposal, proposal_key
from ledger.types import Address, BlockHash, CampaignId, ContributionId, Day, Hash, ProgramId, ProposalId, Timestamp
from node.store.reader import Snapshot

LISTED_MAX: Final = 200
"""Pledges, ballots, contributions, offers and reviews of one account that are looked at, of each."""

FANS_REMEMBERED: Final = 20_000
"""Of whom is kept what the chain says at a tip, about 2 kB each: nothing but the next block changes it."""


class ChainFacts:
    """Reads members, and remembers each as the tip has it, for the scopes that were asked for."""

    def __init__(self) -> None:
        self._remembered: LRUCache[tuple[Address, ProgramId], tuple[BlockHash, frozenset[str], FanFacts | None]]
        self._remembered = LRUCache(FANS_REMEMBERED)

    def read(self, view: Snapshot, fan: Address, program: ProgramId, scopes: frozenset[str]) -> FanFacts | None:
        """What the chain says of a member as far as `scopes` go; None where it is no member."""
        key, tip = (fan, program), view.tip().hash
        known = self._remembered.get(key)
        if known is None or known[:2] != (tip, scopes):
            known = self._remembered[key] = (tip, scopes, read_member(view, fan, program, scopes))
        return known[2]

    def forget(self, fan: Address) -> None:
        """Drop what is remembered of a fan."""
        for key in [key for key in self._remembered if key[0] == fan]:
            self._remembered.pop(key, None)


def read_member(view: Snapshot, fan: Address, program_id: ProgramId, scopes: frozenset[str]) -> FanFacts | None:
    """The same, read now."""
    program: Program | None = view.record(program_key(program_id))
    member: Member | None = view.record(member_key(program_id, fan))
    if program is None or member is None or member.left_at:
        return None
    facts = FanFacts(fan, program_id, scopes, member.joined_at)
    if STANDING in scopes:
        facts = replace(facts, standing=read_standing(view, facts, program, member))
    if CAMPAIGNS in scopes:
        facts = replace(facts, backed=read_backed(view, facts, program))
    if VOICE in scopes:
        facts = replace(
            facts,
            voted=frozenset(read_voted(view, facts)),
            contributed=tuple(read_contributed(view, facts)),
            said=tuple(read_said(view, facts, program)),
        )
    return facts


def read_standing(view: Snapshot, facts: FanFacts, program: Program, member: Member) -> FanStanding:
    """Points, tier and open offers of a member, as the tip has them."""
    now = view.tip().header.time
    today = program.day_at(now)
    terms: Terms = view.record(terms_key(facts.program, program.version_at(now)))
    lots = tuple(lot for lot in member.lots if today < lot[2])
    days = sorted({lot[2] for lot in lots if lot[2] != NEVER and lot[1] <= today})
    expiring = tuple(
        (int(program.day_start(Day(day))), sum(lot[3] for lot in lots if lot[2] == day and lot[1] <= today))
        for day in days
    )
    tier = member_tier(member, terms, program, now) if member.tier_history else 0
    held = sum(hold.points for _, hold in view.open_holds(facts.fan) if hold.program == facts.program)
    rows = view.history(facts.fan, None, LISTED_MAX, PointsEarned.name)
    events = [row.event for row in rows]
    periods = {event.period for event in events if isinstance(event, PointsEarned) and event.program == facts.program}
    return FanStanding(
        available=usable_points(lots, today),
        pending=pending_points(lots, today),
        held=held,
        expiring=expiring,
        tier=tier,
        tier_name=terms.tiers[tier - 1][0] if tier else "",
        tier_points=_points_in_tier_period(member, terms, today),
        next_tier=terms.tiers[tier] if tier < len(terms.tiers) else None,
        settled_periods=frozenset(periods),
        return_window_days=terms.return_window_days,
        offers=tuple(_open_offers(view, facts, now)),
    )


def _open_offers(view: Snapshot, facts: FanFacts, now: Timestamp) -> Iterator[tuple[str, int, int]]:
    for row in view.listed_last(facts.fan, "account_offer", LISTED_MAX):
        offer: Offer | None = view.record(offer_key(Hash(row.id)))
        if offer is not None and offer.program == facts.program and offer.is_open and offer.expires_at > now:
            yield row.id.hex(), offer.points, offer.expires_at


def _points_in_tier_period(member: Member, terms: Terms, today: Day) -> int:
    """What was earned in the tier period that holds today (spec TIER-1)."""
    if not terms.tiers:
        return 0
    begin = (today - terms.tier_anchor_day) // terms.tier_period_days * terms.tier_period_days
    first = max(begin + terms.tier_anchor_day, 0)
    return max((points for since, _, _, points in member.tier_history if since == first), default=0)


def is_of_program(view: Snapshot, campaign_id: CampaignId, program_id: ProgramId, program: Program) -> bool:
    """Whether a campaign is the program's: by its owner, or in its points. What a fan backs elsewhere is not its business."""
    campaign: Campaign | None = view.record(campaign_key(campaign_id))
    if campaign is None:
        return False
    return campaign.creator == program.owner or collects_points_of(campaign.unit, program_id)


def read_backed(view: Snapshot, facts: FanFacts, program: Program) -> tuple[Backing, ...]:
    """What the fan backed of the program's."""
    backed: list[Backing] = []
    for row in view.listed_last(facts.fan, "account_pledge", LISTED_MAX):
        campaign, number = CampaignId(row.id[:32]), int.from_bytes(row.id[32:], "big")
        pledge: Pledge | None = view.record(pledge_key(campaign, number))
        if pledge is None or pledge.backer != facts.fan or not is_of_program(view, campaign, facts.program, program):
            continue
        backed.append(Backing(campaign.hex(), number, pledge.quantity, pledge.voted_round))
    return tuple(backed)


def read_voted(view: Snapshot, facts: FanFacts) -> Iterator[str]:
    """In which of the program's proposals the fan voted; not how."""
    for row in view.listed_last(facts.fan, "account_ballot", LISTED_MAX):
        proposal: Proposal | None = view.record(proposal_key(ProposalId(row.id[:32])))
        if proposal is not None and proposal.program == facts.program:
            yield row.id[:32].hex()


def read_contributed(view: Snapshot, facts: FanFacts) -> Iterator[str]:
    """What the fan contributed to the program."""
    for row in view.listed_last(facts.fan, "account_contribution", LISTED_MAX):
        found: Contribution | None = view.record(contribution_key(ContributionId(row.id)))
        if found is not None and found.program == facts.program:
            yield row.id.hex()


def read_said(view: Snapshot, facts: FanFacts, program: Program) -> Iterator[Said]:
    """The fan's reviews of the program and its campaigns."""
    for row in view.listed_last(facts.fan, "account_review", LISTED_MAX):
        is_own = row.id == facts.program or is_of_program(view, CampaignId(row.id), facts.program, program)
        review: Review | None = view.record(review_key(Hash(row.id), facts.fan)) if is_own else None
        if review is not None:
            yield Said(row.id.hex(), review.stance == CRITICISE, review.score, review.latest_at)
