"""How long the grocer's year takes to become features and models, by wall clock, and how much memory."""

import resource
import sys
import time
from datetime import date
from typing import Any

AS_OF = date(2018, 1, 1)
"""The first day after the year."""
SEED = 7


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
