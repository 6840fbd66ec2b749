"""Events: declared once, with shapes and subjects."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

import ledger.registry  # noqa: F401  # the registry brings every domain, and with it every event
from ledger.events import Event, declare_event, event_shape


@pytest.mark.parametrize("name", sorted(Event.catalogue))
def test_every_event_has_a_shape_that_is_made_once(name: str) -> None:
    shape = event_shape(name)
    assert shape.cls is Event.catalogue[name]
    assert event_shape(name) is shape


def test_every_event_says_whose_history_it_belongs_to() -> None:
    for cls in Event.catalogue.values():
        assert cls.subjects is not Event.subjects
    with pytest.raises(AssertionError, match="Event names no subjects"):
        Event().subjects()


def test_an_event_is_declared_once() -> None:
    @dataclass(frozen=True, slots=True)
    class Another(Event):
        name: ClassVar[str] = "coin.moved"

    with pytest.raises(AssertionError, match="declared twice"):
        declare_event(Another)
