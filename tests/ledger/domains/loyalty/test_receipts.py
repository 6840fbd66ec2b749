"""Receipts: fields that open one by one, a till's signature, and sums that a path proves."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import pack, unpack
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import (
    BAD_RECEIPT,
    EMPTY_SUM,
    RECEIPT,
    RECEIPT_BYTES_MAX,
    Receipt,
    SignedReceipt,
    SumNode,
    climb,
    decode_receipt,
    encode_receipt,
    field_leaves,
    field_salt,
    line_leaf,
    receipt_hash,
    receipt_is_signed,
    receipt_signing_hash,
    seal_remainder,
    seal_sum,
    sign_receipt,
    sum_leaf,
    sum_parent,
    sum_path,
    sum_root,
)
from ledger.errors import Malformed
from ledger.hashing import EARN_REMAINDER, EARN_SUM, LINE_SALT, RECEIPT_FIELD_SALT, SUM_LEAF, SUM_NODE
from ledger.merkle import EMPTY_ROOT, inclusion_path, leaf_hash, root, verify_inclusion
from ledger.schema import OUT_OF_RANGE, WRONG_COUNT, WRONG_LENGTH
from ledger.types import INTEGER_MAX, ChainId, Hash, Points, ProgramId, PublicKey, ReceiptHash, Timestamp
from tests.support.refusal import refused
from tests.support.shop import FAN, STRANGER, TILL

CHAIN_ID = ChainId(b"chain id".ljust(32))
SALT = bytes(range(32))
RECEIPT_GIVEN = Receipt(
    version=1,
    program=ProgramId(bytes(32)),
    terms_version=1,
    member=FAN.address,
    till=TILL.key,
    sequence=7,
    time=Timestamp(1_767_225_600),
    net_cents=1_234,
    paid_with_points_cents=0,
    codes=(("dairy", 234), ("produce", 1_000)),
    lines_root=EMPTY_ROOT,
    points=Points(123),
)


def signed() -> SignedReceipt:
    return sign_receipt(RECEIPT_GIVEN, SALT, CHAIN_ID, TILL.seeds[0])


def test_a_receipt_is_signed_by_its_till_for_its_chain() -> None:
    good = signed()
    assert receipt_is_signed(good, CHAIN_ID)
    assert not receipt_is_signed(good, ChainId(bytes(32)))
    assert not receipt_is_signed(replace(good, salt=bytes(32)), CHAIN_ID)
    assert not receipt_is_signed(replace(good, receipt=replace(RECEIPT_GIVEN, points=Points(124))), CHAIN_ID)
    assert not receipt_is_signed(replace(good, receipt=replace(RECEIPT_GIVEN, till=STRANGER.key)), CHAIN_ID)
    assert len(receipt_signing_hash(CHAIN_ID, receipt_hash(RECEIPT_GIVEN, SALT))) == 32


def test_a_receipt_survives_its_bytes() -> None:
    assert decode_receipt(encode_receipt(signed())) == signed()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 2}, OUT_OF_RANGE),
        ({"terms_version": 0}, OUT_OF_RANGE),
        ({"till": PublicKey(bytes(31))}, WRONG_LENGTH),
        ({"net_cents": 2**53 + 1}, OUT_OF_RANGE),
        ({"paid_with_points_cents": -1}, OUT_OF_RANGE),
        ({"codes": (("b", 1), ("a", 1))}, BAD_RECEIPT),
        ({"codes": (("a", 1), ("a", 1))}, BAD_RECEIPT),
        ({"codes": tuple((f"{number:02}", 1) for number in range(65))}, WRONG_COUNT),
    ],
)
def test_a_receipt_has_limits(change: dict[str, Any], code: Any) -> None:
    bad = replace(signed(), receipt=replace(RECEIPT_GIVEN, **change))
    with refused(code, Malformed):
        decode_receipt(encode_receipt(bad))


def test_one_field_opens_and_the_others_stay_closed() -> None:
    leaves = field_leaves(RECEIPT_GIVEN, SALT)
    assert len(leaves) == len(RECEIPT.names)
    index = RECEIPT.names.index("points")
    assert leaves[index] == leaf_hash(pack((index, field_salt(SALT, index), 123)))
    path = inclusion_path(leaves, index)
    hash_of_receipt = receipt_hash(RECEIPT_GIVEN, SALT)
    assert verify_inclusion(Hash(hash_of_receipt), leaves[index], index, len(leaves), path)
    assert field_salt(SALT, 1) == RECEIPT_FIELD_SALT(SALT + bytes([0, 0, 0, 1]))
    assert len({field_salt(SALT, number) for number in range(14)}) == 14


def test_every_field_and_the_salt_change_the_hash() -> None:
    changes: dict[str, Any] = {
        "program": ProgramId(b"p" * 32),
        "terms_version": 2,
        "member": STRANGER.address,
        "till": STRANGER.key,
        "sequence": 8,
        "time": Timestamp(5),
        "net_cents": 1,
        "paid_with_points_cents": 1,
        "codes": (),
        "lines_root": Hash(bytes(32)),
        "points": Points(1),
        "tier": 1,
        "previous_visit": 4,
        "offer": Hash(bytes(32)),
    }
    assert {"version", *changes} == set(RECEIPT.names)
    found = {receipt_hash(replace(RECEIPT_GIVEN, **{name: value}), SALT) for name, value in changes.items()}
    found |= {receipt_hash(RECEIPT_GIVEN, SALT), receipt_hash(RECEIPT_GIVEN, bytes(32))}
    assert len(found) == len(changes) + 2


def test_lines_are_salted_like_fields() -> None:
    line = ("bananas", 2, 198)
    assert line_leaf(SALT, 3, line) == leaf_hash(pack((3, LINE_SALT(SALT + bytes([0, 0, 0, 3])), line)))
    assert len(root([line_leaf(SALT, 0, line), line_leaf(SALT, 1, line)])) == 32


@given(st.binary(max_size=300))
def test_unknown_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_receipt(data)


@given(st.integers(0, len(encode_receipt(signed())) - 1), st.integers(1, 255))
def test_a_receipt_with_one_byte_changed_is_refused_or_not_signed(place: int, change: int) -> None:
    data = bytearray(encode_receipt(signed()))
    data[place] ^= change
    try:
        found = decode_receipt(bytes(data))
    except Malformed:
        return
    assert not receipt_is_signed(found, CHAIN_ID)


def test_a_receipt_that_is_too_long() -> None:
    with pytest.raises(Malformed, match="limit"):
        decode_receipt(bytes(RECEIPT_BYTES_MAX + 1))
    assert isinstance(unpack(encode_receipt(signed())), tuple)


# --- sums ---------------------------------------------------------------------------------------------------------------


def leaf(number: int, points: int) -> SumNode:
    return sum_leaf(ReceiptHash(number.to_bytes(32, "big")), Points(points))


def test_nodes_bind_hash_and_points() -> None:
    one, two = leaf(1, 5), leaf(2, 7)
    assert one == SumNode(SUM_LEAF(bytes(31) + b"\x01" + bytes(7) + b"\x05"), 5)
    data = one.hash + (5).to_bytes(8, "big") + two.hash + (7).to_bytes(8, "big")
    assert sum_parent(one, two) == sum_root([one, two]) == SumNode(SUM_NODE(data), 12)
    assert sum_root([]) == EMPTY_SUM == SumNode(SUM_LEAF(b""), 0)
    assert sum_root([one]) == one
    three = leaf(3, 1)
    assert sum_root([one, two, three]) == sum_parent(sum_parent(one, two), three)


def test_a_sum_out_of_range_is_a_broken_invariant() -> None:
    with pytest.raises(AssertionError, match="out of range"):
        sum_parent(leaf(1, INTEGER_MAX), leaf(2, 1))


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=40), st.data())
def test_a_path_leads_to_the_root_and_its_sum(points: list[int], data: st.DataObject) -> None:
    leaves = [leaf(number, amount) for number, amount in enumerate(points)]
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = sum_path(leaves, index)
    found = sum_root(leaves)
    assert found.points == sum(points)
    assert climb(leaves[index], index, len(leaves), path) == found
    lied = replace(leaves[index], points=leaves[index].points + 1)
    assert climb(lied, index, len(leaves), path) != found
    assert climb(leaves[index], index, len(leaves), [*path, EMPTY_SUM]) is None
    if path:
        assert climb(leaves[index], index, len(leaves), path[:-1]) is None


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (1, 1), (0, 0)])
def test_an_index_outside_the_tree_leads_nowhere(index: int, size: int) -> None:
    assert climb(leaf(1, 1), index, size, []) is None


@pytest.mark.parametrize("points", [-1, INTEGER_MAX, 2**64])
def test_a_path_with_a_sum_out_of_range_leads_nowhere(points: int) -> None:
    assert climb(leaf(1, 1), 0, 2, [SumNode(bytes(32), points)]) is None


def test_seals() -> None:
    node = leaf(1, 5)
    assert seal_sum(SALT, node) == EARN_SUM(SALT + node.hash + bytes(7) + b"\x05")
    assert seal_remainder(SALT, Points(9)) == EARN_REMAINDER(SALT + bytes(7) + b"\x09")


def test_a_visit_before_that_comes_after_is_no_receipt() -> None:
    at = replace(RECEIPT_GIVEN, previous_visit=RECEIPT_GIVEN.time)
    signed = sign_receipt(at, SALT, CHAIN_ID, TILL.seeds[0])
    assert decode_receipt(encode_receipt(signed)).receipt.previous_visit == RECEIPT_GIVEN.time
    after = sign_receipt(replace(at, previous_visit=at.time + 1), SALT, CHAIN_ID, TILL.seeds[0])
    with pytest.raises(Malformed, match="comes after"):
        decode_receipt(encode_receipt(after))


def test_the_rules_read_a_receipt_as_a_purchase() -> None:
    found = replace(RECEIPT_GIVEN, tier=2, previous_visit=3).purchase()
    given = RECEIPT_GIVEN
    assert found == Purchase(given.time, given.net_cents, given.paid_with_points_cents, given.codes, 2, 3)
