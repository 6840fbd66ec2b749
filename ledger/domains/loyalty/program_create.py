"""`program.create`: a brand, an artist or an influencer publishes a program and its terms (spec LOY-1)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import contest_fee, lock_deposit, take_from
from ledger.domains.loyalty.books import EMPTY_BOOKS
from ledger.domains.loyalty.contest_security import lock_growth, reserve_for_contests
from ledger.domains.loyalty.events import ProgramCreated
from ledger.domains.loyalty.state import Program, Terms, books_key, program_key, terms_key
from ledger.domains.loyalty.terms import check_sponsor_rate, check_terms
from ledger.evolve import replace
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CONTESTS_RESERVED
from ledger.schema import Integer, Struct, Text
from ledger.state import RuleView
from ledger.types import Address, Amount, ProgramId, RecordKey


@dataclass(frozen=True, slots=True)
class ProgramCreate:
    """A program's name, its unit with decimals, the offset of its days from UTC, and its first terms.

    The author becomes the owner. The program's id is `object_id("program", txid, 0)`.
    """

    name: Annotated[str, Text(1, 64)]
    unit: Annotated[str, Text(1, 16)]
    decimals: Annotated[int, Integer(0, 8)]
    offset_minutes: Annotated[int, Integer(-1_439, 1_439)]
    terms: Annotated[Terms, Struct(Terms)]


def check(payload: ProgramCreate) -> None:
    """Terms that contradict themselves are malformed."""
    check_terms(payload.terms)


def apply(view: RuleView, call: Call, payload: ProgramCreate, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.sponsor_rate`, `program.collateral_too_large`, `coin.insufficient` or `coin.pool_insufficient`."""
    check_sponsor_rate(payload.terms, context.params.fee_rate_min)
    books = reserve_for_contests(EMPTY_BOOKS, payload.terms)
    program_id = ProgramId(object_id("program", call.txid, 0))
    deposit = lock_deposit(view, call, context)
    program = Program(
        owner=call.author,
        payer=call.payer,
        deposit=deposit,
        name=payload.name,
        unit=payload.unit,
        decimals=payload.decimals,
        offset_minutes=payload.offset_minutes,
        versions=((1, context.time),),
    )
    view.put(program_key(program_id), program)
    view.put(terms_key(program_id, 1), payload.terms)
    coin = Amount(CONTESTS_RESERVED * contest_fee(context.params))
    take_from(view, call.payer, coin, "locked")
    lock_growth(view, call, EMPTY_BOOKS, books)
    view.put(books_key(program_id), replace(books, contest_coin=coin))
    view.emit(ProgramCreated(program_id, call.author, payload.name))
    return (APPLIED,)


def cost(payload: ProgramCreate) -> Cost:
    """Program, terms and books are made."""
    return Cost(records=3, slots=3)


def reads(author: Address, payload: ProgramCreate) -> tuple[RecordKey, ...]:
    """Nothing but the payer."""
    return ()


PROGRAM_CREATE = Kind(
    name="program.create",
    anchor="LOY-1",
    payload=Struct(ProgramCreate),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
)
