"""What lies in escrow: putting it in, paying it out to the creator, returning it to backers (spec CRF-5)."""

from dataclasses import dataclass

from ledger.coin import account_payer, give_to, spend_prepaid, take_from
from ledger.domains.crowdfunding.events import CampaignReleased
from ledger.domains.crowdfunding.state import Campaign, FormerPledge, Pledge, former_pledge_key, pledge_key
from ledger.domains.crowdfunding.terms import CoinUnit, PointsUnit
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.program_sunset import refuse_closed
from ledger.domains.loyalty.state import Lot, load_member, load_program, member_key
from ledger.domains.rewards.fulfilments import split_lots
from ledger.evolve import replace
from ledger.kinds import Context
from ledger.state import RuleView
from ledger.types import Address, Amount, CampaignId, Points, ProgramId


def share_between(total: int, weight: int, before: int, quantity: int) -> int:
    """What a pledge of `quantity` gets of `total`, which pledges of `weight` share, `before` of them before it (spec CRF-4).

    The shares of all add up to the total, and each is within one unit of the exact one.
    """
    return total * (before + quantity) // weight - total * before // weight


def put_in(
    view: RuleView, campaign: Campaign, backer: Address, quantity: int, context: Context
) -> tuple[tuple[Lot, ...], int]:
    """Take units from the backer into escrow; returns the lots of points, and the thousandths of coin behind them.

    Raises `coin.insufficient`, or `program.closed`, `member.unknown`, `points.insufficient`.
    """
    if isinstance(campaign.unit, CoinUnit):
        take_from(view, account_payer(backer), Amount(quantity), "escrow")
        return (), 0
    program_id = campaign.unit.program
    program = load_program(view, program_id)
    refuse_closed(program, context.time)
    member = load_member(view, program_id, backer)
    book = PointsBook.open(view, program_id, program, context)
    left, taken = book.take(member.lots, Points(quantity), "escrowed")
    view.put(member_key(program_id, backer), replace(member, lots=left))
    book.save()
    return taken, book.backing_of(taken)


def pay_out(
    view: RuleView, campaign_id: CampaignId, campaign: Campaign, quantity: int, context: Context, *, late: bool = False
) -> Campaign:
    """Release units to the creator; returns the campaign with less in escrow. With the last one goes what stands behind them."""
    if not quantity:
        return campaign
    backing = campaign.backing if quantity < campaign.escrowed else 0
    program_id = ProgramId(b"")
    if isinstance(campaign.unit, CoinUnit):
        give_to(view, account_payer(campaign.creator), Amount(quantity), "escrow")
    else:
        program_id = campaign.unit.program
        book = PointsBook.open(view, program_id, load_program(view, program_id), context)
        book.move("escrowed", -quantity)
        book.move("redeemed", quantity)
        book.move("backing", backing - campaign.backing)
        book.save()
    view.emit(CampaignReleased(campaign_id, campaign.creator, program_id, campaign.step, quantity, late))
    return replace(
        campaign, escrowed=campaign.escrowed - quantity, released=campaign.released + quantity, backing=backing
    )


@dataclass(slots=True)
class Returns:
    """Units on their way back to backers; `save` writes what is counted for all of them together.

    `is_released`: nothing was left in escrow before, and what stood behind the points went with the last unit (spec COL-4).
    """

    view: RuleView
    unit: CoinUnit | PointsUnit
    book: PointsBook | None
    is_released: bool

    @staticmethod
    def open(view: RuleView, campaign: Campaign, context: Context) -> "Returns":
        """Returns of one campaign; in points with its program's book."""
        unit = campaign.unit
        book = None
        if isinstance(unit, PointsUnit):
            book = PointsBook.open(view, unit.program, load_program(view, unit.program), context)
        return Returns(view, unit, book, not campaign.escrowed)

    def give(self, pledge: Pledge, quantity: int, *, ends: bool) -> tuple[tuple[Lot, ...], int]:
        """Give units of a pledge back: of points, those that live longest.

        Returns the lots that stay with the pledge (of one that ends, they leave for good), and the backing that it loses.
        """
        if isinstance(self.unit, CoinUnit):
            give_to(self.view, account_payer(pledge.backer), Amount(quantity), "escrow")
            return (), 0
        assert self.book is not None, "points have a book"
        kept, returning = split_lots(pledge.lots, pledge.quantity - quantity)
        if returning:
            member = load_member(self.view, self.unit.program, pledge.backer)
            lots = self.book.give_back(member.lots, returning, "escrowed")
            self.view.put(member_key(self.unit.program, pledge.backer), replace(member, lots=lots))
        if self.is_released:
            assert ends and not returning, "only a pledge that ends is left in an empty escrow"
            return (), 0
        if not ends:
            return kept, self.book.backing_of(returning)
        self.book.release(kept)
        return (), self.book.backing_of(pledge.lots)

    def save(self) -> None:
        """Write the totals of points that came back."""
        if self.book is not None:
            self.book.save()


def return_units(
    view: RuleView, campaign: Campaign, pledge: Pledge, quantity: int, context: Context, *, ends: bool = True
) -> tuple[tuple[Lot, ...], int]:
    """Give units of one pledge back; returns the lots that stay with it, and the backing that the campaign loses."""
    returns = Returns.open(view, campaign, context)
    kept = returns.give(pledge, quantity, ends=ends)
    returns.save()
    return kept


def own_weight(campaign: Campaign, backer: Address, quantity: int) -> int:
    """`quantity` where the backer is the creator, else 0: such pledges have no vote."""
    return quantity if backer == campaign.creator else 0


def end_pledge(view: RuleView, campaign_id: CampaignId, number: int, pledge: Pledge) -> None:
    """Delete a pledge: its prepaid exit goes to the miner, its deposit back to whoever paid it."""
    view.delete(pledge_key(campaign_id, number))
    spend_prepaid(view, pledge.prepaid)
    give_to(view, pledge.payer, pledge.deposit, "locked")


def leave(
    view: RuleView,
    campaign_id: CampaignId,
    campaign: Campaign,
    number: int,
    pledge: Pledge,
    returned: int,
    *,
    prepaid: int,
) -> None:
    """A pledge that got `returned` units back leaves: where some of the campaign was released, its backer's standing stays.

    `prepaid` is what stays prepaid for the exit of that record; the rest goes to the miner.
    """
    if not campaign.released:
        end_pledge(view, campaign_id, number, pledge)
        return
    view.delete(pledge_key(campaign_id, number))
    spend_prepaid(view, Amount(pledge.prepaid - prepaid))
    former = FormerPledge(pledge.payer, pledge.deposit, Amount(prepaid), pledge.backer, pledge.quantity, returned)
    view.put(former_pledge_key(campaign_id, number), former)
