"""What a brand learns of many fans at once."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import EXAMPLE_ID, Answer, Example

Stage = Literal["new", "growing", "loyal", "cooling", "gone"]


class Segment(Answer):
    """A group of fans that is large enough to be told of. `fans` is rounded down."""

    dimension: str
    name: str
    fans: int
    median_basket_cents: int | None
    mean_leaving: float

    EXAMPLE: ClassVar[Example] = {
        "dimension": "stage",
        "name": "loyal",
        "fans": 120,
        "median_basket_cents": 1_150,
        "mean_leaving": 0.1,
    }


class SegmentsAnswer(Answer):
    """Segments above the minimum size, of fans who let the program personalise. `fans` null: there are too few."""

    program: str
    as_of: int
    fans: int | None
    minimum: int
    step: int
    segments: list[Segment]

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "as_of": 1_800_000_000,
        "fans": 480,
        "minimum": 10,
        "step": 5,
        "segments": [Segment.EXAMPLE],
    }


class SegmentBody(Answer):
    """Which fans: all of these must be true of one, what is left out is not asked for."""

    stage: Stage | None = None
    category: str | None = Field(default=None, max_length=64)
    language: Literal["en", "ko"] | None = None
    part_of_day: str | None = Field(default=None, max_length=32)
    weekday: str | None = Field(default=None, max_length=32)
    price_sensitivity: str | None = Field(default=None, max_length=32)

    EXAMPLE: ClassVar[Example] = {"stage": "cooling"}


class PlanBody(SegmentBody):
    """What a brand thinks of: which fans, about which topic, how many points for each, out of which budget."""

    topic: str = Field(pattern="^[a-z_]{1,32}$")
    points_each: int = Field(default=0, ge=0, le=2**53)
    budget_points: int = Field(default=0, ge=0, le=2**53)

    EXAMPLE: ClassVar[Example] = {
        "topic": "offer_waiting",
        "points_each": 20,
        "budget_points": 2_000,
        "stage": "cooling",
    }


class PlanAnswer(Answer):
    """Whom it would reach and what it would cost; null: of too few fans nothing is said."""

    program: str
    as_of: int
    topic: str
    segment: int | None
    open_to_topic: int | None
    reach: int | None
    held_out_share: float
    cost_points: int | None
    budget_points: int
    budget_suffices: bool | None
    minimum: int

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "as_of": 1_800_000_000,
        "topic": "offer_waiting",
        "segment": 120,
        "open_to_topic": 100,
        "reach": 80,
        "held_out_share": 0.1,
        "cost_points": 1_600,
        "budget_points": 2_000,
        "budget_suffices": True,
        "minimum": 10,
    }


class ReportAnswer(Answer):
    """What messages brought, by topic: conversion against the holdout with 95 % intervals, and the price of opt-outs."""

    program: str
    as_of: int
    fans: int | None
    minimum: int
    conversion_days: int
    lifetime_cents: int | None
    criticism: dict[str, Any]
    topics: list[dict[str, Any]]

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "as_of": 1_800_000_000,
        "fans": 480,
        "minimum": 10,
        "conversion_days": 14,
        "lifetime_cents": 51_200,
        "criticism": {"critics": None},
        "topics": [
            {
                "topic": "replenish",
                "fans": 210,
                "messages": 300,
                "conversion": 0.61,
                "held_out": {"fans": 20, "messages": 30, "conversion": 0.5},
                "lift": 0.11,
                "lift_95": [-0.06, 0.29],
                "answers": {"opened": 110, "clicked": 40, "dismissed": 15},
                "opt_outs": 10,
                "opt_out_price_cents": 51_200,
                "loss_share": {"share": 0.1, "rests_on": "measured"},
                "gain_cents": 37_950,
                "net_cents": -13_250,
            }
        ],
    }
