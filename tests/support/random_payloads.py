"""Random values of any shape, fond of limits and of ids that mean something."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from ledger.schema import Boolean, Integer, ListOf, Octets, OneOf, OptionalIdentifier, Row, Shape, Struct, Text

ITEMS_MAX = 3
NOWHERE = bytes(32)

Ids = Mapping[str, Sequence[bytes]]
"""Ids that mean something, by the name of the field that holds them; "" for any other field."""


def values_of(shape: Shape, ids: Ids, name: str = "") -> st.SearchStrategy[Any]:
    """Values that decode under `shape`, which is that of the field `name`; 32-byte ids are mostly some of `ids`."""
    if isinstance(shape, Integer):
        return _integers(shape)
    if isinstance(shape, Boolean):
        return st.booleans()
    if isinstance(shape, OptionalIdentifier):
        return st.sampled_from([b"", *_ids_of(ids, name)])
    if isinstance(shape, Octets):
        if shape.minimum == shape.maximum == 32:
            return st.sampled_from(_ids_of(ids, name))
        return st.binary(min_size=shape.minimum, max_size=min(shape.maximum, shape.minimum + 40))
    if isinstance(shape, Text):
        return st.sampled_from(["x" * shape.minimum, "a" * min(shape.maximum, 5), "z" * shape.maximum])
    if isinstance(shape, ListOf):
        most = min(shape.maximum, max(shape.minimum, ITEMS_MAX))
        return st.lists(values_of(shape.item, ids), min_size=shape.minimum, max_size=most).map(tuple)
    if isinstance(shape, Row):
        return st.tuples(*[values_of(position, ids) for position in shape.positions])
    if isinstance(shape, OneOf):
        return st.one_of([values_of(struct, ids) for struct in shape.by_tag.values()])
    assert isinstance(shape, Struct), "a shape that this module does not know"
    pairs = zip(shape.positions, shape.names, strict=True)
    return st.builds(shape.cls, *[values_of(position, ids, field) for position, field in pairs])


def _ids_of(ids: Ids, name: str) -> list[bytes]:
    return [*ids.get(name, ids[""]), NOWHERE]


def _integers(shape: Integer) -> st.SearchStrategy[int]:
    near_limits = [shape.minimum, shape.minimum + 1, shape.maximum - 1, shape.maximum, 0, 1, 10, 100]
    allowed = sorted({number for number in near_limits if shape.minimum <= number <= shape.maximum})
    small = st.integers(shape.minimum, min(shape.maximum, max(shape.minimum, 0) + 1_000))
    return st.sampled_from(allowed) | small | st.integers(shape.minimum, shape.maximum)
