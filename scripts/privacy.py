"""Measures on a replayed chain how often somebody who knows two baskets of a fan finds that fan's account.

    fansumer demo replay --folder year
    .venv/bin/python scripts/privacy.py year
    .venv/bin/python scripts/privacy.py year --pairs 50 --seed 7 --json

Who asks knows two of a fan's purchases, when and for how much, as somebody does who stood beside it at the till or reads two of
its paper receipts; the rule of the program is public, so that this is as good as knowing the points. Four ledgers are compared:

    each basket in clear   an entry for each basket, with its hour: what a ledger without sealed sums would show
    sums by week           an entry for each account and week, no remainder carried
    sums by 4 weeks        the same, for periods of four weeks
    as on this chain       what this chain shows: sums by week, with a random remainder carried to the next entry

`singled out`: exactly one account fits both baskets. `best guess`: how often the likeliest account is the right one, where equally
likely ones share the guess. Likeliest means: by how often, in this whole year, a basket of about so many points stands behind an
entry of about so many points. That knowledge nobody outside has, so it is an attack that is stronger than most; it is not proved
that there is no better one. The chain must hold one program with settlement by week, as the demo's does.
"""

import argparse
import json
import random
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.demo.receipts_file import RECEIPTS_FILE
from ledger.codec import unpack
from ledger.domains.loyalty.events import PointsEarned
from ledger.domains.loyalty.receipts import decode_receipt
from ledger.errors import LedgerError
from ledger.events import event_shape

DATABASE = "chain.sqlite"
HOUR_SECONDS = 3_600
LONG_PERIOD = 4
BINS = 28
NOTHING = -1
"""An account has no entry in a period."""
PAIRS = 20


class BadInputError(Exception):
    """The folder can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Basket:
    """One purchase as its fan and its shop know it."""

    account: int
    hour: int
    period: int
    points: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ledger shows: `entries[period, account]` in points, or NOTHING. `slack`: a basket may exceed its entry by so much."""

    name: str
    periods_per_entry: int
    slack: int
    entries: NDArray[np.int64]


# --- reading -----------------------------------------------------------------------------------------------------------------


def read_baskets(folder: Path) -> tuple[list[Basket], dict[bytes, int]]:
    """Every basket, and the number of each account. Raises BadInputError."""
    path = folder / RECEIPTS_FILE
    if not path.exists():
        raise BadInputError(f"{folder} holds no {RECEIPTS_FILE}; make one with: fansumer demo replay --folder {folder}")
    numbers: dict[bytes, int] = {}
    baskets: list[Basket] = []
    with sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True) as database:
        for member, period, raw in database.execute("SELECT member, period, receipt FROM receipts ORDER BY sequence"):
            receipt = decode_receipt(raw).receipt
            account = numbers.setdefault(member, len(numbers))
            baskets.append(Basket(account, receipt.time // HOUR_SECONDS, period, receipt.points))
    if not baskets:
        raise BadInputError(f"{path} holds no receipt")
    return baskets, numbers


def read_entries(folder: Path, numbers: dict[bytes, int]) -> dict[tuple[int, int], int]:
    """Points that the chain shows by (period, account). Raises BadInputError."""
    path = folder / DATABASE
    if not path.exists():
        raise BadInputError(f"{folder} holds no {DATABASE}")
    shape, shown = event_shape(PointsEarned.name), defaultdict[tuple[int, int], int](int)
    with sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True) as database:
        for (data,) in database.execute("SELECT data FROM history WHERE name = ?", (PointsEarned.name,)):
            event: PointsEarned = shape.decode(unpack(data), "event")
            account = numbers.get(event.member)
            if account is not None:
                shown[event.period, account] += event.points
    return shown


def make_ledgers(baskets: Sequence[Basket], shown: dict[tuple[int, int], int], accounts: int) -> list[Ledger]:
    """The three ledgers of sums. Periods count from the first one that anything stands in."""
    first = min(period for period, _ in (*shown, *((basket.period, 0) for basket in baskets)))
    last = max(period for period, _ in (*shown, *((basket.period, 0) for basket in baskets)))
    sums = np.full((last - first + 1, accounts), NOTHING, dtype=np.int64)
    for basket in baskets:
        place = basket.period - first, basket.account
        sums[place] = max(sums[place], 0) + basket.points
    chain = np.full_like(sums, NOTHING)
    for (period, account), points in shown.items():
        chain[period - first, account] = points
    slack = int(np.max(np.where((sums > NOTHING) & (chain > NOTHING), sums - chain, 0)))
    long_count = -(-len(sums) // LONG_PERIOD)
    long_sums = np.full((long_count, accounts), NOTHING, dtype=np.int64)
    for period, row in enumerate(sums):
        place = period // LONG_PERIOD
        long_sums[place] = np.where(row > NOTHING, np.maximum(long_sums[place], 0) + row, long_sums[place])
    return [
        Ledger("sums by week", 1, 0, sums),
        Ledger(f"sums by {LONG_PERIOD} weeks", LONG_PERIOD, 0, long_sums),
        Ledger("as on this chain", 1, slack, chain),
    ]


# --- guessing ----------------------------------------------------------------------------------------------------------------


def bin_of(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bins that grow with the points: half an octave each."""
    return np.minimum((2 * np.log2(np.maximum(points, 0) + 1)).astype(np.int64), BINS - 1)


BIN_WIDTHS = np.bincount(bin_of(np.arange(2**15)), minlength=BINS).clip(min=1)


class Guesser:
    """How many baskets of so many points an entry of so many points stands for, by counting them all."""

    def __init__(self, ledger: Ledger, baskets: Sequence[Basket], first: int) -> None:
        self._ledger = ledger
        self._first = first
        self._bins = bin_of(ledger.entries)
        entries_by_bin = np.bincount(self._bins[ledger.entries > NOTHING], minlength=BINS).clip(min=1)
        self._entries_by_account = (ledger.entries > NOTHING).sum(axis=0).clip(min=1)
        periods = np.array([self.period_of(basket) for basket in baskets])
        points = np.array([basket.points for basket in baskets])
        values = ledger.entries[periods, [basket.account for basket in baskets]]
        exact = values == points
        among = np.zeros((BINS, BINS))
        np.add.at(among, (bin_of(points[~exact]), bin_of(values[~exact])), 1)
        self._among = among / BIN_WIDTHS[:, None] / entries_by_bin
        self._alone = np.bincount(bin_of(values[exact]), minlength=BINS) / entries_by_bin

    def period_of(self, basket: Basket) -> int:
        """The row of the ledger's entries that the basket is part of."""
        return (basket.period - self._first) // self._ledger.periods_per_entry

    def likelihood(self, known: Sequence[Basket]) -> NDArray[np.float64]:
        """For each account how likely it is to have these baskets, up to a factor."""
        ledger = self._ledger
        found = np.ones(ledger.entries.shape[1])
        needed: dict[int, int] = defaultdict(int)
        for basket in known:
            period = self.period_of(basket)
            needed[period] += basket.points
            values, bins = ledger.entries[period], self._bins[period]
            p = int(bin_of(np.array([basket.points]))[0])
            found *= np.where(values == basket.points, self._alone[bins] + self._among[p][bins], self._among[p][bins])
            found /= self._entries_by_account
        for period, points in needed.items():
            found *= (ledger.entries[period] > NOTHING) & (ledger.entries[period] + ledger.slack >= points)
        return found


def choose_pairs(baskets: Sequence[Basket], pairs: int, seed: int) -> list[tuple[Basket, Basket]]:
    """For each account with two baskets or more, `pairs` random pairs of them."""
    chance, by_account = random.Random(seed), defaultdict[int, list[Basket]](list)
    for basket in baskets:
        by_account[basket.account].append(basket)
    return [
        (first, second)
        for _, owned in sorted(by_account.items())
        if len(owned) > 1
        for first, second in (chance.sample(owned, 2) for _ in range(pairs))
    ]


def attack_clear(baskets: Sequence[Basket], trials: Sequence[tuple[Basket, Basket]]) -> tuple[float, float]:
    """Singled out, and best guess right, where each basket stands in clear with its hour."""
    owners = defaultdict[tuple[int, int], set[int]](set)
    for basket in baskets:
        owners[basket.hour, basket.points].add(basket.account)
    fitting = [len(owners[a.hour, a.points] & owners[b.hour, b.points]) for a, b in trials]
    return sum(1 for count in fitting if count == 1) / len(trials), sum(1 / count for count in fitting) / len(trials)


def attack_sums(
    ledger: Ledger, baskets: Sequence[Basket], trials: Sequence[tuple[Basket, Basket]]
) -> tuple[float, float]:
    """Singled out, and best guess right, where only sums are shown."""
    guesser = Guesser(ledger, baskets, min(basket.period for basket in baskets))
    singled_out, right = 0, 0.0
    for pair in trials:
        found = guesser.likelihood(pair)
        account = pair[0].account
        singled_out += int(np.count_nonzero(found)) == 1
        best = found >= found.max() * (1 - 1e-12)
        right += best[account] / np.count_nonzero(best)
    return singled_out / len(trials), float(right) / len(trials)


def measure(folder: Path, pairs: int, seed: int) -> dict[str, Any]:
    """All four ledgers. Raises BadInputError."""
    baskets, numbers = read_baskets(folder)
    shown = read_entries(folder, numbers)
    trials = choose_pairs(baskets, pairs, seed)
    if not trials:
        raise BadInputError("no account has two baskets")
    clear = attack_clear(baskets, trials)
    rows = [("each basket in clear", *clear)]
    ledgers = make_ledgers(baskets, shown, len(numbers))
    rows.extend((ledger.name, *attack_sums(ledger, baskets, trials)) for ledger in ledgers)
    return {
        "accounts": len(numbers),
        "attacked": len({pair[0].account for pair in trials}),
        "baskets": len(baskets),
        "pairs": len(trials),
        "seed": seed,
        "largest_difference": ledgers[-1].slack,
        "ledgers": [{"ledger": name, "singled_out": single, "best_guess": guess} for name, single, guess in rows],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 0, or 2 where the folder can't be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of a replay, with its chain and its receipts")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"pairs of baskets for each account ({PAIRS})")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pairs (1)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    try:
        if options.pairs < 1:
            raise BadInputError("--pairs must be at least 1")
        found = measure(options.folder, options.pairs, options.seed)
    except (BadInputError, LedgerError, sqlite3.DatabaseError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    print(
        f"{found['baskets']:,} baskets of {found['accounts']:,} accounts; {found['pairs']:,} pairs of two known baskets"
    )
    print(f"\n{'what the ledger shows':26}{'singled out':>14}{'best guess right':>20}")
    for row in found["ledgers"]:
        print(f"{row['ledger']:26}{row['singled_out']:>14.2%}{row['best_guess']:>20.2%}")
    print(f"\non this chain an entry differs from its receipts by up to {found['largest_difference']} points")
    return 0


if __name__ == "__main__":
    sys.exit(main())
