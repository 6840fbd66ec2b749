"""Compact blocks: put together from what is known, whole or in parts, and never wrongly."""

import random
from dataclasses import replace

import pytest

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Malformed
from ledger.transaction import Transaction
from ledger.types import Amount
from node.p2p import compact
from node.p2p.compact import Puzzle, begin_puzzle, make_compact
from node.p2p.messages import CompactBlock, decode_message, encode_message
from tests.support.branching_chain import BranchingChain
from tests.support.shop import FAN, FRIEND

SALT = b"saltsalt"


@pytest.fixture(scope="module")
def transactions_and_block() -> tuple[list[Transaction], Block]:
    chain = BranchingChain(FAN)
    found = [
        chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(10_000 + number)), author=FAN)
        for number in range(12)
    ]
    chain.block(*found)
    return found, chain.tip.block


Given = tuple[list[Transaction], Block]


def made(given: Given, whole: frozenset[int] = frozenset()) -> CompactBlock:
    transactions, block = given
    found = make_compact(block, [tx.wtxid for tx in transactions], SALT, whole)
    assert decode_message(encode_message(found)) == found
    return found


def test_who_knows_all_needs_six_bytes_for_each(transactions_and_block: Given) -> None:
    transactions, block = transactions_and_block
    sent = made(transactions_and_block)
    shuffled = random.Random(1).sample(transactions, len(transactions))
    puzzle = begin_puzzle(sent, shuffled)
    assert puzzle.lacking == ()
    assert puzzle.block() == block
    assert len(sent.short_ids) == 6 * len(transactions)
    assert len(encode_message(sent)) < len(block.encode()) / 5


def test_who_lacks_some_asks_for_these(transactions_and_block: Given) -> None:
    transactions, block = transactions_and_block
    puzzle = begin_puzzle(made(transactions_and_block, frozenset({0, 5})), transactions[6:])
    assert puzzle.lacking == (1, 2, 3, 4)
    with pytest.raises(Malformed, match="other transactions"):
        puzzle.fill(puzzle.lacking, [])
    puzzle.fill((1, 2, 3, 4), [tx.raw for tx in transactions[1:5]])
    assert puzzle.block() == block


def test_result_codes_that_are_not_plain_are_sent(transactions_and_block: Given) -> None:
    transactions, block = transactions_and_block
    results = tuple(("some.code", "") if index == 3 else codes for index, codes in enumerate(block.results))
    other = replace(block, results=results)
    sent = made((transactions, other))
    assert sent.results == ((3, ("some.code", "")),)
    assert begin_puzzle(sent, transactions).block() == other


def test_two_that_meet_in_one_short_id_count_as_lacking(
    transactions_and_block: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions, _ = transactions_and_block
    monkeypatch.setattr(compact.ShortIds, "of", lambda self, wtxid: bytes(5) + bytes([wtxid[0] & 1]))
    puzzle = begin_puzzle(made(transactions_and_block), transactions)
    assert puzzle.lacking == tuple(range(12))


def test_a_stranger_that_meets_one_of_the_block_makes_it_lack(transactions_and_block: Given) -> None:
    transactions, _ = transactions_and_block
    stranger = replace(transactions[0], raw=b"another")
    assert begin_puzzle(made(transactions_and_block), [*transactions, stranger]).lacking == (0,)


@pytest.mark.parametrize(
    "changes",
    [
        {"short_ids": bytes(71)},
        {"results": ((5, ("x",)), (5, ("x",)))},
        {"results": ((12, ("x",)),)},
        {"transactions": ((13, b"x"),)},
        {"transactions": ((2, b"x"), (1, b"x"))},
    ],
)
def test_what_can_be_no_block_is_refused(transactions_and_block: Given, changes: dict[str, object]) -> None:
    with pytest.raises(Malformed, match="compact"):
        begin_puzzle(replace(made(transactions_and_block), **changes), [])


def test_it_is_not_put_together_before_everything_is_there(transactions_and_block: Given) -> None:
    puzzle: Puzzle = begin_puzzle(made(transactions_and_block), [])
    with pytest.raises(AssertionError):
        puzzle.block()
