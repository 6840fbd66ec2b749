"""SQLite and PostgreSQL give the same of the same blocks: every row of every table, in every order of arrival."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.types import Amount
from node.store.tables import metadata
from tests.node.lives import live
from tests.node.stored_chain import StoredChain, StoredShop
from tests.support.memory_chain import sim_params
from tests.support.postgres import Postgres
from tests.support.shop import FAN, FRIEND, FUNDED
from tests.support.stores import stores_on

PARAMS = sim_params(*(signer.address for signer in FUNDED), validity_blocks_max=6)


@pytest.fixture
def both(postgres: Postgres, tmp_path: Path) -> Iterator[Callable[[], tuple[StoredChain, StoredChain]]]:
    """Opens a pair of fresh stores: a file, and a schema on the server."""
    opened: list[StoredChain] = []

    def open_both() -> tuple[StoredChain, StoredChain]:
        path = tmp_path / f"{len(opened)}.sqlite"
        on_file = StoredChain(path, PARAMS)
        with stores_on(postgres):
            on_server = StoredChain(path, PARAMS)
        opened.extend((on_file, on_server))
        return on_file, on_server

    yield open_both
    for store in opened:
        store.close()


def every_row(store: StoredChain) -> dict[str, list[tuple[Any, ...]]]:
    """All tables, each as its database orders it by its primary key."""
    with store.reading.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }


def assert_same(on_file: StoredChain, on_server: StoredChain) -> None:
    """Roots, tip, window and every row."""
    assert on_file.engine.dialect.name != on_server.engine.dialect.name
    assert on_file.chain.state_root == on_server.chain.state_root
    assert on_file.chain.tip == on_server.chain.tip
    assert on_file.chain.window == on_server.chain.window
    expected, found = every_row(on_file), every_row(on_server)
    for name, rows in expected.items():
        assert found[name] == rows, f"the table {name} differs"


def test_a_whole_life_gives_the_same_rows(tmp_path: Path, both: Callable[[], tuple[StoredChain, StoredChain]]) -> None:
    shop = StoredShop(tmp_path / "shop.sqlite", params=PARAMS)
    live(shop)
    on_file, on_server = both()
    for block in shop.chain.blocks:
        for store in (on_file, on_server):
            assert store.take(block).is_tip
        assert on_file.chain.state_root == on_server.chain.state_root
    assert_same(on_file, on_server)
    rows = every_row(on_file)
    assert all(rows[name] for name in ("headers", "bodies", "active", "undo", "records", "history", "listing"))
    shop.close()


@pytest.mark.parametrize("seed", range(3))
def test_branches_in_any_order_give_the_same_rows(
    tmp_path: Path, both: Callable[[], tuple[StoredChain, StoredChain]], seed: int
) -> None:
    shop = StoredShop(tmp_path / "shop.sqlite", params=PARAMS)
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 500)
    shop.pledge(FAN, shop.create_campaign(goal=10**9, days=1), 3_000)
    blocks = {block.hash: block for block in shop.chain.blocks}
    for number, (below, grown) in enumerate(((1, 3), (3, 3), (4, 6), (0, 3))):
        branch = shop.fork(tmp_path / f"{number}.branch", below=below)
        branch.chain._salt += 10_000 * number
        for step in range(grown):
            branch.chain.send(
                "transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000 + 100 * number + step)), author=FAN
            )
        blocks.update({block.hash: block for block in branch.chain.blocks})
        branch.close()
    shop.close()
    shuffled = list(blocks.values())
    random.Random(seed).shuffle(shuffled)
    on_file, on_server = both()
    for store in (on_file, on_server):
        store.take_all(shuffled)
    assert_same(on_file, on_server)
    for store in (on_file, on_server):
        store.restart()
    assert_same(on_file, on_server)
