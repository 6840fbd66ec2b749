"""The benches work: on the smallest sizes, whose figures mean nothing."""

import pytest

from bench_growth import measure_growth
from bench_measure import measure_earn, measure_headers, measure_transfers
from bench_refunds import measure_refunds
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


def test_headers_are_checked(world: World) -> None:
    assert measure_headers(world)["headers"] == SMALLEST.headers


def test_refunds_are_measured_in_both_units() -> None:
    answer = measure_refunds(40)
    assert answer["count"] == 40 and answer["coin_ms"] > 0 and answer["points_ms"] > 0
