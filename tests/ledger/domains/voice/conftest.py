"""A shop whose members vote."""

import pytest

from tests.support.assembly import Assembly
from tests.support.shop import FAN, FRIEND, STRANGER, Shop


@pytest.fixture
def assembly(shop: Shop) -> Assembly:
    """`FAN`, `FRIEND` and `STRANGER` are members; the fixture `shop` replays everything at the end."""
    shop.join(FAN, FRIEND, STRANGER)
    return Assembly(shop)
