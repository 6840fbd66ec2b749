"""Runs whole networks of nodes on a fake clock, network and disk, one for each seed, and shows that they come to one chain.

    python scripts/simulate.py --seeds 0..99                a hundred networks; ends with 1 if one of them failed
    python scripts/simulate.py --seeds 0..99 --faults       and a table of what went wrong in how many of them
    python scripts/simulate.py --replay 17                  one of them again, exactly, with all that happened in it
    python scripts/simulate.py --plant mempool              with a bug on purpose: ends with 0 if 200 networks find it

Each network has real nodes (chain, mempool, network code) and trouble that its seed decides: frames that are slow, lost, doubled or
out of order, partitions, crashes and power cuts in the middle of a write, wrong clocks, secret and withholding miners, liars, nodes
that only liars reach, hash rate that comes and goes. What must hold at the end stands in ledger/spec/network.md (NET-15).
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import structlog

from tests.simulation.faults import FaultCount, describe_faults
from tests.simulation.plan import Outcome
from tests.simulation.plants import PLANTS, SEEDS_MAX, planted
from tests.simulation.world import World

QUIET_LEVEL = 50
SEED_SECONDS_MAX = 5
"""Of the processor, for one network."""


def parse_seeds(text: str) -> range:
    """`A..B` (both included) or `A`."""
    first, dots, last = text.partition("..")
    try:
        found = range(int(first), int(last if dots else first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not of the form A..B") from None
    if not found:
        raise argparse.ArgumentTypeError(f"{text} names no seed")
    return found


def run_seed(seed: int) -> Outcome | None:
    """Run one network and print how it ended; None if it failed."""
    try:
        outcome = World(seed).run()
    except Exception as fault:  # noqa: BLE001 - whatever ends a simulation is a failure of its seed, and it is shown
        print(f"FAILED: seed {seed}: {type(fault).__name__}: {fault}", flush=True)
        print(f"  again: python scripts/simulate.py --replay {seed}", flush=True)
        return None
    print(outcome, flush=True)
    return outcome


def run_seeds(seeds: Iterable[int], *, with_faults: bool) -> int:
    """Run one network for each seed; how many failed."""
    failed: list[int] = []
    counts: list[FaultCount] = []
    taken: list[tuple[float, int]] = []
    for seed in seeds:
        begun = time.process_time()
        outcome = run_seed(seed)
        taken.append((time.process_time() - begun, seed))
        if outcome is None:
            failed.append(seed)
        else:
            counts.append(outcome.faults)
    if with_faults:
        print(describe_faults(counts))
    seconds, slowest = max(taken)
    over = sum(1 for one, _ in taken if one > SEED_SECONDS_MAX)
    print(
        f"{len(taken)} seeds, {len(failed)} failed{': ' + str(failed) if failed else ''}; of the processor's time "
        f"{sum(one for one, _ in taken) / len(taken):.1f} s each, the slowest, {slowest}, {seconds:.1f} s, "
        f"{over} more than {SEED_SECONDS_MAX} s"
    )
    return len(failed)


def find_plant(name: str, seeds: Iterable[int]) -> int | None:
    """Plant a bug and run networks until one fails; its seed, or None."""
    print(f"planted: {PLANTS[name][2].__doc__}")
    with planted(name):
        for seed in seeds:
            if run_seed(seed) is None:
                return seed
    return None


def replay(seed: int) -> int:
    """Run one network and print all that happened."""
    world = World(seed)
    print(world.plan)
    outcome: Outcome | None = None
    try:
        outcome = world.run()
    except Exception:  # noqa: BLE001 - it is shown, with all that led to it
        traceback.print_exc()
    for note in world.timeline.notes:
        print(note)
    print(f"FAILED: seed {seed}, digest {world.timeline.digest}" if outcome is None else outcome)
    return outcome is None


def main(arguments: list[str]) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=parse_seeds, metavar="A..B", help="which networks (0..9)")
    parser.add_argument("--faults", action="store_true", help="how often each fault occurred")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one network again, with all that happened")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="a bug on purpose: which network finds it (0..199)")
    parser.add_argument("--log", action="store_true", help="with what the nodes themselves log")
    options = parser.parse_args(arguments)
    if not options.log:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(QUIET_LEVEL))
    with planted(options.plant) if options.plant and options.replay is not None else nullcontext():
        if options.replay is not None:
            return replay(options.replay)
    if options.plant:
        found = find_plant(options.plant, options.seeds or range(SEEDS_MAX))
        print("NOT FOUND" if found is None else f"found by seed {found}")
        return found is None
    return 1 if run_seeds(options.seeds or range(10), with_faults=options.faults) else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # A set of bytes is walked in an order that Python draws at its start; with this one, a replay is the same even there.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main(sys.argv[1:]))
