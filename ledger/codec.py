"""Canonical MessagePack: the one byte form of everything that the ledger hashes, signs or stores (protocol, section 2).

Allowed are integers of -2**63..2**64-1, bytes, booleans, UTF-8 text (not normalised) and arrays of these. Maps, floats, nil and
extensions are forbidden. Bytes are accepted only if encoding their value again gives the same bytes, so each value has exactly
one encoding. The format is https://github.com/msgpack/msgpack/blob/master/spec.md.

`unpack` is fast where the bytes are good: the C decoder, the C encoder and one comparison. Where they are not, a second, exact
reader walks the bytes from the left and names the first fault, in this order: the length of the whole; then at each item its
first byte, its header cut off, its header not the shortest, its depth or count, its body cut off, its text; bytes after the end.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias, cast

from msgpack import packb, unpackb

from ledger.errors import Code, Malformed

Value: TypeAlias = int | bytes | bool | str | tuple["Value", ...]
"""What `unpack` returns: arrays become tuples."""

Packable: TypeAlias = int | bytes | bool | str | Sequence["Packable"]
"""What `pack` takes: exactly these types, with tuple or list for an array."""

BYTES_MAX: Final = 16 * 1024 * 1024
"""Default limit of one encoding in bytes: the largest block. Callers with a smaller limit pass it."""
DEPTH_MAX: Final = 16
"""Arrays within arrays. Nothing in the ledger needs more than eight; a stack of sixteen costs nothing to walk."""
ITEMS_MAX: Final = 65_536
"""Default limit of the items of one array: the transactions of a block."""

TOO_LONG = Code("codec.too_long", "{length} bytes are more than the limit of {bytes_max}", "Send less, or in parts.")
TRUNCATED = Code("codec.truncated", "the bytes end within the item at offset {offset}", "Send the whole object.")
TRAILING = Code(
    "codec.trailing", "the object ends at offset {offset}, but more bytes follow", "Send exactly one object."
)
NOT_CANONICAL = Code(
    "codec.not_canonical", "the item at offset {offset} has a shorter encoding", "Use the shortest form of each header."
)
FORBIDDEN_TYPE = Code(
    "codec.forbidden_type",
    "the item at offset {offset} begins with 0x{first_byte}, a type that is not allowed",
    "Use only integers, bytes, booleans, text and arrays.",
)
TOO_DEEP = Code(
    "codec.too_deep", "the array at offset {offset} lies more than {depth_max} deep", "Nest arrays less deep."
)
TOO_MANY_ITEMS = Code(
    "codec.too_many_items",
    "the array at offset {offset} has {count} items, the limit is {items_max}",
    "Use shorter arrays.",
)
NOT_UTF8 = Code("codec.not_utf8", "the text at offset {offset} is not valid UTF-8", "Encode text as UTF-8.")


def pack(value: Packable) -> bytes:
    """The canonical encoding of a value.

    A value that has none (None, float, dict, a subclass, an integer out of range, a lone surrogate, more than DEPTH_MAX levels)
    is the caller's fault: AssertionError.
    """
    assert _is_plain((value,), DEPTH_MAX), "only exact int, bytes, bool, str, tuple and list, at most DEPTH_MAX deep"
    try:
        return packb(value)
    except (OverflowError, UnicodeEncodeError) as fault:
        raise AssertionError("integers have at most 64 bits, text no lone surrogates") from fault


def pack_shaped(value: Packable) -> bytes:
    """Like `pack`, for what a shape's `encode` made of a checked value: types and depth are not looked at a second time."""
    return packb(value)


def unpack(data: bytes, *, bytes_max: int = BYTES_MAX, depth_max: int = DEPTH_MAX, items_max: int = ITEMS_MAX) -> Value:
    """The value whose canonical encoding `data` is.

    `bytes_max` limits the whole in bytes, `depth_max` arrays within arrays, `items_max` the items of one array. The length is
    checked before anything is read, and no array is begun that announces more items than there are bytes. Before its items have
    arrived, the decoder sets aside at most 80 kB for an array, and before it gives up on arrays within arrays, 82 MB for 1,024.
    Raises Malformed with one of the codes of this module.
    """
    if len(data) > bytes_max:
        raise Malformed(TOO_LONG, length=len(data), bytes_max=bytes_max)
    value: Value
    try:
        value = unpackb(data, use_list=False, max_array_len=min(items_max, len(data)), max_map_len=0, max_ext_len=0)
        accepted = _is_plain((value,), depth_max) and packb(value) == data
    except ValueError:  # msgpack's own errors and UnicodeDecodeError are all ValueErrors
        value, accepted = b"", False
    if not accepted:
        _raise_fault(data, depth_max, items_max)
    return value


def unpack_shaped(data: bytes, *, bytes_max: int = BYTES_MAX, items_max: int = ITEMS_MAX) -> Any:
    """Like `unpack`, for a caller that gives every item to a shape at once: types and depth are left to the shapes.

    It accepts no bytes but canonical ones. On a fault the caller asks `unpack`, which names it.
    """
    if len(data) > bytes_max:
        raise Malformed(TOO_LONG, length=len(data), bytes_max=bytes_max)
    try:
        value: Any = unpackb(
            data, use_list=False, max_array_len=min(items_max, len(data)), max_map_len=0, max_ext_len=0
        )
        accepted = packb(value) == data
    except ValueError:
        value, accepted = b"", False
    if not accepted:
        raise Malformed(NOT_CANONICAL, offset=0)
    return value


def _is_plain(items: Sequence[object], depth_left: int) -> bool:
    """Whether all items have an allowed type, with at most `depth_left` levels of arrays. The hot loop of this module."""
    for item in items:
        kind = type(item)
        if kind is bytes or kind is int or kind is str or kind is bool:
            continue
        if not depth_left or (kind is not tuple and kind is not list):
            return False
        if not _is_plain(cast("Sequence[object]", item), depth_left - 1):
            return False
    return True


class _Form(NamedTuple):
    """A first byte that a number follows: what it announces, the number's width in bytes, where this form is the shortest."""

    kind: str
    width: int
    shortest: range


_SCALAR, _SIGNED, _BYTES, _TEXT, _ARRAY = "scalar", "signed", "bytes", "text", "array"
_FORMS: Final = {
    0xC4: _Form(_BYTES, 1, range(2**8)),
    0xC5: _Form(_BYTES, 2, range(2**8, 2**16)),
    0xC6: _Form(_BYTES, 4, range(2**16, 2**32)),
    0xCC: _Form(_SCALAR, 1, range(2**7, 2**8)),
    0xCD: _Form(_SCALAR, 2, range(2**8, 2**16)),
    0xCE: _Form(_SCALAR, 4, range(2**16, 2**32)),
    0xCF: _Form(_SCALAR, 8, range(2**32, 2**64)),
    0xD0: _Form(_SIGNED, 1, range(-(2**7), -(2**5))),
    0xD1: _Form(_SIGNED, 2, range(-(2**15), -(2**7))),
    0xD2: _Form(_SIGNED, 4, range(-(2**31), -(2**15))),
    0xD3: _Form(_SIGNED, 8, range(-(2**63), -(2**31))),
    0xD9: _Form(_TEXT, 1, range(2**5, 2**8)),
    0xDA: _Form(_TEXT, 2, range(2**8, 2**16)),
    0xDB: _Form(_TEXT, 4, range(2**16, 2**32)),
    0xDC: _Form(_ARRAY, 2, range(2**4, 2**16)),
    0xDD: _Form(_ARRAY, 4, range(2**16, 2**32)),
}


def _raise_fault(data: bytes, depth_max: int, items_max: int) -> NoReturn:
    """Name the first fault of bytes that were not accepted, reading them from the left without building any value."""
    offset = 0
    items_to_come = [1]  # of each array that is open, the outermost first; the root counts as one
    while items_to_come:
        if not items_to_come[-1]:
            items_to_come.pop()
            continue
        items_to_come[-1] -= 1
        kind, number, end = _read_header(data, offset)
        if kind is _ARRAY:
            if len(items_to_come) > depth_max:
                raise Malformed(TOO_DEEP, offset=offset, depth_max=depth_max)
            if number > items_max:
                raise Malformed(TOO_MANY_ITEMS, offset=offset, count=number, items_max=items_max)
            items_to_come.append(number)
        elif kind is not _SCALAR:
            body = data[end : end + number]
            if len(body) < number:
                raise Malformed(TRUNCATED, offset=offset)
            if kind is _TEXT and not _is_utf8(body):
                raise Malformed(NOT_UTF8, offset=offset)
            end += number
        offset = end
    assert offset < len(data), "bytes without a fault are accepted"
    raise Malformed(TRAILING, offset=offset)


def _read_header(data: bytes, offset: int) -> tuple[str, int, int]:
    """The kind of the item at `offset`, its length in bytes or items (0 for a scalar), and where its header ends."""
    if offset >= len(data):
        raise Malformed(TRUNCATED, offset=offset)
    first = data[offset]
    if first < 0x80 or first >= 0xE0 or first in (0xC2, 0xC3):  # small integers, false, true
        return _SCALAR, 0, offset + 1
    if 0x90 <= first < 0xA0:
        return _ARRAY, first & 0x0F, offset + 1
    if 0xA0 <= first < 0xC0:
        return _TEXT, first & 0x1F, offset + 1
    form = _FORMS.get(first)
    if form is None:
        raise Malformed(FORBIDDEN_TYPE, offset=offset, first_byte=f"{first:02x}")
    end = offset + 1 + form.width
    if end > len(data):
        raise Malformed(TRUNCATED, offset=offset)
    number = int.from_bytes(data[offset + 1 : end], "big", signed=form.kind is _SIGNED)
    if number not in form.shortest:
        raise Malformed(NOT_CANONICAL, offset=offset)
    if form.kind is _SIGNED or form.kind is _SCALAR:
        return _SCALAR, 0, end
    return form.kind, number, end


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
