"""Records made quickly: from all their fields, and with some fields changed.

The constructor of a frozen dataclass asks `object.__setattr__` to store each field, one call after the other: 6 us for a program's
books. Here a record is made as its *twin*, a class of the same slots that is not frozen, whose constructor stores them at a
sixth of that; then the twin is told to be of the record's class, which CPython allows for classes of the same layout. Nobody
ever sees a twin, and what comes out is as frozen as if its own constructor had made it.
"""

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from operator import attrgetter
from typing import Any, TypeVar

Record = TypeVar("Record")

_PARTS: dict[type[Any], tuple[Callable[[Any], tuple[Any, ...]], dict[str, int], type[Any]]] = {}
"""By class: what reads all fields in their order, the place of each, and the twin."""


def replace(record: Record, **changes: Any) -> Record:
    """The record with the named fields changed. Raises KeyError for a name that is no field of it."""
    cls = type(record)
    read, places, twin = _PARTS.get(cls) or _parts_of(cls)
    values = list(read(record))
    for name, value in changes.items():
        values[places[name]] = value
    made = twin(*values)
    made.__class__ = cls
    return made


def maker_of(cls: type[Record]) -> Callable[..., Record]:
    """What makes records of `cls` from all their fields: its constructor, where that does more than to store them in slots."""
    names = _slots_of(cls)
    if not names:
        return cls
    twin = _twin_of(cls, names)

    def make(*values: Any) -> Record:
        made: Any = twin(*values)
        made.__class__ = cls
        return made

    return make


def _parts_of(cls: type[Any]) -> tuple[Callable[[Any], tuple[Any, ...]], dict[str, int], type[Any]]:
    names = _slots_of(cls)
    assert len(names) > 1, f"{cls.__name__} has no twin, or one field and is made anew"
    found = (attrgetter(*names), {name: place for place, name in enumerate(names)}, _twin_of(cls, names))
    return _PARTS.setdefault(cls, found)


def _slots_of(cls: type[Any]) -> tuple[str, ...]:
    """The fields of a record, if its constructor does nothing but to store them in slots of its own; else none."""
    names = tuple(field.name for field in fields(cls))
    return () if cls.__dict__.get("__slots__") != names or hasattr(cls, "__post_init__") else names


def _twin_of(cls: type[Any], names: tuple[str, ...]) -> type[Any]:
    return make_dataclass(cls.__name__, names, bases=cls.__bases__, slots=True, eq=False, repr=False, match_args=False)
