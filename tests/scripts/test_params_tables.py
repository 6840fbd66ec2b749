"""The tables that give reasons for the params are those that the models give, and the models agree with what is known."""

import random
from pathlib import Path

import pytest

from scripts import params_tables
from scripts.fork_model import Lines, computed_selfish, find_arrivals, run_selfish, run_stale
from scripts.params_tables import AGREED, FAR, PAGE, STRANGE, describe_lines, fall_row, main, selfish_row, stale_row
from scripts.recovery_model import Chain, T, computed_fall, run_fall

LINES = Lines(nodes=6, dialled=2, delay_min_s=1.0, delay_max_s=1.0, block_bytes=0, check_s=0.5, unasked=0)


def test_rows_of_the_page_are_computed_again() -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    for row in (stale_row(60), selfish_row(0.25), fall_row(100)):
        assert row in page
    for lines in (AGREED, STRANGE, FAR):
        assert describe_lines(lines) in " ".join(page)


def test_what_was_computed_of_a_fall_is_what_is_seen() -> None:
    for half_life_blocks, tolerance in ((100, 0.1), (240, 0.05)):
        for found in run_fall(half_life_blocks, 100):
            assert abs(found.median / found.computed - 1) < tolerance
            assert found.late > found.median


def test_the_computed_time_is_the_plain_one_where_nothing_is_cut() -> None:
    """With a half-life that no block reaches, 100 T come down to y T in log2(99 / (y - 1)) half-lives."""
    assert abs(computed_fall(1_000_000, 4.0) / (1_000_000 * T / 3_600) - 5.044) < 0.01


def test_a_chain_keeps_its_block_time_and_its_clock() -> None:
    chain = Chain(60, random.Random(5))
    begin = chain.clock
    chain.mine_blocks(2_000, 1.0)
    assert abs((chain.clock - begin) / 2_000 / T - 1) < 0.05
    now, height = chain.clock, chain.height
    assert not chain.mine(1e-9, now + 1)
    assert (chain.clock, chain.height) == (now + 1, height)
    chain.mine_blocks(1_000, 1e6)
    assert chain.clock - now > 600, "header times can't run away from the clock"


def test_a_block_comes_over_the_shortest_way() -> None:
    arrivals = find_arrivals(LINES.draw_hops(random.Random(1)), 0)
    assert arrivals[0] == 0.0
    assert {round(found % 3.5, 6) for found in arrivals} == {0.0}, "three ways and a check for each line"
    assert max(arrivals) <= 3.5 * 4


def test_stale_blocks_grow_with_delay_and_shrink_with_time() -> None:
    none = run_stale(60, 2_000, Lines(delay_min_s=0.0, delay_max_s=0.0, block_bytes=0, check_s=0.0), "1")
    assert (none.share, none.all_s) == (0.0, 0.0)
    slow, slower = (run_stale(seconds, 4_000, LINES, "1").share for seconds in (60, 10))
    assert 0 < slow < slower < 1
    assert run_stale(10, 4_000, LINES, "1").share == slower, "a seed gives the same again"


def test_a_selfish_miner_earns_what_the_formula_says() -> None:
    for share in (0.1, 0.3, 0.45):
        assert abs(run_selfish(share, 200_000, "2") - computed_selfish(share)) < 0.01
    assert abs(run_selfish(0.4, 200_000, "2", followers=0.0) - computed_selfish(0.4, 0.0)) < 0.01


@pytest.mark.slow
def test_real_nodes_lose_about_as_many_blocks_as_the_model() -> None:
    from scripts.fork_network import run_network

    lines = Lines(nodes=6, dialled=2, delay_min_s=2.0, delay_max_s=2.0, block_bytes=500, check_s=0.0)
    real, model = run_network(12, 80, lines, "1"), run_stale(12, 20_000, lines, "1")
    assert abs(real.share - model.share) < 0.15, (real, model)
    assert 0.5 < real.all_s / model.all_s < 2


def test_the_page_is_printed_or_written_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = PAGE.read_text(encoding="utf-8")
    copy = tmp_path / "schedule.md"
    copy.write_text(before, encoding="utf-8")
    monkeypatch.setattr(params_tables, "PAGE", copy)
    for name, value in (("STALE_BLOCKS", 100), ("SELFISH_BLOCKS", 100), ("RUNS", 2), ("LONG_RUNS", 1)):
        monkeypatch.setattr(params_tables, name, value)
    assert main(["--no-network"]) == 0
    shown = capsys.readouterr().out
    assert shown != before and copy.read_text(encoding="utf-8") == before
    assert len(shown.splitlines()) == len(before.splitlines()), "every table has the rows that it had"
    assert main(["--no-network", "--write"]) == 0
    assert copy.read_text(encoding="utf-8") == shown
