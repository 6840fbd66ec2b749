"""Writes the golden vectors of the difficulty rule: `python -m tests.support.difficulty_vectors`.

Each file: eras, and rows [height, header time, effective time, bits of this block in hex]. Simulated cases are seeded.
"""

import json
import random
from pathlib import Path

from tests.support.difficulty_reference import Chain, Schedule, expand

FOLDER = Path(__file__).parents[1] / "vectors" / "difficulty"
GENESIS_TIME = 1_735_689_600
MAIN = Schedule(0, 60, 7_200, 0x1F00FFFF, 0x1D00FFFF, True)


def start(*schedules: Schedule) -> Chain:
    chain = Chain(list(schedules))
    chain.append(GENESIS_TIME)
    return chain


def append_after(chain: Chain, *elapsed: int) -> None:
    for seconds in elapsed:
        chain.append(chain.times[-1] + seconds)


def mine(chain: Chain, rng: random.Random, hashes_per_second: float, until: float, clock: float) -> float:
    """Search with a steady hash rate until a time; block times are the clock's, but rise strictly. Returns the clock."""
    while True:
        clock += rng.expovariate(hashes_per_second * (expand(chain.expected_bits()) + 1) / 2**256)
        if clock >= until:
            return until
        chain.append(max(int(clock), chain.times[-1] + 1))


def make_steady() -> Chain:
    chain = start(MAIN)
    append_after(chain, *[60] * 40)
    return chain


def make_random() -> Chain:
    """Elapsed times of every size: 0 and less than 0 are clamped to 1, more than a half-life to a half-life."""
    chain, rng = start(MAIN), random.Random(7)
    for _ in range(500):
        append_after(chain, rng.choice([-30, 0, 1, 2, 30, 59, 60, 61, 90, 600, 7_199, 7_200, 7_201, 100_000]))
        append_after(chain, *[rng.randrange(1, 40) for _ in range(rng.randrange(0, 5))])
    return chain


def make_fast() -> Chain:
    """One block a second until the target can fall no further."""
    chain = start(Schedule(0, 60, 3_600, 0x1F00FFFF, 0x03010000, True))
    append_after(chain, *[1] * 1_200)
    return chain


def make_slow_then_fast() -> Chain:
    """Four weeks at the limit, one block in ten minutes, then one a second: no debt of easy blocks is left."""
    chain = start(MAIN)
    append_after(chain, *[600] * 4_032)
    append_after(chain, *[1] * 500)
    return chain


def make_outage() -> Chain:
    """The case of the protocol's figures: T=60 s, half-life 2 h; a day of a steady rate, a day of silence, four hours more."""
    chain, rng = start(MAIN), random.Random(20_260_102)
    rate = 2**256 / (expand(MAIN.anchor_bits) + 1) / MAIN.block_time
    clock = mine(chain, rng, rate, GENESIS_TIME + 86_400, GENESIS_TIME)
    mine(chain, rng, rate, clock + 86_400 + 14_400, clock + 86_400)
    return chain


def make_eras() -> Chain:
    """Hourly simulated blocks, then five seconds a block, then other numbers again."""
    chain = start(
        Schedule(0, 3_600, 65_536, 0x207FFFFF, 0x207FFFFF, False),
        Schedule(50, 5, 600, 0x207FFFFF, 0x1F7FFFFF, True),
        Schedule(120, 10, 600, 0x1F7FFFFF, 0x1E7FFFFF, True),
    )
    append_after(chain, *[3_600] * 20, *[200_000] * 3, *[3_600] * 26)
    append_after(chain, *[5] * 20, *[700, 40, 1, 1, 1] * 10)
    append_after(chain, *[10] * 20, *[90] * 30, *[2] * 60)
    return chain


CASES = {
    "steady": make_steady,
    "random": make_random,
    "fast": make_fast,
    "slow_then_fast": make_slow_then_fast,
    "outage": make_outage,
    "eras": make_eras,
}


def write_case(name: str, chain: Chain) -> None:
    eras = [
        [s.start_height, s.block_time, s.half_life, f"{s.limit_bits:08x}", f"{s.anchor_bits:08x}", s.retarget]
        for s in chain.schedules
    ]
    rows = [
        json.dumps([height, time, effective, f"{bits:08x}"])
        for height, (time, effective, bits) in enumerate(zip(chain.times, chain.effective, chain.bits, strict=True))
    ]
    about = (CASES[name].__doc__ or "On time.").split("\n")[0]
    head = (
        f'{{"about": {json.dumps(about)},\n"eras": {json.dumps(eras)},\n"next_bits": "{chain.expected_bits():08x}",\n'
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(head + '"rows": [\n' + ",\n".join(rows) + "\n]}\n")


if __name__ == "__main__":
    for case_name, make in CASES.items():
        write_case(case_name, make())
