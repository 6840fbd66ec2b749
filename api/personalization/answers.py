"""Ranks and scores as Parquet: one row per household and place, or household and promotion, the same bytes each time."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from api.personalization.models.served import LEVELS, SLOTS, TASKS, WEEKDAYS, Level, Task

if TYPE_CHECKING:
    import numpy
    import pyarrow

    from api.personalization.features import Features

SEED: Final = 20_171_004
"""What the commands train with, unless told otherwise."""
KIND_KEY: Final = b"fansumer.personalize"
"""In the metadata of a file that these commands wrote."""
RANK_TASKS: Final = ("discovery", "next7", "weekday", "slot")
SCORE_TASKS: Final = ("redemption", "churn")


def rank_items(features: Features, task: Task, level: Level, limit: int, seed: int) -> pyarrow.Table:
    """household_id, rank (1 = best), item: of every household with history."""
    from api.personalization.models.crowd import gather
    from api.personalization.models.ranking import fit_ranking

    assert task in TASKS and level in LEVELS
    ranking, model = fit_ranking(gather(features, seed), task, level)
    names = [features.names[level][code] for code in model.history.codes]
    return _list_ranks(features.households, ranking.items[:, :limit], names)


def rank_moments(features: Features, task: str, limit: int) -> pyarrow.Table:
    """The same of weekdays ('0' is Monday) or of parts of the week ('<weekday>-<hour // 4>')."""
    import numpy

    from api.personalization.models.timing import fit_timing

    shares = fit_timing(features)[task]
    order = numpy.argsort(-shares, axis=1, kind="stable")[:, :limit]
    return _list_ranks(features.households, order, list(WEEKDAYS if task == "weekday" else SLOTS))


def score_households(features: Features, task: str, seed: int) -> pyarrow.Table:
    """household_id, campaign_id (redemption only), score: probabilities."""
    import pyarrow

    from api.personalization.models.crowd import gather

    crowd = gather(features, seed)
    if task == "redemption":
        from api.personalization.models.redemption import fit_redemption

        pairs, scores = fit_redemption(crowd)
        columns: dict[str, Any] = {"household_id": pairs[:, 0], "campaign_id": pairs[:, 1]}
    else:
        from api.personalization.models.churn import fit_churn

        columns, scores = {"household_id": features.households}, fit_churn(crowd)
    return pyarrow.table(
        {name: pyarrow.array(values) for name, values in (columns | {"score": scores.astype("float64")}).items()}
    )


def encode_table(table: pyarrow.Table, kind: str) -> bytes:
    """A Parquet file that says what it is."""
    import pyarrow.parquet

    buffer = BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata({KIND_KEY: kind.encode()}), buffer, compression="zstd")
    return buffer.getvalue()


def _list_ranks(households: numpy.ndarray[Any, Any], items: numpy.ndarray[Any, Any], names: list[str]) -> pyarrow.Table:
    import numpy
    import pyarrow

    rows, places = numpy.nonzero(items >= 0)
    listed = pyarrow.array(names, pyarrow.string()).take(pyarrow.array(items[rows, places].astype(numpy.int64)))
    columns = {"household_id": pyarrow.array(households[rows]), "rank": pyarrow.array(places + 1, pyarrow.int64())}
    return pyarrow.table(columns | {"item": listed})
