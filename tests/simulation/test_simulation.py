"""Whole networks from seeds: they come to one chain, a seed is always the same, and planted bugs are found."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from ledger.errors import LedgerError
from ledger.fork_choice import Branch, TieKey
from node import chain as chain_module
from node.mempool import pool
from node.store.state import StoreState
from node.sync.bodies import BodySync
from scripts.simulate import parse_seeds
from tests.simulation.world import Broken, World

ROOT = Path(__file__).resolve().parents[2]
SEEDS = tuple(range(1_000, 1_000 + int(os.environ.get("FANSUMER_TEST_NETWORKS", "8"))))
PLANTED_SEEDS_MAX = 200
"""A bug that is planted must be found by so many networks."""


@pytest.fixture(autouse=True)
def quiet_log() -> Any:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_network_comes_to_one_chain(seed: int) -> None:
    outcome = World(seed).run()
    assert outcome.height > 0


@pytest.mark.slow
def test_a_seed_is_the_same_in_every_process() -> None:
    digests = set()
    for hash_seed in ("1", "2"):
        code = "from tests.simulation.world import World; print(World(1003).run().digest)"
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
            check=True,
            timeout=200,
        )
        digests.add(done.stdout.splitlines()[-1])
    assert len(digests) == 1


def plant_lost_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync: what was asked of a peer that is gone is asked of nobody else."""

    def forget(self: Any, peer: Any) -> None:
        self._peers.pop(peer, None)
        self._reach.pop(peer, None)

    monkeypatch.setattr(BodySync, "remove", forget)


def plant_forgetful_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mempool: what stood in a block that was taken back does not come back."""
    monkeypatch.setattr(pool, "still_possible", lambda *_: iter(()))


def plant_stubborn_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reorganisation: a branch must be better by a little more than it needs to be."""

    def is_better(challenger: Branch, current: Branch, _: TieKey) -> bool:
        return challenger.cumulative_work > current.cumulative_work + 8

    monkeypatch.setattr(chain_module, "is_better", is_better)


def plant_lossy_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store: now and then one record of a block is not written."""
    write = StoreState.write

    def write_most(self: Any, transition: Any) -> None:
        last = transition.contents[-1][1].leaf()
        if hashlib.sha256(last).digest()[0] < 16:
            object.__setattr__(transition, "contents", transition.contents[:-1])
        write(self, transition)

    monkeypatch.setattr(StoreState, "write", write_most)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "first"),
    [(plant_lost_requests, 6), (plant_forgetful_pool, 8), (plant_stubborn_choice, 47), (plant_lossy_store, 0)],
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From seed 0 on they were found by the seeds 8, 10, 49 and 2: `first` only saves time."""
    plant(monkeypatch)
    for seed in range(first, PLANTED_SEEDS_MAX):
        try:
            World(seed).run()
        except (Broken, AssertionError, LedgerError, LookupError):
            return
    raise AssertionError(f"{plant.__doc__} was not found by {PLANTED_SEEDS_MAX} networks")


def test_seeds_are_read_as_people_write_them() -> None:
    assert list(parse_seeds("3..5")) == [3, 4, 5]
    assert list(parse_seeds("7")) == [7]
    for wrong in ("", "5..3", "a..b", "1.5"):
        with pytest.raises(Exception, match=r"seed|A\.\.B"):
            parse_seeds(wrong)
