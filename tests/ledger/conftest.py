"""Chains to test rules on. Each is done again from genesis when its test is over."""

from collections.abc import Iterator

import pytest

from tests.support.memory_chain import Scenario
from tests.support.shop import FUNDED, Shop


@pytest.fixture
def chain() -> Iterator[Scenario]:
    """A chain on which everybody but `POOR` has coin."""
    chain = Scenario(*FUNDED)
    yield chain
    chain.replay()


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop with its usual terms."""
    shop = Shop()
    yield shop
    shop.chain.replay()
