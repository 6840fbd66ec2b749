"""The desk that tests of the pool share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.mempool.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "chain.sqlite")
    yield made
    made.store.close()
