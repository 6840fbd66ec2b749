"""How points come into being: everything that gives a fan new points does it here, and nowhere else (spec LOY-8, LOY-11).

Entries, adjustments, referrals and contests decide who gets how many and which lot that becomes. Whether the program can issue
them now, its totals, the lot, and the count towards tiers are the same for all of them:

    issuance = Issuance.open(view, program_id, program, context)
    fault = issuance.refusal(points)              # a code, or None: raise it, skip the entry, or end as "not paid"
    issuance.give_now(account, points)            # the usual lot, under the terms in force; writes the member
    issuance.save()                               # once, at the end: writes totals and days

Where the lot is another one (of a settled period, of earlier terms) or it counts towards tiers, `issue_points` takes an `Award`
and returns what changes in the member's record, which the caller writes.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from ledger.domains.loyalty.events import TierReached
from ledger.domains.loyalty.periods import lot_days_now
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.sliding import extend_lots
from ledger.domains.loyalty.state import (
    Books,
    EarnedItem,
    Lot,
    Program,
    Terms,
    load_books,
    load_member,
    load_terms,
    member_key,
)
from ledger.domains.loyalty.tiers import Earned, count_towards_tiers
from ledger.errors import Code
from ledger.kinds import Context
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, Day, Points, ProgramId

ISSUANCE_CAP = Code(
    "earn.issuance_cap", "the program's issuance cap would be passed", "Raise the cap by `program.update`."
)


class Award(NamedTuple):
    """Points above 0 for one account, and the lot that they become: `version` and days. `terms` are those of the version.

    `tier_base`: the day from which dates of the tier count, where the points count towards a tier; else None.
    """

    account: Address
    points: Points
    version: int
    terms: Terms
    activation_day: Day
    expiry_day: Day
    tier_base: Day | None = None


class Issued(NamedTuple):
    """What issuing changed in a member's record: its lots, its tier history; and the event, if a tier was reached."""

    lots: tuple[Lot, ...]
    tier_history: tuple[EarnedItem, ...]
    reached: TierReached | None


@dataclass(slots=True)
class Issuance:
    """A program's issuing in one transaction or one piece of due work. `version` and `terms` are those in force now.

    `sliding_days` remembers which versions slide, so that a batch asks once for each.
    """

    book: PointsBook
    version: int
    terms: Terms
    context: Context
    sliding_days: dict[int, int]

    @staticmethod
    def open(view: RuleView, program_id: ProgramId, program: Program, context: Context) -> "Issuance":
        """Open the program's books at the chain's present time. `save` must follow once something was issued."""
        book = PointsBook.open(view, program_id, program, context)
        version = program.version_at(context.time)
        return Issuance(book, version, load_terms(view, program_id, version), context, {})

    def refusal(self, points: int) -> Code | None:
        """Why the program can't issue so many points more now, what was issued since `open` counted: `earn.issuance_cap`, or None.

        Contests do not ask: they credit from what was set aside for them (spec LOY-14).
        """
        if points > left_of_cap(self.terms, self.book.books, self.book.total("issued")):
            return ISSUANCE_CAP
        return None

    def slide(self, lots: tuple[Lot, ...]) -> tuple[Lot, ...]:
        """Who comes back keeps its points: what a settled purchase does to lots under sliding terms (spec TIER-5)."""
        return extend_lots(self.book, lots, self.sliding_days)

    def issue_points(self, lots: tuple[Lot, ...], history: tuple[EarnedItem, ...], award: Award) -> Issued:
        """Make the points of `award`: `issued` and the lot's totals grow, the lot is among `lots`, tiers count where they should.

        The caller asked `refusal` before, or credits from a reserve; and writes the member's record.
        """
        lot = (award.version, award.activation_day, award.expiry_day, award.points)
        lots = self.book.add_lot(lots, lot)
        self.book.move("issued", award.points)
        reached: TierReached | None = None
        if award.tier_base is not None and award.terms.tiers:
            earned = Earned(self.book.program_id, award.account, award.terms, award.tier_base, award.points)
            history, reached = count_towards_tiers(history, earned, self.book.program, self.context.time)
        return Issued(lots, history, reached)

    def give_now(self, account: Address, points: Points) -> tuple[Day, Day]:
        """Issue the lot of an entry settled now, under the terms in force, without counting towards tiers (spec LOY-18, 4.).

        Writes the member, which exists; returns the lot's activation and expiry day. Of 0 points nothing is issued.
        """
        activation_day, expiry_day = lot_days_now(self.book.program, self.terms, self.context.time)
        if points:
            member = load_member(self.book.view, self.book.program_id, account)
            award = Award(account, points, self.version, self.terms, activation_day, expiry_day)
            issued = self.issue_points(member.lots, member.tier_history, award)
            self.book.view.put(member_key(self.book.program_id, account), replace(member, lots=issued.lots))
        return activation_day, expiry_day

    def save(self) -> None:
        """Write totals and days. The books are read again: the pool may have paid meanwhile."""
        self.book.save()


def left_of_cap(terms: Terms, books: Books, issued: int) -> int:
    """Points that may still be issued after `issued`. What contests credited counts against no cap; all ever issued stays within
    2**63 - 1.
    """
    return max(min(terms.issuance_cap + books.contest_points_credited, INTEGER_MAX) - issued, 0)


def room_for_contests(view: RuleView, program_id: ProgramId) -> int:
    """Points that contests may still credit: they count against no cap, and all ever issued stays within 2**63 - 1."""
    return INTEGER_MAX - load_books(view, program_id).issued
