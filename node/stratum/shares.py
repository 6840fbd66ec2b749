"""The shares that counted: the window of a job, and what is carried for those whom a block did not pay (spec MINE-6, MINE-7).

Kept in memory as sums by address over blocks of shares in a row, so that the window of a new job costs microseconds for each
thousand shares; the shares themselves go to `node.stratum.book`.
"""

import threading
from collections import Counter, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from ledger.header import Header
from ledger.reward import Payee
from ledger.types import Address, BlockHash, Height, Timestamp, Work
from node.stratum.payout import CLAIMS_MAX, Claim, Window, rank

SHARES_KEPT_MAX: Final = 100_000
"""Newest shares that count or are listed: half an hour of a thousand miners, 20 MB on disk."""
BLOCKS_KEPT_MAX: Final = 1_000
"""Blocks of the pool that may still leave the chain; the book on disk has more."""
RUN_SHARES: Final = 500
"""Shares in a row whose sums are kept together."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share that counted. `number` is the order of arrival, from 1."""

    number: int
    time: Timestamp
    address: Address
    worker: str
    weight: Work
    header: Header


@dataclass(frozen=True, slots=True)
class PoolBlock:
    """A block of the pool, whose shares were counted, and whom it paid. `is_active`: it is in the active chain."""

    hash: BlockHash
    height: Height
    time: Timestamp
    window: Window
    payees: tuple[Payee, ...]
    is_active: bool


@dataclass(slots=True)
class _Run:
    """Shares in a row, and their sums by address."""

    shares: list[tuple[Address, Work]] = field(default_factory=list)
    weights: Counter[Address] = field(default_factory=Counter)
    counts: Counter[Address] = field(default_factory=Counter)
    weight: int = 0

    def add(self, address: Address, weight: Work) -> None:
        self.shares.append((address, weight))
        self.weights[address] += weight
        self.counts[address] += 1
        self.weight += weight


class ShareBook:
    """Thread-safe: shares come in the server's thread, windows are asked for in the chain's."""

    def __init__(
        self, shares: Iterable[tuple[Address, Work]] = (), last: int = 0, blocks: Iterable[PoolBlock] = ()
    ) -> None:
        """`shares` are the newest ones, of which `last` is the number of the last; `blocks` ascend by height."""
        self._lock = threading.Lock()
        self._runs: deque[_Run] = deque([_Run()])
        self._kept = 0
        self._last = 0
        self._blocks: dict[BlockHash, PoolBlock] = {block.hash: block for block in blocks}
        for address, weight in shares:
            self._add(address, weight)
        self._last = last

    # --- shares ---

    def add(self, *, time: Timestamp, address: Address, worker: str, weight: Work, header: Header) -> Share:
        """Count a share; it gets the next number."""
        with self._lock:
            self._add(address, weight)
            return Share(self._last, time, address, worker, weight, header)

    def _add(self, address: Address, weight: Work) -> None:
        if len(self._runs[-1].shares) >= RUN_SHARES:
            self._runs.append(_Run())
        self._runs[-1].add(address, weight)
        self._last += 1
        self._kept += 1
        if self._kept - len(self._runs[0].shares) >= SHARES_KEPT_MAX:
            self._kept -= len(self._runs.popleft().shares)

    @property
    def last(self) -> int:
        """The number of the newest share, 0 if there was none."""
        return self._last

    def window(self, wanted: int, present: Collection[Address]) -> Window:
        """The newest shares whose weights sum to at least `wanted`, and what is carried; without any, 1 for each of `present`."""
        with self._lock:
            weights, counts, taken = self._newest(wanted)
            carried = self._carried()
            found = {a: Claim(a, counts[a], weights[a], carried.get(a, 0)) for a in weights.keys() | carried.keys()}
            if not found:
                found = {address: Claim(address, 0, 0, 1) for address in present}
            chosen = rank({address: claim.total for address, claim in found.items()})[:CLAIMS_MAX]
            claims = tuple(found[address] for address in sorted(chosen))
            return Window(self._last - taken + 1 if taken else 0, self._last if taken else 0, claims)

    def _newest(self, wanted: int) -> tuple[Counter[Address], Counter[Address], int]:
        weights: Counter[Address] = Counter()
        counts: Counter[Address] = Counter()
        taken, found = 0, 0
        for run in reversed(self._runs):
            if taken + len(run.shares) <= SHARES_KEPT_MAX and found + run.weight <= wanted:
                weights.update(run.weights)
                counts.update(run.counts)
                taken, found = taken + len(run.shares), found + run.weight
                continue
            for address, weight in reversed(run.shares):
                if found >= wanted or taken >= SHARES_KEPT_MAX:
                    break
                weights[address] += weight
                counts[address] += 1
                taken, found = taken + 1, found + weight
            break
        return weights, counts, taken

    # --- blocks ---

    def _carried(self) -> dict[Address, int]:
        """What the pool's highest block in the active chain left unpaid; it holds what the one before it left."""
        highest = max((block for block in self._blocks.values() if block.is_active), key=_by_height, default=None)
        if highest is None:
            return {}
        paid = {address for address, _ in highest.payees}
        return {claim.address: claim.total for claim in highest.window.claims if claim.address not in paid}

    def put_block(self, block: PoolBlock) -> None:
        """Note a block, or that it joined the active chain or left it."""
        with self._lock:
            self._blocks[block.hash] = block
            if len(self._blocks) > BLOCKS_KEPT_MAX:
                del self._blocks[min(self._blocks.values(), key=_by_height).hash]

    def block(self, block_hash: BlockHash) -> PoolBlock | None:
        """A block of the pool."""
        with self._lock:
            return self._blocks.get(block_hash)


def _by_height(block: PoolBlock) -> tuple[Height, BlockHash]:
    return block.height, block.hash
