"""Networks with attestors from seeds: final blocks stay, honest attestors never lie, it goes on, and planted bugs are found."""

import os
from collections.abc import Callable, Collection
from typing import Any

import pytest
import structlog

from ledger.errors import LedgerError
from ledger.finality.attestors import AttestorSet
from ledger.finality.votes import Vote
from ledger.types import PublicKey
from node.attest.record import Signed
from node.finality.keeper import FinalityKeeper
from tests.simulation.attested_world import AttestedWorld

SEEDS = tuple(range(1_000, 1_000 + int(os.environ.get("FANSUMER_TEST_NETWORKS", "8")) // 2))
PLANTED_SEEDS_MAX = 200
"""A bug that is planted must be found by so many networks."""


@pytest.fixture(autouse=True)
def quiet_log() -> Any:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_final_stays_and_it_goes_on(seed: int) -> None:
    world = AttestedWorld(seed)
    outcome = world.run()
    assert outcome.height > 0
    assert outcome.final > 0 or not world.plan.must_go_on


@pytest.mark.slow
def test_a_seed_is_always_the_same() -> None:
    assert AttestedWorld(1_001).run().digest == AttestedWorld(1_001).run().digest


def plant_two_thirds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quorum: two thirds are enough, where it must be more."""

    def is_quorum(self: AttestorSet, keys: Collection[PublicKey]) -> bool:
        return 3 * self.weight_of(keys) >= 2 * self.weight

    monkeypatch.setattr(AttestorSet, "is_quorum", is_quorum)


def plant_lower_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing record: a source may lie below that of an earlier vote."""

    def admits(self: Signed, vote: Vote) -> bool:
        return vote == self.last or vote.target.height > self.target_floor

    monkeypatch.setattr(Signed, "admits", admits)


def plant_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork choice: work decides, whatever is justified."""
    monkeypatch.setattr(FinalityKeeper, "_justified_height", lambda self, known: 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 10])
def test_a_justified_block_is_not_left_for_work_from_an_ambush(seed: int) -> None:
    """Without its plant the networks that find `plant_work_alone` go well, and the miner did come out of its ambush."""
    world = AttestedWorld(seed)
    assert world.has_ambush
    assert world.run().attacks > 1


@pytest.mark.slow
@pytest.mark.parametrize(("plant", "first"), [(plant_two_thirds, 20), (plant_lower_sources, 5), (plant_work_alone, 4)])
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`first` only saves time: it is the seed that found it when it was planted."""
    plant(monkeypatch)
    for seed in range(first, PLANTED_SEEDS_MAX):
        try:
            AttestedWorld(seed).run()
        except (AssertionError, LedgerError):
            return
    raise AssertionError(f"{plant.__doc__} was not found by {PLANTED_SEEDS_MAX} networks")
