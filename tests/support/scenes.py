"""One fan at one moment, made by hand, without a node: what the rules of personalization look at."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final

from api.personalization.board import Board, CampaignNow, ProposalNow, RewardOnOffer
from api.personalization.candidates import Candidate, Scene
from api.personalization.catalogue import Catalogue, Product
from api.personalization.facts import SCOPES, BoughtLine, FanFacts, FanStanding, Purchase, Wishes
from api.personalization.messages import find_candidates
from api.personalization.predictor import PlainRules, Predictor
from api.personalization.profile import build_profile
from ledger.types import Address, ProgramId
from tests.support.memory_chain import DAY_SECONDS

NOW: Final = 1_800_014_400
"""Noon, in UTC."""
PROGRAM: Final = ProgramId(b"P" * 32)
FAN: Final = Address(b"F" * 32)


def make_product(item: str, **more: Any) -> Product:
    """A product that nothing special is said of, and that is no news."""
    plain: dict[str, Any] = {
        "names": {"en": item.title()},
        "category": f"of {item}",
        "price_cents": 100,
        "in_stock": True,
        "lasts": False,
        "pairs_with": (),
        "how_to": {},
        "recall": {},
        "made_from": "",
        "first_at": 1,
        "restocked_at": 0,
        "cheaper_at": 0,
        "price_before_cents": 0,
    }
    return Product(item, **{**plain, **more})


def make_catalogue(*products: Product, zone: str = "UTC") -> Catalogue:
    """A feed; its first product is the oldest."""
    begun = make_product("begun")
    return Catalogue.of_products(1, zone, {one.item: one for one in (begun, *products)})


def make_purchase(days_ago: float, *items: str, quantity: int = 1, points: int = 0, discount: int = 0) -> Purchase:
    """A purchase of some items, each for 500 cents."""
    lines = tuple(BoughtLine(item, quantity, 500, discount, f"of {item}") for item in items)
    time = NOW - int(days_ago * DAY_SECONDS)
    return Purchase(f"{days_ago} {'-'.join(items)} {quantity}", time, 0, 500 * len(items), points, (), lines, time)


def make_facts(*purchases: Purchase, scopes: Sequence[str] = SCOPES, said: Any = None, **more: Any) -> FanFacts:
    """A fan's facts, all of it granted; `said` is its document of preferences and corrections."""
    ordered = tuple(sorted(purchases, key=lambda one: one.time))
    wishes = Wishes({} if said is None else said)
    return FanFacts(FAN, PROGRAM, frozenset(scopes), 1, ordered, wishes=wishes, **more)


def make_standing(**more: Any) -> FanStanding:
    """A standing with nothing in it."""
    plain: dict[str, Any] = {
        "available": 0,
        "pending": 0,
        "held": 0,
        "expiring": (),
        "tier": 0,
        "tier_name": "",
        "tier_points": 0,
        "next_tier": None,
        "settled_periods": frozenset({0}),
        "return_window_days": 0,
    }
    return FanStanding(**{**plain, **more})


def make_campaign(campaign: str = "c1", **more: Any) -> CampaignNow:
    """A campaign that is open for long, with little pledged."""
    plain: dict[str, Any] = {
        "title": "Lamp",
        "is_open": True,
        "is_funded": False,
        "pledged": 1,
        "goal": 1_000,
        "deadline": NOW + 60 * DAY_SECONDS,
        "until": NOW + 60 * DAY_SECONDS,
        "round": 0,
        "step_title": "",
        "due_at": 0,
        "is_delivery": False,
        "delivered_at": 0,
        "updates": 0,
    }
    return CampaignNow(id=campaign, **{**plain, **more})


def make_board(
    *, rewards: Sequence[RewardOnOffer] = (), campaigns: Sequence[CampaignNow] = (), votes: Sequence[ProposalNow] = ()
) -> Board:
    """What everybody may know; no terms but the points that are given for nothing special."""
    terms: Any = SimpleNamespace(rules=(), period_days=7, period_anchor_day=0, settle_grace_days=3)
    record: Any = SimpleNamespace(
        offset_minutes=0, day_at=lambda time: time // DAY_SECONDS, day_start=lambda day: day * DAY_SECONDS
    )
    return Board(
        PROGRAM, "Shop", "points", 0, record, terms, tuple(rewards), {one.id: one for one in campaigns}, tuple(votes)
    )


def make_scene(
    facts: FanFacts,
    catalogue: Catalogue | None = None,
    board: Board | None = None,
    *,
    now: int = NOW,
    predictor: Predictor | None = None,
    linked: Sequence[FanFacts] = (),
) -> Scene:
    """The scene in which rules look for something to say."""
    known, rules = catalogue or make_catalogue(), predictor or PlainRules()
    profile = build_profile(facts, known, rules, now, 0, linked)
    return Scene(facts, profile, board or make_board(), known, rules, now)


def found_in(scene: Scene) -> dict[str, Candidate]:
    """What could be said, by topic and subject."""
    return {f"{one.topic} {one.subject}": one for one in find_candidates(scene)}


def topics_in(scene: Scene) -> set[str]:
    """The topics of which something could be said."""
    return {one.topic for one in find_candidates(scene)}
