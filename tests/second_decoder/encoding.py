"""Canonical encoding: BYTES-1, BYTES-2 and BYTES-3."""

from typing import Any

from tests.second_decoder.faults import Fault

BYTES_MAX = 16_777_216
DEPTH_MAX = 16
ITEMS_MAX = 65_536

# First byte -> (kind, bytes of the number in the header, least value that needs this form). Only forms with a number.
UNSIGNED = {0xCC: (1, 1 << 7), 0xCD: (2, 1 << 8), 0xCE: (4, 1 << 16), 0xCF: (8, 1 << 32)}
SIGNED = {0xD0: (1, -33), 0xD1: (2, -(1 << 7) - 1), 0xD2: (4, -(1 << 15) - 1), 0xD3: (8, -(1 << 31) - 1)}
LENGTHS = {
    0xC4: ("bytes", 1, 0),
    0xC5: ("bytes", 2, 1 << 8),
    0xC6: ("bytes", 4, 1 << 16),
    0xD9: ("text", 1, 32),
    0xDA: ("text", 2, 1 << 8),
    0xDB: ("text", 4, 1 << 16),
    0xDC: ("array", 2, 16),
    0xDD: ("array", 4, 1 << 16),
}


class Reader:
    """Reads one encoding from the left and reports the first fault in the order of BYTES-3."""

    def __init__(self, data: bytes, depth_max: int, items_max: int) -> None:
        self.data = data
        self.at = 0
        self.depth_max = depth_max
        self.items_max = items_max

    def take(self, count: int) -> bytes:
        """The next bytes, or the fault that they are missing."""
        if self.at + count > len(self.data):
            raise Fault("codec.truncated", f"{count} bytes at {self.at}")
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def number(self, size: int, signed: bool = False) -> int:
        """A number of the header, highest byte first."""
        return int.from_bytes(self.take(size), "big", signed=signed)

    def header(self) -> tuple[str, int]:
        """(kind, value) of the next item's header; value is the integer itself, a length or a count (BYTES-1)."""
        first = self.take(1)[0]
        if first <= 0x7F:
            return "int", first
        if first >= 0xE0:
            return "int", first - 0x100
        if 0x90 <= first <= 0x9F:
            return "array", first - 0x90
        if 0xA0 <= first <= 0xBF:
            return "text", first - 0xA0
        if first in (0xC2, 0xC3):
            return "bool", first - 0xC2
        if first in UNSIGNED:
            size, least = UNSIGNED[first]
            value = self.number(size)
            canonical = value >= least
        elif first in SIGNED:
            size, most = SIGNED[first]
            value = self.number(size, signed=True)
            canonical = value <= most
        elif first in LENGTHS:
            kind, size, least = LENGTHS[first]
            value = self.number(size)
            if value < least:
                raise Fault("codec.not_canonical", f"{kind} of {value}")
            return kind, value
        else:
            raise Fault("codec.forbidden_type", f"{first:02x}")
        if not canonical:
            raise Fault("codec.not_canonical", f"integer {value}")
        return "int", value

    def item(self, depth: int) -> Any:
        """One value; depth is the number of arrays around it."""
        kind, value = self.header()
        if kind == "int":
            return value
        if kind == "bool":
            return value == 1
        if kind == "array":
            if depth + 1 > self.depth_max:
                raise Fault("codec.too_deep", str(depth + 1))
            if value > self.items_max:
                raise Fault("codec.too_many_items", str(value))
            return [self.item(depth + 1) for _ in range(value)]
        body = self.take(value)
        if kind == "bytes":
            return body
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Fault("codec.not_utf8", str(error)) from None


def decode(data: bytes, bytes_max: int = BYTES_MAX, depth_max: int = DEPTH_MAX, items_max: int = ITEMS_MAX) -> Any:
    """The value of a canonical encoding (BYTES-2, BYTES-3)."""
    if len(data) > bytes_max:
        raise Fault("codec.too_long", str(len(data)))
    reader = Reader(bytes(data), depth_max, items_max)
    value = reader.item(0)
    if reader.at != len(data):
        raise Fault("codec.trailing", f"at {reader.at}")
    return value


def with_length(kind: str, count: int) -> bytes:
    """The shortest header of a byte string, text or array (BYTES-1)."""
    if kind == "text" and count < 32:
        return bytes([0xA0 + count])
    if kind == "array" and count < 16:
        return bytes([0x90 + count])
    for first, (form, size, _) in LENGTHS.items():
        if form == kind and count < 1 << (8 * size):
            return bytes([first]) + count.to_bytes(size, "big")
    raise ValueError(f"no form of {kind} holds {count}")


def encode_int(value: int) -> bytes:
    """The shortest form of an integer (BYTES-1)."""
    if -32 <= value <= 127:
        return (value & 0xFF).to_bytes(1, "big")
    forms, signed = (UNSIGNED, False) if value > 0 else (SIGNED, True)
    for first, (size, _) in forms.items():
        bits = 8 * size
        fits = value < 1 << bits if value > 0 else value >= -(1 << (bits - 1))
        if fits:
            return bytes([first]) + value.to_bytes(size, "big", signed=signed)
    raise ValueError(f"no form holds {value}")


def encode(value: Any) -> bytes:
    """enc(value) of BYTES-1."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return encode_int(value)
    if isinstance(value, bytes):
        return with_length("bytes", len(value)) + value
    if isinstance(value, str):
        body = value.encode("utf-8")
        return with_length("text", len(body)) + body
    if isinstance(value, list | tuple):
        return with_length("array", len(value)) + b"".join(encode(item) for item in value)
    raise TypeError(f"{type(value).__name__} has no canonical encoding")
