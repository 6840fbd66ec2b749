"""A program's books: its fee pool, where its points are, and the coin that stands behind them (spec LOY-1, LOY-10, COL-2).

The coin is not stored: it follows from the points. So whoever changes what it follows from moves the difference (`move_security`).
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.shapes import COIN, DAY, DAY_ZERO, NO_COIN, NO_POINTS, POINTS
from ledger.evolve import replace
from ledger.params import COLLATERAL_MAX
from ledger.schema import Integer
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Amount, Day, Points

THOUSAND = 1_000
"""Coin behind points is counted in thousandths of its smallest unit; the terms name it per so many points (spec COL-1)."""


@dataclass(frozen=True, slots=True)
class Books:
    """A program's fee pool and its points: `issued + restored` = the sum of the seven that follow (spec INV-4).

    `contest_points` of the `contest_points_locked` are not yet promised to an open contest nor credited by one (spec INV-9);
    `contest_coin` repays contests that are upheld. `adjusted` is what `adjust` ever credited, `adjust_day_used` on `adjust_day`.
    `challenge_points` are set aside for challenges (spec CHL-2), `challenge_points_reversed` were taken back of their rewards.
    `offered` is set aside for open offers (spec INV-12); `offer_day_used` was promised on `offer_day`.

    What stands behind points (spec COL-2), in thousandths of the smallest unit of coin: `backing` behind those that stand,
    `contest_backing` per point that contests may still credit, `burn_carry` what is to be burned and no whole unit yet.
    `burned` and `collateral_paid` are coin.
    """

    pool: Annotated[Amount, COIN]
    issued: Annotated[Points, POINTS]
    restored: Annotated[Points, POINTS]
    pending: Annotated[Points, POINTS]
    available: Annotated[Points, POINTS]
    held: Annotated[Points, POINTS]
    escrowed: Annotated[Points, POINTS]
    redeemed: Annotated[Points, POINTS]
    expired: Annotated[Points, POINTS]
    reversed: Annotated[Points, POINTS]
    members: Annotated[int, Integer(0, INTEGER_MAX)]
    sponsor_day: Annotated[Day, DAY]
    sponsor_day_spent: Annotated[Amount, COIN]
    sponsor_height: Annotated[int, Integer(0, 2**32 - 1)]
    sponsor_height_spent: Annotated[Amount, COIN]
    contest_points: Annotated[Points, POINTS]
    contest_points_locked: Annotated[Points, POINTS]
    contest_points_credited: Annotated[Points, POINTS]
    contest_coin: Annotated[Amount, COIN]
    contests_open: Annotated[int, Integer(0, INTEGER_MAX)]
    adjusted: Annotated[Points, POINTS]
    adjust_day: Annotated[Day, DAY]
    adjust_day_used: Annotated[Points, POINTS]
    challenge_points: Annotated[Points, POINTS] = NO_POINTS
    challenge_points_reversed: Annotated[Points, POINTS] = NO_POINTS
    offered: Annotated[Points, POINTS] = NO_POINTS
    offer_day: Annotated[Day, DAY] = DAY_ZERO
    offer_day_used: Annotated[Points, POINTS] = NO_POINTS
    backing: Annotated[int, Integer(0, INTEGER_MAX)] = 0
    contest_backing: Annotated[int, Integer(0, COLLATERAL_MAX)] = 0
    burn_carry: Annotated[int, Integer(0, THOUSAND - 1)] = 0
    burned: Annotated[Amount, COIN] = NO_COIN
    collateral_paid: Annotated[Amount, COIN] = NO_COIN


EMPTY_BOOKS = Books(
    pool=Amount(0),
    issued=NO_POINTS,
    restored=NO_POINTS,
    pending=NO_POINTS,
    available=NO_POINTS,
    held=NO_POINTS,
    escrowed=NO_POINTS,
    redeemed=NO_POINTS,
    expired=NO_POINTS,
    reversed=NO_POINTS,
    members=0,
    sponsor_day=Day(0),
    sponsor_day_spent=Amount(0),
    sponsor_height=0,
    sponsor_height_spent=Amount(0),
    contest_points=NO_POINTS,
    contest_points_locked=NO_POINTS,
    contest_points_credited=NO_POINTS,
    contest_coin=Amount(0),
    contests_open=0,
    adjusted=NO_POINTS,
    adjust_day=Day(0),
    adjust_day_used=NO_POINTS,
)


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What a program's books will move when a day begins: `activating` to available, `expiring` to expired (spec LOY-10); and
    the `backing` of what expires, which ends with it (spec COL-4).
    """

    activating: Annotated[Points, POINTS]
    expiring: Annotated[Points, POINTS]
    backing: Annotated[int, Integer(0, INTEGER_MAX)] = 0


def thousandths(books: Books) -> int:
    """What the books must hold coin for: behind points, for what contests, challenges and offers may credit, and what is yet to be
    burned.
    """
    creditable = books.contest_points_locked - books.contest_points_credited + books.challenge_points + books.offered
    return books.backing + creditable * books.contest_backing + books.burn_carry


def security(books: Books) -> Amount:
    """The coin that is put aside for points: `thousandths` in whole units, rounded up (spec COL-2)."""
    return in_whole_units(thousandths(books))


def in_whole_units(thousandths: int) -> Amount:
    """Thousandths of coin in whole units, rounded up."""
    return Amount(-(-thousandths // THOUSAND))


def held_coin(books: Books) -> int:
    """What moves within the pool, the security, what was burned and what was claimed leaves this as it is (spec FEE-2)."""
    return books.pool + security(books) + books.burned + books.collateral_paid


def move_security(view: RuleView, before: Books, after: Books) -> Books:
    """`after`, with whole units of its `burn_carry` burned, and the pool changed by what security and burning need more or less."""
    whole, carry = divmod(after.burn_carry, THOUSAND)
    grown = in_whole_units(thousandths(after) - whole * THOUSAND) - security(before)
    view.post("locked", grown)
    view.post("burned", whole)
    view.post("pools", -grown - whole)
    return replace(after, burn_carry=carry, burned=after.burned + whole, pool=after.pool - grown - whole)
