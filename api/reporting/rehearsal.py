"""A draft of terms over receipts of the past: what each fan would have gained or lost, before anything is published.

Both terms, those in force and the draft, go through the ledger's own functions in the same way: each fan's receipts in the order of
time, settled at the end of their period, tiers by what was earned till then, the cap of a period. What fans would do otherwise,
redemptions and expiry are not rehearsed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.wallet.shown_terms import TermsVersions
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.period_caps import PeriodCredits, cap_points, count_credited
from ledger.domains.loyalty.periods import Period, period_at
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, receipt_is_signed
from ledger.domains.loyalty.state import EarnedItem, Program, Terms
from ledger.domains.loyalty.terms import find_worse
from ledger.domains.loyalty.tiers import Earned, count_towards_tiers, tier_at
from ledger.types import Address, ChainId, Points, ProgramId

SIGNATURES_SAMPLED: Final = 200
"""Signatures that are checked, evenly spread: a rehearsal is no audit, and all of a year would take longer than it."""

WORSE_WORDS: Final = {
    "rate": "a rate per amount falls",
    "minimum_basket": "the minimum basket rises",
    "receipt_cap": "a receipt is capped lower",
    "rate_per_code": "a rate of a code falls, or goes",
    "per_visit": "points of a visit fall, go, or are harder to get",
    "bonus_window": "a bonus window that is not over closes, or gives less",
    "tier_multiplier": "a tier multiplies by less",
    "period_cap": "a period is capped lower, or otherwise",
    "tiers": "a tier goes, is harder to reach, or is kept otherwise",
    "expiry": "points could expire sooner",
}


@dataclass(frozen=True, slots=True)
class FanOutcome:
    """What one fan's receipts give by the terms in force and by the draft."""

    member: Address
    receipts: int
    now: int
    draft: int

    @property
    def difference(self) -> int:
        """Above 0: the draft gives more."""
        return self.draft - self.now


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All fans, and whether the change would have to wait for the notice: `worse` names why."""

    fans: tuple[FanOutcome, ...]
    promised: int
    foreign: int
    signatures_checked: int
    signatures_wrong: int
    worse: tuple[str, ...]
    notice_days: int
    is_update_pending: bool

    def to_mapping(self) -> dict[str, Any]:
        """The sums as JSON, without the fans."""
        differences = [fan.difference for fan in self.fans]
        return {
            "receipts": sum(fan.receipts for fan in self.fans),
            "fans": len(self.fans),
            "points_promised": self.promised,
            "points_now": sum(fan.now for fan in self.fans),
            "points_draft": sum(fan.draft for fan in self.fans),
            "difference": sum(differences),
            "fans_who_gain": sum(1 for value in differences if value > 0),
            "fans_who_lose": sum(1 for value in differences if value < 0),
            "largest_gain": max(0, *differences) if differences else 0,
            "largest_loss": min(0, *differences) if differences else 0,
            "waits_for_notice": bool(self.worse),
            "notice_days": self.notice_days if self.worse else 0,
            "why": [WORSE_WORDS.get(name, f"{name} is worse for fans") for name in self.worse],
            "must_wait_for_an_announced_change": bool(self.worse) and self.is_update_pending,
            "receipts_of_other_programs": self.foreign,
            "signatures_checked": self.signatures_checked,
            "signatures_wrong": self.signatures_wrong,
        }


@dataclass(slots=True)
class _Life:
    """One fan under one version of terms: what it earned so far, period by period."""

    terms: Terms
    program: Program
    program_id: ProgramId
    member: Address
    history: tuple[EarnedItem, ...] = ()
    credits: PeriodCredits = ()
    credited: int = 0
    period: Period | None = None
    waiting: int = 0
    last_visit: int = 0

    def buy(self, receipt: Receipt) -> None:
        """Count a receipt that is later than all before."""
        period = period_at(self.program, self.terms, receipt.time)
        if period != self.period:
            self.settle()
            self.period = period
        purchase = Purchase(
            receipt.time,
            receipt.net_cents,
            receipt.paid_with_points_cents,
            receipt.codes,
            tier_at(self.history, self.terms, self.program, receipt.time),
            receipt.previous_visit or self.last_visit,
        )
        self.waiting += points_for(self.terms.rules, purchase, offset_minutes=self.program.offset_minutes)
        self.last_visit = receipt.time

    def settle(self) -> None:
        """Credit what waits, at the end of its period."""
        if self.period is None or not self.waiting:
            return
        given, self.waiting = Points(self.waiting), 0
        capped = cap_points(self.credits, self.terms, self.period.begins, given)
        if capped.is_rejected or not capped.points:
            return
        self.credits = count_credited(self.credits, self.terms, self.period.begins, capped.points)
        self.credited += capped.points
        if self.terms.tiers:
            earned = Earned(self.program_id, self.member, self.terms, self.period.end_day, capped.points)
            self.history, _ = count_towards_tiers(self.history, earned, self.program, self.period.ends)


def rehearse_draft(
    versions: TermsVersions,
    draft: Terms,
    receipts: Iterable[SignedReceipt],
    *,
    program_id: ProgramId,
    chain_id: ChainId,
) -> Rehearsal:
    """Run the terms in force now and `draft` over the receipts of a program."""
    found = list(receipts)
    own = [signed for signed in found if signed.receipt.program == program_id]
    program, now = versions.program, versions.now
    in_force = versions.terms[program.version_at(now)]
    by_fan: defaultdict[Address, list[Receipt]] = defaultdict(list)
    for signed in own:
        by_fan[signed.receipt.member].append(signed.receipt)
    fans = [
        FanOutcome(
            member=member,
            receipts=len(bought),
            now=_credited(in_force, program, program_id, bought),
            draft=_credited(draft, program, program_id, bought),
        )
        for member, bought in by_fan.items()
    ]
    sample = own[:: max(len(own) // SIGNATURES_SAMPLED, 1)][:SIGNATURES_SAMPLED]
    return Rehearsal(
        fans=tuple(sorted(fans, key=lambda fan: (fan.difference, fan.member))),
        promised=sum(signed.receipt.points for signed in own),
        foreign=len(found) - len(own),
        signatures_checked=len(sample),
        signatures_wrong=sum(1 for signed in sample if not receipt_is_signed(signed, chain_id)),
        worse=find_worse(in_force, draft, today=program.day_at(now)),
        notice_days=in_force.notice_days,
        is_update_pending=program.pending_version(now) is not None,
    )


def _credited(terms: Terms, program: Program, program_id: ProgramId, bought: Sequence[Receipt]) -> int:
    """What a fan's receipts would be credited under these terms."""
    life = _Life(terms, program, program_id, bought[0].member)
    for receipt in sorted(bought, key=lambda receipt: (receipt.time, receipt.till, receipt.sequence)):
        life.buy(receipt)
    life.settle()
    return life.credited


def fans_to_mappings(fans: Iterable[FanOutcome], show: Callable[[Address], str]) -> list[dict[str, Any]]:
    """Fans as JSON, the greatest loss first; `show` writes an address."""
    return [
        {
            "member": show(fan.member),
            "receipts": fan.receipts,
            "now": fan.now,
            "draft": fan.draft,
            "difference": fan.difference,
        }
        for fan in fans
    ]
