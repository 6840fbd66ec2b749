"""The trial of real nodes, short: three on loopback, killed and frozen under load. The long one is scripts/five_nodes.py."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cluster.trial import Trial
from tests.support.postgres import NoPostgres, Postgres, open_postgres


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5])
def test_three_nodes_end_as_one_and_lose_nothing(seed: int, tmp_path: Path) -> None:
    postgres: Postgres | None = None
    with suppress(NoPostgres):  # then all three stores are SQLite: what is tested here is not the store
        postgres = open_postgres()
    notes: list[str] = []
    trial = Trial(tmp_path, seed, 3, notes.append, postgres=postgres, namespaces=False)
    try:
        figures = trial.run(minutes=0.6)
    finally:
        trial.close()
        if postgres is not None:
            postgres.close()
    assert figures.height > 0 and figures.troubles and figures.became["in the chain"] > 0, notes
