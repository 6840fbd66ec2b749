"""What happens at a campaign's deadline, with nobody's signature: release, or refunds (spec CRF-3, CRF-4)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import account_payer, give_to, spend_prepaid
from ledger.domains.crowdfunding.state import (
    FAILED,
    FUNDED,
    Campaign,
    CoinUnit,
    Pledge,
    campaign_key,
    load_campaign,
    pledge_key,
)
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.state import load_member, load_program, member_key
from ledger.due import schedule
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import Context, DueKind
from ledger.params import DUE_CHUNK
from ledger.schema import Integer, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, Amount, CampaignId, Timestamp

SETTLE_DUE = "campaign.settle"
REFUND_DUE = "campaign.refund"
DEADLINE_BLOCKS_MIN = 6
"""A campaign stays open for at least so many blocks: an outage must not eat its last hours (spec CRF-3)."""


@declare_event
@dataclass(frozen=True, slots=True)
class CampaignSettled(Event):
    """A campaign's deadline passed. Status 1: funded, and `pledged` was released; 2: failed, and refunds follow."""

    name: ClassVar[str] = "campaign.settled"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    status: Annotated[int, Integer(FUNDED, FAILED)]
    pledged: Annotated[int, Integer(0, INTEGER_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)


@declare_event
@dataclass(frozen=True, slots=True)
class PledgeRefunded(Event):
    """A failed campaign's pledge went back to its backer."""

    name: ClassVar[str] = "pledge.refunded"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, Integer(0, 2**32 - 1)]
    quantity: Annotated[int, Integer(1, INTEGER_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


def is_over(campaign: Campaign, context: Context) -> bool:
    """Whether the deadline has passed, by time and by height."""
    return context.time >= campaign.deadline and context.height >= campaign.deadline_height


def settle(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work at the deadline: release a funded campaign, or begin the refunds of a failed one."""
    campaign_id = CampaignId(subject)
    campaign = load_campaign(view, campaign_id)
    if not is_over(campaign, context):
        schedule(view, kind=SETTLE_DUE, subject=subject, number=0, due=Timestamp(context.time + 1))
        return
    status = FUNDED if campaign.pledged >= campaign.goal else FAILED
    escrowed = 0 if status == FUNDED else campaign.escrowed
    view.put(campaign_key(campaign_id), replace(campaign, status=status, escrowed=escrowed))
    if status == FUNDED:
        _release(view, campaign, context)
    elif campaign.pledges:
        schedule(view, kind=REFUND_DUE, subject=subject, number=0, due=context.time)
    view.emit(CampaignSettled(campaign_id, campaign.creator, status, campaign.pledged))


def _release(view: RuleView, campaign: Campaign, context: Context) -> None:
    if isinstance(campaign.unit, CoinUnit):
        give_to(view, account_payer(campaign.creator), Amount(campaign.pledged), "escrow")
        return
    program_id = campaign.unit.program
    book = PointsBook.open(view, program_id, load_program(view, program_id), context)
    book.move("escrowed", -campaign.pledged)
    book.move("redeemed", campaign.pledged)
    book.move("backing", -campaign.backing)
    book.save()


def units_of_refund(view: RuleView, subject: bytes, number: int) -> int:
    """How many pledges the piece that begins with `number` gives back."""
    return min(DUE_CHUNK, load_campaign(view, CampaignId(subject)).pledges - number)


def refund(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work after a failure: give back the next `DUE_CHUNK` pledges from `number` on, then queue up again."""
    campaign_id = CampaignId(subject)
    campaign = load_campaign(view, campaign_id)
    until = number + units_of_refund(view, subject, number)
    returned = sum(_refund_one(view, campaign_id, campaign, index, context) for index in range(number, until))
    view.put(campaign_key(campaign_id), replace(campaign, refunded=until, escrowed=campaign.escrowed - returned))
    if until < campaign.pledges:
        schedule(view, kind=REFUND_DUE, subject=subject, number=until, due=context.time)


def _refund_one(view: RuleView, campaign_id: CampaignId, campaign: Campaign, number: int, context: Context) -> int:
    key = pledge_key(campaign_id, number)
    pledge: Pledge = view.get(key)
    if isinstance(campaign.unit, CoinUnit):
        give_to(view, account_payer(pledge.backer), Amount(pledge.quantity), "escrow")
    else:
        program_id = campaign.unit.program
        book = PointsBook.open(view, program_id, load_program(view, program_id), context)
        member = load_member(view, program_id, pledge.backer)
        lots = book.give_back(member.lots, pledge.lots, "escrowed")
        view.put(member_key(program_id, pledge.backer), replace(member, lots=lots))
        book.save()
    view.delete(key)
    spend_prepaid(view, pledge.prepaid)
    give_to(view, pledge.payer, pledge.deposit, "locked")
    view.emit(PledgeRefunded(campaign_id, pledge.backer, number, pledge.quantity))
    return pledge.quantity


SETTLE = DueKind(name=SETTLE_DUE, anchor="CRF-3", weight=400, apply=settle)
REFUND = DueKind(name=REFUND_DUE, anchor="CRF-4", weight=600, apply=refund, units=units_of_refund)
