from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy
import pytest

from api.personalization.errors import PersonalizationError
from api.personalization.features import Features, open_features
from api.personalization.models import LEVELS, TASKS, Models, encode_models, load_models, save_models, train
from api.personalization.sources import open_facts
from tests.api.personalization.conftest import AS_OF
from tests.support.made_up_year import HOUSEHOLDS, make_line, make_lines, make_promotions, write_year


def test_everybody_with_history_gets_ten_of_what_is_asked(models: Models, features: Features) -> None:
    assert models.households.tolist() == list(range(1, HOUSEHOLDS + 1))
    bought = bought_by(features)
    for household in (1, 2, 50):
        for level in LEVELS:
            fresh = models.rank("discovery", level, household)
            assert fresh and not {item for item, _ in fresh} & bought[level][household]
            usual = models.rank("next7", level, household)
            assert len(usual) == 10 and usual[0].item in bought[level][household]
            for found in (fresh, usual):
                scores = [score for _, score in found]
                assert scores == sorted(scores, reverse=True)
                assert len({item for item, _ in found}) == len(found)


def test_habits_stand_first(models: Models) -> None:
    hits = sum(
        models.rank("next7", "category", household, limit=3)[0].item
        in {f"SHELF {(household % 4 * 4 + step) % 16:02}" for step in range(3)}
        for household in range(1, HOUSEHOLDS + 1)
    )
    assert hits > 0.9 * HOUSEHOLDS


def test_a_stranger_gets_what_is_popular(models: Models) -> None:
    assert models.rank("discovery", "category", 10**9) == models.popular("discovery", "category")
    assert models.rank("next7", "product", -5, limit=3) == models.popular("next7", "product", limit=3)
    assert models.rank("next7", "product", 2**70)
    assert models.churn(10**9) is None and models.moments("weekday", 10**9) == () and models.redemption(1, 999) is None


def test_what_was_bought_since_is_left_out_and_moves_the_rest(models: Models) -> None:
    first = models.rank("discovery", "category", 1)
    taken = first[0].item
    after = models.rank("discovery", "category", 1, bought=(taken, "no such item"))
    assert taken not in {item for item, _ in after}
    near = models.rank_from("category", ["SHELF 00", "SHELF 01"])
    assert near and near[0].item == "SHELF 02"  # the fourth part of all households has these three as their habit
    assert models.rank_from("category", ["no such item"]) == ()
    assert "SHELF 00" in {item for item, _ in models.because("category", "SHELF 02", ["SHELF 00", "SHELF 09"])}
    assert models.because("category", "no such item", ["SHELF 00"]) == ()


def test_probabilities(models: Models) -> None:
    gone = [models.churn(household) or 0.0 for household in range(1, HOUSEHOLDS + 1) if household % 5 == 0]
    here = [models.churn(household) or 0.0 for household in range(1, HOUSEHOLDS + 1) if household % 5]
    assert numpy.mean(gone) > numpy.mean(here)
    found = {(int(household), int(campaign)) for household, campaign in models.promotions}
    assert found and all(campaign == 8 for _, campaign in found)
    even = [models.redemption(*pair) or 0.0 for pair in found if pair[0] % 2 == 0]
    odd = [models.redemption(*pair) or 0.0 for pair in found if pair[0] % 2]
    assert numpy.mean(even) > numpy.mean(odd)
    assert all(0 <= score <= 1 for score in gone + here + even + odd)


def test_moments(models: Models) -> None:
    days, slots = models.moments("weekday", 1), models.moments("slot", 1)
    assert sorted(item for item, _ in days) == [str(day) for day in range(7)]
    assert len(slots) == 10 and sum(share for _, share in days) == pytest.approx(1, abs=1e-5)


def test_without_a_fan_there_is_nothing_of_the_fan(models: Models) -> None:
    less = models.without([1, 4, 10**9])
    assert less.rank("discovery", "product", 1) == less.popular("discovery", "product")
    assert less.churn(1) is None and not (less.promotions[:, 0] == 4).any()
    assert less.rank("discovery", "product", 2) == models.rank("discovery", "product", 2)
    assert less.redemptions.shape == (len(less.promotions),)


def test_the_same_seed_gives_the_same_file_and_the_file_the_same_models(
    models: Models, year_folder: Path, tmp_path: Path
) -> None:
    again = train(open_features(open_facts(year_folder), AS_OF), AS_OF, 7)
    assert encode_models(again) == encode_models(models) and again.version == models.version
    path = tmp_path / "a.models"
    save_models(models, path)
    assert path.stat().st_mode & 0o777 == 0o600
    loaded = load_models(path)
    assert (loaded.version, loaded.as_of, loaded.seed) == (models.version, AS_OF, 7)
    assert loaded.rank("discovery", "product", 3) == models.rank("discovery", "product", 3)
    assert encode_models(loaded) == encode_models(models)


def test_a_damaged_model_file_is_refused_with_a_code(models: Models, tmp_path: Path) -> None:
    path = tmp_path / "a.models"
    data = encode_models(models)
    cases = {
        "models.unknown_format": [b"", b"PAR1", b"fansumer-models 1\n" + data[18:], data[:10]],
        "models.damaged": [
            data[:-1],
            data[:60],
            data + b"x",
            data[:500] + bytes([data[500] ^ 1]) + data[501:],
            data[:18],
        ],
    }
    for code, damaged in cases.items():
        for bad in damaged:
            path.write_bytes(bad)
            with pytest.raises(PersonalizationError) as caught:
                load_models(path)
            assert caught.value.code.name == code
    with pytest.raises(PersonalizationError, match=r"models\.file_missing"):
        load_models(tmp_path / "none")
    with pytest.raises(PersonalizationError, match=r"models\.damaged"):
        load_models(tmp_path)


def test_a_file_with_a_right_checksum_and_a_wrong_content_is_refused(tmp_path: Path) -> None:
    from hashlib import sha256

    for content in (b"", b"\0" * 7 + b"\2{}", b"\0" * 7 + b"\2[]", b"\xff" * 20):
        path = tmp_path / "a.models"
        path.write_bytes(b"fansumer-models 2\n" + sha256(content).digest() + content)
        with pytest.raises(PersonalizationError, match=r"models\.damaged"):
            load_models(path)


def test_nothing_of_the_day_or_later_changes_a_byte(models: Models, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    midnight = datetime(2017, 6, 20, 4)  # noqa: DTZ001 - the files hold naive times; local midnight in UTC
    lines = [line for line in make_lines() if line["transaction_timestamp"] < midnight]
    assert len(lines) < len(make_lines())
    later = [
        make_line(1, 10**6 + number, 5, midnight.replace(tzinfo=UTC) + timedelta(hours=number)) for number in range(200)
    ]
    later += [make_line(10**6, 10**7, 901, midnight.replace(tzinfo=UTC), quantity=77)]
    promotions = make_promotions()
    known = [row for row in promotions["coupon_redemptions"] if row["redemption_date"].date() < AS_OF]
    new = {"household_id": 2, "campaign_id": 3, "redemption_date": datetime(2017, 6, 20)}  # noqa: DTZ001 - naive, too
    promotions["coupon_redemptions"] = [new, *known]
    # Later rows stand first, so that every row of the past lies elsewhere in the file.
    changed = open_facts(write_year(tmp_path, later + lines, promotions))
    assert encode_models(train(open_features(changed, AS_OF), AS_OF, 7)) == encode_models(models)


def test_little_history_gives_plain_answers(tmp_path: Path) -> None:
    """A household with one purchase, one with one item a thousand times, products without category, two days of data."""
    from datetime import UTC, datetime

    moment = datetime(2017, 1, 2, 15, tzinfo=UTC)
    lines = [make_line(1, 1, 1, moment), make_line(3, 5_000, 904, moment)]
    lines += [make_line(2, 10 + number, 2, moment + timedelta(minutes=number)) for number in range(1_000)]
    facts = open_facts(write_year(tmp_path, lines))
    as_of = date(2017, 1, 4)
    found = train(open_features(facts, as_of, catalogue_min=1), as_of, 7)
    assert found.households.tolist() == [1, 2, 3]
    assert found.rank("next7", "product", 2)[0].item == "2"
    assert [item for item, _ in found.rank("discovery", "product", 1)] == ["2"]
    assert found.rank("discovery", "category", 2) == ()
    assert {item for item, _ in found.rank("discovery", "product", 3)} == {"1", "2"}
    assert found.moments("weekday", 3)[0].item == "0"
    nothing = train(open_features(facts, as_of), as_of, 7)  # no item has twenty buyers
    assert nothing.rank("next7", "product", 2) == () and nothing.popular("discovery", "category") == ()


def test_long_after_the_data_everybody_is_gone(year_folder: Path) -> None:
    day = date(2030, 1, 1)
    found = train(open_features(open_facts(year_folder), day), day, 7)
    assert len(found.rank("next7", "product", 1)) == 10
    assert found.rank("next7", "category", 1)
    with pytest.raises(PersonalizationError, match="wrong_day"):
        train(open_features(open_facts(year_folder), day), AS_OF, 7)


def test_an_item_that_few_households_bought_is_nobodys_suggestion(models: Models, features: Features) -> None:
    counts = Counter(item for items in bought_by(features)["product"].values() for item in items)
    for task in TASKS:
        for household in range(1, HOUSEHOLDS + 1):
            assert all(counts[item] >= 20 for item, _ in models.rank(task, "product", household, limit=50))


def bought_by(features: Features) -> dict[str, dict[int, set[str]]]:
    from api.personalization.features.truth import fetch_bought

    found: dict[str, dict[int, set[str]]] = {}
    for level in LEVELS:
        rows, items = fetch_bought(features, level, 0, features.cut)
        own: dict[int, set[str]] = {}
        for row, item in zip(rows, items, strict=True):
            own.setdefault(int(features.households[row]), set()).add(features.names[level][item])
        found[level] = own
    return found
