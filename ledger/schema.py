"""Shapes of canonical arrays: what a payload, a record or a params file must look like before any rule reads it.

A shape is declared once, in the type of a frozen dataclass, and gives the decoder, the encoder and the spec's table of limits:

    @dataclass(frozen=True, slots=True)
    class Transfer:
        recipient: Annotated[Address, Identifier()]
        amount: Annotated[Amount, Integer(1, INTEGER_MAX)]

    TRANSFER = Struct(Transfer)

A struct is an array of its fields in their order; a union is the array `[tag, *fields]`. Decoding checks type, range, length and
count of everything (spec BYTES-5) and raises `Malformed` with the path of the field that is wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Annotated, Any, Generic, Protocol, TypeVar, cast, get_args, get_origin, get_type_hints

from ledger.errors import Code, Malformed
from ledger.evolve import maker_of

WRONG_TYPE = Code("shape.type", "{field} must be {expected}", "Encode the field with the type that the spec names.")
OUT_OF_RANGE = Code(
    "shape.range", "{field} must be {expected}, not {found}", "Send a value within the limits that the spec names."
)
WRONG_LENGTH = Code(
    "shape.length", "{field} must be {expected}, not {found} bytes", "Send as many bytes as the spec names."
)
WRONG_COUNT = Code("shape.count", "{field} must hold {expected}, not {found}", "Send as many items as the spec names.")
UNKNOWN_TAG = Code(
    "shape.tag", "{field} has the unknown tag {found}; known are {expected}", "Use a tag that this version defines."
)

Shaped = TypeVar("Shaped")


class Shape(Protocol):
    """One position in a canonical array."""

    def decode(self, value: Any, field: str) -> Any:
        """The typed value, or `Malformed` naming `field`."""
        ...

    def encode(self, value: Any) -> Any:
        """What the codec packs for this value."""
        ...

    def describe(self) -> str:
        """The limits in words, for the spec's table."""
        ...


def _same(value: Any) -> Any:
    return value


class Integer:
    """A whole number within `minimum..maximum`, both included."""

    __slots__ = ("maximum", "minimum")
    encode = staticmethod(_same)

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def decode(self, value: Any, field: str) -> int:
        if type(value) is not int:
            raise Malformed(WRONG_TYPE, field=field, expected="an integer")
        if not self.minimum <= value <= self.maximum:
            raise Malformed(OUT_OF_RANGE, field=field, expected=self.describe(), found=value)
        return value

    def describe(self) -> str:
        return f"integer {self.minimum}..{self.maximum}"


class Octets:
    """A byte string of `minimum..maximum` bytes."""

    __slots__ = ("maximum", "minimum")
    encode = staticmethod(_same)

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def decode(self, value: Any, field: str) -> bytes:
        if type(value) is not bytes:
            raise Malformed(WRONG_TYPE, field=field, expected="a byte string")
        if not self.minimum <= len(value) <= self.maximum:
            raise Malformed(WRONG_LENGTH, field=field, expected=self.describe(), found=len(value))
        return value

    def describe(self) -> str:
        size = f"{self.minimum}" if self.minimum == self.maximum else f"{self.minimum}..{self.maximum}"
        return f"{size} bytes"


def identifier() -> Octets:
    """A 32-byte id."""
    return Octets(32, 32)


class OptionalIdentifier:
    """A 32-byte id, or no bytes at all for "none"."""

    __slots__ = ()
    encode = staticmethod(_same)

    def decode(self, value: Any, field: str) -> bytes:
        if type(value) is not bytes:
            raise Malformed(WRONG_TYPE, field=field, expected="a byte string")
        if len(value) not in (0, 32):
            raise Malformed(WRONG_LENGTH, field=field, expected=self.describe(), found=len(value))
        return value

    def describe(self) -> str:
        return "32 bytes, or 0 bytes for none"


class Text:
    """UTF-8 text of `minimum..maximum` bytes, not normalised."""

    __slots__ = ("maximum", "minimum")
    encode = staticmethod(_same)

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def decode(self, value: Any, field: str) -> str:
        if type(value) is not str:
            raise Malformed(WRONG_TYPE, field=field, expected="a text")
        size = len(value.encode())
        if not self.minimum <= size <= self.maximum:
            raise Malformed(WRONG_LENGTH, field=field, expected=self.describe(), found=size)
        return value

    def describe(self) -> str:
        return f"text of {self.minimum}..{self.maximum} bytes"


class Boolean:
    """True or false."""

    __slots__ = ()
    encode = staticmethod(_same)

    def decode(self, value: Any, field: str) -> bool:
        if type(value) is not bool:
            raise Malformed(WRONG_TYPE, field=field, expected="a boolean")
        return value

    def describe(self) -> str:
        return "boolean"


class ListOf:
    """An array of `minimum..maximum` items of one shape; decodes to a tuple."""

    __slots__ = ("item", "maximum", "minimum", "plain")

    def __init__(self, item: Shape, minimum: int, maximum: int) -> None:
        self.item = item
        self.minimum = minimum
        self.maximum = maximum
        self.plain = is_plain(item)

    def decode(self, value: Any, field: str) -> tuple[Any, ...]:
        items: tuple[Any, ...] = value
        if type(items) is not tuple:
            raise Malformed(WRONG_TYPE, field=field, expected="an array")
        if not self.minimum <= len(items) <= self.maximum:
            expected = f"{self.minimum}..{self.maximum} items"
            raise Malformed(WRONG_COUNT, field=field, expected=expected, found=len(items))
        decode, item_field = self.item.decode, f"{field}[]"
        return tuple([decode(item, item_field) for item in items])

    def encode(self, value: Sequence[Any]) -> Any:
        if self.plain:
            return value
        encode = self.item.encode
        return tuple([encode(item) for item in value])

    def describe(self) -> str:
        return f"array of {self.minimum}..{self.maximum}: {self.item.describe()}"


class Row:
    """A fixed array of unnamed positions, for small tuples such as a lot; decodes to a tuple."""

    __slots__ = ("decoders", "plain", "positions")

    def __init__(self, *positions: Shape) -> None:
        self.positions = positions
        self.decoders = tuple(enumerate(position.decode for position in positions))
        self.plain = all(is_plain(position) for position in positions)

    def decode(self, value: Any, field: str) -> tuple[Any, ...]:
        items: tuple[Any, ...] = value
        if type(items) is not tuple:
            raise Malformed(WRONG_TYPE, field=field, expected="an array")
        if len(items) != len(self.positions):
            raise Malformed(WRONG_COUNT, field=field, expected=f"{len(self.positions)} items", found=len(items))
        return tuple([decode(items[index], field) for index, decode in self.decoders])

    def encode(self, value: Sequence[Any]) -> Any:
        if self.plain:
            return value
        return tuple([shape.encode(item) for shape, item in zip(self.positions, value, strict=True)])

    def describe(self) -> str:
        return "[" + ", ".join(position.describe() for position in self.positions) + "]"


class Struct(Generic[Shaped]):
    """The array of a dataclass's fields, each of which carries its shape in `Annotated`."""

    __slots__ = ("cls", "decoders", "is_flat", "make", "name", "names", "positions", "take")

    def __init__(self, cls: type[Shaped]) -> None:
        self.cls = cls
        self.make: Callable[..., Shaped] = maker_of(cls)
        self.name = cls.__name__
        hints = get_type_hints(cls, include_extras=True)
        self.names = tuple(field.name for field in fields(cast(Any, cls)))
        self.positions: tuple[Shape, ...] = tuple(_shape_of(hints[name], cls, name) for name in self.names)
        self.decoders = tuple(
            (index, position.decode, name)
            for index, (position, name) in enumerate(zip(self.positions, self.names, strict=True))
        )
        self.is_flat = all(is_plain(position) for position in self.positions)
        self.take: Callable[[Shaped], tuple[Any, ...]] = _taker(self.names)

    def decode(self, value: Any, field: str) -> Shaped:
        items: tuple[Any, ...] = value
        if type(items) is not tuple:
            raise Malformed(WRONG_TYPE, field=field, expected="an array")
        if len(items) != len(self.positions):
            raise Malformed(WRONG_COUNT, field=field, expected=f"{len(self.positions)} fields", found=len(items))
        return self.make(*[decode(items[index], name) for index, decode, name in self.decoders])

    def encode(self, value: Shaped) -> Any:
        taken = self.take(value)
        if self.is_flat:
            return taken
        return tuple([shape.encode(item) for shape, item in zip(self.positions, taken, strict=True)])

    def describe(self) -> str:
        return self.name


class OneOf:
    """A union: `[tag, *fields]`, where each member class has a class attribute `tag`."""

    __slots__ = ("by_tag",)

    def __init__(self, *classes: type[Any]) -> None:
        self.by_tag: dict[int, Struct[Any]] = {cls.tag: Struct(cls) for cls in classes}
        assert len(self.by_tag) == len(classes), "two members of a union share a tag"

    def decode(self, value: Any, field: str) -> Any:
        items: tuple[Any, ...] = value
        if type(items) is not tuple or not items or type(items[0]) is not int:
            raise Malformed(WRONG_TYPE, field=field, expected="an array that begins with a tag")
        struct = self.by_tag.get(items[0])
        if struct is None:
            known = ", ".join(str(tag) for tag in self.by_tag)
            raise Malformed(UNKNOWN_TAG, field=field, expected=known, found=items[0])
        return struct.decode(items[1:], field)

    def encode(self, value: Any) -> Any:
        return (value.tag, *self.by_tag[value.tag].encode(value))

    def describe(self) -> str:
        return "one of " + ", ".join(f"{tag}: {struct.name}" for tag, struct in self.by_tag.items())


def is_plain(shape: Shape) -> bool:
    """Whether encoding leaves the value as it is, so that it can be skipped. Never true of a struct, whose values are objects."""
    return getattr(shape, "plain", False) or shape.encode is _same


def _taker(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) >= 2:
        return attrgetter(*names)
    if not names:
        return _nothing
    only = attrgetter(names[0])
    return lambda value: (only(value),)


def _nothing(value: Any) -> tuple[Any, ...]:
    return ()


def _shape_of(hint: Any, cls: type[Any], name: str) -> Shape:
    assert get_origin(hint) is Annotated, f"{cls.__name__}.{name} has no shape"
    shape: Shape = get_args(hint)[1]
    return shape
