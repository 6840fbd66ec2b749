"""What a person types to compute on Spark, and what is said when that can't be."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from api.personalization.errors import PersonalizationError
from api.personalization.features import open_features
from api.personalization.sources import open_facts
from tests.spark.conftest import MASTER
from tests.support.made_up_year import make_lines, write_year

START_SECONDS_MAX = 240
"""Java starts in some ten seconds on a free machine."""


def rank(folder: Path, out: Path, *more: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        "-m",
        "api.cli.main",
        "personalize",
        "rank",
        "--task",
        "weekday",
        "--as-of",
        "2017-03-20",
    ]
    return subprocess.run(
        [*command, "--data", str(folder), "--out", str(out), *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS_MAX,
        env=os.environ | environment,
    )


def test_the_command_answers_the_same_and_java_is_not_heard(tmp_path: Path) -> None:
    folder = write_year(tmp_path, make_lines(80, 10))
    plain = rank(folder, tmp_path / "plain.parquet")
    other = rank(folder, tmp_path / "other.parquet", "--spark", MASTER)
    assert (other.returncode, other.stderr) == (0, plain.stderr)
    assert other.stdout == plain.stdout.replace("plain.parquet", "other.parquet")
    assert (tmp_path / "other.parquet").read_bytes() == (tmp_path / "plain.parquet").read_bytes()
    assert not list(Path.cwd().glob("*warehouse*")) and not list(tmp_path.glob("*warehouse*"))


def test_a_spark_that_cannot_be_is_said_with_a_code(tmp_path: Path) -> None:
    folder = write_year(tmp_path, make_lines(20, 5))
    nowhere = rank(folder, tmp_path / "a.parquet", "--spark", "nowhere")
    assert nowhere.returncode != 0
    assert "personalization.spark_failed" in nowhere.stderr and "Master must" in nowhere.stderr
    assert len(nowhere.stderr.splitlines()) < 10
    home = rank(folder, tmp_path / "b.parquet", "--spark", MASTER, JAVA_HOME=str(tmp_path))
    assert home.returncode != 0
    assert "personalization.java_missing" in home.stderr and str(tmp_path) in home.stderr
    assert not list(tmp_path.glob("?.parquet"))


def test_files_that_are_damaged_are_named(spark: Any, tmp_path: Path) -> None:
    write_year(tmp_path, make_lines(60, 10))
    path = tmp_path / "transactions.parquet"
    whole, other = path.read_bytes(), (tmp_path / "coupons.parquet").read_bytes()
    path.write_bytes(whole[:4] + bytes(396) + whole[400:])
    facts = open_facts(tmp_path, connection=spark)
    with pytest.raises(PersonalizationError, match=r"file_damaged.*transactions"):
        open_features(facts, date(2017, 2, 1))
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(PersonalizationError, match=r"file_damaged.*transactions"):
        open_facts(tmp_path, connection=spark)
    path.write_bytes(other)
    with pytest.raises(PersonalizationError, match=r"file_damaged.*no column"):
        open_facts(tmp_path, connection=spark)
    path.unlink()
    with pytest.raises(PersonalizationError, match=r"file_missing.*transactions"):
        open_facts(tmp_path, connection=spark)
