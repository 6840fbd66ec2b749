"""When receipts reach a goal: one answer for every node, for the shop that completes and for the fan that contests (spec CHL-1)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledger.domains.challenges.state import Codes, Goal, Spend, Visits
from ledger.merkle import leaf_hash, root
from ledger.types import Hash, ReceiptHash


class Basket(NamedTuple):
    """What a goal reads of a receipt: net and the part paid with points in cents, and category codes with theirs."""

    net_cents: int
    paid_with_points_cents: int
    codes: tuple[tuple[str, int], ...]

    @property
    def eligible_cents(self) -> int:
        """What was not paid with points: only that counts."""
        return self.net_cents - self.paid_with_points_cents

    def bought_codes(self) -> frozenset[str]:
        """Codes of which something was bought."""
        return frozenset(code for code, cents in self.codes if cents > 0)


def progress(goal: Goal, baskets: Sequence[Basket]) -> tuple[int, int]:
    """How far the baskets lead, and where to: visits, cents, or codes. Reached if the first is at least the second."""
    if isinstance(goal, Visits):
        return len(baskets), goal.count
    if isinstance(goal, Spend):
        return sum(basket.eligible_cents for basket in baskets), goal.cents
    bought = frozenset[str]().union(*(basket.bought_codes() for basket in baskets))
    return sum(1 for code in goal.codes if code in bought), len(goal.codes)


def is_reached(goal: Goal, baskets: Sequence[Basket]) -> bool:
    """Whether the baskets, which all count, reach the goal."""
    done, wanted = progress(goal, baskets)
    return done >= wanted


def missing_codes(goal: Codes, baskets: Sequence[Basket]) -> tuple[str, ...]:
    """The codes of the goal of which nothing was bought."""
    bought = frozenset[str]().union(*(basket.bought_codes() for basket in baskets))
    return tuple(code for code in goal.codes if code not in bought)


def evidence_leaves(receipts: Iterable[ReceiptHash]) -> list[Hash]:
    """The leaves of an evidence: RFC 9162 leaf hashes of receipt hashes."""
    return [leaf_hash(found) for found in receipts]


def evidence_of(receipts: Iterable[ReceiptHash]) -> Hash:
    """The root over receipts in the order given (spec CHL-1)."""
    return Hash(root(evidence_leaves(receipts)))
