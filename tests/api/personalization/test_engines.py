"""What is said where Spark can't be; what it computes is shown in tests/spark."""

from pathlib import Path

import pytest

from api.personalization import engines
from api.personalization.engines import connect_spark
from api.personalization.errors import PersonalizationError


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SPARK", "no_such_module")
    with pytest.raises(PersonalizationError, match="spark_missing"):
        connect_spark("local[2]")


def test_java_is_looked_for_where_spark_would(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engines, "SPARK", "json")  # a module that is always there
    for home, place in ((str(tmp_path), str(tmp_path)), (None, "on the path")):
        if home is None:
            monkeypatch.delenv("JAVA_HOME")
            monkeypatch.setenv("PATH", str(tmp_path))
        else:
            monkeypatch.setenv("JAVA_HOME", home)
        with pytest.raises(PersonalizationError, match="java_missing") as caught:
            connect_spark("local[2]")
        assert place in str(caught.value)
