"""Random lives of a shop, mined into blocks, on SQLite and on PostgreSQL: the same roots and the same rows of the same blocks."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from ledger.types import Height
from tests.node.stored_chain import StoredChain
from tests.properties.test_random_chains import RandomChain
from tests.support.postgres import Postgres
from tests.support.stores import stores_on


class RandomChainOnBothStores(RandomChain):
    """After each life its blocks are mined for a file, and taken in by a server."""

    server: Postgres

    def teardown(self) -> None:
        if not hasattr(self, "chain"):
            return
        params = self.chain.params
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chain.sqlite"
            on_file = StoredChain(path, params)
            with stores_on(self.server):
                on_server = StoredChain(path, params)
            for mined in self.chain.mined:
                block = on_file.mine(*mined.transactions, time=mined.time)
                assert on_server.take(block).is_tip
                assert on_file.chain.state_root == on_server.chain.state_root == mined.root
            assert on_file.tables == on_server.tables
            # Back to the middle and on again, by a branch without transactions that is one block longer.
            fork = StoredChain(Path(folder) / "fork.sqlite", params)
            half = len(self.chain.mined) // 2
            for height in range(1, half + 1):
                kept = on_file.chain.block_at(Height(height))
                assert kept is not None
                fork.take(kept)
            for _ in range(len(self.chain.mined) - half + 1):
                longer = fork.mine()
                on_file.take(longer)
                on_server.take(longer)
            assert on_file.tables == on_server.tables == fork.tables
            for store in (on_file, on_server, fork):
                store.close()


@pytest.mark.slow
def test_random_lives_are_the_same_on_both(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandomChainOnBothStores, "server", postgres, raising=False)
    cheap = settings(max_examples=3, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(RandomChainOnBothStores, settings=cheap)
