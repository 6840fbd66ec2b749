"""What brands say of their products, and of the zone their shops are in. Nothing of any fan. Part of the receipt store.

What changed is noted when a feed comes: a product that is in stock again, or cheaper than before.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from api.receipts.personal_tables import products, shops
from ledger.errors import Code, LedgerError
from ledger.types import ProgramId, Timestamp

PRODUCTS_MAX: Final = 100_000
"""Of one program, about 30 MB."""
FULL = Code(
    "product.full", "the program names {maximum} products already", "Take products out of the feed that are not sold."
)

EMPTY = Code(
    "product.none",
    "the feed names no product, and would take every product away",
    "Send the products. To take the feed down on purpose: `DELETE /v1/programs/PROGRAM/products`.",
)


class ProductsRefused(LedgerError):
    """A feed that is well-formed and not taken."""


@dataclass(frozen=True, slots=True)
class KeptProduct:
    """A product as the last feed told it; times 0: it never happened."""

    item: str
    document: Mapping[str, Any]
    first_at: int
    restocked_at: int
    cheaper_at: int
    price_before_cents: int


class Products:
    """`transaction` opens a transaction of the store's database."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def put(
        self,
        program: ProgramId,
        feed: Sequence[tuple[str, Mapping[str, Any]]],
        now: Timestamp,
        *,
        zone: str,
        is_whole: bool,
    ) -> tuple[int, int]:
        """Take in a feed; (how many products it has now, how many are new). `is_whole`: what it does not name is gone.

        An empty `zone` leaves the one that was named, unless the feed is whole. Raises ProductsRefused product.none (whole,
        and names nothing), product.full, and then nothing is changed.
        """
        if is_whole and not feed:
            raise ProductsRefused(EMPTY)
        mine = products.c.program == program
        with self._transaction() as connection:
            # Only what is named is read: a long feed comes in parts, and each would read all that came before.
            named = [item for item, _ in feed]
            again = and_(mine, products.c.item.in_(named))
            known: dict[str, Any] = {row.item: row for row in connection.execute(select(products).where(again))}
            rows = [_row_of(program, item, document, known.get(item), now) for item, document in feed]
            connection.execute(delete(products).where(mine if is_whole else again))
            if rows:
                connection.execute(insert(products), rows)
            count = int(connection.execute(select(func.count()).select_from(products).where(mine)).scalar_one())
            if count > PRODUCTS_MAX:
                raise ProductsRefused(FULL, maximum=PRODUCTS_MAX)
            _note_change(connection, program, zone if zone or is_whole else None, now)
        return count, sum(1 for item in named if item not in known)

    def drop(self, program: ProgramId, now: Timestamp) -> int:
        """Take a feed down, with its zone; how many products are gone."""
        with self._transaction() as connection:
            dropped = connection.execute(delete(products).where(products.c.program == program)).rowcount
            _note_change(connection, program, "", now)
        return dropped

    def version(self, program: ProgramId) -> int:
        """A number that rises with each feed."""
        query = select(shops.c.changed_at).where(shops.c.program == program)
        with self._transaction() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def zone(self, program: ProgramId) -> str:
        """The zone that the brand named; empty: none."""
        with self._transaction() as connection:
            query = select(shops.c.zone).where(shops.c.program == program)
            return connection.execute(query).scalar_one_or_none() or ""

    def all_of(self, program: ProgramId) -> list[KeptProduct]:
        """A program's products by item."""
        query = select(products).where(products.c.program == program).order_by(products.c.item)
        with self._transaction() as connection:
            rows: Any = connection.execute(query).fetchall()
        return [
            KeptProduct(
                row.item,
                json.loads(row.document),
                row.first_at,
                row.restocked_at,
                row.cheaper_at,
                row.price_before_cents,
            )
            for row in rows
        ]


def _note_change(connection: Connection, program: ProgramId, zone: str | None, now: Timestamp) -> None:
    """A program has another feed now. `zone` None: it stays."""
    query = select(shops.c.changed_at).where(shops.c.program == program)
    before = connection.execute(query).scalar_one_or_none()
    if before is None:
        connection.execute(insert(shops), [{"program": program, "zone": zone or "", "changed_at": now}])
        return
    values = ({} if zone is None else {"zone": zone}) | {"changed_at": max(now, before + 1)}
    connection.execute(update(shops).where(shops.c.program == program).values(values))


def _row_of(
    program: ProgramId, item: str, document: Mapping[str, Any], earlier: Any | None, now: Timestamp
) -> dict[str, Any]:
    row = {
        "program": program,
        "item": item,
        "document": json.dumps(document, sort_keys=True),
        "first_at": now,
        "restocked_at": 0,
        "cheaper_at": 0,
        "price_before_cents": 0,
    }
    if earlier is None:
        return row
    before: dict[str, Any] = json.loads(earlier.document)
    row |= {name: getattr(earlier, name) for name in ("first_at", "restocked_at", "cheaper_at", "price_before_cents")}
    if document.get("in_stock", True) and not before.get("in_stock", True):
        row["restocked_at"] = now
    price, price_before = document.get("price_cents", 0), before.get("price_cents", 0)
    if 0 < price < price_before:
        row |= {"cheaper_at": now, "price_before_cents": price_before}
    elif price > price_before:
        row |= {"cheaper_at": 0, "price_before_cents": 0}
    return row
