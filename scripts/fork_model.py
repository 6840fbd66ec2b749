"""Blocks that are found twice: stale blocks on a network with delays, and what a miner earns that keeps its blocks secret.

The network of the model does as the node does (spec NET-9): a block is checked before it is passed on; three of a node's peers
send it unasked as a compact block, the others by header, request and answer. Who hears of a block fetches it from whom it heard it
first. Every figure follows from a seed.
"""

import heapq
import random
from dataclasses import dataclass

SELDOM_OLDER = 40
"""Blocks further back than that are known to everybody."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One line, in one direction: seconds until the news of a block is there, and from then until the block is checked."""

    to: int
    news_s: float
    rest_s: float


@dataclass(frozen=True, slots=True)
class Lines:
    """A network. Each node dials `dialled` others; a line has a delay of its own, drawn evenly. Bytes are those of one block."""

    nodes: int = 40
    dialled: int = 8
    delay_min_s: float = 0.02
    delay_max_s: float = 0.2
    bytes_per_second: float = 1_250_000
    block_bytes: int = 20_000
    check_s: float = 0.25
    unasked: int = 3

    def draw_hops(self, rng: random.Random) -> list[list[Hop]]:
        """For each node, the lines on which it tells of a block."""
        delays: list[dict[int, float]] = [{} for _ in range(self.nodes)]
        for node in range(self.nodes):
            for other in rng.sample([found for found in range(self.nodes) if found != node], self.dialled):
                if other not in delays[node]:
                    delays[node][other] = delays[other][node] = rng.uniform(self.delay_min_s, self.delay_max_s)
        hops: list[list[Hop]] = [[] for _ in range(self.nodes)]
        transfer_s = self.block_bytes / self.bytes_per_second
        for node, lines in enumerate(delays):
            wanted = set(rng.sample(sorted(lines), min(self.unasked, len(lines))))
            for other, delay in lines.items():
                if other in wanted:
                    hops[other].append(Hop(node, delay + transfer_s, self.check_s))
                else:
                    hops[other].append(Hop(node, delay, 2 * delay + transfer_s + self.check_s))
        return hops


def find_arrivals(hops: list[list[Hop]], miner: int) -> list[float]:
    """How long after it was found a block has been checked by each node."""
    found: dict[int, float] = {}
    queue = [(0.0, miner, 0.0)]
    while queue:
        at, node, rest_s = heapq.heappop(queue)
        if node in found:
            continue
        found[node] = at + rest_s
        for hop in hops[node]:
            heapq.heappush(queue, (found[node] + hop.news_s, hop.to, hop.rest_s))
    return [found[node] for node in range(len(hops))]


@dataclass(frozen=True, slots=True)
class Mined:
    """A block of the model: when it was found, by whom, at which height, and where its parent stands in the list."""

    at: float
    miner: int
    height: int
    parent: int


@dataclass(frozen=True, slots=True)
class Stale:
    """Seconds until half of the nodes, and all, know a block; the part of all blocks that is in no chain in the end."""

    half_s: float
    all_s: float
    share: float


def run_stale(block_time_s: float, blocks: int, lines: Lines, seed: str) -> Stale:
    """Let equal miners find blocks on what they know, with ties decided at random by each (spec FORK-1)."""
    rng = random.Random(f"stale {seed}")
    hops = lines.draw_hops(rng)
    arrivals = [find_arrivals(hops, miner) for miner in range(lines.nodes)]
    found = [Mined(0.0, 0, 0, -1)]
    preferences: list[list[float]] = [[0.0] * lines.nodes]
    now = 0.0
    for _ in range(blocks):
        now += rng.expovariate(1 / block_time_s)
        miner = rng.randrange(lines.nodes)
        known = [
            index
            for index in range(max(0, len(found) - SELDOM_OLDER), len(found))
            if index == 0 or found[index].at + arrivals[found[index].miner][miner] <= now
        ]
        parent = max(known, key=lambda index: (found[index].height, preferences[index][miner]))
        found.append(Mined(now, miner, found[parent].height + 1, parent))
        preferences.append([rng.random() for _ in range(lines.nodes)])
    best = max(range(len(found)), key=lambda index: found[index].height)
    ordered = [sorted(row) for row in arrivals]
    half = sum(row[lines.nodes // 2] for row in ordered) / lines.nodes
    return Stale(half, sum(row[-1] for row in ordered) / lines.nodes, 1 - found[best].height / blocks)


def run_selfish(share: float, blocks: int, seed: str, followers: float = 0.5) -> float:
    """What part of all blocks in the chain a miner has that mines in secret, with this share of the hash power.

    It shows one block for each that others find, all when they come within one; of two equal branches `followers` of the others
    mine on its own: half, since each node chooses at random (spec FORK-1). Eyal and Sirer, "Majority is not enough" (2013).
    """
    rng = random.Random(f"selfish {share} {seed}")
    lead, is_race, own, others = 0, False, 0, 0
    for _ in range(blocks):
        is_own = rng.random() < share
        if is_race:
            is_race = False
            if is_own:
                own += 2
            elif rng.random() < followers:
                own, others = own + 1, others + 1
            else:
                others += 2
        elif is_own:
            lead += 1
        elif lead == 0:
            others += 1
        elif lead == 1:
            lead, is_race = 0, True
        elif lead == 2:
            lead, own = 0, own + 2
        else:
            lead, own = lead - 1, own + 1
    return own / (own + others)


def computed_selfish(share: float, followers: float = 0.5) -> float:
    """The same by the paper's formula (8)."""
    a, g = share, followers
    return (a * (1 - a) ** 2 * (4 * a + g * (1 - 2 * a)) - a**3) / (1 - a * (1 + (2 - a) * a))
