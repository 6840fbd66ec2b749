"""One life for all tests of a store in trouble."""

import pytest

from tests.support.crash.life import Life, make_life


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Blocks of every kind on two branches, and what a store holds after each."""
    return make_life(tmp_path_factory.mktemp("life"))
