"""From a plan to offers: which fans of a group a plan would offer something, at which cost, and what each offer asks for.

A plan names a goal, a segment, points for each fan, a budget, what one fan may be promised at most, and how many days. Of the fans
of the segment for whom the goal is true now, those are left out who want no such messages or none at all, whom the law lets the
program promise nothing, who ignored the last three, to whom an equal offer is open, and who would be promised too much. The rest is
ranked by value (see `value`), and the budget says how far down the plan reaches; of those a tenth is held out.

A brand learns which accounts it may promise something, as the chain shows everybody. So that this says nothing of one fan, a plan
reaches nobody if it reaches fewer than `GROUP_MIN`, or if any wider segment than the one that is named has fewer than that more.
What an offer asks for says what its fan buys: the brand's key signs the sealed terms, and the fan alone has what opens them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.personalization.anticipate import find_winning_back, say_ask
from api.personalization.board import Board
from api.personalization.candidates import Candidate, Scene, Words
from api.personalization.catalogue import Catalogue
from api.personalization.discoveries import find_challenge, find_new_things, find_replenishments
from api.personalization.figures import DIMENSIONS
from api.personalization.groups import GROUP_MIN, Fan, show_size
from api.personalization.pacing import HOLDOUT_SHARE, find_trust, is_backed_off, is_held_out
from api.personalization.predictor import Predictor
from api.personalization.texts import LANGUAGES, say
from api.personalization.value import find_value
from api.wallet.offers import make_offer
from ledger.domains.offers.terms import OFFER_CODES_OF_ALL_MIN, PersonalOffer
from ledger.types import Points, Timestamp

GOALS: Final[Mapping[str, Callable[[Scene], Iterator[Candidate]]]] = {
    "winning_back": find_winning_back,
    "discovery": find_new_things,
    "replenish": find_replenishments,
    "challenge": find_challenge,
}
"""What an offer may be for, and what finds it true of a fan; each is the topic of messages, too."""
TOPIC: Final = "offer_waiting"
"""Of the message by which a fan hears of its offer."""
CITED_ASSUMED: Final = 0.2
"""Of offers that are cited, where too few have ended to measure it."""
TEXT_BYTES_MAX: Final = 256

SWITCHED_OFF: Final = "switched_off"
NO_CONSENT: Final = "no_consent"
BACKED_OFF: Final = "backed_off"
EQUAL_OFFER: Final = "equal_offer"
FAN_CAP: Final = "fan_cap"
LEFT_OUT: Final = (SWITCHED_OFF, NO_CONSENT, BACKED_OFF, EQUAL_OFFER, FAN_CAP)


@dataclass(frozen=True, slots=True)
class OfferWish:
    """What a plan wants. `segment` is by dimension, as of `groups`; `net_cents_min` is the least basket, 0 for any."""

    goal: str
    points_each: int
    budget_points: int
    fan_points_max: int
    days: int
    net_cents_min: int
    segment: Mapping[str, str]

    def to_document(self) -> dict[str, Any]:
        """As it is kept."""
        return {name: getattr(self, name) for name in self.__slots__} | {"segment": dict(self.segment)}

    @staticmethod
    def of_document(document: Mapping[str, Any]) -> "OfferWish":
        """As it was kept."""
        return OfferWish(**document)


@dataclass(frozen=True, slots=True)
class Crowd:
    """All fans of a program whose consent is active, and what everybody may know of it."""

    fans: Sequence[Fan]
    board: Board
    catalogue: Catalogue
    predictor: Predictor
    now: int

    def scene(self, fan: Fan) -> Scene:
        """What rules may look at."""
        return Scene(fan.facts, fan.profile, self.board, self.catalogue, self.predictor, self.now)


@dataclass(frozen=True, slots=True)
class Judged:
    """A fan of the segment for whom the goal is true: by which candidate, of which value; `why_not` empty: it may have an offer."""

    fan: Fan
    candidate: Candidate
    minutes: float
    why_not: str
    is_held_out: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is offered something, and who is held out, of those whom the budget reaches; all of the segment are in `judged`.

    `is_too_small`: telling whom it reaches would tell of fewer than ten fans, so it reaches nobody.
    """

    judged: tuple[Judged, ...]
    offered: tuple[Judged, ...]
    held_out: tuple[Judged, ...]
    is_too_small: bool


Open = tuple[str, int]
"""An offer that a fan may still use: for which goal, empty where that is not known, and of how many points."""


def judge(crowd: Crowd, fan: Fan, wish: OfferWish, *, allows_offers: bool, given: Sequence[Open] = ()) -> Judged | None:
    """Whether a plan may offer something to a fan of its segment; None if the goal is not true of it.

    `given`: what other plans gave the brand to sign for the fan, and that is on no chain yet.
    """
    scene, trust = crowd.scene(fan), find_trust(fan.past, crowd.now)
    found = [one for one in GOALS[wish.goal](scene) if codes_of(scene, wish.goal, one) is not None]
    valued = [(find_value(one, trust, crowd.now).minutes, one) for one in found]
    if not valued:
        return None
    minutes, best = max(valued, key=lambda one: one[0])
    why_not = "" if allows_offers else NO_CONSENT
    if minutes <= 0 or not (fan.figures.is_open_to(wish.goal) and fan.figures.is_open_to(TOPIC)):
        why_not = SWITCHED_OFF
    if not why_not:
        why_not = _why_not(fan, wish, given, crowd.now)
    return Judged(fan, best, minutes, why_not, is_held_out(fan.facts, wish.goal, crowd.now))


def _why_not(fan: Fan, wish: OfferWish, given: Sequence[Open], now: int) -> str:
    facts = fan.facts
    if any(is_backed_off(fan.past, topic, now, facts.wishes.changed_at) for topic in (wish.goal, TOPIC)):
        return BACKED_OFF
    are_open = facts.standing.offers if facts.standing is not None else ()
    goals = {promised.offer: promised.goal for promised in facts.promised}
    return refuse_more(wish, [*((goals.get(offer, ""), points) for offer, points, _ in are_open), *given])


def refuse_more(wish: OfferWish, are_open: Sequence[Open]) -> str:
    """Why a fan with these open offers gets no further one; empty if it may. Of an unknown goal one of as many points is equal."""
    if any(goal == wish.goal or (not goal and points == wish.points_each) for goal, points in are_open):
        return EQUAL_OFFER
    if sum(points for _, points in are_open) + wish.points_each > wish.fan_points_max:
        return FAN_CAP
    return ""


def codes_of(scene: Scene, goal: str, candidate: Candidate) -> tuple[str, ...] | None:
    """The category codes that an offer of a candidate asks for; None where a till has no code for its items."""
    items = items_of(candidate)
    codes = {scene.catalogue.code(item) for item in items}
    if "" in codes or (goal == "challenge" and len(codes) < len(items)):
        return None
    return tuple(sorted(codes))


def items_of(candidate: Candidate) -> tuple[str, ...]:
    """The items that a candidate is about."""
    action = candidate.action
    return tuple(action["items"]) if "items" in action else ((action["item"],) if "item" in action else ())


def is_in_segment(fan: Fan, wish: OfferWish) -> bool:
    """Whether a fan is of the segments that are named."""
    return all(DIMENSIONS[name](fan.figures) == value for name, value in wish.segment.items())


def choose(crowd: Crowd, judged: Sequence[Judged], wish: OfferWish) -> Choice:
    """Whom the budget reaches, the greatest value first. Held out ones are ranked with the others, so that both can be compared."""
    wanted = sorted(
        (one for one in judged if not one.why_not), key=lambda one: (-one.minutes, bytes(one.fan.facts.fan))
    )
    affordable = wish.budget_points // wish.points_each
    offered: list[Judged] = []
    held_out: list[Judged] = []
    for one in wanted:
        if len(offered) == affordable:
            break
        (held_out if one.is_held_out else offered).append(one)
    assert len(offered) * wish.points_each <= wish.budget_points, "a plan never promises more than its budget"
    too_small = len(offered) < GROUP_MIN or tells_few_apart(crowd.fans, wish)
    return Choice(tuple(judged), tuple(offered), tuple(held_out), too_small)


def tells_few_apart(fans: Sequence[Fan], wish: OfferWish) -> bool:
    """Whether a wider segment has fewer than ten fans more than the one that is named: whoever asks for both would know them."""
    names = sorted(wish.segment)
    everything = 2 ** len(names) - 1
    masks = Counter(
        sum(1 << place for place, name in enumerate(names) if DIMENSIONS[name](fan.figures) == wish.segment[name])
        for fan in fans
    )
    for wider in range(everything):
        more = sum(count for mask, count in masks.items() if mask & wider == wider and mask != everything)
        if 0 < more < GROUP_MIN:
            return True
    return False


def write_offer(crowd: Crowd, chosen: Judged, wish: OfferWish, begins_at: Timestamp) -> PersonalOffer:
    """The offer for one fan: what it asks for follows from what the goal found, its text is in the fan's language."""
    scene, items = crowd.scene(chosen.fan), items_of(chosen.candidate)
    codes = codes_of(scene, wish.goal, chosen.candidate)
    assert codes is not None, "who is chosen can be asked for something"
    ends_at = begins_at + wish.days * 86_400
    ask = say_ask(scene, wish.goal, items, wish.net_cents_min)
    language = chosen.fan.facts.wishes.document.get("language", LANGUAGES[0])
    text = say(Words("ask_text", {"program": crowd.board.name, "ask": ask}), language)
    return make_offer(
        scene.facts.program,
        scene.facts.fan,
        points=Points(wish.points_each),
        expires_at=Timestamp(ends_at),
        from_time=begins_at,
        net_cents_min=wish.net_cents_min,
        codes=codes,
        text=text.encode()[:TEXT_BYTES_MAX].decode(errors="ignore"),
        needs_all=wish.goal == "challenge" and len(codes) >= OFFER_CODES_OF_ALL_MIN,
    )


def show_choice(choice: Choice, wish: OfferWish, cited: float | None) -> dict[str, Any]:
    """What a brand is told before anything is drawn: rounded sizes, and what it would cost. `cited` None: it was not measured."""
    left_out = Counter(one.why_not for one in choice.judged)
    reach = None if choice.is_too_small else show_size(len(choice.offered))
    share = CITED_ASSUMED if cited is None else cited
    return {
        "segment_fans": show_size(len(choice.judged)),
        "left_out": {reason: show_size(left_out[reason]) for reason in LEFT_OUT},
        "held_out_share": HOLDOUT_SHARE,
        "reach": reach,
        "promised_points": None if reach is None else reach * wish.points_each,
        "expected_points": None if reach is None else round(reach * wish.points_each * share),
        "cited_share": {"share": round(share, 3), "rests_on": "assumed" if cited is None else "measured"},
        "minimum": GROUP_MIN,
    }
