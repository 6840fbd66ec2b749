"""What a program promises that its points buy at least (spec LOY-2, RWD-7)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.schema import Integer
from ledger.types import Points


@dataclass(frozen=True, slots=True)
class Floor:
    """The price floor: `points` points buy a value of at least `cents` cents; both 0: none is promised (spec RWD-7)."""

    points: Annotated[Points, Integer(0, 2**31 - 1)]
    cents: Annotated[int, Integer(0, 2**31 - 1)]


NO_FLOOR = Floor(Points(0), 0)
