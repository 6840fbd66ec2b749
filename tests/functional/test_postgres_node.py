"""A node on PostgreSQL behind its API: a fan walks through it, and SQLite gives the same of the same blocks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.demo import walk
from api.demo.walk import Walk
from ledger.types import Height
from node.audit import audit_store
from node.check import check_store
from node.store.engine import open_engine
from tests.node.stored_chain import read_tables, replay
from tests.support.postgres import Postgres
from tests.support.stores import store_url, stores_on
from tests.support.wallet_node import master_of, open_wallet_node


class MiningClock:
    """Whoever waits lets a block be mined."""

    def __init__(self, mine: Callable[[], object]) -> None:
        self._mine = mine
        self._now = 0.0

    def sleep(self, seconds: float) -> None:
        self._now += seconds
        self._mine()

    def monotonic(self) -> float:
        return self._now


def test_a_fan_walks_through_a_node_on_postgresql(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    with stores_on(postgres), open_wallet_node(tmp_path / "node", fee_rate_min=1) as node:
        url = store_url(tmp_path / "node" / "chain.sqlite")
        assert url.startswith("postgresql")
        assert not (tmp_path / "node" / "chain.sqlite").exists()
        monkeypatch.setattr(walk, "time", MiningClock(node.chain.mine_block))
        report = Walk(node.client, master_of("owner"), steps.append).run()
        assert (report.earned, report.redeemed, report.campaign_status) == (426, 250, "done")
        chain = node.chain.node.chain
        blocks = [chain.block_at(Height(height)) for height in range(1, chain.tip.height + 1)]
        root, params = chain.state_root, chain.params
        assert check_store(url, params).is_good, "while the node runs"
        audit = audit_store(tmp_path / "node", params, database_url=url)
        assert (audit.findings, audit.state_root) == ([], root)
    engine = open_engine(url, read_only=True)
    on_postgres = read_tables(engine)
    engine.dispose()
    on_sqlite = replay(tmp_path / "replayed.sqlite", params, [block for block in blocks if block is not None])
    assert on_sqlite.chain.state_root == root
    assert on_sqlite.tables == on_postgres
    on_sqlite.close()
    assert len(steps) >= 6
