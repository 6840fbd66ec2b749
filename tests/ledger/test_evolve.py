"""Records made quickly, whole and with some fields changed."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, dataclass, fields
from dataclasses import replace as replace_slowly
from typing import Any

import pytest

from ledger.domains.loyalty.books import EMPTY_BOOKS
from ledger.domains.loyalty.earn import Earn, SealedEntry
from ledger.domains.loyalty.events import PointsEarned
from ledger.events import Event, event_shape
from ledger.evolve import maker_of, replace
from ledger.params import Params
from ledger.policy import Policy
from ledger.registry import KINDS
from ledger.schema import ListOf, OneOf, Row, Struct
from ledger.state import Table
from ledger.transaction import BODY, WITNESSES, OwnFee
from ledger.types import Points


@dataclass(frozen=True, slots=True)
class Lone:
    """A record that nobody needs."""

    only: int


def classes_within(shape: Any) -> Iterator[type[Any]]:
    """The classes of a shape and of all shapes in it."""
    if isinstance(shape, Struct):
        yield shape.cls
        inner = shape.positions
    elif isinstance(shape, ListOf):
        inner = (shape.item,)
    elif isinstance(shape, Row):
        inner = shape.positions
    else:
        inner = tuple(shape.by_tag.values()) if isinstance(shape, OneOf) else ()
    for position in inner:
        yield from classes_within(position)


SHAPES = (
    *(table.shape for table in Table.catalogue.values()),
    *(event_shape(name) for name in Event.catalogue),
    *(kind.payload for kind in KINDS.values()),
    BODY,
    WITNESSES,
)
CLASSES = sorted(
    {cls for shape in SHAPES for cls in classes_within(shape)}, key=lambda cls: (cls.__module__, cls.__name__)
)
"""Every class of a record, an event or a payload, and of what lies in one."""


def test_all_records_are_there() -> None:
    assert len(CLASSES) > 100
    assert {type(EMPTY_BOOKS), PointsEarned, Earn, SealedEntry, OwnFee, Policy} <= set(CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_record_made_quickly_is_like_any_other(cls: type[Any]) -> None:
    names = [field.name for field in fields(cls)]
    values = [f"value of {name}" for name in names]
    slow, quick = cls(*values), maker_of(cls)(*values)
    assert type(quick) is type(slow) is cls
    assert quick == slow
    assert (hash(quick), repr(quick)) == (hash(slow), repr(slow))
    assert (maker_of(cls) is cls) == (not names), "each has a twin that has fields"
    for name in names:
        with pytest.raises(FrozenInstanceError):
            setattr(quick, name, 1)
        with pytest.raises(FrozenInstanceError):
            delattr(quick, name)
    with pytest.raises((AttributeError, TypeError)):
        quick.anything = 1
    with pytest.raises(TypeError):
        maker_of(cls)(*values, 1)
    if len(names) > 1:
        for name in names:
            assert replace(slow, **{name: 1}) == replace_slowly(slow, **{name: 1}) != slow
            assert type(replace(slow, **{name: 1})) is cls


def test_it_does_what_the_slow_way_does() -> None:
    changed = replace(EMPTY_BOOKS, issued=Points(7), adjust_day=3, burned=9)
    assert changed == replace_slowly(EMPTY_BOOKS, issued=Points(7), adjust_day=3, burned=9)
    assert changed != EMPTY_BOOKS == replace(EMPTY_BOOKS)


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(KeyError, match="nothing"):
        replace(EMPTY_BOOKS, nothing=1)


def test_a_record_of_one_field_is_made_anew() -> None:
    assert maker_of(Lone)(1) == Lone(1)
    with pytest.raises(AssertionError):
        replace(Lone(1), only=2)


def test_a_constructor_that_does_more_than_to_store_is_called() -> None:
    assert maker_of(Params) is Params
