"""How long the grocer's year takes to become features and models, by wall clock, and how much memory; and what becomes of that,
and of answers, when there are ten times more fans.

`bench.py --growth` measures each number of fans in a process of its own, on purchases that `made_up_fans` makes up.
"""

import random
import resource
import shutil
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from bench_growth import memory_mib

AS_OF = date(2018, 1, 1)
"""The first day after the year."""
SEED = 7
ANSWERS = 2_000
"""Answers whose times are measured, each of another fan."""
JUDGED_DAYS = 28
JUDGED_MAX = 10_000
"""Fans; more are no surer."""


def measure_personal(*, with_models: bool) -> dict[str, Any]:
    """Seconds for features and for all models, and the most memory in MB; `missing` names what is not installed."""
    from api.personalization.errors import PersonalizationError
    from api.personalization.sources import open_facts

    try:
        facts = open_facts()
    except PersonalizationError as fault:
        return {"missing": str(fault)}
    from api.personalization.features import LEVELS, open_features
    from api.personalization.features.households import fetch_households
    from api.personalization.features.pairs import fetch_pairs
    from api.personalization.models import train

    began = time.perf_counter()
    features = open_features(facts, AS_OF)
    pairs = sum(len(fetch_pairs(features, level, features.cut)["item"]) for level in LEVELS)
    fetch_households(features, features.cut)
    answer: dict[str, Any] = {"features_s": time.perf_counter() - began, "pairs": pairs}
    if with_models:
        began = time.perf_counter()
        answer["version"] = train(features, AS_OF, SEED).version
        answer["models_s"] = time.perf_counter() - began
    # Kilobytes, but bytes on a Mac (getrusage(2)).
    answer["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )
    return answer


def make_fans(folder: Path, fans: int) -> None:
    """Purchases of so many fans, unless they are there from another time: a file tells that all of them are."""
    from made_up_fans import write_fans

    done = folder / "done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        write_fans(folder, fans, SEED)
        done.touch()


def train_fans(folder: Path) -> dict[str, Any]:
    """From the purchases of `make_fans` to the file of models beside them: wall clock, this process's own time, memory."""
    from api.personalization.features import open_features
    from api.personalization.models import save_models, train
    from made_up_fans import AS_OF, open_made_up

    facts = open_made_up(folder)
    features, features_s = _timed(lambda: open_features(facts, AS_OF))
    features_mib = memory_mib()
    models, models_s = _timed(lambda: train(features, AS_OF, SEED))
    _, saving_s = _timed(lambda: save_models(models, folder / "fans.models"))
    return {
        "fans": len(models.households),
        "features_s": features_s,
        "features_mib": features_mib,
        "models_s": models_s,
        "saving_s": saving_s,
        "models_mib": memory_mib(),
        "file_bytes": (folder / "fans.models").stat().st_size,
        "version": models.version,
    }


def serve_fans(folder: Path) -> dict[str, Any]:
    """From the file to answers, as a node does it that has not trained anything. An answer: all that a fan's page asks for."""
    from api.personalization.models import LEVELS, MOMENTS, TASKS, load_models

    models, loading_s = _timed(lambda: load_models(folder / "fans.models"))
    households = random.Random(SEED).sample(models.households.tolist(), min(ANSWERS, len(models.households)))
    spent: list[float] = []
    for household in households:
        began = time.perf_counter()
        for level in LEVELS:
            for task in TASKS:
                models.rank(task, level, household)
        for moment in MOMENTS:
            models.moments(moment, household)
        models.churn(household)
        spent.append(time.perf_counter() - began)
    loaded_mib = memory_mib()
    _, masking_s = _timed(lambda: models.without(households[:10]))
    spent.sort()
    return {
        "loading_s": loading_s,
        "answer_median_us": spent[len(spent) // 2] * 1e6,
        "answer_p99_us": spent[len(spent) * 99 // 100] * 1e6,
        "loaded_mib": loaded_mib,
        "masking_s": masking_s,
        "masked_mib": memory_mib(),
    }


def judge_fans(folder: Path) -> dict[str, Any]:
    """NDCG@10 of products over the four weeks after: of the models' lists, and of what is popular, for the same fans."""
    import numpy

    from api.personalization.features import fetch
    from api.personalization.measures import measure_ndcg
    from api.personalization.models import load_models
    from api.personalization.models.history import make_matrix
    from made_up_fans import AS_OF, open_made_up

    models = load_models(folder / "fans.models")
    facts = open_made_up(folder)
    households = numpy.sort(numpy.random.default_rng(SEED).permutation(models.households)[:JUDGED_MAX])
    catalogue = models.catalogues["product"]
    later = facts.purchases.filter(facts.purchases.moment >= models.cut_at)
    later = later.filter(later.moment < models.cut_at + JUDGED_DAYS * 86_400)
    found = fetch(later.select("household_id", "product").distinct())
    mine = numpy.isin(found["household_id"], households)
    rows = households.searchsorted(found["household_id"][mine])
    columns = numpy.array([catalogue.places.get(name, -1) for name in found["product"][mine]], dtype=numpy.int64)
    truth = make_matrix(rows[columns >= 0], columns[columns >= 0], (len(households), len(catalogue.names)))
    truth.sort_indices()
    ranking = models.rankings["next7", "product"]
    ours = ranking.items[models.households.searchsorted(households)]
    popular = numpy.tile(ranking.popular, (len(households), 1))
    bought = numpy.diff(truth.indptr) > 0
    assert models.as_of == AS_OF and bought.any(), "they go on buying"
    return {
        "ndcg": float(measure_ndcg(ours, truth)[bought].mean()),
        "ndcg_popular": float(measure_ndcg(popular, truth)[bought].mean()),
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began
