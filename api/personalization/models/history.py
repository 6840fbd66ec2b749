"""Who bought what before a cut, over the catalogue: a sparse matrix and what each of its entries is described by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy
from scipy import sparse

from api.personalization.features.households import fetch_households
from api.personalization.features.pairs import fetch_pairs
from api.personalization.features.truth import fetch_bought

if TYPE_CHECKING:
    from api.personalization.features import Features

    Array = numpy.ndarray[Any, Any]
    Columns = dict[str, Array]

DAY_SECONDS: Final = 86_400
BASKETS_MIN: Final = 5
"""A household with fewer baskets teaches nothing about habits, and is not judged by."""
ITEMS_MAX: Final = 10_000
"""A catalogue has a matrix of items x items: of the grocer's year, 8,982 products."""
CHUNK_HOUSEHOLDS: Final = 512
"""So many rows of a households x items matrix are dense at a time."""


@dataclass(frozen=True, slots=True)
class History:
    """Purchases before `cut` (local seconds) of items that enough households bought."""

    features: Features = field(repr=False)
    level: str
    cut: int
    codes: Array = field(repr=False)
    """Item code of each column, ascending."""
    columns: Array = field(repr=False)
    """Column of each item code, -1 outside of the catalogue."""
    pairs: Columns = field(repr=False)
    """`features.pairs`, only of the catalogue, with `household` and `column`, sorted by them."""
    households: Columns = field(repr=False)
    """`features.households` at this cut."""
    bought: Any = field(repr=False)
    """float32 CSR (households, columns) of ones."""
    buyers: Array = field(repr=False)
    """Households that bought each column's item."""

    @property
    def household_count(self) -> int:
        """Rows: all households of the features, also those that are new after this cut."""
        return len(self.features.households)

    @property
    def item_count(self) -> int:
        """Columns."""
        return len(self.codes)

    @property
    def is_settled(self) -> Array:
        """Which households have enough baskets."""
        return self.households["baskets"] >= BASKETS_MIN

    def truth(self, days: int) -> Any:
        """CSR (households, columns) of what is bought in the days from the cut: only what the features may see."""
        until = min(self.cut + days * DAY_SECONDS, self.features.cut)
        return self.truth_of(self.features, until)

    def truth_of(self, seen: Features, until: int) -> Any:
        """The same from features of a later day, whose households and item codes are others."""
        rows, items = fetch_bought(seen, self.level, self.cut, until)
        if seen is not self.features:
            places = {name: code for code, name in enumerate(self.features.names[self.level])}
            known = numpy.array([places.get(name, -1) for name in seen.names[self.level]], dtype=numpy.int64)
            items, rows = known[items], _match(seen.households[rows], self.features.households)
        columns = numpy.where(items >= 0, self.columns[items], -1)
        keep = (columns >= 0) & (rows >= 0)
        return make_matrix(rows[keep], columns[keep], (self.household_count, self.item_count))

    def chunks(self) -> list[slice]:
        """Runs of households, each small enough to be dense."""
        count = self.household_count
        return [slice(start, min(start + CHUNK_HOUSEHOLDS, count)) for start in range(0, count, CHUNK_HOUSEHOLDS)]


def read_history(features: Features, level: str, cut: int, codes: Array | None = None) -> History:
    """What was bought before the cut, over a catalogue of item codes; None: of the items that at least `features.catalogue_min`
    households bought by then, the ITEMS_MAX that most did."""
    pairs = fetch_pairs(features, level, cut)
    buyers = numpy.bincount(pairs["item"], minlength=len(features.names[level]))
    if codes is None:
        often = numpy.argsort(-buyers, kind="stable")[:ITEMS_MAX]
        codes = numpy.sort(often[buyers[often] >= features.catalogue_min])
    columns = numpy.full(len(buyers), -1, dtype=numpy.int64)
    columns[codes] = numpy.arange(len(codes))
    keep = columns[pairs["item"]] >= 0
    pairs = {name: values[keep] for name, values in pairs.items()}
    pairs["column"] = columns[pairs.pop("item")]
    shape = (len(features.households), len(codes))
    return History(
        features=features,
        level=level,
        cut=cut,
        codes=codes,
        columns=columns,
        pairs=pairs,
        households=fetch_households(features, cut),
        bought=make_matrix(pairs["household"], pairs["column"], shape),
        buyers=buyers[codes],
    )


def make_matrix(rows: Array, columns: Array, shape: tuple[int, int]) -> Any:
    """A CSR matrix of ones at distinct places."""
    matrix = sparse.csr_matrix((numpy.ones(len(rows), dtype=numpy.float32), (rows, columns)), shape=shape)
    matrix.data[:] = 1.0
    return matrix


def look_up(matrix: Any, rows: Array, columns: Array) -> Array:
    """The entries of a CSR matrix at these places, as float32."""
    keys = numpy.repeat(numpy.arange(matrix.shape[0]), numpy.diff(matrix.indptr)) * matrix.shape[1] + matrix.indices
    if not matrix.has_sorted_indices:
        keys = numpy.sort(keys)
    wanted = rows.astype(numpy.int64) * matrix.shape[1] + columns
    places = numpy.minimum(keys.searchsorted(wanted), max(len(keys) - 1, 0))
    found = keys[places] == wanted if len(keys) else numpy.zeros(len(wanted), dtype=bool)
    return found.astype(numpy.float32)


def place_in_group(groups: Array, scores: Array) -> Array:
    """0 for the best score of each group, 1 for the next; equal scores in the order in which they come."""
    order = numpy.lexsort((numpy.arange(len(scores)), -scores, groups))
    sorted_groups = groups[order]
    is_first = numpy.r_[True, sorted_groups[1:] != sorted_groups[:-1]] if len(groups) else numpy.zeros(0, dtype=bool)
    starts = numpy.flatnonzero(is_first)
    run = numpy.arange(len(groups)) - numpy.repeat(starts, numpy.diff(numpy.r_[starts, len(groups)]))
    places = numpy.empty(len(groups), dtype=numpy.int64)
    places[order] = run
    return places


def _match(wanted: Array, known: Array) -> Array:
    """The place of each in the sorted `known`, or -1."""
    places = numpy.minimum(known.searchsorted(wanted), max(len(known) - 1, 0))
    return numpy.where(known[places] == wanted, places, -1) if len(known) else numpy.full(len(wanted), -1)
