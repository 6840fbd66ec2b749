"""Models of a few fans and products, made up without training."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy

from api.personalization.models import LEVELS, MOMENTS, TASKS, Models
from api.personalization.models.file import name_version
from api.personalization.models.served import Catalogue, Level, Ranking, Task

PROGRAM: Final = "5f" * 32
NAMES: Final = ("bread", "milk", "tea", "jam")


def make_models(
    households: Sequence[int] = (1, 2, 3),
    *,
    bases: Sequence[int] | None = None,
    program: str = PROGRAM,
    read_at: int = 1_000_000,
    as_of: date = date(1970, 1, 12),
    log_odds: float = 0.0,
) -> Models:
    """Each fan's lists are tea, jam, milk, bread; bread and milk speak for tea. `log_odds` is the first score of a list."""
    count = len(households)
    numbers = numpy.array(sorted(households), dtype=numpy.int64)
    order = numpy.array([2, 3, 1, 0], dtype=numpy.int32)
    scores = numpy.array([log_odds, log_odds - 1, log_odds - 2, log_odds - 3], dtype=numpy.float32)
    ranking = Ranking(
        numpy.tile(order, (count, 1)), numpy.tile(scores, (count, 1)), order, scores - scores.min(), is_log_odds=True
    )
    near = numpy.array([[2, -1], [2, -1], [3, -1], [-1, -1]], dtype=numpy.int32)
    weights = numpy.array([[0.5, 0], [0.25, 0], [0.1, 0], [0, 0]], dtype=numpy.float32)
    catalogues: dict[Level, Catalogue] = {level: Catalogue.of(NAMES, near, weights) for level in LEVELS}
    rankings: dict[tuple[Task, Level], Ranking] = {(task, level): ranking for task in TASKS for level in LEVELS}
    made = Models(
        as_of=as_of,
        seed=1,
        version="",
        households=numbers,
        catalogues=catalogues,
        rankings=rankings,
        timings={
            moment: numpy.full((count, 7 if moment == "weekday" else 42), 0.1, numpy.float32) for moment in MOMENTS
        },
        churns=numpy.full(count, 0.2, numpy.float32),
        promotions=numpy.zeros((0, 2), numpy.int64),
        redemptions=numpy.zeros(0, numpy.float32),
        bases=numpy.array(numbers if bases is None else bases, dtype=numpy.int64),
        program=program,
        cut_at=read_at - 3_600,
        read_at=read_at,
    )
    return name_version(made)
