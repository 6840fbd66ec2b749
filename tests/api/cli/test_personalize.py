from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from api.personalization import extra, sources
from tests.api.cli.conftest import Terminal
from tests.support.made_up_year import HOUSEHOLDS, make_lines, write_year

DAY = "2017-06-20"


@pytest.fixture(scope="module")
def year_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_year(tmp_path_factory.mktemp("year"), make_lines())


@pytest.fixture
def here(terminal: Terminal, year_folder: Path) -> Terminal:
    terminal.home.mkdir(parents=True, exist_ok=True)
    return terminal


def test_ranks_of_every_task_are_files_that_programs_read(here: Terminal, year_folder: Path) -> None:
    out = here.home / "ranks.parquet"
    tasks = [("discovery", "category"), ("next7", "product"), ("weekday", None), ("slot", None)]
    rows: list[dict[str, Any]] = []
    for task, items in tasks:
        more = ["--items", items] if items else []
        answer = here.read(
            "personalize",
            "rank",
            "--task",
            task,
            *more,
            "--as-of",
            DAY,
            "--limit",
            5,
            "--out",
            out,
            "--data",
            year_folder,
        )
        table = pyarrow.parquet.read_table(out)
        rows = table.to_pylist()
        assert answer["rows"] == len(rows) and answer["households"] == HOUSEHOLDS
        assert [str(field.type) for field in table.schema] == ["int64", "int64", "string"]
        assert table.column_names == ["household_id", "rank", "item"]
        assert {row["household_id"] for row in rows} == set(range(1, HOUSEHOLDS + 1))
        assert min(row["rank"] for row in rows) == 1 and max(row["rank"] for row in rows) <= 5
    assert {row["item"] for row in rows} <= {f"{day}-{part}" for day in range(7) for part in range(6)}


def test_scores_are_files_too_and_the_same_every_time(here: Terminal, year_folder: Path) -> None:
    columns = {"churn": ["household_id", "score"], "redemption": ["household_id", "campaign_id", "score"]}
    for task, names in columns.items():
        files = [here.home / "new folder" / f"{task}{number}.parquet" for number in range(2)]
        for file in files:
            here.run("personalize", "score", "--task", task, "--as-of", DAY, "--out", file, "--data", year_folder)
        assert files[0].read_bytes() == files[1].read_bytes()
        table = pyarrow.parquet.read_table(files[0])
        assert table.column_names == names and table.num_rows > 0
        assert all(0 <= score <= 1 for score in table["score"].to_pylist())


def test_what_was_typed_wrong_is_said_before_anything_is_computed(here: Terminal, year_folder: Path) -> None:
    out = here.home / "ranks.parquet"

    def fail(*arguments: object, expect: int = 1) -> str:
        return here.fail("personalize", *arguments, "--out", out, expect=expect)

    assert "items_missing" in fail("rank", "--task", "next7", "--as-of", DAY, expect=2)
    assert "items_needless" in fail("rank", "--task", "slot", "--items", "product", "--as-of", DAY, expect=2)
    for wrong in ("yesterday", "2017-13-01", "2017-02-30", "0000-01-01", ""):
        assert "as-of" in fail("score", "--task", "churn", "--as-of", wrong, expect=2)
    for more in (["--limit", 0], ["--limit", 51], ["--items", "shop"]):
        fail("rank", "--task", "next7", "--items", "product", "--as-of", DAY, *more, expect=2)
    fail("rank", "--task", "churn", "--as-of", DAY, expect=2)
    assert "no_history" in fail("rank", "--task", "slot", "--as-of", "2016-01-01", "--data", year_folder)
    assert "file_missing" in fail("rank", "--task", "slot", "--as-of", DAY, "--data", here.home / "nowhere")
    assert not out.exists()


def test_no_file_of_another_kind_is_overwritten(here: Terminal, year_folder: Path) -> None:
    out = here.home / "mine"
    command = ("personalize", "rank", "--task", "weekday", "--as-of", DAY, "--data", year_folder, "--out")
    out.write_text("a letter")
    assert "cli.other_file" in here.fail(*command, out, expect=2)
    assert out.read_text() == "a letter"
    here.run(*command, out, "--force")
    before = out.read_bytes()
    here.run(*command, out)  # its own kind
    assert out.read_bytes() == before
    assert "cli.file_failed" in here.fail(*command, here.home, expect=2)
    assert "cli.file_failed" in here.fail(*command, out / "below", expect=2)


def test_models_are_trained_into_a_file(here: Terminal, year_folder: Path) -> None:
    from api.personalization.models import load_models

    out = here.home / "june.models"
    assert "as_of_missing" in here.fail("personalize", "train", "--out", out, "--data", year_folder, expect=2)
    answer = here.read("personalize", "train", "--as-of", DAY, "--out", out, "--data", year_folder)
    assert load_models(out).version == answer["version"]
    command = ("personalize", "rank", "--task", "slot", "--as-of", DAY, "--out", out, "--data", year_folder)
    assert "trained models" in here.fail(*command, expect=2)


def test_judging_prints_every_measure(here: Terminal, year_folder: Path) -> None:
    tasks = [part for task in ("next7", "timing", "churn") for part in ("--task", task)]
    rows = here.read("personalize", "evaluate", "--as-of", "2017-05-20", *tasks, "--data", year_folder)
    assert [(row["task"], row["measure"]) for row in rows] == [
        ("next7, category", "NDCG@10"),
        ("next7, product", "NDCG@10"),
        ("timing, weekday", "share"),
        ("timing, part of the week", "share"),
        ("churn", "AUC"),
    ]
    assert all(row["low"] <= row["high"] for row in rows)
    assert rows[0]["ours"] > rows[0]["popularity"]
    table = here.run("personalize", "evaluate", "--as-of", "2017-05-20", "--task", "timing", "--data", year_folder)
    assert "part of the week" in table
    fault = here.fail("personalize", "evaluate", "--as-of", "2017-07-15", "--task", "churn", "--data", year_folder)
    assert "no_truth" in fault
    fault = here.fail("personalize", "evaluate", "--as-of", "2017-05-20", "--task", "redemption", "--data", year_folder)
    assert "personalization.nobody_to_judge" in fault


def test_what_is_not_installed_is_named(here: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("personalize", "score", "--task", "churn", "--as-of", DAY, "--out", here.home / "a.parquet")
    monkeypatch.setattr(sources, "PACKAGE", "no_such_package")
    assert "fansumer[demo]" in here.fail(*command)
    monkeypatch.setattr(extra, "PACKAGES", {"no_such_module": "no-such-package"})
    assert "fansumer[personalization]" in here.fail(*command)
    assert "fansumer[personalization]" in here.fail("personalize", "evaluate", "--as-of", DAY)
