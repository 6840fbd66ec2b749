"""The benches work: on the smallest sizes, whose figures mean nothing."""

import pytest

from bench_ballots import measure_ballots
from bench_growth import measure_growth
from bench_measure import measure_earn, measure_headers, measure_transfers
from bench_world import SMALLEST, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("bench"), SMALLEST, lambda _: None)


def test_prepared_blocks_are_replayed(world: World) -> None:
    answer = measure_transfers(world)
    assert answer["units"] == SMALLEST.transfer_blocks * SMALLEST.transfers_per_block
    assert answer["records_before"] > SMALLEST.accounts and answer["seconds"] > 0
    assert measure_earn(world)["units"] > 0


def test_growth_is_measured_on_a_copy(world: World) -> None:
    before = (world.base / "chain.sqlite").read_bytes()
    answer = measure_growth(world, None)
    assert (world.base / "chain.sqlite").read_bytes() == before
    assert answer["accounts"] == SMALLEST.accounts and answer["records"] > SMALLEST.accounts
    assert answer["bytes_per_transaction"] > 200 and answer["memory_opened_mib"] > 10


def test_ballots_are_counted_by_the_rule() -> None:
    answer = measure_ballots(64)
    assert (answer["members"], answer["depth"]) == (64, 6)
    assert answer["single_us"] > 0 and answer["ranked_us"] > 0 and answer["copy_ms"] > 0


def test_headers_are_checked(world: World) -> None:
    assert measure_headers(world)["headers"] == SMALLEST.headers
