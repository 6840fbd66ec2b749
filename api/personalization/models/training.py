"""All models of one as-of day, fitted one after another so that the memory of one is free before the next."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy

from api.personalization.errors import WRONG_DAY, PersonalizationError
from api.personalization.features import fetch
from api.personalization.features.lines import find_midnight
from api.personalization.models.churn import fit_churn
from api.personalization.models.crowd import gather
from api.personalization.models.discovery import Discovery
from api.personalization.models.file import name_version
from api.personalization.models.neighbours import list_strongest
from api.personalization.models.ranking import fit_rankings
from api.personalization.models.redemption import fit_redemption
from api.personalization.models.served import LEVELS, NEIGHBOURS, TASKS, Catalogue, Level, Models, Ranking, Task
from api.personalization.models.timing import fit_timing

if TYPE_CHECKING:
    from api.personalization.features import Features


def fit_models(features: Features, as_of: date, seed: int) -> Models:
    """Everything that is served. Raises PersonalizationError personalization.wrong_day where the features are of another day."""
    if as_of != features.as_of:
        raise PersonalizationError(WRONG_DAY, as_of=as_of.isoformat(), found=features.as_of.isoformat())
    crowd = gather(features, seed)
    rankings: dict[tuple[Task, Level], Ranking] = {}
    catalogues: dict[Level, Catalogue] = {}
    for level in reversed(LEVELS):  # products need most to be learned: before there are lists of everybody in memory
        found, models = fit_rankings(crowd, TASKS, level)
        rankings |= {(task, level): ranking for task, ranking in found.items()}
        discovery = models["discovery"]
        assert isinstance(discovery, Discovery)
        names = [features.names[level][code] for code in discovery.history.codes]
        catalogues[level] = Catalogue.of(names, *list_strongest(discovery.stage.weights, NEIGHBOURS))
        del models, discovery
    promotions, redemptions = fit_redemption(crowd)
    timings = fit_timing(features)
    return name_version(
        Models(
            as_of=as_of,
            seed=seed,
            version="",
            households=features.households,
            catalogues=catalogues,
            rankings=rankings,
            timings={"weekday": timings["weekday"], "slot": timings["slot"]},
            churns=fit_churn(crowd),
            promotions=promotions,
            redemptions=redemptions,
            bases=_list_bases(features),
            program=features.facts.program,
            cut_at=find_midnight(features.facts.zone, as_of),
            read_at=features.facts.read_at,
        )
    )


def _list_bases(features: Features) -> numpy.ndarray[Any, Any]:
    """Of each household what the export knows of it as one number; 0 where it comes from no export."""
    bases = numpy.zeros(len(features.households), dtype=numpy.int64)
    if features.facts.fans is None:
        return bases
    found = fetch(features.facts.fans.order_by("household_id"))
    numbers = found["household_id"].astype(numpy.int64)
    is_here = numpy.isin(features.households, numbers)
    bases[is_here] = found["basis"].astype(numpy.int64)[numbers.searchsorted(features.households[is_here])]
    return bases
