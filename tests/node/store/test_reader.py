"""The reader beside the writer: one consistent picture, in every thread, and faults in words."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError

from ledger.domains.accounts.state import account_key
from ledger.domains.loyalty.state import DAYS, books_key, program_key
from ledger.due import QUEUE_START
from ledger.types import BlockHash, Height, RecordKey, TxId
from node.errors import NodeError
from node.store.engine import open_engine
from node.store.queries import Queries
from node.store.reader import STORE_EMPTY, Reader, Tip
from node.store.tables import metadata
from tests.support.live_shop import LiveShop
from tests.support.processes import join_all
from tests.support.shop import FAN, FRIEND, TILL


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Iterator[LiveShop]:
    """A shop on a node; on each kind of store."""
    found = LiveShop(tmp_path / "data")
    yield found
    found.close()


def test_a_snapshot_stays_while_blocks_arrive(shop: LiveShop) -> None:
    reader = shop.node.reader
    with reader.snapshot() as view:
        before = view.tip()
        shop.join(FAN)
        assert view.tip() == before
        assert view.memberships(FAN.address, 10) == []
    with reader.snapshot() as view:
        assert view.tip().height == before.height + 1
        (membership,) = view.memberships(FAN.address, 10)
    assert membership.program_id == shop.program
    assert membership.member == shop.member(FAN)


def test_the_end_of_a_list_holds_what_is_new(shop: LiveShop) -> None:
    """On each kind of store: by the same order as the pages of the list, however short the end."""
    shop.join(FAN, FRIEND)
    shop.join(TILL)
    with shop.node.reader.snapshot() as view:
        whole = view.listed(shop.program, "member", None, 10)
        assert [row.id for row in whole][-1] == TILL.address and len(whole) == 3
        for limit in (1, 2, 3, 9):
            assert view.listed_last(shop.program, "member", limit) == whole[-limit:]
        assert view.listed_last(shop.program, "reward", 9) == []


def test_records_are_those_of_the_chain(shop: LiveShop) -> None:
    keys = (account_key(FAN.address), program_key(shop.program), books_key(shop.program))
    with shop.node.reader.snapshot() as view:
        for key in keys:
            assert view.stored(key) == shop.node.chain.state.stored(key)
        assert view.record(account_key(type(FAN.address)(bytes(32)))) is None
        assert view.first_key(b"B", RecordKey(b"B")) == keys[1]
        assert view.first_key(b"Q", QUEUE_START) is None
        assert view.records_after(DAYS.prefix + shop.program, 10) == {}


def test_days_with_totals_are_read_by_range(shop: LiveShop) -> None:
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 10)
    with shop.node.reader.snapshot() as view:
        days = view.records_after(DAYS.prefix + shop.program, 10)
        assert [totals.expiring for totals in days.values()] == [10]
        assert view.records_after(DAYS.prefix + shop.program, 0) == {}


def test_transactions_by_place_and_what_is_not_there(shop: LiveShop) -> None:
    shop.join(FAN)
    txid = shop.chain.last_txid
    with shop.node.reader.snapshot() as view:
        place = view.place_of(txid)
        assert place is not None
        assert view.txids_at(place.height)[place.position] == txid
        assert [event.name for event in view.events_of(place)] == ["member.joined"]
        assert view.place_of(TxId(bytes(32))) is None
        assert view.hash_at(Height(10**6)) is None
        assert view.header(BlockHash(bytes(32))) is None
        assert view.block(BlockHash(bytes(32))) is None


def test_each_thread_reads_for_itself(shop: LiveShop) -> None:
    tips: list[Tip] = []

    def read() -> None:
        with shop.node.reader.snapshot() as view:
            tips.append(view.tip())

    threads = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    join_all(threads, "four readers")
    read()
    assert tips == tips[:1] * 5


def test_a_fault_within_a_snapshot_ends_it(shop: LiveShop) -> None:
    with pytest.raises(ZeroDivisionError), shop.node.reader.snapshot() as view:
        assert view.tip().height / 0
    with shop.node.reader.snapshot() as view:
        assert view.tip().height == shop.node.chain.tip.height


def test_a_reader_cannot_write(shop: LiveShop) -> None:
    cursor = shop.node.reader.snapshot()
    with cursor as view, pytest.raises(DatabaseError, match=r"readonly|read-only"):
        shop.node.reader.execute(view._cursor, "DELETE FROM records")


def test_an_empty_store_and_a_missing_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    reader = Reader(open_engine(url, read_only=True))
    with pytest.raises(DatabaseError, match="no such table"), reader.snapshot() as view:
        view.tip()
    writer = open_engine(url)
    metadata.create_all(writer)
    with pytest.raises(NodeError) as caught, reader.snapshot() as view:
        view.tip()
    assert caught.value.code is STORE_EMPTY
    reader.close()
    writer.dispose()


def test_statements_compile_for_postgresql() -> None:
    engine = create_engine("postgresql+psycopg://nobody@nowhere/none")
    queries = Queries(engine.dialect)
    assert "%(account)s" in queries.memberships._sql
    assert queries.memberships._order is None


def test_open_holds_are_those_of_the_account(shop: LiveShop) -> None:
    shop.join(FAN)
    shop.earn(FAN, 500)
    reward = shop.list_reward(price=100)
    hold = shop.redeem(FAN, reward)
    with shop.node.reader.snapshot() as view:
        assert view.open_holds(FAN.address) == [(hold, shop.hold(hold))]
        assert view.open_holds(TILL.address) == []
