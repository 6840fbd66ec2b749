"""The coin behind points of a program that has closed: COL-5."""

from tests.model.collateral import backing_of
from tests.model.points import book_out
from tests.model.records import NOBODY, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call


def claim(model: Model, call: Call, payload: tuple) -> list[str]:
    """COL-5."""
    (program,) = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(model.has_closed(program), "collateral.not_closed")
    refuse_unless((program, call.author) in model.members, "member.unknown")
    member, today = model.members[program, call.author], model.today(program)
    lots = [lot for lot in member.lots if lot.activation_day <= today < lot.expiry_day]
    pending = tuple(lot for lot in member.lots if lot.activation_day > today and lot.expiry_day > today)
    backing = backing_of(model, program, lots)
    refuse_unless(backing > 0, "collateral.nothing")
    for lot in lots:
        book_out(model, program, lot)
    model.members[program, call.author] = member._replace(lots=pending)
    before = model.books[program].security
    model.change_books(program, redeemed=sum(lot.points for lot in lots), backing=-backing)
    share = before - model.books[program].security
    model.change_books(program, pool=-share, collateral_paid=share)
    fee = model.prepaid_exit if call.payer == NOBODY else 0
    refuse_unless(share >= fee, "collateral.below_fee")
    model.fees += fee
    model.give(b"A" + call.author, share - fee)
    return [""]
