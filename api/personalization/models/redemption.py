"""The probability that a household redeems a coupon of a promotion it is sent, learned from the promotions that started before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy

from api.personalization.features.households import fetch_households
from api.personalization.features.lines import DAY_SECONDS, count_days
from api.personalization.features.promotions import Promotion, fetch_recipients, list_promotions
from api.personalization.models.crowd import Crowd, split
from api.personalization.models.learners import find_probabilities, fit_logistic

if TYPE_CHECKING:
    from api.personalization.features import Features

    Array = numpy.ndarray[Any, Any]

SETTLED_DAYS: Final = 14
"""A promotion that started later before the as-of day has not shown yet who redeems."""
HISTORY_DAYS_MIN: Final = 14
STRENGTH: Final = 0.005
"""Of the logistic regression, whose penalty is its inverse. On promotions 11 to 13, trees and forests were worse."""
UNLEARNED: Final = 3.0
"""Without anything to learn from: one in twenty, and more for who redeemed before."""


def fit_redemption(crowd: Crowd) -> tuple[Array, Array]:
    """(household, campaign) of all that were sent promotions from the as-of day on, sorted, and their probabilities."""
    features = crowd.learned
    as_of_day, first_day = count_days(features.as_of), features.first_second // DAY_SECONDS
    rows: list[Array] = []
    truths: list[Array] = []
    for promotion in list_promotions(features):
        if first_day + HISTORY_DAYS_MIN <= promotion.start_day <= as_of_day - SETTLED_DAYS:
            _, described, truth = describe_promotion(features, promotion, promotion.start_day)
            rows.append(described)
            truths.append(truth)
    learner = fit_logistic(numpy.concatenate(rows), numpy.concatenate(truths), STRENGTH) if rows else None
    pairs, scores = [numpy.zeros((0, 2), dtype=numpy.int64)], [numpy.zeros(0)]
    for _, part in split(crowd.every):
        for promotion in list_promotions(part):
            if promotion.start_day >= as_of_day:
                households, described, _ = describe_promotion(part, promotion, as_of_day)
                pairs.append(numpy.column_stack([households, numpy.full(len(households), promotion.campaign_id)]))
                odds = described[:, 0] - UNLEARNED if learner is None else learner.log_odds(described)
                scores.append(find_probabilities(odds))
    every_pair, every_score = numpy.concatenate(pairs), numpy.concatenate(scores)
    order = numpy.lexsort((every_pair[:, 1], every_pair[:, 0]))
    return every_pair[order].astype(numpy.int64), every_score[order].astype(numpy.float32)


def describe_promotion(features: Features, promotion: Promotion, cut_day: int) -> tuple[Array, Array, Array]:
    """(household ids, one row of features each, whether it redeemed as far as is known) of a promotion's recipients."""
    recipients = fetch_recipients(features, promotion, cut_day)
    columns = fetch_households(features, cut_day * DAY_SECONDS)
    ids = recipients["household_id"]
    places = numpy.minimum(features.households.searchsorted(ids), len(features.households) - 1)
    is_known = features.households[places] == ids
    of = {name: numpy.where(is_known, values[places], numpy.nan) for name, values in columns.items()}
    of = {name: numpy.nan_to_num(values, nan=365.0 if name.endswith("age") else 0.0) for name, values in of.items()}
    baskets = numpy.maximum(of["baskets"], 1.0)
    sent, redeemed = recipients["sent_before"], recipients["redeemed_before"]
    described = [
        numpy.log1p(redeemed),
        (redeemed + 0.1) / (sent + 1.0),
        (recipients["kind_redeemed"] + 0.1) / (recipients["kind_before"] + 1.0),
        numpy.log1p(recipients["coupons_before"]),
        numpy.log1p(recipients["redeemed_age"]),
        numpy.log1p(sent),
        numpy.log1p(recipients["kind_before"]),
        numpy.log1p(recipients["offered_kinds"]),
        numpy.log1p(recipients["offered_baskets"]),
        numpy.log1p(recipients["offered_lately"]),
        recipients["offered_baskets"] / baskets,
        of["coupon_baskets"] / baskets,
        numpy.log1p(numpy.maximum(of["coupon_discount"], 0.0) / baskets),
        numpy.log1p(numpy.maximum(of["shop_discount"], 0.0) / numpy.maximum(of["cents"], 1.0)),
        numpy.log1p(of["baskets"]),
        numpy.log1p(of["baskets_28"]),
        numpy.log1p(of["last_age"]),
        numpy.log1p(numpy.maximum(of["cents_56"], 0.0)),
        numpy.log1p(numpy.maximum(of["cents"], 0.0) / baskets),
        numpy.log1p(of["items"] / baskets),
        *(numpy.full(len(ids), float(promotion.kind == kind)) for kind in ("Type A", "Type C")),
    ]
    return ids, numpy.column_stack(described), recipients["is_redeemed"]
