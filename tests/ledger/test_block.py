"""Blocks on the wire: what splits them, what belongs together, and whose fault it is when it does not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import coinbase as coinbase_format
from ledger.block import (
    BODY_MISMATCH,
    COMMITTED_WRONG,
    NOT_A_BLOCK,
    Block,
    Commitment,
    check_body_belongs,
    history_leaf,
    transaction_leaf,
    transaction_root,
)
from ledger.codec import TOO_LONG, TRAILING, pack, unpack
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import BlockViolation, Code, LedgerError, Malformed
from ledger.hashing import COMMITMENT, RESULTS, WTX, sha256d
from ledger.header import Header
from ledger.merkle import leaf_hash, root
from ledger.params import BLOCK_BYTES_MAX
from ledger.schema import OUT_OF_RANGE, WRONG_COUNT, WRONG_LENGTH, WRONG_TYPE
from ledger.types import Amount, BlockHash, ChainId, CompactBits, Hash, Height, Timestamp, Work, WtxId
from tests.support.memory_chain import Scenario
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED

CHAIN = Scenario(*FUNDED)
PARAMS = CHAIN.params
TRANSACTION = CHAIN.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5)), author=FAN)
RAWS = (TRANSACTION.raw, TRANSACTION.raw + b"")
RESULTS_GIVEN = (("",), ("", "earn.no_member"))
COMMITTED = Commitment(
    chain_id=CHAIN.chain_id,
    height=Height(5),
    transaction_root=transaction_root(
        [transaction_leaf(WtxId(WTX(raw)), codes) for raw, codes in zip(RAWS, RESULTS_GIVEN, strict=True)]
    ),
    state_root=Hash(bytes(32)),
    history_root=Hash(bytes(32)),
    transaction_count=2,
    slot_count=9,
    payees=((FAN.address, Amount(7)),),
)


def seal(commitment: Commitment, **coinbase: Any) -> Block:
    """A block whose header stands for this commitment, in a coinbase that may say something else."""
    commitment_bytes = commitment.encode()
    fields: dict[str, Any] = {
        "height": commitment.height,
        "extranonce": coinbase_format.Extranonce(bytes(8)),
        "reward": Amount(sum(amount for _, amount in commitment.payees)),
        "magic": coinbase_format.Magic(PARAMS.magic),
        "commitment": COMMITMENT(commitment_bytes),
    }
    built = coinbase_format.build(**{**fields, **coinbase})
    header = Header(0x20000000, BlockHash(bytes(32)), sha256d(built), Timestamp(1), CompactBits(0x207FFFFF), 0)
    return Block(header, built, commitment_bytes, RAWS, RESULTS_GIVEN)


GOOD = seal(COMMITTED)


def test_a_block_survives_its_bytes() -> None:
    again = Block.decode(GOOD.encode())
    assert again == GOOD
    assert again.hash == GOOD.header.hash
    assert check_body_belongs(again, PARAMS) == COMMITTED


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda items: b"block", NOT_A_BLOCK),
        (lambda items: items[:4], NOT_A_BLOCK),
        (lambda items: (*items, ()), NOT_A_BLOCK),
        (lambda items: (items[0][:79], *items[1:]), WRONG_LENGTH),
        (lambda items: (5, *items[1:]), WRONG_TYPE),
        (lambda items: (items[0], items[1] + b"x", *items[2:]), WRONG_LENGTH),
        (lambda items: (*items[:2], b"", *items[3:]), WRONG_LENGTH),
        (lambda items: (*items[:2], bytes(8_193), *items[3:]), WRONG_LENGTH),
        (lambda items: (*items[:3], b"", items[4]), WRONG_TYPE),
        (lambda items: (*items[:3], (b"",), items[4]), WRONG_LENGTH),
        (lambda items: (*items[:3], (5,), items[4]), WRONG_TYPE),
        (lambda items: (*items[:4], 5), WRONG_TYPE),
        (lambda items: (*items[:4], ((),)), WRONG_COUNT),
        (lambda items: (*items[:4], (("x" * 65,),)), WRONG_LENGTH),
    ],
)
def test_bytes_that_are_no_block(change: Callable[[Any], Any], code: Code) -> None:
    with refused(code, Malformed):
        Block.decode(pack(change(unpack(GOOD.encode()))))


def test_a_block_that_is_too_long_or_has_something_after_it() -> None:
    with refused(TOO_LONG, Malformed):
        Block.decode(bytes(BLOCK_BYTES_MAX + 1))
    with refused(TRAILING, Malformed):
        Block.decode(GOOD.encode() + b"\x00")


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (replace(GOOD, coinbase=seal(COMMITTED, height=Height(6)).coinbase), "merkle root"),
        (replace(GOOD, commitment_bytes=replace(COMMITTED, height=Height(6)).encode()), "in the coinbase"),
        (replace(GOOD, transactions=RAWS[:1]), "another number"),
        (replace(GOOD, results=RESULTS_GIVEN[:1]), "another number"),
        (replace(GOOD, transactions=(), results=()), "another number"),
        (replace(GOOD, transactions=(RAWS[0] + b"x", RAWS[1])), "not the committed ones"),
        (replace(GOOD, results=RESULTS_GIVEN[::-1]), "not the committed ones"),
    ],
)
def test_a_spoiled_body_never_condemns_its_header(block: Block, reason: str) -> None:
    with pytest.raises(BlockViolation, match=reason) as caught:
        check_body_belongs(block, PARAMS)
    assert caught.value.code is BODY_MISMATCH


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (seal(COMMITTED, magic=coinbase_format.Magic(b"none")), "magic"),
        (seal(COMMITTED, height=Height(6)), "height in the coinbase"),
        (seal(COMMITTED, reward=Amount(8)), "reward in the coinbase"),
    ],
)
def test_a_header_that_commits_to_something_wrong(block: Block, what: str) -> None:
    with refused(COMMITTED_WRONG, BlockViolation, what=what):
        check_body_belongs(block, PARAMS)


def test_the_coinbase_shows_no_more_than_bitcoins_parsers_take() -> None:
    shown = coinbase_format.REWARD_SHOWN_MAX
    rich = replace(COMMITTED, payees=((FAN.address, Amount(shown + 1)),))
    assert check_body_belongs(seal(rich, reward=Amount(shown)), PARAMS) == rich


@pytest.mark.parametrize(
    ("array", "code"),
    [
        ((bytes(32), 2**32, *[bytes(32)] * 3, 0, 1, ()), OUT_OF_RANGE),
        ((bytes(32), 0, *[bytes(32)] * 3, 65_537, 1, ()), OUT_OF_RANGE),
        ((bytes(32), 0, *[bytes(32)] * 3, 0, 1, ((bytes(32), 0),)), OUT_OF_RANGE),
        ((bytes(32), 0, *[bytes(32)] * 3, 0, 1, ((bytes(32), 1),) * 65), WRONG_COUNT),
        ((bytes(32), 0, *[bytes(32)] * 3, 0, 0, ()), OUT_OF_RANGE),
        ((bytes(31), 0, *[bytes(32)] * 3, 0, 1, ()), WRONG_LENGTH),
        ((bytes(32), 0), WRONG_COUNT),
    ],
)
def test_a_commitment_has_limits(array: Any, code: Code) -> None:
    with refused(code, Malformed):
        Commitment.decode(pack(array))


def test_leaves() -> None:
    wtxid = WtxId(bytes(32))
    leaf = transaction_leaf(wtxid, ["", "earn.no_member"])
    assert leaf == leaf_hash(wtxid + RESULTS(pack(("", "earn.no_member"))))
    assert transaction_root([leaf, leaf]) == root([leaf, leaf])
    block_hash = BlockHash(bytes(32))
    found = history_leaf(block_hash, Work(2**200), Timestamp(5))
    assert found == leaf_hash(pack((block_hash, (2**200).to_bytes(32, "big"), 5)))


@given(st.binary(max_size=400))
def test_unknown_bytes_never_crash(data: bytes) -> None:
    for read in (Block.decode, Commitment.decode):
        with pytest.raises(Malformed):
            read(data)


@given(st.integers(0, len(GOOD.encode()) - 1), st.integers(1, 255))
def test_a_block_with_one_byte_changed_is_refused_or_another_header(place: int, change: int) -> None:
    data = bytearray(GOOD.encode())
    data[place] ^= change
    try:
        check_body_belongs(Block.decode(bytes(data)), PARAMS)
    except LedgerError:
        return
    assert 3 <= place < 83, "only what the header says besides its root can change"


def test_the_chain_id_of_a_commitment_is_not_judged_here() -> None:
    other = replace(COMMITTED, chain_id=ChainId(bytes(32)))
    assert check_body_belongs(seal(other), PARAMS) == other
