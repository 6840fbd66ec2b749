"""What a campaign holds: putting in, paying out, giving back, the end of a pledge (CRF-4, CRF-5)."""

from collections.abc import Iterable
from typing import Any

from tests.model.campaign_records import COIN, Campaign, FormerPledge, Pledge
from tests.model.collateral import backing_of
from tests.model.points import give_points_back, take_points
from tests.model.records import Lot, refuse_unless
from tests.model.redemptions import split_from_front
from tests.model.state import Model
from tests.model.transaction import Call

Lots = tuple[Lot, ...]


def change_campaign(model: Model, which: bytes, **changes: Any) -> Campaign:
    """Write fields of a campaign; what it is then."""
    model.campaigns[which] = model.campaigns[which]._replace(**changes)
    return model.campaigns[which]


def change_backing(model: Model, which: bytes, by: int) -> None:
    """Of the campaign alone."""
    change_campaign(model, which, backing=model.campaigns[which].backing + by)
    assert model.campaigns[which].backing >= 0


def _backing(model: Model, campaign: Campaign, lots: Iterable[Lot]) -> int:
    return 0 if campaign.unit == COIN else backing_of(model, campaign.unit[1], lots)


def put_in(model: Model, call: Call, which: bytes, quantity: int) -> Lots:
    """CRF-2: what the author puts in; the lots that were taken. `escrowed` of the campaign is its caller's."""
    unit = model.campaigns[which].unit
    if unit == COIN:
        model.take(b"A" + call.author, quantity)
        return ()
    program = unit[1]
    refuse_unless(not model.has_closed(program), "program.closed")
    refuse_unless((program, call.author) in model.members, "member.unknown")
    lots = take_points(model, program, call.author, quantity, "escrowed")
    change_backing(model, which, backing_of(model, program, lots))
    return lots


def pay_out(model: Model, which: bytes, x: int) -> None:
    """CRF-5: to the creator; in points they are redeemed. With the last unit goes what stood behind all points."""
    found = model.campaigns[which]
    escrowed = found.escrowed - x
    assert escrowed >= 0
    if found.unit == COIN:
        model.give(b"A" + found.creator, x)
    else:
        model.change_books(found.unit[1], escrowed=-x, redeemed=x)
        if escrowed == 0:
            model.change_books(found.unit[1], backing=-found.backing)
            found = change_campaign(model, which, backing=0)
    change_campaign(model, which, escrowed=escrowed, released=found.released + x)


def part_of_escrow(found: Campaign, share: int) -> int:
    """What a share of the whole is of what is left (CRF-5)."""
    return found.escrowed if share == found.shares_left else found.escrowed * share // found.shares_left


def release(model: Model, which: bytes, share: int) -> None:
    """CRF-5: a share of what is left."""
    found = model.campaigns[which]
    pay_out(model, which, part_of_escrow(found, share))
    change_campaign(model, which, shares_left=found.shares_left - share)


def give_units_back(model: Model, which: bytes, pledge: Pledge, n: int) -> tuple[Lots, Lots]:
    """CRF-5: n units of a pledge are returned; the lots before the split, and those that came back."""
    campaign = model.campaigns[which]
    if campaign.unit == COIN:
        model.give(b"A" + pledge.backer, n)
        return (), ()
    front, back = split_from_front(pledge.lots, pledge.quantity - n)
    if n:
        give_points_back(model, campaign.unit[1], pledge.backer, back, "escrowed")
    return front, back


def _delete(model: Model, which: bytes, number: int, n: int) -> Pledge:
    """A pledge is no more, and n of its units come back (CRF-5). What the campaign counts is the caller's, but for its backing.

    Called while `escrowed` still holds what comes back: where it is 0, nothing stands behind the campaign's points any more.
    """
    pledge, campaign = model.pledges.pop((which, number)), model.campaigns[which]
    front, back = give_units_back(model, which, pledge, n)
    if campaign.unit != COIN and campaign.escrowed:
        change_backing(model, which, -_backing(model, campaign, (*front, *back)))
        model.change_books(campaign.unit[1], backing=-_backing(model, campaign, front))
    return pledge


def _give_deposit_back(model: Model, found: Pledge | FormerPledge) -> None:
    model.fees += found.prepaid
    model.give(found.payer, found.deposit)


def end_pledge(model: Model, which: bytes, number: int, n: int) -> None:
    """CRF-2, CRF-6: nothing is left of it, not even a record."""
    _give_deposit_back(model, _delete(model, which, number, n))


def leave(model: Model, which: bytes, number: int, n: int, *, by_refund: bool) -> None:
    """CRF-2: a pledge leaves; where part of it went to the creator, its backer stays on record."""
    if model.campaigns[which].released == 0:
        end_pledge(model, which, number, n)
        return
    pledge = _delete(model, which, number, n)
    prepaid = pledge.prepaid if by_refund else 0
    model.fees += pledge.prepaid - prepaid
    model.former_pledges[which, number] = FormerPledge(
        pledge.payer, pledge.deposit, prepaid, pledge.backer, pledge.quantity, n
    )


def forget(model: Model, which: bytes, number: int) -> None:
    """CRF-6: a former pledge is ended."""
    _give_deposit_back(model, model.former_pledges.pop((which, number)))
