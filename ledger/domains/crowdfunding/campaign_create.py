"""`campaign.create`: a creator asks fans to back a product before it exists (spec CRF-1)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.domains.crowdfunding.settlement import DEADLINE_BLOCKS_MIN, SETTLE_DUE
from ledger.domains.crowdfunding.state import (
    OPEN,
    TIER,
    UNIT,
    Campaign,
    PointsUnit,
    Tier,
    Unit,
    campaign_key,
)
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import TIME, load_program, program_key
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CAMPAIGN_TIERS_MAX
from ledger.schema import Integer, ListOf, Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, CampaignId, Height, RecordKey, Timestamp

BAD_DEADLINE = Code(
    "campaign.deadline",
    "the deadline {deadline:time} is not within the next {days_max} days of {time:time}",
    "Choose a deadline in the future, at most 400 days away.",
)
DURATION_DAYS_MAX = 400
"""Longer than a year and a month, backers can't be said to wait for something."""


@dataclass(frozen=True, slots=True)
class CampaignCreate:
    """All or nothing: at the deadline the goal is reached, or every pledge goes back by itself.

    The id is `object_id("campaign", txid, 0)`. A campaign in a program's points is made by that program's owner.
    """

    title: Annotated[str, Text(1, 128)]
    unit: Annotated[Unit, UNIT]
    goal: Annotated[int, Integer(1, INTEGER_MAX)]
    deadline: Annotated[Timestamp, TIME]
    tiers: Annotated[tuple[Tier, ...], ListOf(TIER, 0, CAMPAIGN_TIERS_MAX)]


@declare_event
@dataclass(frozen=True, slots=True)
class CampaignCreated(Event):
    """A campaign is open."""

    name: ClassVar[str] = "campaign.created"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    title: Annotated[str, Text(1, 128)]
    goal: Annotated[int, Integer(1, INTEGER_MAX)]
    deadline: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)


def apply(view: RuleView, call: Call, payload: CampaignCreate, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.deadline`, `program.unknown`, `program.not_owner`, `coin.insufficient` or
    `coin.pool_insufficient`.
    """
    latest = context.time + DURATION_DAYS_MAX * 86_400
    if not context.time < payload.deadline <= latest:
        raise RuleViolation(BAD_DEADLINE, deadline=payload.deadline, days_max=DURATION_DAYS_MAX, time=context.time)
    if isinstance(payload.unit, PointsUnit) and load_program(view, payload.unit.program).owner != call.author:
        raise RuleViolation(NOT_OWNER)
    deposit = lock_deposit(view, call, context)
    campaign_id = CampaignId(object_id("campaign", call.txid, 0))
    campaign = Campaign(
        creator=call.author,
        payer=call.payer,
        deposit=deposit,
        title=payload.title,
        unit=payload.unit,
        goal=payload.goal,
        deadline=payload.deadline,
        deadline_height=Height(context.height + DEADLINE_BLOCKS_MIN),
        tiers=payload.tiers,
        taken=(0,) * len(payload.tiers),
        status=OPEN,
        pledged=0,
        pledges=0,
        refunded=0,
        escrowed=0,
    )
    view.put(campaign_key(campaign_id), campaign)
    schedule(view, kind=SETTLE_DUE, subject=campaign_id, number=0, due=payload.deadline)
    view.emit(CampaignCreated(campaign_id, call.author, payload.title, payload.goal, payload.deadline))
    return (APPLIED,)


def cost(payload: CampaignCreate) -> Cost:
    """Campaign and due item are made, the payer touched."""
    return Cost(records=3, slots=2, due=1)


def reads(author: Address, payload: CampaignCreate) -> tuple[RecordKey, ...]:
    """The program whose points are collected."""
    return (program_key(payload.unit.program),) if isinstance(payload.unit, PointsUnit) else ()


CAMPAIGN_CREATE = Kind(
    name="campaign.create", anchor="CRF-1", payload=Struct(CampaignCreate), apply=apply, cost=cost, reads=reads
)
