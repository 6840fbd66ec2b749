"""Runs whole networks of nodes on a fake clock, network and disk, one for each seed, and shows that they come to one chain.

    python scripts/simulate.py --seeds 0..99         a hundred networks; ends with 1 if one of them failed
    python scripts/simulate.py --replay 17           one of them again, exactly, with all that happened in it

Each network has real nodes (chain, mempool, network code) and trouble that its seed decides: slow and broken lines, partitions,
crashes, power cuts at a write, wrong clocks, secret miners, liars, hash rate that comes and goes. At the end all nodes must have
one tip and one root, the chain must replay from genesis, coin must be what was emitted, and no transaction may be lost silently.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import structlog

from tests.simulation.world import Outcome, World

QUIET_LEVEL = 50


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


def run_seeds(seeds: Iterable[int]) -> int:
    """Run one network for each seed; how many failed."""
    failed: list[int] = []
    done = 0
    slowest_seconds = 0.0
    for seed in seeds:
        begun = time.process_time()
        world = World(seed)
        try:
            print(world.run(), flush=True)
        except Exception as fault:  # noqa: BLE001 - whatever ends a simulation is a failure of its seed, and it is shown
            failed.append(seed)
            print(f"FAILED: seed {seed}: {type(fault).__name__}: {fault}", flush=True)
            print(f"  again: python scripts/simulate.py --replay {seed}", flush=True)
        done += 1
        slowest_seconds = max(slowest_seconds, time.process_time() - begun)
    print(
        f"{done} seeds, {len(failed)} failed{': ' + str(failed) if failed else ''}; the slowest took {slowest_seconds:.1f} s"
    )
    return len(failed)


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
    parser.add_argument("--seeds", type=parse_seeds, default=range(10), metavar="A..B", help="which networks (0..9)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one network again, with all that happened")
    parser.add_argument("--log", action="store_true", help="with what the nodes themselves log")
    options = parser.parse_args(arguments)
    if not options.log:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(QUIET_LEVEL))
    if options.replay is not None:
        return replay(options.replay)
    return 1 if run_seeds(options.seeds) else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # A set of bytes is walked in an order that Python draws at its start; with this one, a replay is the same even there.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main(sys.argv[1:]))
