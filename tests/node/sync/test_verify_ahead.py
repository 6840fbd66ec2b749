"""Signatures that other processes verify while a block waits for its turn, and what happens where they don't."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Amount, BlockHash
from node import intake
from node.chain import NOTHING_AHEAD
from node.sync import verify_ahead
from node.sync.verify_ahead import IDLE_SECONDS, VerifyAhead
from tests.simulation.people import EVERYBODY
from tests.simulation.quiet import Quiet


@pytest.fixture
def blocks() -> Iterator[tuple[Quiet, list[Block]]]:
    quiet = Quiet(1)
    quiet.start()
    (node,) = quiet.nodes
    made: list[Block] = []
    for number in range(3):
        payload = Transfer(ToAccount(EVERYBODY[1].address), Amount(5_000 + number))
        node.submit(quiet.people.sign(number + 1, "transfer", payload, EVERYBODY[0]).raw)
        made += quiet.mine(node)
    yield quiet, made
    quiet.close()


def test_what_was_verified_is_taken_as_good_and_nothing_else(
    blocks: tuple[Quiet, list[Block]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_ahead, "SIGNATURES_TOGETHER", 2)
    monkeypatch.setattr(verify_ahead, "WAITING_SECONDS_MAX", 60)
    monkeypatch.setattr(intake, "CHUNK_SIGNATURES_MIN", 1)
    quiet, (first, second, third) = blocks
    raw = second.transactions[0]
    spoiled = replace(second, transactions=(raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:],))
    ahead = VerifyAhead(quiet.nodes[0].chain.chain_id, 1)
    try:
        for block in (first, spoiled, third):
            ahead.put(block, block.hash, 0.0)
        assert first.hash in ahead and ahead.has_room
        good, bad, alone = (ahead.take(block.hash) for block in (first, spoiled, third))
        assert good.are_signed and good.transactions is not None
        assert not bad.are_signed
        assert not alone.are_signed and alone.transactions is not None, "there were too few to ask about"
        assert ahead.take(first.hash) is NOTHING_AHEAD and ahead.take(BlockHash(bytes(32))) is NOTHING_AHEAD
        assert first.hash not in ahead
        ahead.tick(IDLE_SECONDS + 1)
        assert ahead._helpers is None
    finally:
        ahead.close()


def test_there_is_room_for_so_many_transactions(
    blocks: tuple[Quiet, list[Block]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_ahead, "TRANSACTIONS_MAX", 2)
    quiet, (first, second, _) = blocks
    ahead = VerifyAhead(quiet.nodes[0].chain.chain_id, 1)
    ahead.put(first, first.hash, 0.0)
    assert ahead.has_room
    ahead.put(second, second.hash, 0.0)
    assert not ahead.has_room
    ahead.forget([first.hash, first.hash])
    assert ahead.has_room
    assert not VerifyAhead(quiet.nodes[0].chain.chain_id, 0).has_room
