"""A made-up half year, its features and its models, made once."""

from datetime import date
from pathlib import Path

import pytest

from api.personalization.features import Features, open_features
from api.personalization.models import Models, train
from api.personalization.sources import open_facts
from tests.support.made_up_year import make_lines, write_year

AS_OF = date(2017, 6, 20)


@pytest.fixture(scope="session")
def year_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_year(tmp_path_factory.mktemp("year"), make_lines())


@pytest.fixture(scope="session")
def features(year_folder: Path) -> Features:
    return open_features(open_facts(year_folder), AS_OF)


@pytest.fixture(scope="session")
def models(features: Features) -> Models:
    return train(features, AS_OF, 7)
