"""What an audit counts while blocks go by: times, difficulty, payees, kinds, result codes, fees (spec AUD-2).

All figures are integers. Nothing grows with the chain but two numbers a block.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from ledger.block import Commitment
from ledger.domains.loyalty.earn import CREDITED
from ledger.params import Params
from ledger.pow import target_from_compact, work_of
from ledger.types import Address, Amount, Height, Timestamp
from node.replay import ReplayedBlock

SAMPLES_MAX: Final = 400
"""Points of a series: more than a plot can show."""
QUANTILES: Final = (("least", 0), ("tenth", 10), ("median", 50), ("ninetieth", 90), ("greatest", 100))
"""Name and percentile of what is said about a distribution."""
HISTOGRAM_EDGES: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 86_400)
"""Upper ends, in seconds and included, of the classes of block times; the last class is open."""
LARGEST_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Shares:
    """How unevenly something is held. `majority` is the least number of holders who have more than half of it."""

    holders: int
    total: int
    largest: int
    ten_largest: int
    majority: int


def measure_shares(amounts: Iterable[int]) -> Shares:
    """The concentration of `amounts`, one a holder; who holds nothing is no holder."""
    held = sorted((amount for amount in amounts if amount > 0), reverse=True)
    total = sum(held)
    majority = sum(1 for reached in accumulate(held, initial=0) if 2 * reached <= total) if held else 0
    return Shares(len(held), total, held[0] if held else 0, sum(held[:LARGEST_SHOWN]), majority)


@dataclass(frozen=True, slots=True)
class Sample:
    """One block of a series: `work` is the number of hashes that were expected until it was found."""

    height: Height
    time: Timestamp
    work: int


@dataclass(frozen=True, slots=True)
class BlockTimes:
    """Seconds between blocks: the mean, quantiles by name, and how many fall into each class of `HISTOGRAM_EDGES`."""

    count: int
    mean: int
    quantiles: dict[str, int]
    classes: tuple[tuple[int | None, int], ...]


@dataclass(slots=True)
class PayeeFigures:
    """What blocks paid to one address."""

    blocks: int = 0
    amount: int = 0


@dataclass(slots=True)
class BlockFigures:
    """Counts over the blocks after genesis."""

    params: Params
    transactions: int = 0
    entries: int = 0
    subsidies: int = 0
    fees: int = 0
    block_bytes: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    skipped: Counter[str] = field(default_factory=Counter[str])
    skipped_by_kind: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    payees: dict[Address, PayeeFigures] = field(default_factory=dict[Address, PayeeFigures])
    _times: "array[int]" = field(default_factory=lambda: array("q"))
    _bits: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def blocks(self) -> int:
        """Blocks after genesis."""
        return len(self._times)

    def add(self, shown: ReplayedBlock) -> None:
        """Count a block that verified."""
        block = shown.block
        self._times.append(block.header.time)
        self._bits.append(block.header.bits)
        self.transactions += len(shown.transactions)
        self.block_bytes += sum(map(len, block.transactions))
        for transaction, codes in zip(shown.transactions, block.results, strict=True):
            self.kinds[transaction.kind.name] += 1
            self.entries += len(codes)
            for code in (code for code in codes if code not in CREDITED):
                self.skipped[code] += 1
                self.skipped_by_kind[transaction.kind.name, code] += 1
        paid = 0
        for address, amount in Commitment.decode(block.commitment_bytes).payees:
            figures = self.payees.setdefault(address, PayeeFigures())
            figures.blocks += 1
            figures.amount += amount
            paid += amount
        subsidy = self.params.emission.subsidy(shown.height)
        self.subsidies += subsidy
        self.fees += paid - subsidy

    def block_times(self) -> BlockTimes:
        """How long blocks took, from genesis on."""
        gaps: list[int] = []
        before: int = self.params.genesis_time
        for time in self._times:
            gaps.append(time - before)
            before = time
        gaps.sort()
        count = len(gaps)
        quantiles = {name: gaps[(count - 1) * percent // 100] if gaps else 0 for name, percent in QUANTILES}
        classes: Counter[int | None] = Counter()
        for gap in gaps:
            classes[next((edge for edge in HISTOGRAM_EDGES if gap <= edge), None)] += 1
        shown = tuple((edge, classes[edge]) for edge in (*HISTOGRAM_EDGES, None))
        return BlockTimes(count, sum(gaps) // count if count else 0, quantiles, shown)

    def difficulty(self) -> tuple[Sample, ...]:
        """The series of expected work, evenly thinned out to `SAMPLES_MAX` blocks, the last one included."""
        step = max(-(-self.blocks // SAMPLES_MAX), 1)
        places = sorted({*range(0, self.blocks, step), *((self.blocks - 1,) if self.blocks else ())})
        return tuple(
            Sample(
                Height(place + 1),
                Timestamp(self._times[place]),
                work_of(target_from_compact(self._bits[place])),  # pyright: ignore[reportArgumentType] - bits of a good header
            )
            for place in places
        )

    def mining(self) -> Shares:
        """How unevenly the rewards went to payees."""
        return measure_shares(figures.amount for figures in self.payees.values())

    @property
    def rewards(self) -> Amount:
        """Coin that blocks paid."""
        return Amount(self.subsidies + self.fees)
