"""Answers about campaigns and pledges."""

from typing import ClassVar, Literal

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
)


class UnitItem(Answer):
    """What a campaign collects: coin, or the points of a program."""

    type: Literal["coin", "points"]
    program: str | None

    EXAMPLE: ClassVar[Example] = {"type": "coin", "program": None}


class TierItem(Answer):
    """What a pledge of at least `least` may ask for. `limit` null: for as many as come."""

    number: int
    title: str
    least: int
    limit: int | None
    taken: int

    EXAMPLE: ClassVar[Example] = {"number": 1, "title": "A signed copy", "least": 5_000, "limit": 100, "taken": 12}


class CampaignAnswer(Answer):
    """A campaign, all or nothing. It ends at the later of `deadline` and the block `deadline_height`.

    `refunded` counts the pledges of a failed one that went back; `escrowed` is what was neither released nor refunded.
    """

    id: str
    creator: str
    title: str
    unit: UnitItem
    goal: int
    deadline: int
    deadline_date: str
    deadline_height: int
    status: Literal["open", "funded", "failed"]
    pledged: int
    pledges: int
    refunded: int
    escrowed: int
    tiers: list[TierItem]

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_ID,
        "creator": EXAMPLE_ADDRESS,
        "title": "A record of live songs",
        "unit": UnitItem.EXAMPLE,
        "goal": 1_000_000,
        "deadline": EXAMPLE_TIME,
        "deadline_date": "2026-11-01T02:26:40Z",
        "deadline_height": 1_500,
        "status": "open",
        "pledged": 60_000,
        "pledges": 12,
        "refunded": 0,
        "escrowed": 60_000,
        "tiers": [TierItem.EXAMPLE],
    }


class CampaignsAnswer(PageAnswer):
    """Campaigns in the order in which they were made."""

    items: list[CampaignAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [CampaignAnswer.EXAMPLE], "next_cursor": None}


class PledgeItem(Answer):
    """What a fan put in. `tier` null: none was chosen."""

    number: int
    backer: str
    quantity: int
    tier: int | None
    height: int
    refunded: bool

    EXAMPLE: ClassVar[Example] = {
        "number": 0,
        "backer": EXAMPLE_ADDRESS,
        "quantity": 5_000,
        "tier": 1,
        "height": 1_200,
        "refunded": False,
    }


class PledgesAnswer(PageAnswer):
    """Pledges by their numbers."""

    items: list[PledgeItem]

    EXAMPLE: ClassVar[Example] = {"items": [PledgeItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
