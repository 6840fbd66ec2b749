"""What becomes of what waits when blocks come: mined, expired, made impossible, or brought back by a reorganisation."""

from pathlib import Path

import pytest

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.errors import LedgerError
from ledger.params import EXIT_WEIGHT
from ledger.transaction import Prepaid
from ledger.types import Amount
from node.mempool.pool import (
    NO_ROOM,
)
from tests.node.mempool.desk import NOBODY, PARAMS, RICH, Desk, assert_consistent, code, txids
from tests.node.stored_chain import StoredScenario, StoredShop
from tests.support.memory_chain import FUNDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, STRANGER, TILL

pytestmark = pytest.mark.usefixtures("database")


def test_what_expires_is_dropped_and_the_reason_remembered(desk: Desk) -> None:
    height = desk.scenario.height
    short = desk.pay(FAN, FRIEND, valid_until=height + 1)
    longer = desk.pay(FRIEND, FAN, valid_until=height + 4)
    desk.put(short, longer)
    desk.scenario.mine()
    assert desk.waiting == txids(short, longer)
    desk.scenario.mine()
    assert desk.waiting == txids(longer)
    gone = desk.pool.dropped(short.txid)
    assert gone is not None
    assert gone.code == "envelope.expired"
    with refused(code("envelope.expired")):
        desk.pool.submit(short.raw)
    early = desk.pay(FAN, FRIEND, valid_from=desk.scenario.height + 1, valid_until=desk.scenario.height + 3)
    with refused(code("envelope.early")):
        desk.pool.submit(early.raw)
    assert_consistent(desk.pool)


def test_a_block_of_somebody_else_drops_what_it_made_impossible(desk: Desk) -> None:
    waiting = desk.pay(FAN, FRIEND, FUNDS * 2 // 3)
    rival = desk.pay(FRIEND, STRANGER)
    desk.put(waiting, rival)
    conflicting = desk.pay(FAN, STRANGER, FUNDS * 2 // 3)
    same_salt = desk.pay(FRIEND, FAN, salt=rival.body.salt)
    desk.scenario.block(conflicting, same_salt)
    assert desk.waiting == []
    reasons = [desk.pool.dropped(tx.txid) for tx in (waiting, rival)]
    assert [reason.code for reason in reasons if reason is not None] == ["coin.insufficient", "envelope.salt_used"]
    assert_consistent(desk.pool)


def test_only_so_many_reasons_are_remembered(desk: Desk) -> None:
    desk.limit(dropped_remembered=2)
    transfers = [desk.pay(FAN, FRIEND, 5_000 + index, valid_until=desk.scenario.height) for index in range(4)]
    desk.put(*transfers)
    desk.scenario.mine()
    assert [desk.pool.dropped(tx.txid) is not None for tx in transfers] == [False, False, True, True]


def test_a_dropped_transaction_that_comes_again_is_not_dropped_any_more(desk: Desk) -> None:
    weight = desk.pay(FAN, FRIEND).weight
    desk.limit(weight_max=weight)
    cheap, dear = desk.pay(FAN, FRIEND), desk.pay(FRIEND, FAN, rate=5)
    desk.put(cheap, dear)
    assert desk.pool.dropped(cheap.txid) is not None
    desk.store.mine_pool()
    desk.put(cheap)
    assert desk.pool.dropped(cheap.txid) is None


def test_a_reorganisation_brings_transactions_back_in_their_order(desk: Desk, tmp_path: Path) -> None:
    other = StoredScenario(tmp_path / "other.sqlite", params=PARAMS)
    other._salt = 1_000_000
    funding = desk.pay(FAN, NOBODY, 10_000_000, valid_until=5)
    spending = desk.pay(NOBODY, FRIEND, 5_000_000, valid_until=5)
    shared = desk.pay(STRANGER, FRIEND, valid_until=5)
    conflicting = desk.pay(FRIEND, FAN, FUNDS * 2 // 3, valid_until=5)
    short = desk.pay(STRANGER, NOBODY, valid_until=2)
    desk.scenario.block(funding, shared, short)
    desk.scenario.block(spending, conflicting)
    waiting = desk.pay(STRANGER, FAN, valid_from=1, valid_until=5)
    desk.put(waiting)
    other.block(shared)
    other.send("transfer", Transfer(ToAccount(STRANGER.address), Amount(FUNDS * 2 // 3)), author=FRIEND)
    other.mine()
    for block in other.blocks:
        desk.store.take(block)
    assert desk.store.chain.tip.hash == other.blocks[-1].hash
    assert desk.waiting == txids(funding, spending, waiting)
    reasons = [desk.pool.dropped(tx.txid) for tx in (conflicting, short, shared)]
    assert [None if reason is None else reason.code for reason in reasons] == [
        "coin.insufficient",
        "envelope.expired",
        None,
    ]
    assert_consistent(desk.pool)
    assert desk.store.mine_pool().transactions == (funding.raw, spending.raw, waiting.raw)
    other.store.close()


def test_a_reorganisation_brings_back_only_what_there_is_room_for(desk: Desk, tmp_path: Path) -> None:
    other = StoredScenario(tmp_path / "other.sqlite", params=PARAMS)
    other.mine(2)
    mined = [desk.pay(author, NOBODY, valid_until=5) for author in RICH]
    desk.limit(weight_max=mined[0].weight * 2 + 10)
    desk.scenario.block(*mined)
    waiting = desk.pay(FAN, FRIEND, valid_from=1, valid_until=5)
    desk.put(waiting)
    for block in other.blocks:
        desk.store.take(block)
    assert desk.store.chain.tip.height == 2
    assert desk.waiting == txids(mined[0], waiting)
    gone = desk.pool.dropped(mined[1].txid)
    assert gone is not None
    assert gone.code == NO_ROOM.name
    assert_consistent(desk.pool)
    other.store.close()


def test_a_program_pays_again_for_what_a_reorganisation_took_back(tmp_path: Path) -> None:
    """The program itself is taken back too: the fees of its fans are known only once it is there again."""
    shop = StoredShop(tmp_path / "a.sqlite")
    shop.join(FAN)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    mined = [raw for block in shop.chain.blocks for raw in block.transactions]
    other = StoredScenario(tmp_path / "b.sqlite", params=shop.chain.params)
    other.mine(len(shop.chain.blocks) + 1)
    for block in other.blocks:
        shop.store.take(block)
    pool = shop.store.pool
    assert [tx.raw for tx in pool.select(10**9)] == mined
    places = {place.transaction.body.kind: place for place in pool._waiting.values()}
    assert places["member.join"].fee == places["member.join"].transaction.weight * 2, "the pool's rate"
    assert places["member.leave"].fee == EXIT_WEIGHT * shop.chain.params.fee_rate_min
    block = shop.store.mine_pool()
    assert list(block.transactions) == mined
    assert_consistent(pool)
    shop.close()
    other.store.close()


def test_the_fees_of_a_pool_are_reserved_by_what_waits(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "a.sqlite")
    joins = [
        shop.chain.sign(
            "member.join", MemberJoin(shop.program, TILL.address), author=fan, payment=shop.sponsored, cosigners=(TILL,)
        )
        for fan in (Signer.named(f"fan {number}") for number in range(80))
    ]
    results = shop.store.pool.submit_batch([join.raw for join in joins])
    codes = [result.code.name if isinstance(result, LedgerError) else "" for result in results]
    assert codes[0] == ""
    assert set(codes) <= {"", "fee.sponsor_limit", "coin.pool_insufficient"}
    assert codes[-1] != "", "the policy's totals bind before they are mined"
    taken = codes.count("")
    assert len(shop.store.mine_pool().transactions) == taken
    shop.close()
