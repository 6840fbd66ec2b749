"""Computes the tables of ledger/spec/schedule.md: why T is 60 s and the half-life 100 blocks.

    python scripts/params_tables.py             print the page with tables that are computed again (about a minute)
    python scripts/params_tables.py --write     write it; `--no-network` leaves the row of the real nodes as it is

Every figure follows from a seed that stands beside its table.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fork_model import Lines, computed_selfish, run_selfish, run_stale
from recovery_model import HALF_LIVES_BLOCKS, run_calm, run_fall, run_hopping, run_outage, run_rise

PAGE = Path(__file__).resolve().parent.parent / "ledger" / "spec" / "schedule.md"

BLOCK_TIMES_S = (5, 10, 30, 60, 120, 300)
STALE_BLOCKS, STALE_SEED = 40_000, "1"
AGREED = Lines(block_bytes=20_000, check_s=0.5)
"""2,000 transactions of which everybody has all: short ids, and half a second to check them."""
STRANGE = Lines(block_bytes=600_000, check_s=0.5)
"""The same transactions, and nobody has one of them."""
FAR = Lines(delay_min_s=0.1, delay_max_s=0.5, bytes_per_second=250_000, block_bytes=600_000, check_s=1.0)
"""The same over slow lines, on slow machines."""
SHARES = (0.10, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45)
SELFISH_BLOCKS, SELFISH_SEED = 200_000, "1"
RUNS = 200
LONG_RUNS = 20
CHECKED = Lines(nodes=20, dialled=4, delay_min_s=1.0, delay_max_s=1.0, block_bytes=500, check_s=0.0)
CHECKED_BLOCK_TIME_S, CHECKED_BLOCKS, CHECKED_SEED = 12, 300, "1"


def percent(part: float) -> str:
    """In hundredths, with one digit behind the point."""
    return f"{100 * part:.1f} %"


def stale_row(block_time_s: int) -> str:
    """One block time on the three networks."""
    shares = [run_stale(block_time_s, STALE_BLOCKS, lines, STALE_SEED).share for lines in (AGREED, STRANGE, FAR)]
    return f"| {block_time_s} s | {' | '.join(percent(share) for share in shares)} |"


def spread_row() -> str:
    """How long a block takes to half of the nodes and to all of them."""
    found = [run_stale(60, 1, lines, STALE_SEED) for lines in (AGREED, STRANGE, FAR)]
    return f"| *to half, to all* | {' | '.join(f'{one.half_s:.1f} s, {one.all_s:.1f} s' for one in found)} |"


def selfish_row(share: float) -> str:
    """One share of the hash power."""
    seen, computed = run_selfish(share, SELFISH_BLOCKS, SELFISH_SEED), computed_selfish(share)
    return f"| {percent(share)} | {percent(computed)} | {percent(seen)} |"


def calm_row(half_life_blocks: int) -> str:
    """An ordinary day, and ten days with miners who come and go."""
    calm, hopping = run_calm(half_life_blocks, LONG_RUNS), run_hopping(half_life_blocks, LONG_RUNS)
    return (
        f"| {half_life_blocks} | {calm.low:.2f} to {calm.high:.2f} | {hopping.gain:.2f} | {hopping.blocks_a_day:.0f} | "
        f"{hopping.longest_minutes:.0f} min |"
    )


def fall_row(half_life_blocks: int) -> str:
    """A fall to a hundredth."""
    cells = (f"{one.computed:.1f} / {one.median:.1f} / {one.late:.1f} h" for one in run_fall(half_life_blocks, RUNS))
    return f"| {half_life_blocks} | {' | '.join(cells)} |"


def rise_row(half_life_blocks: int) -> str:
    """A rise to a hundredfold, and a day without blocks."""
    rise, outage = run_rise(half_life_blocks, LONG_RUNS), run_outage(half_life_blocks, RUNS)
    return (
        f"| {half_life_blocks} | {rise.minutes_to_half:.0f} min | {rise.first_hour:.0f} | {rise.first_day:.0f} | "
        f"{outage.first_minute:.1f} | {outage.first_hour:.0f} | {outage.first_day:.0f} |"
    )


def network_rows() -> list[str]:
    """The model beside whole nodes, on one network."""
    from fork_network import run_network

    model = run_stale(CHECKED_BLOCK_TIME_S, STALE_BLOCKS, CHECKED, CHECKED_SEED)
    real = run_network(CHECKED_BLOCK_TIME_S, CHECKED_BLOCKS, CHECKED, CHECKED_SEED)
    return [
        f"| {name} | {blocks} | {found.half_s:.1f} s | {found.all_s:.1f} s | {percent(found.share)} |"
        for name, blocks, found in (("model", STALE_BLOCKS, model), ("nodes", CHECKED_BLOCKS, real))
    ]


def describe_lines(lines: Lines) -> str:
    """A network in the words of the page."""
    delays = f"{1_000 * lines.delay_min_s:.0f} to {1_000 * lines.delay_max_s:.0f} ms a way"
    speed = f"{lines.bytes_per_second * 8 / 1e6:.0f} Mbit/s"
    return f"{delays}, {speed}, {lines.block_bytes / 1_000:.0f} kB, {lines.check_s:.1f} s to check"


def make_tables(*, with_network: bool) -> dict[str, list[str]]:
    """The rows of each table of the page, by the first cells of its head."""
    made = {
        "| T |": [*(stale_row(seconds) for seconds in BLOCK_TIMES_S), spread_row()],
        "| share of the hash power |": [selfish_row(share) for share in SHARES],
        "| half-life in T | difficulty |": [calm_row(life) for life in HALF_LIVES_BLOCKS],
        "| half-life in T | to 10 T |": [fall_row(life) for life in HALF_LIVES_BLOCKS],
        "| half-life in T | rise: to T / 2 |": [rise_row(life) for life in HALF_LIVES_BLOCKS],
    }
    if with_network:
        made["| | blocks |"] = network_rows()
    return made


def put_tables(page: str, tables: dict[str, list[str]]) -> str:
    """The page with these rows in place of those that it has."""
    lines = page.splitlines()
    for head, rows in tables.items():
        (begin,) = (index for index, line in enumerate(lines) if line.startswith(head))
        end = next(index for index in range(begin, len(lines)) if not lines[index])
        lines[begin + 2 : end] = rows
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write ledger/spec/schedule.md")
    parser.add_argument("--no-network", action="store_true", help="without the real nodes, which take the most time")
    options = parser.parse_args(arguments)
    page = put_tables(PAGE.read_text(encoding="utf-8"), make_tables(with_network=not options.no_network))
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
