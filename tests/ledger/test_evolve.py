"""Records with some fields changed."""

from dataclasses import dataclass
from dataclasses import replace as replace_slowly

import pytest

from ledger.domains.loyalty.books import EMPTY_BOOKS
from ledger.evolve import replace
from ledger.types import Points


@dataclass(frozen=True, slots=True)
class Lone:
    """A record that nobody needs."""

    only: int


def test_it_does_what_the_slow_way_does() -> None:
    changed = replace(EMPTY_BOOKS, issued=Points(7), adjust_day=3, burned=9)
    assert changed == replace_slowly(EMPTY_BOOKS, issued=Points(7), adjust_day=3, burned=9)
    assert changed != EMPTY_BOOKS == replace(EMPTY_BOOKS)


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(KeyError, match="nothing"):
        replace(EMPTY_BOOKS, nothing=1)


def test_a_record_of_one_field_is_made_anew() -> None:
    with pytest.raises(AssertionError):
        replace(Lone(1), only=2)
