"""Shapes: every limit from both sides, and round trips."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import pack, unpack
from ledger.errors import Code, Malformed
from ledger.schema import (
    OUT_OF_RANGE,
    UNKNOWN_TAG,
    WRONG_COUNT,
    WRONG_LENGTH,
    WRONG_TYPE,
    Boolean,
    Integer,
    ListOf,
    Octets,
    OneOf,
    OptionalIdentifier,
    Row,
    Shape,
    Struct,
    Text,
    identifier,
    is_plain,
)
from tests.support.refusal import refused


@dataclass(frozen=True, slots=True)
class Empty:
    tag: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Single:
    tag: ClassVar[int] = 1
    number: Annotated[int, Integer(0, 9)]


@dataclass(frozen=True, slots=True)
class Mixed:
    tag: ClassVar[int] = 2
    name: Annotated[str, Text(1, 4)]
    choice: Annotated[Any, OneOf(Empty, Single)]
    items: Annotated[tuple[Single, ...], ListOf(Struct(Single), 0, 2)]
    rows: Annotated[tuple[Any, ...], ListOf(Row(Integer(0, 1), Struct(Single)), 0, 2)]


MIXED = Struct(Mixed)


@pytest.mark.parametrize(
    ("shape", "good", "text"),
    [
        (Integer(-1, 3), (-1, 0, 3), "integer -1..3"),
        (Octets(1, 2), (b"a", b"ab"), "1..2 bytes"),
        (identifier(), (bytes(32),), "32 bytes"),
        (OptionalIdentifier(), (b"", bytes(32)), "32 bytes, or 0 bytes for none"),
        (Text(1, 2), ("a", "ü"), "text of 1..2 bytes"),
        (Boolean(), (True, False), "boolean"),
        (ListOf(Integer(0, 1), 1, 2), ((0,), (1, 0)), "array of 1..2: integer 0..1"),
        (Row(Integer(0, 1), Boolean()), ((0, True),), "[integer 0..1, boolean]"),
        (Struct(Single), (Single(0), Single(9)), "Single"),
        (Struct(Empty), (Empty(),), "Empty"),
        (OneOf(Empty, Single), (Empty(), Single(4)), "one of 0: Empty, 1: Single"),
        (MIXED, (Mixed("ab", Single(1), (Single(2),), ((1, Single(3)),)), Mixed("a", Empty(), (), ())), "Mixed"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_good_values_survive_a_round_trip(shape: Shape, good: tuple[Any, ...], text: str) -> None:
    assert shape.describe() == text
    for value in good:
        assert shape.decode(unpack(pack(shape.encode(value))), "field") == value


@pytest.mark.parametrize(
    ("shape", "bad", "code"),
    [
        (Integer(0, 3), True, WRONG_TYPE),
        (Integer(0, 3), b"", WRONG_TYPE),
        (Integer(0, 3), -1, OUT_OF_RANGE),
        (Integer(0, 3), 4, OUT_OF_RANGE),
        (Octets(1, 2), "a", WRONG_TYPE),
        (Octets(1, 2), b"", WRONG_LENGTH),
        (Octets(1, 2), b"abc", WRONG_LENGTH),
        (OptionalIdentifier(), 0, WRONG_TYPE),
        (OptionalIdentifier(), bytes(31), WRONG_LENGTH),
        (OptionalIdentifier(), bytes(33), WRONG_LENGTH),
        (Text(1, 2), b"a", WRONG_TYPE),
        (Text(1, 2), "", WRONG_LENGTH),
        (Text(1, 2), "aü", WRONG_LENGTH),
        (Boolean(), 1, WRONG_TYPE),
        (ListOf(Integer(0, 1), 1, 2), 0, WRONG_TYPE),
        (ListOf(Integer(0, 1), 1, 2), (), WRONG_COUNT),
        (ListOf(Integer(0, 1), 1, 2), (0, 0, 0), WRONG_COUNT),
        (ListOf(Integer(0, 1), 1, 2), (0, 2), OUT_OF_RANGE),
        (Row(Integer(0, 1), Boolean()), b"", WRONG_TYPE),
        (Row(Integer(0, 1), Boolean()), (0,), WRONG_COUNT),
        (Row(Integer(0, 1), Boolean()), (0, 0), WRONG_TYPE),
        (Struct(Single), 0, WRONG_TYPE),
        (Struct(Single), (), WRONG_COUNT),
        (Struct(Single), (1, 2), WRONG_COUNT),
        (Struct(Single), (10,), OUT_OF_RANGE),
        (OneOf(Empty, Single), 0, WRONG_TYPE),
        (OneOf(Empty, Single), (), WRONG_TYPE),
        (OneOf(Empty, Single), (False,), WRONG_TYPE),
        (OneOf(Empty, Single), (2,), UNKNOWN_TAG),
        (OneOf(Empty, Single), (0, 1), WRONG_COUNT),
    ],
)
def test_bad_values_are_refused_and_the_field_is_named(shape: Shape, bad: Any, code: Code) -> None:
    with refused(code, Malformed):
        shape.decode(bad, "field")
    with pytest.raises(Malformed) as caught:
        shape.decode(bad, "field")
    assert caught.value.fields["field"] in ("field", "field[]", "number")


@given(st.recursive(st.integers() | st.binary() | st.text() | st.booleans(), lambda inner: st.lists(inner).map(tuple)))
def test_any_value_is_decoded_or_refused(value: Any) -> None:
    for shape in (MIXED, OneOf(Empty, Single, Mixed), Text(0, 3), OptionalIdentifier()):
        try:
            shape.decode(value, "field")
        except Malformed:
            continue


def test_a_field_without_a_shape_is_the_programmers_fault() -> None:
    @dataclass(frozen=True)
    class Shapeless:
        number: int

    with pytest.raises(AssertionError, match=r"Shapeless\.number has no shape"):
        Struct(Shapeless)


def test_two_members_of_a_union_with_one_tag_are_the_programmers_fault() -> None:
    with pytest.raises(AssertionError, match="share a tag"):
        OneOf(Single, Single)


def test_only_what_is_encoded_as_itself_is_plain() -> None:
    assert is_plain(Integer(0, 1)) and is_plain(ListOf(Row(Boolean()), 0, 1))
    assert not is_plain(Struct(Single)) and not is_plain(ListOf(Struct(Single), 0, 1))
    assert not is_plain(OneOf(Empty)) and not is_plain(Row(Struct(Empty)))
