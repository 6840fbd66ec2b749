"""Answers about campaigns and pledges."""

from typing import ClassVar, Literal

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_DATE,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
)

Status = Literal["open", "funded", "failed", "cancelled", "rejected", "overdue", "done"]


class UnitItem(Answer):
    """What a campaign collects: coin, or the points of a program. `licensor`: its owner, where that is not the creator."""

    type: Literal["coin", "points"]
    program: str | None
    licensor: str | None

    EXAMPLE: ClassVar[Example] = {"type": "coin", "program": None, "licensor": None}


class TierItem(Answer):
    """What a pledge of at least `least` may ask for. `limit` null: for as many as come."""

    number: int
    title: str
    least: int
    limit: int | None
    taken: int

    EXAMPLE: ClassVar[Example] = {"number": 1, "title": "A signed copy", "least": 5_000, "limit": 100, "taken": 12}


class AddOnItem(Answer):
    """What can be had besides, for `price` each. `limit` null: as many as come; `added` pieces were taken."""

    number: int
    title: str
    price: int
    limit: int | None
    added: int

    EXAMPLE: ClassVar[Example] = {"number": 1, "title": "A poster", "price": 900, "limit": 500, "added": 31}


class StretchItem(Answer):
    """What is promised besides if more than the goal is pledged."""

    amount: int
    title: str
    reached: bool

    EXAMPLE: ClassVar[Example] = {"amount": 2_000_000, "title": "A second disc", "reached": False}


class StepItem(Answer):
    """A milestone or the delivery: its share of 10,000, when it is due, and how late it was. `due` null: at settlement."""

    step: int
    title: str
    is_delivery: bool
    share: int
    due: int | None
    due_date: str | None
    state: Literal["accepted", "next", "vote open", "rejected once", "to come", "never reached"]
    late_days: int | None

    EXAMPLE: ClassVar[Example] = {
        "step": 0,
        "title": "The studio is booked",
        "is_delivery": False,
        "share": 3_000,
        "due": EXAMPLE_TIME,
        "due_date": EXAMPLE_DATE,
        "state": "to come",
        "late_days": None,
    }


class VoteItem(Answer):
    """The vote that is open, on a basis that is frozen. It ends at the later of `closes_at` and the block `closes_height`."""

    step: int
    title: str
    attempt: int
    round: int
    submitted_at: int
    closes_at: int
    closes_date: str
    closes_height: int
    basis: int
    yes: int
    no: int
    silent: int
    would_be_accepted: bool

    EXAMPLE: ClassVar[Example] = {
        "step": 1,
        "title": "The recording",
        "attempt": 1,
        "round": 1,
        "submitted_at": EXAMPLE_TIME,
        "closes_at": EXAMPLE_TIME,
        "closes_date": EXAMPLE_DATE,
        "closes_height": 1_500,
        "basis": 60_000,
        "yes": 20_000,
        "no": 5_000,
        "silent": 35_000,
        "would_be_accepted": False,
    }


class DecisionItem(Answer):
    """What time decides next, with nobody's signature: at the later of `at` and the block `height`."""

    what: Literal["settlement", "end of the vote", "step overdue"]
    at: int
    date: str
    height: int

    EXAMPLE: ClassVar[Example] = {"what": "settlement", "at": EXAMPLE_TIME, "date": EXAMPLE_DATE, "height": 1_500}


class CampaignAnswer(Answer):
    """A campaign: terms that never change, and how it stands. `says` puts the state in words.

    `pledged` = `escrowed` + `released` + `returned`, in its unit; `weight` are the quantities of its pledges, `own_weight` of the
    creator's own, which have no vote. `late_days` is how late an accepted delivery was, null before; each step has its own.
    """

    id: str
    creator: str
    title: str
    status: Status
    says: str
    next_decision: DecisionItem | None
    unit: UnitItem
    goal: int
    all_or_nothing: bool
    deadline: int
    deadline_date: str
    tiers: list[TierItem]
    add_ons: list[AddOnItem]
    stretch_goals: list[StretchItem]
    reserve: int
    grace_seconds: int
    vote_seconds: int
    retry_seconds: int
    silence: Literal["approves", "rejects"]
    late_until: int | None
    delivery_key: str | None
    pledged: int
    pledges: int
    weight: int
    own_weight: int
    escrowed: int
    released: int
    returned: int
    steps: list[StepItem]
    vote: VoteItem | None
    delivered_at: int | None
    late_days: int | None
    updates: int

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_ID,
        "creator": EXAMPLE_ADDRESS,
        "title": "A record of live songs",
        "status": "open",
        "says": "Open until 2026-11-01T02:26:40Z: 60000 of 1000000 pledged. Then every pledge goes back by itself unless "
        "the goal is reached.",
        "next_decision": DecisionItem.EXAMPLE,
        "unit": UnitItem.EXAMPLE,
        "goal": 1_000_000,
        "all_or_nothing": True,
        "deadline": EXAMPLE_TIME,
        "deadline_date": EXAMPLE_DATE,
        "tiers": [TierItem.EXAMPLE],
        "add_ons": [AddOnItem.EXAMPLE],
        "stretch_goals": [StretchItem.EXAMPLE],
        "reserve": 7_000,
        "grace_seconds": 2_592_000,
        "vote_seconds": 604_800,
        "retry_seconds": 1_209_600,
        "silence": "rejects",
        "late_until": None,
        "delivery_key": None,
        "pledged": 60_000,
        "pledges": 12,
        "weight": 60_000,
        "own_weight": 0,
        "escrowed": 60_000,
        "released": 0,
        "returned": 0,
        "steps": [StepItem.EXAMPLE],
        "vote": None,
        "delivered_at": None,
        "late_days": None,
        "updates": 2,
    }


class CampaignsAnswer(PageAnswer):
    """Campaigns in the order in which they were made."""

    items: list[CampaignAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [CampaignAnswer.EXAMPLE], "next_cursor": None}


class ChosenAddOn(Answer):
    """An add-on of a pledge, and how many of it."""

    number: int
    count: int

    EXAMPLE: ClassVar[Example] = {"number": 1, "count": 2}


class PledgeItem(Answer):
    """What a fan put in. `tier` null: none was chosen. `ended`: it was refunded, withdrawn or cancelled.
    `on_record`: the ledger still knows it, so it is standing for a review: also one that ended after a part went to the creator.

    `would_get_back` is its part of what is in escrow now. `vote` is what it said in the latest round; `may_withdraw`: it said no.
    """

    number: int
    backer: str
    quantity: int
    tier: int | None
    add_ons: list[ChosenAddOn]
    height: int
    late: bool
    ended: bool
    on_record: bool
    would_get_back: int
    vote: Literal["yes", "no"] | None
    may_withdraw: bool

    EXAMPLE: ClassVar[Example] = {
        "number": 0,
        "backer": EXAMPLE_ADDRESS,
        "quantity": 5_000,
        "tier": 1,
        "add_ons": [],
        "height": 1_200,
        "late": False,
        "ended": False,
        "on_record": True,
        "would_get_back": 5_000,
        "vote": None,
        "may_withdraw": False,
    }


class PledgesAnswer(PageAnswer):
    """Pledges by their numbers."""

    items: list[PledgeItem]

    EXAMPLE: ClassVar[Example] = {"items": [PledgeItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class AccountPledge(PledgeItem):
    """A pledge of one account, with how its campaign stands."""

    campaign: str
    title: str
    status: Status
    says: str
    unit: UnitItem
    open_vote: VoteItem | None

    EXAMPLE: ClassVar[Example] = {
        "campaign": EXAMPLE_ID,
        "title": "A record of live songs",
        "status": "open",
        "says": CampaignAnswer.EXAMPLE["says"],
        "unit": UnitItem.EXAMPLE,
        "open_vote": None,
        **PledgeItem.EXAMPLE,
    }


class AccountPledgesAnswer(PageAnswer):
    """What an account backed, in the order in which it did."""

    items: list[AccountPledge]

    EXAMPLE: ClassVar[Example] = {"items": [AccountPledge.EXAMPLE], "next_cursor": None}
