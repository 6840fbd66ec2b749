"""Shapes of canonical values: the notation of README.md, read as it stands there, and the checks of BYTES-5.

A shape decodes a value into names: an array with named positions becomes a dict in the order of its fields, a union's member
a dict whose entry "is" names the member; lists, numbers, texts and byte strings stay what they are.
"""

import re

from tests.second_decoder.faults import Fault

TOKEN = re.compile(r"\s*(\.\.|[\[\],:?]|-?(?:\d+\^\d+(?:-\d+)?|\d+|M\b)|[A-Za-z_]\w*)")
NUMBER = re.compile(r"-?(\d|M$)")


def number_of(text: str) -> int:
    """A number of the notation: 7, -7, 2^32-1, M."""
    if text.startswith("-"):
        return -number_of(text[1:])
    if text == "M":
        return 2**63 - 1
    if "^" not in text:
        return int(text)
    power, _, less = text.partition("-")
    base, exponent = power.split("^")
    return int(base) ** int(exponent) - int(less or 0)


class Integer:
    """`int a..b`"""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def read(self, value, field: str) -> int:
        """Checks type, then range."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Fault("shape.type", field)
        if not self.least <= value <= self.most:
            raise Fault("shape.range", field)
        return value

    def write(self, found):
        """The value of what `read` gave."""
        return found

    def describe(self) -> str:
        """As tables.md writes it."""
        return f"integer {self.least}..{self.most}"


class Boolean:
    """`bool`"""

    def read(self, value, field: str) -> bool:
        """Checks the type."""
        if not isinstance(value, bool):
            raise Fault("shape.type", field)
        return value

    def write(self, found):
        """The value of what `read` gave."""
        return found

    def describe(self) -> str:
        """As tables.md writes it."""
        return "boolean"


class String:
    """`bytes n`, `bytes a..b`, `id`, `id?` and `text a..b`; lengths are in bytes."""

    def __init__(self, kind: type, least: int, most: int, or_none: bool = False) -> None:
        self.kind, self.least, self.most, self.or_none = kind, least, most, or_none

    def read(self, value, field: str):
        """Checks type, then length."""
        if not isinstance(value, self.kind):
            raise Fault("shape.type", field)
        length = len(value.encode("utf-8")) if self.kind is str else len(value)
        if not (self.least <= length <= self.most or (self.or_none and length == 0)):
            raise Fault("shape.length", field)
        return value

    def write(self, found):
        """The value of what `read` gave."""
        return found

    def describe(self) -> str:
        """As tables.md writes it."""
        if self.kind is str:
            return f"text of {self.least}..{self.most} bytes"
        if self.or_none:
            return f"{self.most} bytes, or 0 bytes for none"
        return f"{self.most} bytes" if self.least == self.most else f"{self.least}..{self.most} bytes"


class Listing:
    """`list a..b of shape`"""

    def __init__(self, least: int, most: int, item) -> None:
        self.least, self.most, self.item = least, most, item

    def read(self, value, field: str) -> list:
        """Checks type, count, then each item."""
        if not isinstance(value, list):
            raise Fault("shape.type", field)
        if not self.least <= len(value) <= self.most:
            raise Fault("shape.count", field)
        return [self.item.read(item, f"{field}[{index}]") for index, item in enumerate(value)]

    def write(self, found):
        """The value of what `read` gave."""
        return [self.item.write(item) for item in found]

    def describe(self) -> str:
        """As tables.md writes it."""
        return f"array of {self.least}..{self.most}: {self.item.describe()}"


class Structure:
    """`[x: shape, y: shape]`; a structure with a name is described by it."""

    def __init__(self, fields: list, name: str = "") -> None:
        self.fields, self.name = fields, name

    def read(self, value, field: str, skip: int = 0) -> dict:
        """Checks type, number of positions (after the first `skip` ones), then each field in order."""
        if not isinstance(value, list):
            raise Fault("shape.type", field)
        if len(value) != len(self.fields) + skip:
            raise Fault("shape.count", field)
        pairs = zip(self.fields, value[skip:], strict=True)
        return {name: shape.read(item, f"{field}.{name}") for (name, shape), item in pairs}

    def write(self, found):
        """The value of what `read` gave."""
        return [shape.write(found[name]) for name, shape in self.fields]

    def describe(self) -> str:
        """As tables.md writes it."""
        return self.name or "[" + ", ".join(shape.describe() for _, shape in self.fields) + "]"


class Union:
    """`one of: 0 A[...], 1 B[...]`"""

    def __init__(self, members: dict) -> None:
        self.members = members

    def read(self, value, field: str) -> dict:
        """Checks type, tag, then the member; an empty array is a wrong count, a tag that is no integer a wrong type."""
        if not isinstance(value, list):
            raise Fault("shape.type", field)
        if not value:
            raise Fault("shape.count", field)
        if isinstance(value[0], bool) or not isinstance(value[0], int):
            raise Fault("shape.type", field)
        if value[0] not in self.members:
            raise Fault("shape.tag", field)
        member = self.members[value[0]]
        return {"is": member.name, **member.read(value, field, skip=1)}

    def write(self, found):
        """The value of what `read` gave."""
        for tag, member in self.members.items():
            if member.name == found["is"]:
                return [tag, *member.write(found)]
        raise ValueError(f"no member is called {found['is']}")

    def describe(self) -> str:
        """As tables.md writes it."""
        return "one of " + ", ".join(f"{tag}: {member.name}" for tag, member in self.members.items())


class Notation:
    """Reads the notation of README.md; `known` are the shapes that have a name of their own."""

    def __init__(self, text: str, known: dict) -> None:
        self.tokens = TOKEN.findall(text)
        assert "".join(self.tokens) == re.sub(r"\s", "", text), text
        self.at, self.known = 0, known

    def peek(self, ahead: int = 0) -> str:
        """The token that comes, or an empty text."""
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        """The next token."""
        token = self.peek()
        assert token and (not expected or token == expected), (token, expected, self.tokens)
        self.at += 1
        return token

    def bounds(self) -> tuple[int, int]:
        """`n` or `a..b`."""
        least = most = number_of(self.take())
        if self.peek() == "..":
            self.take()
            most = number_of(self.take())
        return least, most

    def shape(self):
        """One shape."""
        if self.peek() == "[":
            return self.structure("")
        word = self.take()
        if word == "int":
            return Integer(*self.bounds())
        if word == "bool":
            return Boolean()
        if word in ("bytes", "text"):
            return String(bytes if word == "bytes" else str, *self.bounds())
        if word == "id":
            maybe = self.peek() == "?"
            self.at += maybe
            return String(bytes, 32, 32, or_none=maybe)
        if word == "list":
            least, most = self.bounds()
            self.take("of")
            return Listing(least, most, self.shape())
        if word == "one":
            return self.union()
        return self.known[word]

    def structure(self, name: str) -> Structure:
        """`[x: shape, y: shape]`; a field without a shape of its own has the shape that is known by its name."""
        fields = []
        self.take("[")
        while self.peek() != "]":
            field = self.take()
            if self.peek() == ":":
                self.take()
                fields.append((field, self.shape()))
            else:
                fields.append((field, self.known[field]))
            if self.peek() != "]":
                self.take(",")
        self.take("]")
        return Structure(fields, name)

    def union(self) -> Union:
        """`one of: 0 A[...], 1 B[...]`"""
        self.take("of")
        self.take(":")
        members = {}
        while True:
            tag = number_of(self.take())
            members[tag] = self.structure(self.take())
            if self.peek() != "," or not NUMBER.match(self.peek(1)):
                return Union(members)
            self.take(",")


def shape_of(text: str, known: dict, name: str = ""):
    """The shape that a text in the notation of README.md describes."""
    notation = Notation(text, known)
    shape = notation.shape()
    assert not notation.peek(), text
    if name and isinstance(shape, Structure):
        shape.name = name
    return shape
