"""Drafts, counter-signatures, reversals and answers as wallets put them together."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.wallet.contests import NO_PLACE, contest_id
from api.wallet.errors import WalletError
from api.wallet.returns import (
    NOT_BY_FAN,
    NOT_SIGNED,
    NOT_YOURS,
    TOO_MANY_POINTS,
    answer_with_return,
    check_signed,
    decode_draft,
    describe_return,
    encode_draft,
    return_of_receipt,
    reversal_of,
)
from ledger.domains.loyalty.earn_answer_contest import ReturnAnswer
from ledger.domains.loyalty.receipts import receipt_hash
from ledger.domains.loyalty.returns import return_id_of
from ledger.types import Points, Timestamp
from tests.support.market import Market
from tests.support.wallet_node import open_wallet_node


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with open_wallet_node(tmp_path / "node") as node:
        found = Market(node)
        found.enrol()
        yield found


def test_from_the_counter_to_the_books(market: Market, tmp_path: Path) -> None:
    bought = market.buy(4_260)
    (opening,) = market.settle(tmp_path / "book.json", bought)
    now = Timestamp(int(market.node.client.chain()["time"]))
    draft = market.till.draft_return(bought, Points(400), now)
    assert decode_draft(encode_draft(draft)) == draft
    signed = market.fan.sign_return(draft)
    check_signed(signed, market.fan.facts.chain_id)
    reversal = reversal_of(signed, opening)
    assert (reversal.points, reversal.index) == (400, 0)
    assert reversal_of(signed, opening, Points(7)).points == 7
    market.done(market.till.reverse(reversal))
    assert market.points()["available"] == 26
    (shown,) = market.node.client.returns(market.program)["items"]
    assert shown["id"] == return_id_of(signed.returned).hex()
    assert describe_return(signed.returned, market.fan.facts.address_prefix)["points"] == 400
    unplaced = replace(opening, place=None)
    with pytest.raises(WalletError) as fault:
        reversal_of(signed, unplaced)
    assert fault.value.code is NO_PLACE


def test_what_a_wallet_does_not_sign_and_a_brand_does_not_post(market: Market) -> None:
    bought = market.buy(1_000)
    with pytest.raises(WalletError) as fault:
        market.till.draft_return(bought, Points(101), bought.receipt.time)
    assert fault.value.code is TOO_MANY_POINTS
    draft = market.till.draft_return(bought, Points(100), bought.receipt.time)
    with pytest.raises(WalletError) as fault:
        market.fan.sign_return(replace(draft, returned=replace(draft.returned, points=Points(99))))
    assert fault.value.code is NOT_SIGNED
    with pytest.raises(WalletError) as fault:
        market.till.wallet.sign_return(draft)
    assert fault.value.code is NOT_YOURS
    signed = market.fan.sign_return(draft)
    with pytest.raises(WalletError) as fault:
        check_signed(replace(signed, returned=replace(signed.returned, points=Points(99))), market.fan.facts.chain_id)
    assert fault.value.code is NOT_BY_FAN


def test_the_return_that_answers_a_contest(market: Market) -> None:
    bought, other = market.buy(1_000), market.buy(2_000)
    small, large = (
        market.fan.sign_return(market.till.draft_return(bought, Points(points), bought.receipt.time))
        for points in (40, 100)
    )
    receipt = receipt_hash(bought.receipt, bought.salt)
    assert return_of_receipt((small, large), receipt) is large
    assert return_of_receipt((small, large), receipt_hash(other.receipt, other.salt)) is None
    answer = answer_with_return(contest_id(bought), large)
    assert answer.entry == ReturnAnswer(large.returned, large.signature, large.consent)
