"""Fuzz everything that reads bytes from strangers, for as long as you like.

    python scripts/fuzz.py --seconds 600 --seed 7
    python scripts/fuzz.py --seconds 60 --seed 7 --target transaction
    python scripts/fuzz.py --seed 7 --target transaction --case 123456     # one case again

Targets and their valid bytes are those of `tests/support/fuzz_targets.py`; how they are spoiled says `tests/support/mutations.py`.
Wrong is: an exception that is no `LedgerError`, accepted bytes that would be written otherwise, a case that takes longer than
`CASE_SECONDS_MAX`. A case depends on seed, target and its number alone, so the line that a failure prints replays it anywhere.
Exit code 0: nothing was found; 1: something was.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.support.fuzz_targets import Target, make_targets
from tests.support.mutations import mutate

CASE_SECONDS_MAX = 2.0
"""Of processor time. No input of a few kilobytes may cost more; the slowest, a keystore's key derivation, takes some 10 ms."""
ROUND = 200
"""Cases of one target before the next one's turn."""
FINDINGS_MAX = 20
"""Findings of one kind and target are printed once; after so many kinds the run ends."""


def make_case(target: Target, seed: int, number: int) -> bytes:
    """The bytes of one case."""
    random = Random(f"{seed}/{target.name}/{number}")
    return mutate(random.choice(target.seeds), target.seeds, random)


def run_case(target: Target, data: bytes) -> tuple[str, str | None]:
    """What the target said, and what is wrong with that, if anything is."""
    began = time.process_time()
    try:
        verdict = target.judge(data)
    except Exception as fault:  # noqa: BLE001 - whatever comes out here is what this program looks for
        frames = traceback.extract_tb(fault.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        return "failed", f"{type(fault).__name__} at {place}: {str(fault)[:200]}"
    seconds = time.process_time() - began
    return verdict, f"took {seconds:.2f} s" if seconds > CASE_SECONDS_MAX else None


def replay_line(target: Target, seed: int, number: int) -> str:
    """The command that runs one case again."""
    return f"python scripts/fuzz.py --seed {seed} --target {target.name} --case {number}"


def fuzz(targets: list[Target], seconds: float, seed: int) -> int:
    """Run all targets in turns until the time is over; returns how many kinds of faults were found."""
    counts: dict[str, Counter[str]] = {target.name: Counter() for target in targets}
    spent: dict[str, float] = dict.fromkeys(counts, 0.0)
    found: set[str] = set()
    numbers: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and len(found) < FINDINGS_MAX:
        for target in targets:
            began = time.perf_counter()
            for _ in range(ROUND):
                number = numbers[target.name]
                numbers[target.name] += 1
                verdict, wrong = run_case(target, make_case(target, seed, number))
                counts[target.name][verdict.partition(":")[0]] += 1
                kind = f"{target.name}: {wrong and wrong.partition(': ')[0]}"
                if wrong is not None and kind not in found:
                    found.add(kind)
                    print(f"FOUND {target.name}: {wrong}\n  {replay_line(target, seed, number)}", flush=True)
                if time.perf_counter() - began > max(seconds / 20, 0.5):
                    break
            spent[target.name] += time.perf_counter() - began
            if time.monotonic() >= ends:
                break
    for name, counted in counts.items():
        total = counted.total()
        rate = total / max(spent[name], 1e-9)
        print(f"{name:28} {total:9} cases {rate:8.0f}/s  accepted {counted['accepted']:7}  failed {counted['failed']}")
    print(f"{numbers.total()} cases in {sum(spent.values()):.0f} s, seed {seed}: {len(found)} kinds of faults")
    return len(found)


def main() -> int:
    """Read the options, fuzz or replay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another run (0)")
    parser.add_argument("--target", help="only this one")
    parser.add_argument("--case", type=int, help="run only the case of this number, with --target")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fansumer-fuzz-") as folder:
        targets = make_targets(Path(folder))
        if options.target is not None and options.target not in targets:
            parser.error(f"there is no target {options.target}; there are {', '.join(targets)}")
        chosen = list(targets.values()) if options.target is None else [targets[options.target]]
        if options.case is None:
            return 1 if fuzz(chosen, options.seconds, options.seed) else 0
        if options.target is None:
            parser.error("--case needs --target")
        data = make_case(chosen[0], options.seed, options.case)
        print(f"{len(data)} bytes: {data.hex()}")
        print(chosen[0].judge(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
