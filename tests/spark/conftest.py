"""One Spark for all tests of this folder. Without its package or without Java they are skipped, and say so."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from api.personalization.engines import connect_spark, find_java

HERE = Path(__file__).resolve().parent
MASTER = "local[2]"

# Each thing is computed once or twice here: what Java would compile thoroughly it would never use.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


def find_obstacle() -> str | None:
    """Why Spark can't run here."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed; `python3 scripts/test.py --spark` does it"
    if find_java() is None:
        return "there is no Java, on which Spark runs"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    obstacle = find_obstacle()
    for item in items:
        if HERE not in item.path.parents:
            continue
        # py4j leaves the sockets over which rows arrive to the garbage collector.
        item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
        if obstacle is not None:
            # `scripts/test.py --spark`, as CI runs it, has made sure of both: nothing is skipped there.
            item.add_marker(pytest.mark.skip(reason=obstacle))


@pytest.fixture(scope="session")
def spark() -> Any:
    """The connection; it ends with this process."""
    return connect_spark(MASTER)
