"""A fan contests at a node, and a brand answers from its openings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.wallet.contests import answer_of, contest_id, contest_of, describe_opened, find_opening
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.sealing import opening_from_mapping, opening_to_mapping
from api.wallet.wallet import Wallet
from ledger.address import encode_address
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash
from ledger.errors import show_moment
from ledger.policy import address_of_key
from ledger.types import Points, ReceiptHash
from tests.support.market import Market
from tests.support.wallet_node import master_of, open_wallet_node

PERIOD_AND_GRACE_DAYS = 12
"""More than the period and the grace of the example's terms."""


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with open_wallet_node(tmp_path / "node") as node:
        found = Market(node)
        found.enrol()
        yield found


def hash_of(signed: SignedReceipt) -> ReceiptHash:
    return receipt_hash(signed.receipt, signed.salt)


def test_a_contest_of_what_was_settled_is_answered_from_the_opening(market: Market, tmp_path: Path) -> None:
    receipts = [market.buy(cents) for cents in (1_000, 2_500, 990)]
    market.node.chain.advance(days=1)
    openings = market.settle(tmp_path / "book.json", *receipts, last=False)
    market.node.chain.advance(days=PERIOD_AND_GRACE_DAYS)
    market.done(market.fan.contest(receipts[1]))
    shown = market.node.client.contest(contest_id(receipts[1]))
    assert (shown["outcome"], shown["points"]) == ("open", 250)
    kept = [opening_from_mapping(opening_to_mapping(opening)) for opening in openings]
    opening = find_opening(kept, hash_of(receipts[1]))
    answer = answer_of(contest_id(receipts[1]), opening, hash_of(receipts[1]))
    market.done(market.till.answer_contest(market.program, answer))
    assert market.node.client.contest(contest_id(receipts[1]))["outcome"] == "settled_in_time"
    address = market.fan.address_text(market.member)
    (mine,) = market.node.client.every(market.node.client.account_contests, address)
    (listed,) = market.node.client.every(market.node.client.contests, market.program)
    assert mine == listed


def test_a_contest_of_what_was_left_out_ends_with_points(market: Market, tmp_path: Path) -> None:
    kept, left_out = market.buy(1_000), market.buy(2_000)
    market.node.chain.advance(days=1)
    openings = market.settle(tmp_path / "book.json", kept)
    market.node.chain.advance(days=PERIOD_AND_GRACE_DAYS)
    market.done(market.fan.contest(left_out))
    with pytest.raises(WalletError) as missing:
        find_opening(openings, hash_of(left_out))
    assert missing.value.code.name == "contest.no_opening"
    market.node.chain.advance(days=16, blocks=150)
    market.node.mine(2)
    assert market.node.client.contest(contest_id(left_out))["outcome"] == "unsettled"
    assert market.points()["available"] + market.points()["pending"] == 300


def test_what_the_wallet_refuses_before_anything_is_public(market: Market) -> None:
    signed = market.buy(1_000)
    stranger = Wallet(master_of("owner"), market.node.client)
    with pytest.raises(WalletError) as foreign:
        stranger.contest(signed)
    assert foreign.value.code.name == "contest.not_yours"
    spoiled = SignedReceipt(signed.receipt, bytes(32), signed.signature)
    with pytest.raises(WalletError) as unsigned:
        market.fan.contest(spoiled)
    assert unsigned.value.code.name == "receipt.not_signed"
    with pytest.raises(ClientProblem) as early:
        market.fan.contest(signed)
    assert early.value.code == "contest.too_early"


def test_what_a_contest_opens_is_said(market: Market) -> None:
    signed = market.buy(4_321)
    plain, sums = (describe_opened(signed, "fsim", wrong_points=wrong) for wrong in (False, True))
    assert "for ever" in plain and "4321" not in plain
    assert encode_address("fsim", address_of_key(signed.receipt.till)) in plain
    assert show_moment(signed.receipt.time) in plain and str(signed.receipt.time) not in plain
    assert "4321 cents" in sums
    assert contest_of(signed, wrong_points=True).receipt_hash(market.member) == hash_of(signed)


def test_an_opening_without_a_place_cannot_answer(market: Market, tmp_path: Path) -> None:
    signed = market.buy(1_000)
    market.node.chain.advance(days=1)
    (opening,) = market.settle(tmp_path / "book.json", signed)
    mapping = opening_to_mapping(opening)
    del mapping["place"]
    with pytest.raises(WalletError) as old:
        answer_of(contest_id(signed), opening_from_mapping(mapping), hash_of(signed))
    assert old.value.code.name == "contest.no_place"
    assert opening.points == Points(100)
