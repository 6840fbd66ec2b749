"""The parts that learn, each against its definition."""

import csv
from pathlib import Path

import numpy
import pytest
from scipy import sparse

from api.personalization.measures import (
    bound_auc_difference,
    bound_difference,
    measure_auc,
    measure_coverage,
    measure_ndcg,
    measure_precision,
)
from api.personalization.models.directions import fit_directions
from api.personalization.models.ease import fit_ease
from api.personalization.models.history import look_up, make_matrix, place_in_group
from api.personalization.models.learners import fit_boosted, fit_logistic, sample_rows
from api.personalization.models.lifetime import Lifetime, fit_lifetime
from api.personalization.models.neighbours import fit_cosines, list_strongest

CDNOW = Path(__file__).parents[2] / "vectors" / "cdnow" / "customers_summary.csv"


@pytest.fixture(scope="module")
def bought() -> sparse.csr_matrix:
    generator = numpy.random.default_rng(3)
    return sparse.csr_matrix((generator.random((30, 20)) < 0.3).astype(numpy.float32))


def test_ease_is_its_closed_form_from_either_side(bought: sparse.csr_matrix) -> None:
    dense = bought.toarray().astype(float)
    for matrix in (dense, dense.T):
        inverse = numpy.linalg.inv(matrix.T @ matrix + 10 * numpy.eye(matrix.shape[1]))
        expected = -inverse / numpy.diag(inverse)
        numpy.fill_diagonal(expected, 0)
        found = fit_ease(sparse.csr_matrix(matrix.astype(numpy.float32)), ridge=10)
        assert numpy.allclose(found, expected, atol=1e-5)
    assert fit_ease(sparse.csr_matrix((5, 0), dtype=numpy.float32)).shape == (0, 0)


@pytest.mark.parametrize(("households", "items", "count"), [(30, 12, 4), (12, 30, 4), (5, 8, 24), (40, 1, 3)])
def test_the_first_directions_are_those_of_the_singular_value_decomposition(
    households: int, items: int, count: int
) -> None:
    weights = numpy.random.default_rng(households).random((households, items)).astype(numpy.float32)
    _, _, right = numpy.linalg.svd(weights, full_matrices=False)
    expected = right[:count].T @ right[:count]
    found = fit_directions(sparse.csr_matrix(weights), count)
    assert numpy.allclose(found, expected, atol=1e-4)
    assert found.tobytes() == fit_directions(sparse.csr_matrix(weights), count).tobytes()


def test_without_purchases_there_are_no_directions() -> None:
    for shape in ((0, 3), (4, 3), (4, 0)):
        assert not fit_directions(sparse.csr_matrix(shape, dtype=numpy.float32), 24).any()


def test_bg_nbd_on_cdnow_gives_the_published_parameters() -> None:
    with CDNOW.open() as file:
        rows = numpy.array(
            [[float(row[name]) for name in ("frequency", "recency", "T")] for row in csv.DictReader(file)]
        )
    assert len(rows) == 2_357
    found = fit_lifetime(rows[:, 0], rows[:, 1], rows[:, 2])
    assert found is not None
    assert (found.r, found.alpha, found.a, found.b) == (
        pytest.approx(0.243, abs=5e-4),
        pytest.approx(4.414, abs=5e-4),
        pytest.approx(0.793, abs=5e-4),
        pytest.approx(2.426, abs=1.5e-3),
    )


def test_bg_nbd_knows_who_is_silent() -> None:
    model = Lifetime(0.243, 4.414, 0.793, 2.426)
    repeats, last, age = numpy.array([0.0, 10.0, 10.0]), numpy.array([0.0, 38.0, 15.0]), numpy.full(3, 39.0)
    alive = model.probability_alive(repeats, last, age)
    assert alive[0] == 1 and alive[1] > 0.9 and alive[2] < 0.1
    silent = model.probability_silent(repeats, last, age, 6.0)
    assert silent[1] < silent[0] < silent[2]
    assert fit_lifetime(numpy.zeros(100), numpy.zeros(100), numpy.full(100, 9.0)) is None
    assert fit_lifetime(numpy.ones(3), numpy.ones(3), numpy.full(3, 9.0)) is None


def test_cosines_and_the_strongest_neighbours(bought: sparse.csr_matrix) -> None:
    dense = bought.toarray()
    norms = numpy.linalg.norm(dense, axis=0)
    expected = dense.T @ dense / numpy.outer(norms, norms)
    numpy.fill_diagonal(expected, 0)
    found = fit_cosines(bought)
    assert numpy.allclose(found, expected, atol=1e-6)
    near, weights = list_strongest(found, 3)
    assert (numpy.diff(weights, axis=1) <= 0).all()
    assert near[0, 0] == expected[0].argmax()
    empty, _ = list_strongest(numpy.zeros((2, 2), dtype=numpy.float32), 3)
    assert (empty == -1).all()


def test_learners_learn_and_repeat_themselves() -> None:
    generator = numpy.random.default_rng(5)
    rows = generator.normal(size=(2_000, 3))
    truth = rows[:, 0] + generator.normal(size=2_000) * 0.3 > 0.5
    logistic = fit_logistic(rows, truth)
    trees = [fit_boosted(rows, truth, 9, rounds=20) for _ in range(2)]
    assert logistic is not None and trees[0] is not None and trees[1] is not None
    assert measure_auc(logistic.log_odds(rows), truth) > 0.95
    assert measure_auc(trees[0].log_odds(rows), truth) > 0.95
    assert trees[0].log_odds(rows).tobytes() == trees[1].log_odds(rows).tobytes()
    assert len(trees[0].log_odds(rows[:0])) == 0
    assert fit_logistic(rows, numpy.zeros(2_000)) is None
    assert fit_boosted(rows, numpy.ones(2_000), 9) is None
    assert sample_rows(5, 9, 1).tolist() == [0, 1, 2, 3, 4]
    assert len(set(sample_rows(50, 9, 1).tolist())) == 9


def test_places_in_groups_and_entries_of_matrices() -> None:
    groups, scores = numpy.array([2, 1, 2, 1, 2]), numpy.array([1.0, 5.0, 3.0, 5.0, 3.0])
    assert place_in_group(groups, scores).tolist() == [2, 0, 0, 1, 1]
    assert place_in_group(groups[:0], scores[:0]).tolist() == []
    matrix = make_matrix(numpy.array([0, 1]), numpy.array([2, 0]), (2, 3))
    assert look_up(matrix, numpy.array([0, 0, 1]), numpy.array([2, 1, 0])).tolist() == [1, 0, 1]
    assert look_up(make_matrix(groups[:0], groups[:0], (2, 3)), numpy.array([0]), numpy.array([0])).tolist() == [0]


def test_ndcg_by_hand() -> None:
    truth = make_matrix(numpy.array([0, 0, 2]), numpy.array([1, 4, 3]), (3, 20))
    items = numpy.array([[4, 7, 1] + [-1] * 7, [1] + [-1] * 9, list(range(10))])
    found = measure_ndcg(items, truth)
    ideal = 1 + 1 / numpy.log2(3)
    assert found[0] == pytest.approx((1 + 0.5) / ideal)
    assert numpy.isnan(found[1])
    assert found[2] == pytest.approx(1 / numpy.log2(5))
    assert measure_coverage(items, 20) == pytest.approx(10 / 20)


def test_areas_and_intervals() -> None:
    truth = numpy.array([1, 0, 1, 0])
    assert measure_auc(numpy.array([3.0, 1.0, 2.0, 2.0]), truth) == pytest.approx(0.875)
    assert measure_precision(numpy.array([4.0, 1.0, 3.0, 2.0]), truth) == pytest.approx(1.0)
    assert numpy.isnan(measure_auc(truth, numpy.ones(4)))
    generator = numpy.random.default_rng(1)
    ours = generator.normal(size=500)
    low, high = bound_difference(ours + 0.1, ours, 3)
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)
    many = generator.random(300) < 0.4
    low, high = bound_auc_difference(many + generator.random(300), generator.random(300), many, 3)
    assert 0.2 < low < high < 0.7
