"""Hold the ledger against a second model of its rules, for as many steps as you like.

    python scripts/model_run.py --steps 1000000 --seed 7 --workers 2
    python scripts/model_run.py --seed 7 --life 123                  # one life again
    python scripts/model_run.py --seed 7 --life 123 --acts 3,17,40   # and only these of its acts

A step is a transaction that is offered to both, a block that both connect, or one that both take back. The run is cut into lives,
each a chain of its own with params of its own, that depend on the seed and their number alone; `tests/model/` says what happens in
them. On a disagreement the acts that matter are found, and the line that replays them is printed. Exit code 0: none; 1: one.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count

from tests.model.replay import Run, live, shrink

ACTS = 400
"""Of one life: some 600 steps. Longer lives have more records to compare and find no more."""
REPORT_SECONDS = 30


def live_number(seed: int, number: int) -> tuple[int, Run]:
    """One life of a run."""
    return number, live(f"{seed}/{number}", range(ACTS))


def lives(seed: int, workers: int) -> Iterator[tuple[int, Run]]:
    """The lives of a run, as they end."""
    if workers == 1:
        yield from map(partial(live_number, seed), count())
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(partial(live_number, seed), iter(count()))


def explain(seed: int, number: int, acts: list[int], run: Run) -> None:
    """Print what went wrong in a life, its transactions, and how to see it again."""
    assert run.fault is not None
    print("\n".join(run.story[-40:]))
    print(run.fault.text)
    print(
        f"{run.fault.label}\nreplay: python scripts/model_run.py --seed {seed} --life {number} --acts {','.join(map(str, acts))}"
    )


def replay(seed: int, number: int, acts: list[int]) -> int:
    """One life again."""
    run = live(f"{seed}/{number}", acts)
    if run.fault is None:
        print(f"life {number} of seed {seed}: {run.steps} steps, no disagreement")
        return 0
    explain(seed, number, acts, run)
    return 1


def run_until(steps_wanted: int, seed: int, workers: int) -> int:
    """Live until so many steps are done, or ledger and model disagree."""
    began = reported = time.monotonic()
    steps, done = 0, 0
    outcomes: Counter[str] = Counter()
    for number, run in lives(seed, workers):
        steps, done = steps + run.steps, done + 1
        outcomes += run.outcomes
        if run.fault is not None:
            print(f"life {number} failed: {run.fault.label}; looking for the acts that matter", flush=True)
            acts = shrink(f"{seed}/{number}", range(ACTS), run.fault.label)
            explain(seed, number, acts, live(f"{seed}/{number}", acts))
            return 1
        now = time.monotonic()
        if now - reported > REPORT_SECONDS or steps >= steps_wanted:
            reported = now
            print(f"{steps} steps, {done} lives, {steps / (now - began):.0f} steps a second", flush=True)
        if steps >= steps_wanted:
            break
    for name, times in sorted(outcomes.items()):
        print(f"{times:9} {name}")
    print(f"seed {seed}: {steps} steps in {done} lives, no disagreement")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Hold the ledger against a second model of its rules.")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--life", type=int, help="the number of one life")
    parser.add_argument("--acts", help="numbers of its acts, with commas")
    arguments = parser.parse_args()
    if arguments.life is not None:
        acts = [int(text) for text in arguments.acts.split(",")] if arguments.acts else list(range(ACTS))
        return replay(arguments.seed, arguments.life, acts)
    return run_until(arguments.steps, arguments.seed, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
