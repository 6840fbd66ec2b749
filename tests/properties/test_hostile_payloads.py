"""Whatever a signer may put into a payload, the ledger applies it or refuses it with a code; nothing breaks now or later.

Payloads are drawn from the shapes of the kinds themselves, so a new kind is covered without a line here.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import Malformed, RuleViolation
from ledger.registry import KINDS
from ledger.transaction import Payment, Prepaid, decode_transaction
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.random_payloads import Ids, values_of
from tests.support.shop import FAN, FRIEND, OWNER, POOR, STRANGER, TILL, Shop

PEOPLE = {signer.address: signer for signer in (OWNER, TILL, FAN, FRIEND, STRANGER, POOR)}


def make_busy_shop() -> tuple[Shop, Ids]:
    """A shop in which there is something of every kind, and the ids of all of it."""
    shop = Shop(hold_seconds=DAY_SECONDS, refund_days=3)
    shop.join(FAN, POOR)
    shop.earn(FAN, 1_000)
    reward = shop.list_reward(stock=2**53)
    hold = shop.redeem(FAN, reward, quantity=3)
    fulfilment = shop.fulfil(hold, 2)
    campaigns = [shop.create_campaign(in_points=flag, days=2) for flag in (False, True)]
    for campaign in campaigns:
        shop.pledge(FAN, campaign, 5)
    ids: Ids = {
        "program": [shop.program] * 5,
        "reward": [reward] * 3,
        "hold": [hold],
        "fulfilment": [fulfilment],
        "campaign": campaigns,
        "": list(PEOPLE),
    }
    return shop, ids


IDS = make_busy_shop()[1]


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Any, Signer, str]:
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    payload = draw(values_of(kind.payload, IDS))
    author = draw(st.sampled_from([OWNER, OWNER, TILL, FAN, FAN, FRIEND, STRANGER, POOR]))
    return kind.name, payload, author, draw(st.sampled_from(["own", "own", "pool", "prepaid"]))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(calls(), min_size=1, max_size=8), st.integers(1, 40))
def test_any_payload_is_applied_or_refused(found: list[tuple[str, Any, Signer, str]], days: int) -> None:
    shop, _ = make_busy_shop()
    for kind, payload, author, source in found:
        payment: Payment | None = {"own": None, "pool": shop.sponsored, "prepaid": Prepaid()}[source]
        cosigners = [PEOPLE[address] for address in KINDS[kind].cosigners(payload) if address in PEOPLE]
        try:
            shop.chain.send(kind, payload, author=author, payment=payment, cosigners=cosigners)
        except (Malformed, RuleViolation):
            continue
    shop.chain.advance(days=days, blocks=8)
    shop.chain.mine(2)
    shop.chain.advance(days=100)
    shop.chain.mine()
    shop.chain.replay()


BUSY, _ = make_busy_shop()
GOOD = [tx.raw for block in BUSY.chain.mined for tx in block.transactions]


@given(st.binary(max_size=300))
def test_unknown_bytes_are_no_transaction(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_transaction(data, BUSY.chain.chain_id)


@given(st.sampled_from(GOOD), st.integers(0, 2**16), st.integers(1, 255), st.sampled_from(["flip", "cut", "repeat"]))
def test_a_spoiled_transaction_is_refused_or_another_one(raw: bytes, place: int, change: int, how: str) -> None:
    place %= len(raw)
    if how == "flip":
        spoiled = raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :]
    else:
        spoiled = raw[:place] if how == "cut" else raw + raw[: place + 1]
    try:
        found = decode_transaction(spoiled, BUSY.chain.chain_id)
    except (Malformed, RuleViolation):
        return
    assert found.raw == spoiled != raw
