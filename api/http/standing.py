"""What stands for a fan, its points and its pledges, as a person asks for them: from the ledger's own records and events."""

from typing import Any

from api.http.rendering import show_day
from ledger.domains.crowdfunding.events import Pledged
from ledger.domains.crowdfunding.state import STATUS_NAMES, Campaign, campaign_terms_key
from ledger.domains.crowdfunding.terms import CampaignTerms
from ledger.domains.loyalty.books import THOUSAND
from ledger.domains.loyalty.points import usable_points
from ledger.domains.loyalty.state import NEVER, Lot, Member, Program, Terms, terms_key
from ledger.domains.loyalty.tiers import member_tier
from ledger.types import CampaignId, Day, Points, ProgramId, Timestamp
from node.store.reader import Position, Snapshot


def pending_points(lots: tuple[Lot, ...], today: Day) -> Points:
    """Points that are not usable yet and will be: usable on their own first day, and that day is still to come."""
    return Points(sum(usable_points((lot,), Day(lot[1])) for lot in lots if lot[1] > today))


def next_expiry(lots: tuple[Lot, ...], today: Day) -> dict[str, Any] | None:
    """The next day on which points expire if they are not used, and how many; None if none ever do."""
    days = [lot[2] for lot in lots if today < lot[2] != NEVER]
    if not days:
        return None
    day = min(days)
    return {**(show_day(day) or {}), "points": sum(lot[3] for lot in lots if lot[2] == day)}


def show_lot(lot: Lot) -> dict[str, Any]:
    """A lot: usable from its activation day on, until before its expiry day."""
    version, activation_day, expiry_day, points = lot
    return {
        "terms_version": version,
        "available_on": show_day(activation_day),
        "expires_on": show_day(expiry_day),
        "points": points,
    }


def show_tier(member: Member, program: Program, terms: Terms, now: Timestamp) -> dict[str, Any] | None:
    """A member's tier by the terms in force, and the day before which it has it at least; None for no tier."""
    number = member_tier(member, terms, program, now)
    if not number:
        return None
    name, threshold = terms.tiers[number - 1]
    until = max(until_day for _, until_day, _, points in member.tier_history if points >= threshold)
    return {"number": number, "name": name, "until": show_day(until)}


def collateral_behind(view: Snapshot, program_id: ProgramId, lots: tuple[Lot, ...]) -> int:
    """Whole coin that stands behind lots, each by the terms that it was issued under (spec COL-1)."""
    by_version: dict[int, int] = {}
    for version, _, _, points in lots:
        by_version[version] = by_version.get(version, 0) + points
    behind = 0
    for version, points in by_version.items():
        terms: Terms = view.record(terms_key(program_id, version))
        behind += points * terms.collateral
    return behind // THOUSAND


def show_standing(
    view: Snapshot, program_id: ProgramId, program: Program, member: Member, now: Timestamp, held: int
) -> dict[str, Any]:
    """What a member has in a program. `held` are the points of its open redemptions."""
    today, tier = program.day_at(now), None
    if member.tier_history:  # terms are read only where they matter: wallets ask for this more often than for all else
        tier = show_tier(member, program, view.record(terms_key(program_id, program.version_at(now))), now)
    lots = tuple(lot for lot in member.lots if today < lot[2])
    return {
        "pending": pending_points(lots, today),
        "available": usable_points(lots, today),
        "held": held,
        "next_expiry": next_expiry(lots, today),
        "tier": tier,
        "joined_at": member.joined_at,
        "left_at": member.left_at or None,
        "entries": member.entries,
        "gives_back_from_all": member.gives_back_from_all,
        "collateral": collateral_behind(view, program_id, lots),
        "lots": [show_lot(lot) for lot in lots],
    }


def show_sunset(program: Program, now: Timestamp) -> dict[str, Any] | None:
    """When a program's earning and redeeming end, and how far it is; None while no end is announced."""
    if not program.sunset_at:
        return None
    state = "closed" if program.has_closed(now) else "winding_down" if program.has_ended(now) else "announced"
    return {"state": state, "sunset_at": program.sunset_at, "closes_at": program.closes_at}


def show_pledge(view: Snapshot, campaign_id: CampaignId, campaign: Campaign, position: Position) -> dict[str, Any]:
    """A pledge by the event that made it, at its position in the campaign's list: the record of one that went back is deleted."""
    event = view.event_at(campaign_id, position)
    assert isinstance(event, Pledged), "a listed pledge was made by this event"
    terms: CampaignTerms = view.record(campaign_terms_key(campaign_id))
    return {
        "campaign": campaign_id.hex(),
        "title": terms.title,
        "status": STATUS_NAMES[campaign.status],
        "number": event.number,
        "quantity": event.quantity,
        "tier": event.tier or None,
        "height": position[0],
    }
