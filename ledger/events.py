"""What happened, as typed facts: the only thing that the read model is built from.

A rule emits events through its view; an event that belongs to a rolled-back transaction vanishes with it. Each event class is
declared once with a stable `name`, and says whose history it belongs to (`subjects`: addresses, programs, campaigns). A new kind
needs no new table: its events appear in the histories of their subjects.
"""

from typing import Any, ClassVar, TypeVar

from ledger.schema import Struct


class Event:
    """Base of all events. Subclasses are frozen slotted dataclasses whose fields carry shapes."""

    __slots__ = ()
    name: ClassVar[str]
    catalogue: ClassVar[dict[str, type["Event"]]] = {}

    def subjects(self) -> tuple[bytes, ...]:
        """The 32-byte ids in whose history this event is shown."""
        raise AssertionError(f"{type(self).__name__} names no subjects")


EventType = TypeVar("EventType", bound=Event)

_SHAPES: dict[str, Struct[Any]] = {}


def declare_event(cls: type[EventType]) -> type[EventType]:
    """Register an event class by its name; a class decorator is put above `@dataclass`."""
    earlier = Event.catalogue.setdefault(cls.name, cls)
    assert earlier.__qualname__ == cls.__qualname__, f"event {cls.name} is declared twice"
    return cls


def event_shape(name: str) -> Struct[Any]:
    """The shape of the event called `name`."""
    if name not in _SHAPES:
        _SHAPES[name] = Struct(Event.catalogue[name])
    return _SHAPES[name]
