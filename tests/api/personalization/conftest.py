"""A made-up half year, its features and its models, made once; and shops behind the API, closed when a test is over."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from api.personalization import pacing
from api.personalization.features import Features, open_features
from api.personalization.models import Models, train
from api.personalization.sources import open_facts
from tests.support.made_up_year import make_lines, write_year
from tests.support.personal_shop import PersonalShop, open_personal_shop

AS_OF = date(2017, 6, 20)
OpenDesk = Callable[..., PersonalShop]
"""What it is given are options of `open_personal_shop`."""


@pytest.fixture(scope="session")
def year_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_year(tmp_path_factory.mktemp("year"), make_lines())


@pytest.fixture(scope="session")
def features(year_folder: Path) -> Features:
    return open_features(open_facts(year_folder), AS_OF)


@pytest.fixture(scope="session")
def models(features: Features) -> Models:
    return train(features, AS_OF, 7)


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    """Opens the shop of a test."""
    opened: list[PersonalShop] = []

    def open_one(**options: Any) -> PersonalShop:
        opened.append(open_personal_shop(tmp_path / "data", **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
        one.shop.close()


@pytest.fixture
def open_at_noon(open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch) -> OpenDesk:
    """The same at noon, and nobody is held out, so that every message is seen."""
    monkeypatch.setattr(pacing, "HOLDOUT_SHARE", 0.0)

    def open_one(**options: Any) -> PersonalShop:
        found = open_desk(**options)
        found.pass_time(seconds=12 * 3_600)
        return found

    return open_one
