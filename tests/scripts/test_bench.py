"""The benches work: on the smallest sizes, whose figures mean nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bench_measure
import bench_rules
from bench import show_blocks, show_kinds, show_personal, show_reference
from bench_ballots import measure_ballots
from bench_growth import measure_growth
from bench_measure import measure_earn, measure_headers, measure_transfers
from bench_network import measure_relay
from bench_personal import measure_personal
from bench_refunds import measure_refunds
from bench_rules import measure_blocks, measure_kinds, measure_reference
from bench_stratum import measure_shares
from bench_world import QUICK, SMALLEST, World
from ledger.params import CHALLENGE_RECEIPTS_MAX
from ledger.registry import KINDS
from tests.support.memory_chain import Signer
from tests.support.shop import Shop


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


def test_a_bench_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    script = Path(bench_measure.__file__)
    command = [sys.executable, str(script), "headers", str(tmp_path), QUICK.name]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["headers"] == QUICK.headers


def test_shares_are_checked() -> None:
    answer = measure_shares(50)
    assert answer["shares"] == 50 and answer["seconds"] > 0


def test_refunds_are_measured_in_both_units() -> None:
    answer = measure_refunds(40)
    assert answer["count"] == 40 and answer["coin_ms"] > 0 and answer["points_ms"] > 0


def test_a_block_travels_in_small_pieces() -> None:
    answer = measure_relay(40)
    assert answer["transactions"] == 40 and answer["work_ms"] > 0
    assert 0.5 <= answer["lines_s"] < 0.6, "ten lines, each once"
    assert answer["hop_bytes"] < answer["block_bytes"] / 5


def test_rules_are_measured_by_kind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_rules, "ACTIVE_QUICK", 3)
    answer = measure_kinds(world)
    assert set(answer["us"]) == set(KINDS), "the golden chain holds each kind"
    assert 0 < answer["median_us"] < max(answer["us"].values())
    assert answer["entries"] == {
        "earn": 3,
        "challenge.complete": 3,
        "offer.issue": 3,
        "offer.settle": 3,
        "challenge.contest": CHALLENGE_RECEIPTS_MAX,
    }
    assert 0 < answer["median_us"] <= answer["median_of_rounds_us"]
    rows = show_kinds(json.loads(json.dumps(answer)))
    assert [row.target for row in rows] == [60, 60, *([None] * (4 + len(KINDS)))]
    assert "rule of earn, 3 entries" in [row.name for row in rows]


def test_the_machine_is_measured_too() -> None:
    rows = show_reference({"reference": measure_reference()})
    assert [row.name for row in rows][::2] == ["reference: loop of 10**5", "reference: hash of 1 MB"]
    assert all(0 < least.measured <= median.measured for least, median in (rows[:2], rows[2:]))


def test_one_block_is_measured_with_more_and_more_of_the_past(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_rules, "ACTIVE_QUICK", 4)
    answer = measure_blocks(world)
    assert list(answer["members_ms"]) == list(bench_rules.MEMBERS_QUICK)
    assert list(answer["lots_ms"]) == list(bench_rules.LOTS_QUICK)
    assert len(show_blocks(json.loads(json.dumps(answer)))) == 10


def test_past_members_are_records_like_others() -> None:
    shop = Shop()
    shop.join(*(Signer.named(f"fan {number}") for number in range(2)))
    count = shop.chain.state.chain.slot_count
    bench_rules.add_past_members(shop, 0, 5)
    bench_rules.add_past_members(shop, 5, 7)
    assert shop.chain.state.chain.slot_count == count + 7 == len(shop.chain.state.contents)
    shop.chain.mine()
    assert shop.earn(Signer.named("fan 1"), 5) == ("",)


def test_the_year_becomes_features_or_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from api.personalization import extra

    monkeypatch.setattr(extra, "PACKAGES", {"no_such_module": "no-such-package"})
    answer = measure_personal(with_models=True)
    assert "no-such-package" in answer["missing"] and show_personal(answer) == []
    figures = show_personal({"features_s": 1.0, "pairs": 2, "models_s": 3.0, "memory_mb": 4.0, "version": "0"})
    assert [figure.target for figure in figures] == [30, 300, 4_096]
