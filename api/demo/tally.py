"""What the driver counts while a replay runs: what went into blocks, what the node refused, and who has how many points."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from api.demo.journey import HouseholdId
from api.demo.paperwork import Returned, Signed, Spent, Week
from api.demo.promotions import PromotionId
from ledger.domains.loyalty.earn import Earn
from node.tip import TipChanged


class Stopwatch:
    """Seconds spent in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add what the block takes to the phase `name`."""
        started = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += perf_counter() - started


class Traffic:
    """What went into blocks, counted where the chain announces them."""

    def __init__(self) -> None:
        self.transactions = 0
        self.entries = 0
        self.bytes = 0

    def count(self, changed: TipChanged) -> None:
        """Add the blocks that were connected."""
        for block in changed.connected:
            self.transactions += len(block.transactions)
            for transaction in block.transactions:
                self.bytes += len(transaction.raw)
                if isinstance(transaction.payload, Earn):
                    self.entries += len(transaction.payload.entries)


@dataclass(slots=True)
class Tally:
    """Points and refusals. `promised` are the points of all receipts by household, `balances` what each can spend."""

    promised: Counter[HouseholdId] = field(default_factory=Counter[HouseholdId])
    balances: Counter[HouseholdId] = field(default_factory=Counter[HouseholdId])
    coupons: Counter[PromotionId] = field(default_factory=Counter[PromotionId])
    coupons_of: Counter[HouseholdId] = field(default_factory=Counter[HouseholdId])
    coupons_refused: Counter[str] = field(default_factory=Counter[str])
    pledges_refused: int = 0
    consents: int = 0
    returned: Returned = field(default_factory=Returned)
    reversals: int = 0
    reversed_of: Counter[HouseholdId] = field(default_factory=Counter[HouseholdId])
    bonuses_reversed: int = 0
    spent: defaultdict[tuple[bool, int], Spent] = field(
        default_factory=lambda: defaultdict[tuple[bool, int], Spent](Spent)
    )
    tiers_risen: int = 0
    tiers_fallen: int = 0

    def add_week(self, week: Week) -> None:
        """What the office says of a week that it hands over."""
        self.promised.update(week.promised)
        self.consents += len(week.consents)
        self.tiers_risen += week.tiers_risen
        self.tiers_fallen += week.tiers_fallen
        for name in Returned.__slots__:
            setattr(self.returned, name, getattr(self.returned, name) + getattr(week.returned, name))
        for group, spent in week.spent.items():
            kept = self.spent[group]
            kept.receipts, kept.cents = kept.receipts + spent.receipts, kept.cents + spent.cents
            kept.points += spent.points

    def take_back(self, reversal: Signed) -> None:
        """Points were taken back for a return."""
        if reversal.kind == "offer.reverse":
            self.bonuses_reversed += reversal.points
            return
        self.reversals += 1
        self.reversed_of[reversal.household] += reversal.points
        self.balances[reversal.household] -= reversal.points

    def refuse(self, signed: Signed, code: str) -> None:
        """The node refused a coupon, or a pledge."""
        if signed.reward is None:
            self.pledges_refused += 1
        else:
            self.coupons_refused[code] += 1

    def spend(self, signed: Signed) -> None:
        """A coupon or a pledge was accepted."""
        self.balances[signed.household] -= signed.points
        if signed.reward is not None:
            self.coupons[signed.reward] += 1
            self.coupons_of[signed.household] += 1
