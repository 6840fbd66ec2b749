"""A till's key is stolen: what the thief's receipts are worth, over HTTP. At most the daily cap, and nothing after revocation."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.wallet.contests import contest_id
from api.wallet.errors import ClientProblem, WalletError
from ledger.domains.loyalty.receipts import SignedReceipt, encode_receipt, sign_receipt
from ledger.types import Points, Timestamp
from tests.support.market import Market
from tests.support.wallet_node import main_signer, open_wallet_node

CAP = 1_000
PERIOD_AND_GRACE_DAYS = 4
TILL_AND_ENROL = 1 | 4


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """The fan is the thief's accomplice, so that it contests whatever the thief signs."""
    with open_wallet_node(tmp_path / "node") as node:
        found = Market(node)
        till = main_signer("till").address
        found.done(found.owner.grant_issuer(found.program, till, scopes=TILL_AND_ENROL, daily_cap=Points(CAP)))
        found.enrol()
        node.mine(2)
        yield found


def contest(market: Market, signed: SignedReceipt) -> str:
    """The code of the node's refusal, or nothing."""
    try:
        market.done(market.fan.contest(signed))
    except ClientProblem as problem:
        return problem.code
    return ""


def at(market: Market, signed: SignedReceipt, time: int) -> SignedReceipt:
    """The same promise with another time: whoever has the key may write what it likes."""
    return sign_receipt(
        replace(signed.receipt, time=Timestamp(time)),
        signed.salt,
        market.till.wallet.facts.chain_id,
        market.till.wallet.main.seed,
    )


def test_a_thiefs_receipts_credit_no_more_than_the_cap_of_each_day(market: Market) -> None:
    small = [market.buy(cents) for cents in (4_000, 5_990, 20, 4_000)]
    huge = market.buy(10_000_000)
    market.node.chain.advance(days=PERIOD_AND_GRACE_DAYS)
    assert contest(market, huge) == "contest.till_cap"
    assert [contest(market, signed) for signed in small] == ["", "", "contest.till_cap", "contest.till_cap"]
    market.node.chain.advance(days=16, blocks=150)
    market.node.mine(2)
    outcomes = [market.node.client.contest(contest_id(signed)) for signed in small[:2]]
    assert [found["outcome"] for found in outcomes] == ["unsettled", "unsettled"]
    points = market.points()
    assert points["available"] + points["pending"] == 999 <= CAP
    program = market.node.client.program(market.program)
    assert program["books"]["contest_points_credited"] == 999


def test_the_key_dies_with_the_block_after_its_revocation(market: Market) -> None:
    chain, client = market.node.chain, market.node.client
    before = market.buy(1_000)
    chain.mine()
    market.done(market.owner.revoke_issuer(market.program, main_signer("till").address))
    (issuer,) = client.issuers(market.program)["items"]
    assert issuer["revoked_at"] is not None and before.receipt.time <= issuer["revoked_at"]
    chain.mine()
    after = market.buy(1_000)
    chain.clock.set(chain.time)
    with pytest.raises(ClientProblem) as handed:
        client.hand_over(encode_receipt(after))
    assert handed.value.code == "receipt.till_not_granted"
    assert client.hand_over(encode_receipt(before))["is_new"], "what was promised before is a promise"
    with pytest.raises(WalletError, match="held no grant"):
        market.settler(Path("unused.json")).settle([after], until=Timestamp(2**39))
    early = at(market, market.buy(1_000), chain.params.genesis_time + 1)
    chain.advance(days=PERIOD_AND_GRACE_DAYS)
    assert [contest(market, signed) for signed in (after, early)] == ["contest.not_a_till"] * 2
    assert contest(market, before) == ""
