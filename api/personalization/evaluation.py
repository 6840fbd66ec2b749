"""Models judged by what happened after their as-of day, beside the plainest guesses: what is popular, what the household does most.

The same definitions as everywhere: history strictly before local midnight; households with at least 5 baskets; items that at least
20 households bought; the truth is counted in local days from the cut. All fans count as having consented: this is for the
public year, or for an export, which holds nobody who did not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy

from api.personalization.engines import fetch_value
from api.personalization.errors import NO_TRUTH, NOBODY_TO_JUDGE, PersonalizationError
from api.personalization.features import Features, fetch, open_features
from api.personalization.features.households import PARTS, describe_moments, fetch_households
from api.personalization.features.lines import count_days, find_midnight, name_day
from api.personalization.features.promotions import list_promotions
from api.personalization.features.truth import fetch_baskets
from api.personalization.measures import (
    bound_auc_difference,
    bound_difference,
    measure_auc,
    measure_coverage,
    measure_ndcg,
    measure_precision,
)
from api.personalization.models import churn, discovery, next_basket
from api.personalization.models.crowd import gather
from api.personalization.models.history import History, read_history
from api.personalization.models.ranking import fit_ranking
from api.personalization.models.redemption import describe_promotion, fit_redemption
from api.personalization.models.served import LEVELS, Level, Task
from api.personalization.models.timing import fit_timing
from api.personalization.sources import DAY_SECONDS, Facts

if TYPE_CHECKING:
    Array = numpy.ndarray[Any, Any]

TASKS: Final = ("discovery", "next7", "redemption", "churn", "timing")
PROMOTION_DAYS: Final = 28
"""Promotions that start so many days from the as-of day are judged, each as of its own start."""
TIMING_DAYS: Final = 28
TIMING_BASKETS_MIN: Final = 10
TOP_SLOTS: Final = 3
KEPT: Final = 10


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. Without a plain guess of a kind, it is None; `low` and `high` bound ours minus the better of them."""

    task: str
    measure: str
    cases: int
    popularity: float | None
    frequency: float | None
    ours: float
    low: float
    high: float
    catalogue: int | None = None
    coverage: float | None = None


def evaluate(facts: Facts, as_of: date, tasks: tuple[str, ...], seed: int) -> Iterator[Result]:
    """One result after another. Raises PersonalizationError personalization.no_history, personalization.no_truth."""
    for task in tasks:
        if task in ("discovery", "next7"):
            yield from _judge_rankings(facts, as_of, "discovery" if task == "discovery" else "next7", seed)
        elif task == "redemption":
            yield from _judge_redemption(facts, as_of, seed)
        elif task == "churn":
            yield _judge_churn(facts, as_of, seed)
        else:
            yield from _judge_timing(facts, as_of, seed)


def open_later(facts: Facts, as_of: date, days: int) -> Features:
    """What is known so many days later. Raises PersonalizationError personalization.no_truth where the purchases end before."""
    until = as_of + timedelta(days=days)
    last = fetch_value(facts.purchases.moment.max())
    if last is None or last < find_midnight(facts.zone, until - timedelta(days=1)):
        shown = "nowhere" if last is None else name_day(last // DAY_SECONDS).isoformat()
        raise PersonalizationError(NO_TRUTH, last=shown, as_of=as_of.isoformat(), days=days)
    return open_features(facts, until)


def _judge_rankings(facts: Facts, as_of: date, task: Task, seed: int) -> Iterator[Result]:
    days = discovery.HORIZON_DAYS if task == "discovery" else next_basket.HORIZON_DAYS
    later, features = open_later(facts, as_of, days), open_features(facts, as_of)
    for level in LEVELS:
        ranking, model = fit_ranking(gather(features, seed), task, level)
        history = read_history(features, level, features.cut, model.history.codes)
        truth = history.truth_of(later, later.cut)
        if task == "discovery":
            truth = truth - truth.multiply(history.bought)
            truth.eliminate_zeros()
            truth = truth.tocsr()
        truth.sort_indices()
        yield _judge_ranking(task, level, history, ranking.items, truth, seed)


def _judge_ranking(task: Task, level: Level, history: History, items: Array, truth: Any, seed: int) -> Result:
    judged = history.is_settled & (numpy.diff(truth.indptr) > 0)
    if not judged.any():
        raise PersonalizationError(NOBODY_TO_JUDGE, task=task, as_of=history.features.as_of.isoformat())
    ours = measure_ndcg(items, truth)[judged]
    popular = measure_ndcg(rank_popular(history, task), truth)[judged]
    plain, frequency = popular, None
    if task == "next7":
        plain = measure_ndcg(rank_frequent(history), truth)[judged]
        frequency = float(plain.mean())
    low, high = bound_difference(ours, plain, seed)
    return Result(
        task=f"{task}, {level}",
        measure="NDCG@10",
        cases=int(judged.sum()),
        popularity=float(popular.mean()),
        frequency=frequency,
        ours=float(ours.mean()),
        low=low,
        high=high,
        catalogue=history.item_count,
        coverage=measure_coverage(items[history.is_settled], history.item_count),
    )


def rank_popular(history: History, task: Task) -> Array:
    """The same for everybody: for discovery by households, without what each has bought; for the next days by baskets."""
    visits = numpy.bincount(history.pairs["column"], weights=history.pairs["visits"], minlength=history.item_count)
    order = numpy.argsort(-(history.buyers if task == "discovery" else visits), kind="stable")
    items = numpy.full((history.household_count, KEPT), -1, dtype=numpy.int64)
    for row in range(history.household_count):
        own = history.bought.indices[history.bought.indptr[row] : history.bought.indptr[row + 1]]
        best = order[: KEPT + len(own)]
        best = best[~numpy.isin(best, own)] if task == "discovery" else best
        best = best[:KEPT]
        items[row, : len(best)] = best
    return items


def rank_frequent(history: History) -> Array:
    """What each household bought in most baskets; equal ones by popularity, and the most popular where it has fewer than ten."""
    pairs = history.pairs
    popular = numpy.bincount(pairs["column"], weights=pairs["visits"], minlength=history.item_count)
    scores = numpy.tile(popular / max(popular.max(initial=0.0), 1.0) * 0.5, (1, 1))
    items = numpy.full((history.household_count, KEPT), -1, dtype=numpy.int64)
    starts = pairs["household"].searchsorted(numpy.arange(history.household_count + 1))
    for row in range(history.household_count):
        own = scores[0].copy()
        part = slice(starts[row], starts[row + 1])
        own[pairs["column"][part]] += pairs["visits"][part]
        best = numpy.argsort(-own, kind="stable")[:KEPT]
        items[row, : len(best)] = best
    return items


def _judge_redemption(facts: Facts, as_of: date, seed: int) -> Iterator[Result]:
    first = count_days(as_of)
    listed = [
        found
        for found in list_promotions(open_features(facts, as_of))
        if first <= found.start_day < first + PROMOTION_DAYS
    ]
    last = fetch_value(facts.purchases.moment.max()) or 0
    later = open_features(facts, name_day(last // DAY_SECONDS + 1))
    scores: list[Array] = []
    plain: list[Array] = []
    truths: list[Array] = []
    for start in sorted({found.start_day for found in listed}):
        features = open_features(facts, name_day(start))
        pairs, found = fit_redemption(gather(features, seed))
        for promotion in [one for one in listed if one.start_day == start]:
            own = pairs[:, 1] == promotion.campaign_id
            ids, described, truth = describe_promotion(later, promotion, start)
            assert (pairs[own, 0] == ids).all(), "the same recipients, in the same order"
            scores.append(found[own].astype(numpy.float64))
            plain.append(described[:, 14])
            truths.append(truth)
    if not truths or not 0 < sum(truth.sum() for truth in truths) < sum(len(truth) for truth in truths):
        raise PersonalizationError(NOBODY_TO_JUDGE, task="redemption", as_of=as_of.isoformat())
    ours, others, truth = numpy.concatenate(scores), numpy.concatenate(plain), numpy.concatenate(truths)
    for name, measure in (("AUC", measure_auc), ("AP", measure_precision)):
        low, high = bound_auc_difference(ours, others, truth, seed, measure)
        yield Result("redemption", name, len(truth), measure(others, truth), None, measure(ours, truth), low, high)


def _judge_churn(facts: Facts, as_of: date, seed: int) -> Result:
    later, features = open_later(facts, as_of, churn.HORIZON_DAYS), open_features(facts, as_of)
    columns = fetch_households(features, features.cut)
    back = fetch_baskets(later, features.cut, later.cut)["household"]
    truth = ~numpy.isin(features.households, later.households[back])
    judged = churn.can_churn(columns)
    if not 0 < truth[judged].sum() < judged.sum():
        raise PersonalizationError(NOBODY_TO_JUDGE, task="churn", as_of=as_of.isoformat())
    ours, recency = churn.fit_churn(gather(features, seed))[judged].astype(numpy.float64), columns["last_age"][judged]
    low, high = bound_auc_difference(ours, recency, truth[judged], seed)
    plain = measure_auc(recency, truth[judged])
    return Result("churn", "AUC", int(judged.sum()), None, plain, measure_auc(ours, truth[judged]), low, high)


def _judge_timing(facts: Facts, as_of: date, seed: int) -> Iterator[Result]:
    later, features = open_later(facts, as_of, TIMING_DAYS), open_features(facts, as_of)
    moments = fetch(describe_moments(later, later.cut))
    lately = moments["week"] < TIMING_DAYS // 7
    counts = numpy.zeros((len(later.households), 7 * PARTS))
    slots = moments["weekday"] * PARTS + moments["part"]
    places = later.households.searchsorted(moments["household_id"])
    numpy.add.at(counts, (places[lately], slots[lately]), moments["baskets"][lately])
    counts = counts[later.households.searchsorted(features.households)]
    baskets = fetch_households(features, features.cut)["baskets"]
    judged = (baskets >= TIMING_BASKETS_MIN) & (counts.sum(axis=1) > 0)
    shares = fit_timing(features)
    days = counts.reshape(-1, 7, PARTS).sum(axis=2)
    for name, truth, own, top in (
        ("weekday", days, shares["weekday"], 1),
        ("part of the week", counts, shares["slot"], TOP_SLOTS),
    ):
        best = numpy.argsort(-own, axis=1, kind="stable")[:, :top]
        common = numpy.argsort(-own.sum(axis=0), kind="stable")[:top]
        every = truth.sum(axis=1)[judged]
        ours = numpy.take_along_axis(truth, best, axis=1).sum(axis=1)[judged] / every
        popular = truth[:, common].sum(axis=1)[judged] / every
        low, high = bound_difference(ours, popular, seed)
        mean = float(ours.mean())
        yield Result(f"timing, {name}", "share", int(judged.sum()), float(popular.mean()), mean, mean, low, high)
