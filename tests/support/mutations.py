"""Hostile bytes: valid ones that were spoiled, and some that were never valid. All chance comes from the `Random` passed in.

Half of the ways spoil bytes; the others take the value apart (MessagePack or JSON, bytes within bytes included), change one place,
and write it again, so that what comes out is canonical and reaches the rules behind the codec.
"""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import msgpack

SIZE_MAX: Final = 2**16
"""Changes of a longer result are not piled up: what is wrong shows in less, and a list within lists grows fast."""
GROWTH_MAX: Final = 4_096
"""Bytes that one change adds at most: faults do not need more, and speed does."""
NESTING_MAX: Final = 3_000
"""Deeper than any interpreter's stack."""
CHANGES: Final = (1, 1, 1, 2, 3, 4)
INTEGERS: Final = (0, 1, -1, 2**7, 2**15, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63))
LENGTH_LIES: Final = (
    *(b"\xc4\xff", b"\xc5\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff"),  # bytes
    *(b"\xd9\xff", b"\xda\xff\xff", b"\xdb\xff\xff\xff\xff"),  # text
    *(b"\xdc\xff\xff", b"\xdd\x00\x01\x00\x00", b"\xdd\xff\xff\xff\xff", b"\xdd\x7f\xff\xff\xff"),  # arrays
    *(b"\xde\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc8\xff\xff", b"\xc9\xff\xff\xff\xff\x01"),  # maps, extensions
    *(b"\xc0", b"\xc1", b"\xca\x00\x00\x00\x00", b"\xcb" + bytes(8)),  # nil, nothing, floats
)
TEXTS: Final = ("", "x", "\x00", "é", "\U0001f600", "ff" * 32, "0" * 64, "9" * 5_000, "NaN")

Mutate = Callable[[bytes, Sequence[bytes], Random], bytes]


def mutate(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """`data` with one to four changes; `others` are what it may be spliced with."""
    for _ in range(random.choice(CHANGES)):
        changed = random.choice(WAYS)(data, others, random)
        if len(changed) > max(SIZE_MAX, 2 * len(data)):
            break
        data = changed
    return data


def flip(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """One bit, or one byte, is another."""
    if not data:
        return b"\x00"
    place = random.randrange(len(data))
    changed = random.choice([data[place] ^ 1 << random.randrange(8), random.randrange(256), 0, 0xFF])
    return data[:place] + bytes([changed]) + data[place + 1 :]


def insert(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """Bytes that were not there."""
    place = random.randint(0, len(data))
    return data[:place] + random.randbytes(random.choice([1, 2, 4, 32, 300])) + data[place:]


def delete(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """Some bytes are missing, perhaps all from there on."""
    place = random.randint(0, len(data))
    count = random.choice([1, 1, 2, 8, 32, len(data)])
    return data[:place] + data[place + count :]


def repeat(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """Some bytes stand there twice or more often."""
    start = random.randint(0, len(data))
    piece = data[start : start + random.choice([1, 2, 8, 33, 200])]
    times = random.randint(1, max(1, min(64, GROWTH_MAX // max(len(piece), 1))))
    return data[:start] + piece * times + data[start:]


def splice(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """The beginning of this, the end of another."""
    other = random.choice(others) if others else b""
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def lie(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """A header that announces more than there is, or a type that nobody takes."""
    place = random.randint(0, len(data))
    header = random.choice(LENGTH_LIES)
    return data[:place] + header * random.choice([1, 1, 1, 100]) + data[place + random.choice([0, 1, 3, 5]) :]


def nest(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """Arrays within arrays within arrays, for MessagePack or for JSON."""
    depth = random.choice([2, 15, 16, 17, 200, 500, 900, 1_000, NESTING_MAX])
    opening, closing = random.choice([(b"\x91", b""), (b"\xdc\xff\xff", b""), (b"[", b"]"), (b'{"a":', b"}")])
    return opening * depth + data[:200] + closing * depth


def replace_all(_: bytes, __: Sequence[bytes], random: Random) -> bytes:
    """Bytes of pure chance."""
    return random.randbytes(random.choice([0, 1, 16, 80, 122, 1_000]))


def change_value(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Another value in one place, written as it should be. Where nothing can be read, one byte is flipped."""
    value, write = _read(data)
    if write is None:
        return flip(data, others, random)
    try:
        return write(_change(value, random, write is _write_json))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return flip(data, others, random)


WAYS: Final[Sequence[Mutate]] = (
    flip,
    insert,
    delete,
    repeat,
    splice,
    lie,
    nest,
    replace_all,
    *([change_value] * 8),
)


def _write_msgpack(value: Any) -> bytes:
    return msgpack.packb(value)


def _write_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _read(data: bytes) -> tuple[Any, Callable[[Any], bytes] | None]:
    """The value in `data`, and what writes it again; None where there is neither."""
    if data[:1] in (b"{", b"["):
        try:
            return json.loads(data), _write_json
        except (ValueError, RecursionError):
            return None, None
    try:
        return msgpack.unpackb(data), _write_msgpack
    except (ValueError, TypeError):
        return None, None


def _change(value: Any, random: Random, is_json: bool) -> Any:
    """`value` with one change somewhere within."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        name = random.choice(sorted(value, key=str))
        if random.random() < 0.15:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: _change(value[name], random, is_json)}
    if isinstance(value, list) and value and random.random() < 0.85:
        place = random.randrange(len(value))
        return [*value[:place], _change(value[place], random, is_json), *value[place + 1 :]]
    if isinstance(value, list):
        return _change_list(value, random, is_json)
    if isinstance(value, bytes) and len(value) > 64 and random.random() < 0.8:  # an object within an object
        inner, write = _read(value)
        return value if write is None else write(_change(inner, random, is_json=False))
    return _another(value, random, is_json)


def _change_list(value: list[Any], random: Random, is_json: bool) -> list[Any]:
    extra = value[random.randrange(len(value))] if value else _another(None, random, is_json)
    return random.choice([[*value, extra], value[:-1], value[1:], value[::-1], [], [extra] * 70, [value]])


def _nested_list(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def _another(value: Any, random: Random, is_json: bool) -> Any:
    """A value beside this one, near it or of another type."""
    found: list[Any] = [random.choice(INTEGERS), random.choice(TEXTS), [], random.random() < 0.5]
    if isinstance(value, int):
        found += [value + 1, value - 1, -value, random.getrandbits(63)] * 2
    if isinstance(value, bytes):
        found += [
            value[:-1],
            value + b"\x00",
            random.randbytes(len(value)),
            bytes(len(value)),
            b"\xff" * len(value),
        ] * 2
    if isinstance(value, str):
        found += [value[:-1], value + "0", value.upper(), value[::-1], value * 2] * 2
    if is_json:
        found += [
            None,
            1.5,
            float("inf"),
            float("nan"),
            10**400,
            {},
            "\ud800",
            _nested_list(random.choice([3, 16, 300, 900])),
        ]
    else:
        found += [b"", b"\x00", random.randbytes(32), b"\xff" * 40]
    return random.choice(found)
