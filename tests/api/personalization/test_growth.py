"""What is learned from a few and said of all: who is drawn, that runs change no byte, and how much is in memory at a time."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from api.personalization.features import Features, fetch
from api.personalization.models import LEVELS, TASKS, Models, crowd, encode_models, train
from api.personalization.models import history as history_module
from api.personalization.models.discovery import find_best
from api.personalization.models.history import read_history
from api.personalization.models.learners import fit_logistic
from tests.api.personalization.conftest import AS_OF
from tests.api.personalization.test_models import bought_by
from tests.support.made_up_models import make_models
from tests.support.made_up_year import HOUSEHOLDS

DRAWN = 40
RUN_LINES = 1_500


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "LEARNED_HOUSEHOLDS_MAX", DRAWN)
    monkeypatch.setattr(crowd, "RUN_LINES_MAX", RUN_LINES)


def test_where_there_are_few_all_are_learned_from(features: Features) -> None:
    assert crowd.gather(features, 7).learned is features
    parts = list(crowd.split(features))
    assert [part.households.tolist() for _, part in parts] == [features.households.tolist()]


def test_runs_change_no_byte(models: Models, features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "RUN_LINES_MAX", RUN_LINES)
    assert len(list(crowd.split(features))) > 3
    assert encode_models(train(features, AS_OF, 7)) == encode_models(models)


def test_everybody_is_answered_and_only_the_drawn_are_learned_from(
    features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    features = replace(features, catalogue_min=5)
    bought = bought_by(features)
    read: list[Features] = []
    inner = history_module.fetch_pairs

    def watched(part: Features, level: str, cut: int) -> Any:
        read.append(part)
        return inner(part, level, cut)

    monkeypatch.setattr(history_module, "fetch_pairs", watched)
    found = train(features, AS_OF, 7)
    assert found.households.tolist() == features.households.tolist()
    learned = set(crowd.gather(features, 7).learned.households.tolist())
    assert len(learned) == DRAWN
    for household in sorted(set(features.households.tolist()) - learned)[:10]:
        for level in LEVELS:
            assert found.rank("next7", level, household)[0].item in bought[level][household]
            assert len(found.rank("discovery", level, household)) > 0
        assert 0 <= (found.churn(household) or 0.0) <= 1 and found.moments("slot", household)
    assert {int(row[0]) for row in found.promotions} - learned, "recipients that nothing was learned from"
    for part in read:  # nobody ever has all of them in memory
        lines = part.lines.count().to_pyarrow().as_py()
        assert set(part.households.tolist()) == learned or lines <= RUN_LINES
    assert Counter(place for part in read for place in part.households.tolist()).keys() == set(
        features.households.tolist()
    )
    assert encode_models(train(features, AS_OF, 7)) == encode_models(found), "one seed, one answer"


def test_who_is_drawn_depends_on_the_seed_and_on_how_much_it_is(
    features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "LEARNED_HOUSEHOLDS_MAX", DRAWN)
    drawn = [crowd.gather(features, seed).learned.households.tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2] and drawn[0] == sorted(drawn[0]) and len(set(drawn[0])) == DRAWN
    monkeypatch.setattr(crowd, "LEARNED_LINES_MAX", 200)
    learned = crowd.gather(features, 1).learned
    assert 0 < learned.lines.count().to_pyarrow().as_py() <= 200
    mine = numpy.isin(fetch(features.lines)["household_id"], learned.households)
    assert {name: values[mine].tolist() for name, values in plain(fetch(features.lines)).items()} == {
        name: values.tolist() for name, values in plain(fetch(learned.lines)).items()
    }
    monkeypatch.setattr(crowd, "LEARNED_LINES_MAX", 0)
    assert len(crowd.gather(features, 1).learned.households) == 1


def test_each_household_and_each_recipient_is_in_one_run(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    for most in (1, RUN_LINES):
        monkeypatch.setattr(crowd, "RUN_LINES_MAX", most)
        parts = list(crowd.split(features))
        assert [place for places, _ in parts for place in range(places.start, places.stop)] == list(range(HOUSEHOLDS))
        assert numpy.concatenate([part.households for _, part in parts]).tolist() == features.households.tolist()
        if most > 1:
            sent = [fetch(part.facts.sent.order_by("household_id", "campaign_id")) for _, part in parts]
            whole = fetch(features.facts.sent.order_by("household_id", "campaign_id"))["household_id"]
            assert numpy.concatenate([found["household_id"] for found in sent]).tolist() == whole.tolist()
            for _, part in parts:
                assert set(fetch(part.lines)["household_id"].tolist()) == set(part.households.tolist())


def test_a_catalogue_has_a_limit(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_history(features, "product", features.cut)
    monkeypatch.setattr(history_module, "ITEMS_MAX", 5)
    cut = read_history(features, "product", features.cut)
    assert len(cut.codes) == 5 and cut.codes.tolist() == sorted(cut.codes)
    left = numpy.setdiff1d(whole.codes, cut.codes)
    assert cut.buyers.min() >= whole.buyers[numpy.isin(whole.codes, left)].max()


@given(
    arrays(
        numpy.float32, st.tuples(st.integers(1, 6), st.integers(1, 12)), elements=st.sampled_from([-numpy.inf, 0, 1, 2])
    ),
    st.integers(0, 13),
)
def test_the_best_are_those_of_a_stable_sort(scores: Any, count: int) -> None:
    assert find_best(scores, count).tolist() == numpy.argsort(-scores, axis=1, kind="stable")[:, :count].tolist()


def test_log_odds_of_a_row_do_not_depend_on_the_rows_beside_it() -> None:
    generator = numpy.random.default_rng(2)
    rows = generator.normal(size=(1_003, 31))
    logistic = fit_logistic(rows, rows[:, 0] > 0.2)
    assert logistic is not None
    whole = logistic.log_odds(rows)
    for size in (1, 2, 3, 7, 100):
        parts = [logistic.log_odds(rows[start : start + size]) for start in range(0, len(rows), size)]
        assert numpy.concatenate(parts).tobytes() == whole.tobytes()


def test_a_file_in_pieces_is_the_file_and_copies_nothing(models: Models, tmp_path: Path) -> None:
    from api.personalization.models import list_pieces, save_models

    save_models(models, tmp_path / "a.models")
    assert (tmp_path / "a.models").read_bytes() == encode_models(models)
    large = [piece for piece in list_pieces(models) if isinstance(piece, memoryview)]
    assert sum(piece.nbytes for piece in large) > sum(models.rankings[key].items.nbytes for key in models.rankings)
    for task in TASKS:
        items = models.rankings[task, "product"].items
        assert any(numpy.shares_memory(items, numpy.asarray(piece)) for piece in large), "not copied"


class Watched:
    """A million households of even numbers, that count how often they are looked at."""

    looks = 0

    def __len__(self) -> int:
        return 10**6

    def __getitem__(self, place: int) -> int:
        self.looks += 1
        return 2 * place


def test_a_fan_is_found_among_a_million_without_reading_all() -> None:
    many = Watched()
    found: Any = replace(make_models([4]), households=cast("Any", many))
    assert [found.place(household) for household in (0, 2, 3, 999_998, 2 * 10**6 - 2, 2 * 10**6, -1, 2**70)] == [
        *(0, 1, None, 499_999, 10**6 - 1),
        *(None, None, None),
    ]
    assert many.looks < 8 * 25


def plain(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: numpy.nan_to_num(values, nan=-1) for name, values in columns.items()}
