"""Many blocks in a row: the same result as one by one, with other processes that verify ahead, and with what goes wrong."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from ledger.block import BODY_MISMATCH, Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import BlockViolation, Malformed
from ledger.transaction import decode_transaction, signature_checks
from ledger.types import Amount, Signature, Timestamp
from node import chain as chain_module
from node import intake
from node.chain import BAD_TRANSACTION, KNOWN_INVALID
from node.decoding import Ahead
from node.errors import NodeError
from node.intake import take_in, verify_checks
from node.tip import TipChanged
from tests.node.lives import live
from tests.node.stored_chain import StoredChain, StoredShop
from tests.node.watching import nothing_left_behind
from tests.support.shop import FAN, FRIEND


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredShop]:
    shop = StoredShop(tmp_path_factory.mktemp("lived") / "chain.sqlite")
    live(shop)
    yield shop
    shop.close()


@pytest.fixture
def fresh(tmp_path: Path, lived: StoredShop) -> Iterator[StoredChain]:
    store = StoredChain(tmp_path / "fresh.sqlite", lived.chain.params)
    store.clock.set(Timestamp(2**31))
    yield store
    store.close()


def raws(shop: StoredShop) -> list[bytes]:
    return [block.encode() for block in shop.chain.blocks]


def with_wrong_signature(block: Block) -> bytes:
    """The block with its last transaction's last byte, which is a signature's, changed. Its body no longer belongs to it."""
    *first, last = block.transactions
    spoiled = last[:-1] + bytes((last[-1] ^ 1,))
    return Block(block.header, block.coinbase, block.commitment_bytes, (*first, spoiled), block.results).encode()


def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks, so that processes are started for them."""
    monkeypatch.setattr(intake, "CHUNK_BLOCKS", 5)
    monkeypatch.setattr(intake, "CHUNK_SIGNATURES_MIN", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_blocks_in_a_row_give_what_they_give_one_by_one(lived: StoredShop, fresh: StoredChain) -> None:
    heard: list[TipChanged] = []
    fresh.chain.subscribe(heard.append)
    taken = list(take_in(fresh.chain, raws(lived)))
    assert taken == lived.chain.blocks
    assert fresh.chain.state_root == lived.store.chain.state_root
    assert fresh.tables == lived.store.tables
    # One commit for all of them, and the listeners hear of each block once.
    assert [block.hash for changed in heard for block in changed.connected] == [block.hash for block in taken]
    assert len(heard) == 1 and not heard[0].disconnected


def test_processes_verify_ahead(lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch) -> None:
    small_chunks(monkeypatch)
    told: list[bool] = []
    accept = fresh.chain.accept_block

    def watch(block: Block, ahead: Ahead) -> Any:
        told.append(ahead.are_signed)
        return accept(block, ahead)

    monkeypatch.setattr(fresh.chain, "accept_block", watch)
    assert list(take_in(fresh.chain, iter(raws(lived)))) == lived.chain.blocks
    assert fresh.tables == lived.store.tables
    # The first chunk is applied while the processes start; they vouch for all others.
    assert told == [False] * 5 + [True] * (len(told) - 5) and len(told) == len(lived.chain.blocks) > 10


def test_a_process_vouches_only_for_what_is_good(lived: StoredShop) -> None:
    block = next(block for block in reversed(lived.chain.blocks) if block.transactions)
    chain_id = lived.chain.chain_id
    checks = [signature_checks(decode_transaction(raw, chain_id), chain_id)[0] for raw in block.transactions]
    key, message, signature = checks[-1]
    wrong = (key, message, Signature(signature[:-1] + bytes((signature[-1] ^ 1,))))
    assert verify_checks([checks, [*checks, wrong], [wrong, *checks], []]) == [True, False, False, True]


def test_nobody_vouches_for_a_block_with_a_wrong_signature_or_no_block(
    lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch)
    place = max(index for index, block in enumerate(lived.chain.blocks) if block.transactions)
    for spoiled, fault in ((with_wrong_signature(lived.chain.blocks[place]), BODY_MISMATCH), (b"no block", None)):
        blocks = [*raws(lived)[:place], spoiled]
        with pytest.raises((BlockViolation, Malformed)) as caught:
            list(take_in(fresh.chain, blocks))
        assert fault is None or caught.value.code is fault
        assert fresh.chain.tip.hash == lived.chain.blocks[place - 1].hash


def test_few_signatures_start_no_process(
    lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch)
    monkeypatch.setattr(intake, "CHUNK_SIGNATURES_MIN", 10_000)
    monkeypatch.setattr(intake, "ProcessPoolExecutor", None)
    assert list(take_in(fresh.chain, raws(lived))) == lived.chain.blocks


def test_a_killed_process_changes_nothing(
    lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch)
    monkeypatch.setattr(intake, "verify_checks", _die)
    assert list(take_in(fresh.chain, raws(lived))) == lived.chain.blocks
    assert fresh.tables == lived.store.tables


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_does_not_answer_is_not_waited_for_without_end(
    lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch)
    monkeypatch.setattr(intake, "verify_checks", _stop)
    monkeypatch.setattr(intake, "VERDICT_SECONDS_MAX", 0.5)
    began = time.monotonic()
    with nothing_left_behind():
        assert list(take_in(fresh.chain, raws(lived))) == lived.chain.blocks
    assert time.monotonic() - began < 30
    assert fresh.tables == lived.store.tables


def _stop(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def test_a_request_that_the_executor_forgot_is_not_waited_for_either(
    lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch)
    monkeypatch.setattr(intake.ProcessPoolExecutor, "submit", lambda *_: Future())
    monkeypatch.setattr(intake, "VERDICT_SECONDS_MAX", 0.2)
    assert list(take_in(fresh.chain, raws(lived))) == lived.chain.blocks
    assert fresh.tables == lived.store.tables


def test_what_came_before_a_bad_block_is_kept(lived: StoredShop, fresh: StoredChain) -> None:
    blocks = raws(lived)
    bad = len(blocks) - 3
    blocks[bad] = b"\x95" + blocks[bad]
    taken: list[Block] = []
    with pytest.raises(Malformed):
        taken.extend(take_in(fresh.chain, blocks))
    fresh.restart()
    assert fresh.chain.tip.hash == lived.chain.blocks[bad - 1].hash


def test_a_bad_signature_is_named_and_the_blocks_before_it_are_kept(lived: StoredShop, fresh: StoredChain) -> None:
    list(take_in(fresh.chain, raws(lived)))
    good = lived.chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    wrong = decode_transaction(good.raw[:-1] + bytes((good.raw[-1] ^ 1,)), lived.chain.chain_id)
    block = fresh.build(wrong)
    with pytest.raises(BlockViolation) as caught:
        list(take_in(fresh.chain, [block.encode()]))
    assert caught.value.code is BAD_TRANSACTION
    with pytest.raises(BlockViolation) as caught:
        fresh.chain.accept_block(block, Ahead(are_signed=True))
    assert caught.value.code is KNOWN_INVALID


def test_who_stops_half_way_keeps_what_was_accepted(lived: StoredShop, fresh: StoredChain) -> None:
    source = take_in(fresh.chain, raws(lived))
    *_, last = islice(source, 4)
    source.close()
    fresh.restart()
    assert fresh.chain.tip.hash == last.hash and fresh.chain.tip.height == 4


def test_commits_come_when_enough_waits(lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_module, "SYNC_BLOCKS", 4)
    heard: list[int] = []
    fresh.chain.subscribe(lambda changed: heard.append(len(changed.connected)))
    taken = list(take_in(fresh.chain, raws(lived)))
    assert heard == [4] * (len(taken) // 4) + ([len(taken) % 4] if len(taken) % 4 else [])


def test_a_branch_that_wins_while_syncing(lived: StoredShop, fresh: StoredChain, tmp_path: Path) -> None:
    other = lived.fork(tmp_path / "other.sqlite", below=3)
    other.pass_days(2)
    other.pass_days(2)
    while len(other.chain.blocks) <= len(lived.chain.blocks):
        other.chain.block()
    heard: list[tuple[int, int]] = []
    fresh.chain.subscribe(lambda changed: heard.append((len(changed.disconnected), len(changed.connected))))
    both = raws(lived) + [block.encode() for block in other.chain.blocks[len(lived.chain.blocks) - 3 :]]
    list(take_in(fresh.chain, both))
    assert fresh.tables == other.store.tables
    assert heard[0] == (0, len(lived.chain.blocks)) and heard[1][0] > 1
    other.close()


def test_a_failing_disk_takes_back_what_was_not_committed(
    lived: StoredShop, fresh: StoredChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(take_in(fresh.chain, raws(lived)[:6]))

    def fail() -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(fresh.chain._connection, "commit", fail)
        with pytest.raises(NodeError) as caught:
            list(take_in(fresh.chain, raws(lived)[6:]))
    assert caught.value.code.name == "store.failed"
    assert fresh.chain.tip.height == 6
    list(take_in(fresh.chain, raws(lived)[6:]))
    assert fresh.tables == lived.store.tables
