"""The node's tests run on both stores: a module that asks for `database` is run once for each."""

from collections.abc import Iterator

import pytest

from tests.support.stores import KINDS, SQLITE, stores_on


@pytest.fixture(scope="module", params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which kind of store `StoredChain` and its like make in this module; a module's own stores must be made after it."""
    with stores_on(None if request.param == SQLITE else request.getfixturevalue("postgres")):
        yield request.param
