"""The canonical codec: round trips, one rejection per code with its boundary, the published suite, arbitrary bytes."""

import enum
import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import codec
from ledger.codec import Packable, Value, pack, pack_shaped, unpack
from ledger.errors import Code, Malformed

SUITE = Path(__file__).parents[1] / "vectors" / "msgpack" / "msgpack-test-suite.json"

scalars = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from(
        [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, -32, -33, -128, -129, -32768, -32769, -(2**31)]
    ),
    st.binary(max_size=40),
    st.binary(min_size=250, max_size=260),
    st.booleans(),
    st.text(max_size=40),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=18).map(tuple), max_leaves=40)


def fault_of(data: bytes, **limits: int) -> str:
    with pytest.raises(Malformed) as caught:
        unpack(data, **limits)
    assert "{" not in str(caught.value) and "?" not in str(caught.value)
    return caught.value.code.name


def nested(levels: int) -> bytes:
    return b"\x91" * levels + b"\x00"


@given(values)
def test_round_trip(value: Value) -> None:
    found = unpack(pack(value))
    assert found == value
    assert repr(found) == repr(value)  # True is not 1


@given(values)
def test_lists_and_tuples_have_the_same_bytes(value: Value) -> None:
    def listed(inner: Value) -> Packable:
        return [listed(item) for item in inner] if isinstance(inner, tuple) else inner

    assert pack(listed(value)) == pack(value) == pack_shaped(value)


def code_or_value(data: bytes) -> Code | Value:
    """What happened to some bytes: the code of the fault, or the value. Anything else fails the test."""
    try:
        return unpack(data)
    except Malformed as fault:
        return fault.code


@given(st.binary(max_size=80))
@example(b"")
def test_unknown_bytes_are_refused_with_a_code_or_are_canonical(data: bytes) -> None:
    outcome = code_or_value(data)
    if isinstance(outcome, Code):
        assert outcome.name.startswith("codec.")
    else:
        assert pack(outcome) == data


@given(values, st.data())
def test_changed_and_cut_bytes_never_give_a_second_encoding(value: Value, data: st.DataObject) -> None:
    packed = bytearray(pack(value))
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] = data.draw(st.integers(0, 255))
    cut = bytes(packed[: data.draw(st.integers(0, len(packed)))])
    for changed in (bytes(packed), cut):
        outcome = code_or_value(changed)
        assert isinstance(outcome, Code) or pack(outcome) == changed


@given(
    st.recursive(
        st.none() | st.floats(allow_nan=False) | scalars,
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_only_allowed_types_are_accepted(value: object) -> None:
    packed = msgpack.packb(value)

    def is_allowed(inner: object) -> bool:
        if isinstance(inner, list):
            return all(is_allowed(item) for item in inner)
        return isinstance(inner, int | bytes | str)

    if is_allowed(value):
        assert pack(unpack(packed)) == packed
    else:
        assert fault_of(packed) == "codec.forbidden_type"


@pytest.mark.parametrize(
    ("first", "last"),
    [(0x80, 0x8F), (0xC0, 0xC1), (0xC7, 0xCB), (0xD4, 0xD8), (0xDE, 0xDF)],
    ids=lambda value: f"{value:02x}",
)
def test_forbidden_first_bytes(first: int, last: int) -> None:
    for first_byte in range(first, last + 1):
        for data in (bytes([first_byte]), bytes([0x91, first_byte]) + bytes(20)):
            with pytest.raises(Malformed) as caught:
                unpack(data)
            assert caught.value.code is codec.FORBIDDEN_TYPE
            assert caught.value.fields == {"offset": len(data) > 1, "first_byte": f"{first_byte:02x}"}


def test_every_other_first_byte_is_allowed() -> None:
    forbidden = {*range(0x80, 0x90), 0xC0, 0xC1, *range(0xC7, 0xCC), *range(0xD4, 0xD9), 0xDE, 0xDF}
    for first_byte in set(range(256)) - forbidden:
        outcome = code_or_value(bytes([first_byte]))
        assert outcome is codec.TRUNCATED or not isinstance(outcome, Code)


def test_length_limit() -> None:
    assert unpack(b"\xa3abc", bytes_max=4) == "abc"
    assert fault_of(b"\xa3abc", bytes_max=3) == "codec.too_long"
    assert fault_of(b"\xc0" * 9, bytes_max=8) == "codec.too_long"


def test_depth_limit() -> None:
    assert pack(unpack(nested(codec.DEPTH_MAX))) == nested(16)
    assert fault_of(nested(17)) == "codec.too_deep"
    assert fault_of(nested(2), depth_max=1) == "codec.too_deep"
    assert unpack(b"\x05", depth_max=0) == 5
    assert fault_of(b"\x90", depth_max=0) == "codec.too_deep"
    assert fault_of(nested(100_000)) == "codec.too_deep"
    assert fault_of(b"\x92\x90" * 16 + b"\x91\x00") == "codec.too_deep"


def test_item_limit() -> None:
    assert unpack(b"\x92\x01\x02", items_max=2) == (1, 2)
    assert fault_of(b"\x93\x01\x02\x03", items_max=2) == "codec.too_many_items"
    assert fault_of(b"\xdd\xff\xff\xff\xff") == "codec.too_many_items"
    at_limit = b"\xdd\x00\x01\x00\x00" + bytes(codec.ITEMS_MAX)
    assert unpack(at_limit) == (0,) * codec.ITEMS_MAX
    assert fault_of(b"\xdd\x00\x01\x00\x01" + bytes(codec.ITEMS_MAX + 1)) == "codec.too_many_items"


@pytest.mark.parametrize(
    "data", ["", "cc", "cd01", "c4", "c402aa", "a3e282", "92c3", "dc00", "dc0010", "cf00000000000000", "92a0c501"]
)
def test_truncated(data: str) -> None:
    assert fault_of(bytes.fromhex(data)) == "codec.truncated"


def test_trailing() -> None:
    with pytest.raises(Malformed) as caught:
        unpack(b"\x92\x01\x02\xc0")
    assert caught.value.code is codec.TRAILING
    assert caught.value.fields == {"offset": 3}


@pytest.mark.parametrize("body", ["80", "c080", "eda080", "f4908080", "e282", "ff"])
def test_not_utf8(body: str) -> None:
    text = bytes.fromhex(body)
    assert fault_of(bytes([0xA0 + len(text)]) + text) == "codec.not_utf8"


@pytest.mark.parametrize(
    ("longest", "shortest"),
    [
        ("cc7f", "7f"),
        ("cd00ff", "ccff"),
        ("ce0000ffff", "cdffff"),
        ("cf00000000ffffffff", "ceffffffff"),
        ("d0e0", "e0"),
        ("d1ff80", "d080"),
        ("d2ffff8000", "d18000"),
        ("d3ffffffff80000000", "d280000000"),
        ("d001", "01"),
        ("d10080", "cc80"),
        ("c50001aa", "c401aa"),
        ("c600000001aa", "c401aa"),
        ("d90161", "a161"),
        ("da000161", "a161"),
        ("db0000000161", "a161"),
        ("dc000100", "9100"),
        ("dd0000000100", "9100"),
    ],
)  # fmt: skip - pairs are read in rows
def test_not_canonical(longest: str, shortest: str) -> None:
    assert fault_of(bytes.fromhex(longest)) == "codec.not_canonical"
    assert fault_of(b"\x92\x00" + bytes.fromhex(longest)) == "codec.not_canonical"
    assert pack(unpack(bytes.fromhex(shortest))).hex() == shortest


def test_the_first_fault_from_the_left_is_named() -> None:
    assert fault_of(bytes.fromhex("94cc01c0a1ff")) == "codec.not_canonical"
    assert fault_of(bytes.fromhex("94c0cc01a1ff")) == "codec.forbidden_type"
    assert fault_of(bytes.fromhex("94a1ffc0cc01")) == "codec.not_utf8"
    assert fault_of(bytes.fromhex("dc0001c0")) == "codec.not_canonical"
    assert fault_of(bytes.fromhex("d903ff")) == "codec.not_canonical"
    assert fault_of(bytes.fromhex("a3ff")) == "codec.truncated"


class Colour(enum.IntEnum):
    """An integer that is more than an integer."""

    RED = 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        1.0,
        {},
        {"a": 1},
        set(),
        bytearray(b"a"),
        memoryview(b"a"),
        Colour.RED,
        msgpack.ExtType(1, b""),
        msgpack.Timestamp(1),
        2**64,
        -(2**63) - 1,
        "\ud800",
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip - a list of values is read in rows
def test_pack_refuses(value: object) -> None:
    for wrapped in (value, (value,), [1, [value]]):
        with pytest.raises(AssertionError):
            pack(wrapped)  # pyright: ignore[reportArgumentType] - the wrong type is what is tested


def test_pack_refuses_what_unpack_would_find_too_deep() -> None:
    value: Packable = 0
    for _ in range(codec.DEPTH_MAX):
        value = (value,)
    assert pack(value) == nested(16)
    with pytest.raises(AssertionError):
        pack((value,))


def value_of(case: dict[str, Any]) -> Packable:
    """What a case of the suite stands for; fails in `pack` where the ledger has no such value."""
    if "binary" in case:
        return bytes.fromhex(case["binary"].replace("-", ""))
    if "bignum" in case:
        return int(case["bignum"])
    return next(case[name] for name in case if name != "msgpack")


def is_forbidden(case: dict[str, Any]) -> bool:
    """Whether a case of the suite is, or holds, what the ledger has no value for."""
    value = value_of(case)
    return (
        bool({"nil", "timestamp", "ext", "map"} & set(case))
        or isinstance(value, float)
        or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
    )


def test_msgpack_test_suite() -> None:
    """Of all published encodings of a value exactly the shortest is accepted; of forbidden types none is."""
    suite: dict[str, list[dict[str, Any]]] = json.loads(SUITE.read_text(encoding="utf-8"))
    assert (len(suite), sum(map(len, suite.values()))) == (15, 85)
    accepted = refused = 0
    for case in (case for cases in suite.values() for case in cases):
        for data in (bytes.fromhex(text.replace("-", "")) for text in case["msgpack"]):
            if not is_forbidden(case) and data == pack(value_of(case)):
                assert pack(unpack(data)) == data
                accepted += 1
            else:
                assert fault_of(data) in {"codec.not_canonical", "codec.forbidden_type"}
                refused += 1
    assert (accepted, refused) == (50, 183)
