"""A till with a node in this process, after its first contact."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.market import Market
from tests.support.till_world import TillWorld
from tests.support.wallet_node import open_wallet_node


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with open_wallet_node(tmp_path / "node") as node:
        found = Market(node)
        found.enrol()
        yield found


@pytest.fixture
def world(market: Market, tmp_path: Path) -> Iterator[TillWorld]:
    found = TillWorld(market, tmp_path / "till")
    found.visit()
    yield found
    found.close()
