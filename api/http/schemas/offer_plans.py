"""Plans by which a brand offers something to many fans, and what a fan was offered."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
)
from api.http.schemas.groups import SegmentBody

Goal = Literal["winning_back", "discovery", "replenish", "challenge"]
EXAMPLE_PLAN = "4d" * 16
EXAMPLE_OFFER = "0f" * 32


class OfferPlanBody(SegmentBody):
    """What a brand wants: which fans, to what end, how many points for each, out of which budget, for how many days.

    One of the two budgets is given. `fan_points_max` is what one fan may be promised in open offers, this one included; 0: as much
    as one offer. `net_cents_min` is the least basket.
    """

    goal: Goal
    points_each: int = Field(ge=1, le=2**53)
    budget_points: int = Field(default=0, ge=0, le=2**53)
    budget_cents: int = Field(default=0, ge=0, le=2**53)
    fan_points_max: int = Field(default=0, ge=0, le=2**53)
    days: int = Field(default=14, ge=1, le=366)
    net_cents_min: int = Field(default=0, ge=0, le=2**53)

    EXAMPLE: ClassVar[Example] = {
        "goal": "winning_back",
        "points_each": 20,
        "budget_points": 2_000,
        "days": 14,
        "stage": "cooling",
    }


class OfferPlanItem(Answer):
    """A plan. Times are null until it has drawn its fans; `point_cents` is what a point costs at most, null where nobody said."""

    plan: str
    program: str
    goal: Goal
    segment: dict[str, str]
    points_each: int
    budget_points: int
    fan_points_max: int
    days: int
    net_cents_min: int
    made_at: int
    drawn_at: int | None
    ends_at: int | None
    point_cents: float | None

    EXAMPLE: ClassVar[Example] = {
        "plan": EXAMPLE_PLAN,
        "program": EXAMPLE_ID,
        "goal": "winning_back",
        "segment": {"stage": "cooling"},
        "points_each": 20,
        "budget_points": 2_000,
        "fan_points_max": 20,
        "days": 14,
        "net_cents_min": 0,
        "made_at": EXAMPLE_TIME,
        "drawn_at": EXAMPLE_TIME,
        "ends_at": EXAMPLE_TIME + 1_209_600,
        "point_cents": 2.5,
    }


class OfferPlanMade(OfferPlanItem):
    """A plan that was made: whom it would reach at which cost, as far as that tells of at least ten fans (else null).

    `segment_fans` are fans of the segment for whom the goal is true now, `left_out` those of them who get none, and why.
    """

    segment_fans: int | None
    left_out: dict[str, int | None]
    held_out_share: float
    reach: int | None
    promised_points: int | None
    expected_points: int | None
    expected_cents: int | None
    cited_share: dict[str, Any]
    minimum: int

    EXAMPLE: ClassVar[Example] = {
        **OfferPlanItem.EXAMPLE,
        "drawn_at": None,
        "ends_at": None,
        "segment_fans": 120,
        "left_out": {"switched_off": 10, "no_consent": None, "backed_off": None, "equal_offer": None, "fan_cap": None},
        "held_out_share": 0.1,
        "reach": 90,
        "promised_points": 1_800,
        "expected_points": 360,
        "expected_cents": 900,
        "cited_share": {"share": 0.2, "rests_on": "assumed"},
        "minimum": 10,
    }


class OfferPlanDrawn(OfferPlanItem):
    """A plan that has drawn its fans: `proposed` offers wait for the brand's signature."""

    proposed: int

    EXAMPLE: ClassVar[Example] = {**OfferPlanItem.EXAMPLE, "proposed": 92}


class OfferPlansAnswer(PageAnswer):
    """A program's plans, the latest first."""

    items: list[OfferPlanItem]

    EXAMPLE: ClassVar[Example] = {"items": [OfferPlanItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class OfferEntryItem(Answer):
    """What an `offer.issue` says of one offer. `terms` seals what it asks for: only its fan has what opens that."""

    member: str
    terms: str
    points: int
    expires_at: int

    EXAMPLE: ClassVar[Example] = {
        "member": EXAMPLE_ADDRESS,
        "terms": "7e" * 32,
        "points": 20,
        "expires_at": EXAMPLE_TIME + 1_209_600,
    }


class OfferEntriesAnswer(PageAnswer):
    """Offers of a plan that are to be issued now. A page may be empty and still have a next one."""

    items: list[OfferEntryItem]

    EXAMPLE: ClassVar[Example] = {"items": [OfferEntryItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class ComparedFans(Answer):
    """Fans of a plan, rounded down, and how many of them bought something in its days: 0 to 1."""

    fans: int
    bought: float

    EXAMPLE: ClassVar[Example] = {"fans": 90, "bought": 0.41}


class OfferPlanReport(OfferPlanItem):
    """What became of a plan, as everybody can count it on the chain; and what it brought against fans who were held out.

    The interval of the lift is at 95 %; null where either side has fewer than ten fans whose consent is active still.
    """

    is_over: bool
    proposed: int
    issued: int
    cited: int
    promised_points: int
    credited_points: int
    reversed_points: int
    cost_points: int
    cost_cents: int | None
    offered: ComparedFans | None
    held_out: ComparedFans | None
    lift: float | None
    lift_95: list[float] | None
    minimum: int

    EXAMPLE: ClassVar[Example] = {
        **OfferPlanItem.EXAMPLE,
        "is_over": True,
        "proposed": 92,
        "issued": 91,
        "cited": 30,
        "promised_points": 1_820,
        "credited_points": 600,
        "reversed_points": 20,
        "cost_points": 580,
        "cost_cents": 1_450,
        "offered": ComparedFans.EXAMPLE,
        "held_out": {"fans": 10, "bought": 0.2},
        "lift": 0.21,
        "lift_95": [-0.08, 0.38],
        "minimum": 10,
    }


class OwnOffer(Answer):
    """An offer that a program made to the account, with what it asks for: `text` is what a till takes.

    `codes`: something of one of them is to be bought, of each if it `needs_all`; empty: of anything.
    """

    offer: str
    program: str
    goal: Goal
    status: Literal["open", "cited", "expired"]
    points: int
    from_time: int
    expires_at: int
    net_cents_min: int
    codes: list[str]
    needs_all: bool
    says: str
    text: str

    EXAMPLE: ClassVar[Example] = {
        "offer": EXAMPLE_OFFER,
        "program": EXAMPLE_ID,
        "goal": "challenge",
        "status": "open",
        "points": 20,
        "from_time": EXAMPLE_TIME,
        "expires_at": EXAMPLE_TIME + 1_209_600,
        "net_cents_min": 0,
        "codes": ["bakery", "drinks", "tea"],
        "needs_all": True,
        "says": "Corner shop: for Rye bread, Coffee and, new to you, Tea, or the like, in one purchase",
        "text": "fansumer-offer:1:lsQg",
    }


class OwnOffersAnswer(Answer):
    """Offers that plans of a program made to the account, the earliest first."""

    program: str
    items: list[OwnOffer]

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "items": [OwnOffer.EXAMPLE]}
