"""What became of a plan's offers: how many were issued and cited, their cost, and what they brought against who was held out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.personalization.groups import GROUP_MIN, Arm, Fan, lift_interval, show_size
from api.receipts.offer_plans import DrawnOffer
from ledger.domains.offers.events import OfferCredited, OfferExpired, OfferIssued, OfferReversed
from ledger.domains.offers.state import Offer, offer_key
from ledger.types import Address, Hash
from node.store.reader import Snapshot

EVENTS_READ: Final = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the chain says of one offer: `points` were promised, `credited` for a citation, `reversed` taken back with a return."""

    points: int
    is_open: bool
    is_cited: bool
    credited: int
    reversed: int


def look_up(view: Snapshot, offer: Hash) -> Outcome | None:
    """By its record, or by its events once that is gone; None if it was never issued."""
    record: Offer | None = view.record(offer_key(offer))
    if record is not None:
        credited = 0 if record.is_open else record.points
        return Outcome(record.points, record.is_open, not record.is_open, credited, record.reversed)
    events = [row.event for row in view.history(offer, None, EVENTS_READ)]
    issued = next((event for event in events if isinstance(event, OfferIssued)), None)
    if issued is None:
        return None
    credited = sum(event.points for event in events if isinstance(event, OfferCredited))
    was_cited = any(isinstance(event, OfferCredited) for event in events)
    assert was_cited or any(isinstance(event, OfferExpired) for event in events), "its record goes when it ends"
    returned = sum(event.points for event in events if isinstance(event, OfferReversed))
    return Outcome(issued.points, False, was_cited, credited, returned)


def cited_share(outcomes: Iterable[Outcome]) -> float | None:
    """Of offers that have ended or were cited, how many were cited; None for fewer than ten."""
    ended = [one for one in outcomes if not one.is_open]
    return sum(one.is_cited for one in ended) / len(ended) if len(ended) >= GROUP_MIN else None


def show_outcomes(outcomes: Sequence[Outcome | None]) -> dict[str, int]:
    """Sums over a plan's offers; everybody can read them off the chain."""
    issued = [one for one in outcomes if one is not None]
    credited, returned = sum(one.credited for one in issued), sum(one.reversed for one in issued)
    return {
        "proposed": len(outcomes),
        "issued": len(issued),
        "cited": sum(one.is_cited for one in issued),
        "promised_points": sum(one.points for one in issued),
        "credited_points": credited,
        "reversed_points": returned,
        "cost_points": credited - returned,
    }


def show_lift(
    fans: Sequence[Fan], drawn: Sequence[DrawnOffer], outcomes: Mapping[Hash, Outcome | None], now: int
) -> dict[str, Any]:
    """How many of those with an offer bought something in its days, against those held out; nothing for fewer than ten of each."""
    by_fan = {fan.facts.fan: fan for fan in fans}
    offered = [one for one in drawn if not one.is_held_out and outcomes[one.offer] is not None]
    with_offer = _arm(by_fan, offered, now)
    without = _arm(by_fan, [one for one in drawn if one.is_held_out], now)
    is_told = with_offer.fans >= GROUP_MIN and without.fans >= GROUP_MIN
    with_offer, without = with_offer.coarse(), without.coarse()
    return {
        "offered": _show_arm(with_offer),
        "held_out": _show_arm(without),
        "lift": round(with_offer.rate - without.rate, 4) if is_told else None,
        "lift_95": [round(bound, 4) for bound in lift_interval(with_offer, without)] if is_told else None,
        "minimum": GROUP_MIN,
    }


def _arm(by_fan: Mapping[Address, Fan], drawn: Sequence[DrawnOffer], now: int) -> Arm:
    """Fans whose consent is active still; who bought between the draw and the end."""
    known = [(by_fan[one.member], one) for one in drawn if one.member in by_fan]
    bought = sum(
        any(one.drawn_at < purchase.time <= min(one.ends_at, now) for purchase in fan.facts.purchases)
        for fan, one in known
    )
    return Arm(len(known), len(known), bought)


def _show_arm(arm: Arm) -> dict[str, Any] | None:
    return {"fans": show_size(arm.fans), "bought": round(arm.rate, 4)} if arm.fans >= GROUP_MIN else None
