from collections import defaultdict
from math import isclose

import numpy

from api.personalization.features import Features, fetch
from api.personalization.features.households import fetch_households
from api.personalization.features.pairs import fetch_pairs
from api.personalization.features.truth import fetch_bought

DAY = 86_400


def test_pairs_say_what_a_count_by_hand_says(features: Features) -> None:
    lines, baskets = fetch(features.lines), fetch(features.baskets)
    cut = features.cut - 20 * DAY
    visits: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for household, basket, second, item in zip(
        lines["household_id"], lines["basket_id"], lines["second"], lines["product"], strict=True
    ):
        if second < cut and not numpy.isnan(item):
            visits[household, int(item)][basket] = second
    pairs = fetch_pairs(features, "product", cut)
    assert len(pairs["item"]) == len(visits)
    for row in range(0, len(pairs["item"]), 37):
        household = int(features.households[pairs["household"][row]])
        seconds = sorted(visits[household, int(pairs["item"][row])].values())
        ages = [(cut - second) / DAY for second in seconds]
        own = baskets["second"][(baskets["household_id"] == household) & (baskets["second"] < cut)]
        gaps = numpy.diff(seconds) / DAY
        assert pairs["visits"][row] == len(seconds)
        assert pairs["visits_28"][row] == sum(age <= 28 for age in ages)
        assert isclose(pairs["last_age"][row], ages[-1]) and isclose(pairs["first_age"][row], ages[0])
        assert isclose(pairs["fading_45"][row], sum(0.5 ** (age / 45) for age in ages), rel_tol=1e-6)
        assert pairs["baskets_since"][row] == (own > seconds[-1]).sum()
        assert pairs["baskets_from"][row] == (own >= seconds[0]).sum()
        assert isclose(numpy.nan_to_num(pairs["gap_squares"][row]), (gaps**2).sum(), abs_tol=0.02 * len(seconds))


def test_households_say_what_a_count_by_hand_says(features: Features) -> None:
    baskets = fetch(features.baskets)
    columns = fetch_households(features, features.cut)
    for place in range(0, len(features.households), 11):
        own = baskets["second"][baskets["household_id"] == features.households[place]]
        ages = (features.cut - own) / DAY
        assert columns["baskets"][place] == len(own)
        assert columns["baskets_28"][place] == (ages <= 28).sum()
        assert isclose(columns["last_age"][place], ages.min())
        if len(own) > 1:
            assert isclose(columns["gap_most"][place], numpy.diff(numpy.sort(own)).max() / DAY)


def test_who_is_new_after_a_cut_has_no_features_before_it(features: Features) -> None:
    columns = fetch_households(features, features.first_second)
    assert not columns["baskets"].any()
    assert numpy.isnan(columns["last_age"]).all()


def test_truth_is_half_open(features: Features) -> None:
    seconds = fetch(features.lines)["second"]
    moment = int(numpy.sort(seconds)[len(seconds) // 2])
    rows, _ = fetch_bought(features, "product", moment, moment + 1)
    assert len(rows) > 0
    assert len(fetch_bought(features, "product", moment, moment)[0]) == 0
