"""How the standing of a miner is written: for people."""

from io import StringIO

from rich.console import Console

from api.cli import mine_view
from api.cli.mine_view import RateMeter, Standing, show_rate
from api.mining.earnings import Earned
from api.mining.protocol import DIFFICULTY_ONE, Tally
from api.mining.rig import RigFigures
from ledger.types import Target


def standing() -> Standing:
    """Something to show."""
    figures = RigFigures(
        hashes=10**9,
        engines=("kernel", "kernel"),
        tally=Tally(1_234, 5, 6, ("ab" * 32,)),
        is_connected=True,
        share_difficulty=None,
        block_target=Target(DIFFICULTY_ONE // 4),
        told="welcome",
        fault="",
    )
    earned = Earned(12_345_678, 1, 2, tuple(f"fan{number}" for number in range(8)), "no node answers")
    return Standing(90.0, 31.25e6, 30e6, figures, earned)


def test_the_table_shows_everything() -> None:
    console = Console(width=100, record=True, file=StringIO())
    console.print(mine_view._table_of(standing()))
    shown = console.export_text()
    for text in ("31.25 MH/s", "average 30.00 MH/s", "2 x kernel", "1234 accepted, 5 stale, 6 refused", "12,345,678"):
        assert text in shown
    assert "fan7" in shown and "fan2" not in shown and "and 3 more" in shown and "2 transactions, of 8 fans" in shown
    assert "working for 90 s: no node answers; welcome" in shown


def test_rates_and_durations() -> None:
    assert [show_rate(rate) for rate in (0, 999, 1_000, 31.3e6, 2e9, 5e13)] == [
        "0 H/s",
        "999 H/s",
        "1.00 kH/s",
        "31.30 MH/s",
        "2.00 GH/s",
        "50.00 TH/s",
    ]
    assert [mine_view._show_duration(seconds) for seconds in (0.5, 30, 600, 50_000, 10**7)] == [
        "0.5 s",
        "30 s",
        "10 min",
        "14 h",
        "116 days",
    ]
    meter = RateMeter(0.0)
    assert (meter.present, meter.average) == (0, 0)
    for second in range(1, 41):
        meter.note(float(second), 100 * min(second, 20))
    assert (meter.present, meter.average) == (0, 50)
