"""What happened, as typed facts: the only thing that the read model is built from.

A rule emits events through its view; an event that belongs to a rolled-back transaction vanishes with it. Each event class is
declared once with a stable `name`, and says whose history it belongs to (`subjects`: addresses, programs, campaigns). A new kind
needs no new table: its events appear in the histories of their subjects.
"""

from typing import Any, ClassVar

from ledger.schema import Struct


class Event:
    """Base of all events. Subclasses are frozen slotted dataclasses whose fields carry shapes."""

    __slots__ = ()
    name: ClassVar[str]
    catalogue: ClassVar[dict[str, type["Event"]]] = {}
    _shapes: ClassVar[dict[str, Struct[Any]]] = {}

    def subjects(self) -> tuple[bytes, ...]:
        """The 32-byte ids in whose history this event is shown."""
        raise AssertionError(f"{type(self).__name__} names no subjects")


def declare_event(cls: type[Event]) -> type[Event]:
    """Register an event class by its name; a class decorator is put above `@dataclass`."""
    earlier = Event.catalogue.setdefault(cls.name, cls)
    assert earlier.__qualname__ == cls.__qualname__, f"event {cls.name} is declared twice"
    return cls


def event_shape(name: str) -> Struct[Any]:
    """The shape of the event called `name`."""
    shapes = Event._shapes  # noqa: SLF001  # the catalogue is this module's own
    if name not in shapes:
        shapes[name] = Struct(Event.catalogue[name])
    return shapes[name]
