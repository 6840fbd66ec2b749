"""The coin behind points: COL-1 to COL-5. That it moves with the books is in `Model.change_books`."""

from collections.abc import Iterable

from tests.model.records import Lot, M
from tests.model.state import Model


def backing_of(model: Model, program: bytes, lots: Iterable[Lot]) -> int:
    """COL-1."""
    return sum(lot.points * model.terms[program, lot.version].collateral for lot in lots)


def release(model: Model, program: bytes, lots: Iterable[Lot]) -> None:
    """COL-4: points left."""
    model.change_books(program, backing=-backing_of(model, program, lots))


def _can_pay(model: Model, program: bytes, more: int) -> bool:
    books = model.books[program]
    wanted = books.thousandths + more
    return wanted <= M and -(-wanted // 1_000) - books.security <= books.pool


def can_issue(model: Model, program: bytes, version: int, points: int) -> bool:
    """COL-3, 1."""
    terms = model.terms[program, version]
    return _can_pay(model, program, points * (terms.collateral + terms.burn))


def can_promise(model: Model, program: bytes, points: int) -> bool:
    """COL-3: the pool can pay for a promise."""
    return _can_pay(model, program, points * model.books[program].contest_backing)


def issue(model: Model, program: bytes, version: int, points: int, **changes: int) -> None:
    """COL-3, 2. and 3., with what else changes in the books in the same step."""
    terms, carry = model.terms[program, version], model.books[program].burn_carry
    burned, left = divmod(carry + points * terms.burn, 1_000)
    model.change_books(
        program,
        issued=points,
        backing=points * terms.collateral,
        burned=burned,
        burn_carry=left - carry,
        **changes,
    )
