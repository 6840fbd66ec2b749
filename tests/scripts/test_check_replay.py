"""The independent check of a replay: it agrees, it notices one changed basket, and it names bad input."""

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import check_replay
from api.demo import journey
from ledger.types import Timestamp
from tests.support.parquet_purchases import write_purchases

AS_OF = Timestamp(1_795_305_600)
LINES = [
    (1, 10, "2017-12-31T12:00:00", 0.29),
    (1, 10, "2017-12-31T12:00:00", 0.57),
    (1, 11, "2017-12-20T12:00:00", 12.34),
    (2, 12, "2017-12-25T05:00:00", 1.776357e-15),
    (3, 13, "2017-12-25T04:59:59", 9.0),
    (3, 14, "2018-01-01T04:59:59", 1.0),
]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """Run the check on a made folder and a replay's JSON (an object, or bytes); gives the exit status."""
    folder = write_purchases(tmp_path, LINES)

    def run_check(replay: object, *options: str) -> int:
        path = tmp_path / "replay.json"
        path.write_bytes(replay if isinstance(replay, bytes) else json.dumps(replay).encode())
        return check_replay.main([str(path), "--data-dir", str(folder), *options])

    return run_check


def test_imports_nothing_of_the_project() -> None:
    source = Path(check_replay.__file__).read_text()
    names = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert not names & {"ledger", "node", "api", "environment", "tests"}
    assert "import_module" not in source


def test_agrees(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"weeks": 1, "households": {"1": 8, "2": 0, "3": 10}, "fans": 3}) == 0
    assert run({"weeks": 1, "households": {"1": 8, "3": 10}}) == 0
    assert run({"weeks": 2, "households": {"1": 131, "3": 100}}) == 0
    assert "all agree" in capsys.readouterr().out


def test_lists_who_differs(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"weeks": 1, "households": {"1": 9, "4": 1}}) == 1
    out = capsys.readouterr().out
    assert "household 1: the data gives 8 points, the replay 9" in out
    assert "household 3: the data gives 10 points, the replay 0" in out
    assert "household 4: the data gives 0 points, the replay 1" in out
    assert "household 2" not in out
    assert "3 differ" in out


def test_long_lists_are_cut(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"weeks": 1, "households": {str(number): 1 for number in range(100, 200)}}) == 1
    assert "... and 52 more" in capsys.readouterr().out


def test_ten_cents_in_one_basket_make_it_fail(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    replay = {"weeks": 1, "households": {"1": 8, "3": 10}}
    for cents in ("10", "-10", "4"):  # 86 cents and 4 are 9 points
        assert run(replay, "--change-basket", "10", cents) == 1
        assert "household 1:" in capsys.readouterr().out
    assert run(replay, "--change-basket", "10", "3") == 0
    assert run(replay, "--change-basket", "11", "10") == 2  # not in this window
    assert "basket 11 is not in the last 1 weeks" in capsys.readouterr().err


@pytest.mark.parametrize(
    "replay",
    [
        *(b"", b"\xff", b"[" * 100_000, b"[]", b'{"weeks": 1, "weeks": 1, "households": {}}'),
        *({}, {"weeks": 1}, {"households": {}}, {"weeks": 0, "households": {}}, {"weeks": 54, "households": {}}),
        *({"weeks": True, "households": {}}, {"weeks": "1", "households": {}}, {"weeks": 1, "households": []}),
        *({"weeks": 1, "households": {"x": 1}}, {"weeks": 1, "households": {"1": -1}}),
        *({"weeks": 1, "households": {"1": 1.0}}, {"weeks": 1, "households": {"1": True}}),
        *({"weeks": 1, "households": {"1": 8, "01": 8}}, {"weeks": 1, "households": {"9" * 30: 1}}),
        b'{"weeks": 1, "households": {"1": 8, "1": 8}}',
    ],
    ids=range(20),
)
def test_bad_replay(run: Callable[..., int], replay: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(replay) == 2
    assert "bad input: " in capsys.readouterr().err


def test_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay = tmp_path / "replay.json"
    assert check_replay.main([str(replay)]) == 2
    replay.write_text('{"weeks": 1, "households": {}}')
    assert check_replay.main([str(replay), "--data-dir", str(tmp_path)]) == 2
    (tmp_path / "transactions.parquet").write_bytes(b"no parquet")
    assert check_replay.main([str(replay), "--data-dir", str(tmp_path)]) == 2
    for lines in ([(1, 10, "2017-12-31T12:00:00", 0.005)], [(1, 10, "2017-12-31T12:00:00", -1.0)]):
        assert check_replay.main([str(replay), "--data-dir", str(write_purchases(tmp_path, lines))]) == 2
    two = [(1, 10, "2017-12-31T12:00:00", 1.0), (2, 10, "2017-12-31T12:00:00", 1.0)]
    assert check_replay.main([str(replay), "--data-dir", str(write_purchases(tmp_path, two))]) == 2
    assert capsys.readouterr().err.count("bad input: ") == 6


@pytest.mark.parametrize("arguments", [[], ["x", "--change-basket", "1"], ["x", "--change-basket", "a", "b"]])
def test_bad_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        check_replay.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err


@pytest.fixture(scope="module")
def purchases() -> dict[int, check_replay.Purchase]:
    """Every basket of the real data, as the check reads it."""
    return check_replay.read_purchases(check_replay.find_parquet_file(None))


def test_reads_the_published_counts(purchases: dict[int, check_replay.Purchase]) -> None:
    assert len(purchases) == 155_848
    assert len({purchase.household for purchase in purchases.values()}) == 2_469


@pytest.mark.parametrize("weeks", [4, 9, 53])
def test_real_data_agrees_with_the_loader_and_notices_ten_cents(
    tmp_path: Path,
    weeks: int,
    purchases: dict[int, check_replay.Purchase],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(check_replay, "read_purchases", lambda _path: purchases)  # the file is read once for all cases
    loaded = journey.load_journey(as_of=AS_OF, weeks=weeks)
    points: dict[str, Any] = {str(household): points for household, points in loaded.sum_points().items()}
    path = tmp_path / "replay.json"
    path.write_text(json.dumps({"weeks": weeks, "households": points}))
    assert check_replay.main([str(path)]) == 0
    assert f"{len(points)} households in {weeks} weeks, {sum(points.values())} points" in capsys.readouterr().out
    basket = loaded.baskets[len(loaded.baskets) // 2]
    assert check_replay.main([str(path), "--change-basket", str(basket.basket_id), "10"]) == 1
    assert f"household {basket.household_id}:" in capsys.readouterr().out
