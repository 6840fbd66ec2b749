"""The coin that is put aside in advance for what contests may credit (spec COL-2, LOY-14)."""

from ledger.coin import take_from
from ledger.domains.loyalty.books import Books, security, thousandths
from ledger.domains.loyalty.state import Terms
from ledger.domains.loyalty.terms import contest_reserve
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import Call
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Amount, Points

TOO_LARGE = Code(
    "program.collateral_too_large",
    "what contests may credit would need more coin put aside than a number can hold",
    "Promise less collateral or burn, or lower the issuance cap.",
)


def reserve_for_contests(books: Books, terms: Terms) -> Books:
    """The books once `terms` are published: the room for contests and what is put aside for it grow with them, and never fall.

    Raises `program.collateral_too_large`.
    """
    reserve = max(contest_reserve(terms), books.contest_points_locked)
    grown = replace(
        books,
        contest_points=Points(books.contest_points + reserve - books.contest_points_locked),
        contest_points_locked=reserve,
        contest_backing=max(books.contest_backing, terms.collateral, terms.burn),
    )
    if thousandths(grown) > INTEGER_MAX:
        raise RuleViolation(TOO_LARGE)
    return grown


def lock_growth(view: RuleView, call: Call, before: Books, after: Books) -> None:
    """Lock what the security grows by from the call's payer. Raises what `take_from` raises."""
    grown = security(after) - security(before)
    if grown:
        take_from(view, call.payer, Amount(grown), "locked")
