"""Recomputing a brand's books from receipts, entry by entry, against what the chain took in (spec AUD-5).

Receipts are held against the published rules, openings against the receipts, and entries of the chain against the openings. Where
only a part was handed over, what can't be checked is counted as *unknown*: it is not wrong.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from api.reporting import receipts_findings as codes
from api.reporting.receipts_folder import ReceiptsFolder
from api.wallet.errors import WalletError
from api.wallet.sealing import Opening
from ledger.address import encode_address
from ledger.domains.loyalty.earn import OpenEntry, SealedEntry
from ledger.domains.loyalty.earning import points_for, versions_named_at
from ledger.domains.loyalty.purchases import Purchase as CountedPurchase
from ledger.domains.loyalty.receipts import Receipt, receipt_hash, receipt_is_signed
from ledger.domains.loyalty.state import OPEN, UNSETTLED
from ledger.errors import Code, FieldValue, LedgerError
from ledger.policy import address_of_key
from ledger.types import Address, Hash, Points, PublicKey, ReceiptHash, Timestamp
from node.audit import Finding
from node.audit_settlements import ContestedReceipt, ProgramSettlements, SettledEntry

DAY_SECONDS: Final = 86_400
NO_REMAINDER: Final = Hash(b"")

UNKNOWN_TEXTS: Final = {
    "entries": "credited entries that no opening here opens: what they settle is not known",
    "receipts": "receipts that are settled by entries here, but were not handed over",
    "unsettled": "receipts that no opening here holds: whether they were settled is not known",
    "numbers": "numbers of tills between the first and the last receipt here that were not handed over",
    "foreign": "files that are neither a receipt nor an opening, and were left aside",
    "copies": "files that hold a receipt or an opening that is here already",
}
NEVER_SHOWN: Final = (
    "Whether every purchase got a receipt, whether a till's clock was right, and what was bought:"
    " the lines are not looked at."
)


class ReceiptFinding(LedgerError):
    """One thing that is wrong with a brand's books."""


@dataclass(slots=True)
class TillFigures:
    """The receipts of one till that were handed over."""

    receipts: int
    first: int
    last: int
    missing: int


@dataclass(frozen=True, slots=True)
class CheckedEntry:
    """A credited entry that was opened: `points = receipts' sum + before - after`."""

    entry: SettledEntry
    receipts: int
    points: int
    sum: int
    before: int
    after: int
    is_good: bool


@dataclass(frozen=True, slots=True)
class CheckedContest:
    """A contest and what it did for the books. `is_here`: its receipt was handed over."""

    contest: ContestedReceipt
    is_here: bool
    is_good: bool


@dataclass(slots=True)
class ReceiptsReport:
    """What was recomputed. It is good if there are no findings; `unknown` counts what could not be checked, by a stable name."""

    is_whole: bool
    receipts: int = 0
    openings: int = 0
    members: int = 0
    receipt_points: int = 0
    settled_receipts: int = 0
    waiting_receipts: int = 0
    entries: int = 0
    open_entries: int = 0
    skipped_entries: int = 0
    credited_points: int = 0
    issued_points: int = 0
    opened_points: int = 0
    carried_points: int = 0
    earned_points: int = 0
    contest_points: int = 0
    other_points: int = 0
    contests: list[CheckedContest] = field(default_factory=list[CheckedContest])
    tills: dict[Address, TillFigures] = field(default_factory=dict[Address, TillFigures])
    checked: list[CheckedEntry] = field(default_factory=list[CheckedEntry])
    findings: list[Finding] = field(default_factory=list[Finding])
    unknown: Counter[str] = field(default_factory=Counter[str])

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def audit_receipts(folder: ReceiptsFolder, facts: ProgramSettlements, *, is_whole: bool) -> ReceiptsReport:
    """Hold a folder against the chain. `is_whole`: it claims to hold every receipt and every opening of the program."""
    decided = {contest.receipt: contest for contest in facts.contests}
    work = _Work(folder, facts, ReceiptsReport(is_whole), decided)
    work.report.findings.extend(facts.findings)
    work.read_receipts()
    work.check_sequences()
    work.check_contests()
    work.index_entries()
    work.check_openings()
    work.check_open_entries()
    work.check_unsettled()
    work.count()
    return work.report


def owed_points(facts: ProgramSettlements, receipt: Receipt) -> Points | None:
    """What the rule gives: the better of the version that the receipt names and the one in force; None: it may not name that.

    The tier is the one that the receipt names.
    """
    if receipt.terms_version not in versions_named_at(facts.program, receipt.time):
        return None
    in_force = facts.program.version_at(receipt.time)
    return max(
        points_for(facts.terms[version].rules, receipt.purchase(), offset_minutes=facts.program.offset_minutes)
        for version in (receipt.terms_version, in_force)
    )


@dataclass(slots=True)
class _Work:
    """One audit under way."""

    folder: ReceiptsFolder
    facts: ProgramSettlements
    report: ReceiptsReport
    contested: dict[ReceiptHash, ContestedReceipt]
    receipts: dict[ReceiptHash, Receipt] = field(default_factory=dict[ReceiptHash, Receipt])
    settled: Counter[ReceiptHash] = field(default_factory=Counter[ReceiptHash])
    sealed: defaultdict[tuple[Address, int, Hash], list[SettledEntry]] = field(
        default_factory=lambda: defaultdict[tuple[Address, int, Hash], list[SettledEntry]](list)
    )
    before: dict[tuple[int, int, bytes], Hash] = field(default_factory=dict[tuple[int, int, bytes], Hash])
    opened: set[tuple[int, int, bytes]] = field(default_factory=set[tuple[int, int, bytes]])

    def find(self, code: Code, **fields: FieldValue) -> None:
        """Report something that is wrong."""
        height = fields.get("height")
        text = str(ReceiptFinding(code, **fields))
        self.report.findings.append(Finding(code.name, text, height if isinstance(height, int) else None))

    # --- receipts by themselves ---

    def read_receipts(self) -> None:
        """Every receipt is signed by a till of the program and gives what the rule gives."""
        for file, reason in self.folder.unreadable:
            self.find(codes.UNREADABLE, file=file, reason=reason)
        self.report.unknown["foreign"] = len(self.folder.foreign)
        for file, signed in self.folder.receipts:
            receipt = signed.receipt
            if receipt.program != self.facts.program_id:
                self.find(codes.OTHER_PROGRAM, receipt=file, program=receipt.program)
                continue
            found = receipt_hash(receipt, signed.salt)
            if not receipt_is_signed(signed, self.facts.chain_id):
                self.find(codes.NOT_SIGNED, receipt=file)
            elif found in self.receipts:
                self.report.unknown["copies"] += 1
            elif self._check_receipt(file, receipt, found):
                self.receipts[found] = receipt

    def _show(self, address: Address) -> str:
        """An account as the chain's people write it."""
        prefix = self.facts.address_prefix
        return encode_address(prefix, address) if prefix else address.hex()

    def _check_receipt(self, file: str, receipt: Receipt, found: ReceiptHash) -> bool:
        """Whether the program stands behind a receipt; also where its points are wrong, which the program then answers for.

        Wrong points that a contest put right are no finding any more.
        """
        till = address_of_key(receipt.till)
        if not self.facts.is_till(till, receipt.time):
            self.find(codes.NO_TILL, receipt=file, time=receipt.time, till=self._show(till))
            return False
        expected = owed_points(self.facts, receipt)
        if expected is None:
            self.find(codes.WRONG_VERSION, receipt=file, version=receipt.terms_version, time=receipt.time)
        elif expected != receipt.points and not self._was_put_right(found, expected):
            self.find(codes.WRONG_POINTS, receipt=file, points=receipt.points, expected=expected)
        return True

    def _was_put_right(self, found: ReceiptHash, expected: int) -> bool:
        """Whether a contest ended with the fan having what the receipt is worth."""
        contest = self.contested.get(found)
        return contest is not None and contest.outcome != OPEN and contest.points == expected

    def check_sequences(self) -> None:
        """Each till numbers its receipts: none twice, and none left out where everything was handed over."""
        by_till: defaultdict[PublicKey, Counter[int]] = defaultdict(Counter)
        for receipt in self.receipts.values():
            by_till[receipt.till][receipt.sequence] += 1
        for key, numbers in sorted(by_till.items()):
            till, first, last = address_of_key(key), min(numbers), max(numbers)
            missing = last - first + 1 - len(numbers)
            self.report.tills[till] = TillFigures(numbers.total(), first, last, missing)
            for number, count in sorted(numbers.items()):
                if count > 1:
                    self.find(codes.SEQUENCE_TWICE, till=self._show(till), sequence=number, count=count)
            if missing and self.report.is_whole:
                gap = _first_gap(sorted(numbers))
                shown = self._show(till)
                self.find(codes.SEQUENCE_GAP, till=shown, count=missing, first=first, last=last, missing=gap)
            elif missing:
                self.report.unknown["numbers"] += missing

    # --- contests ---

    def check_contests(self) -> None:
        """What a contest credited is part of the books: it settles the receipt that no entry had settled."""
        for contest in self.facts.contests:
            is_here, before = contest.receipt in self.receipts, len(self.report.findings)
            if contest.credited:
                self.report.contest_points += contest.credited
                if contest.outcome == UNSETTLED:
                    self.settled[contest.receipt] += 1
                if not is_here and self.report.is_whole:
                    self.find(
                        codes.CONTEST_NO_RECEIPT,
                        height=contest.decided_at,
                        points=contest.credited,
                        receipt=contest.receipt,
                        sequence=contest.sequence,
                        till=self._show(contest.till),
                    )
                elif not is_here:
                    self.report.unknown["receipts"] += 1
            is_good = len(self.report.findings) == before
            self.report.contests.append(CheckedContest(contest, is_here, is_good))

    # --- entries of the chain ---

    def index_entries(self) -> None:
        """The chain's entries by what they commit to, and the remainder that each started from."""
        carried: dict[Address, Hash] = {}
        for settled in self.facts.entries:
            entry = settled.entry
            if not settled.is_credited:
                self.report.skipped_entries += 1
            if isinstance(entry, SealedEntry):
                self.sealed[entry.member, entry.period, entry.receipts].append(settled)
                if settled.is_credited:
                    self.before[_place(settled)] = carried.get(entry.member, NO_REMAINDER)
                    carried[entry.member] = entry.remainder
                    self.report.entries += 1
                    self.report.credited_points += entry.points
            elif settled.is_credited:
                self.report.open_entries += 1

    def check_openings(self) -> None:
        """Each opening adds up, opens one credited entry, and holds receipts that belong there."""
        seen: set[Opening] = set()
        for file, opening in self.folder.openings:
            if opening in seen:
                self.report.unknown["copies"] += 1
                continue
            seen.add(opening)
            self.report.openings += 1
            try:
                entry = opening.entry()
            except WalletError as fault:
                self.find(codes.BAD_OPENING, file=file, reason=str(fault))
                continue
            found = self.sealed.get((entry.member, entry.period, entry.receipts), [])
            credited = [settled for settled in found if settled.is_credited]
            if not found:
                self.find(codes.NO_ENTRY, file=file, member=self._show(opening.member), period=opening.period)
            elif not credited:
                self.find(codes.ENTRY_SKIPPED, file=file, result=found[0].code)
            elif len(credited) > 1:
                self.find(codes.ENTRY_TWICE, file=file, count=len(credited))
            for settled in credited:
                self._check_entry(settled, opening, entry)

    def _check_entry(self, settled: SettledEntry, opening: Opening, expected: SealedEntry) -> None:
        entry, found_before = settled.entry, len(self.report.findings)
        assert isinstance(entry, SealedEntry), "only sealed entries are indexed by R"
        where: dict[str, FieldValue] = {"height": settled.height, "index": settled.index}
        self.opened.add(_place(settled))
        if (entry.points, entry.remainder) != (expected.points, expected.remainder):
            shown = {"points": entry.points, "remainder": entry.remainder}
            self.find(codes.ENTRY_DIFFERS, **where, **shown, expected=expected.points, sealed=expected.remainder)
        if self.before[_place(settled)] != opening.before.commitment():
            self.find(codes.REMAINDER_BEFORE, **where)
        maximum = self.facts.terms_at(settled.clock).remainder_max
        if opening.after.remainder > maximum:
            self.find(codes.REMAINDER_TOO_LARGE, **where, remainder=opening.after.remainder, maximum=maximum)
        due = self._settle_by(entry.period, settled.clock)
        if opening.receipts and settled.clock > due:
            days = -(-(settled.clock - due) // DAY_SECONDS)
            self.find(codes.SETTLED_LATE, **where, period=entry.period, days=days)
        for found, points in opening.receipts:
            self._check_settled(settled, found, points, where)
        self.report.opened_points += entry.points
        self.report.checked.append(
            CheckedEntry(
                entry=settled,
                receipts=len(opening.receipts),
                points=entry.points,
                sum=sum(points for _, points in opening.receipts),
                before=opening.before.remainder,
                after=opening.after.remainder,
                is_good=len(self.report.findings) == found_before,
            )
        )

    def _check_settled(
        self, settled: SettledEntry, found: ReceiptHash, points: Points, where: dict[str, FieldValue]
    ) -> None:
        """A receipt that an entry settles: it is the member's, of the period, and counts what it gives."""
        self.settled[found] += 1
        receipt = self.receipts.get(found)
        if receipt is None:
            if self.report.is_whole:
                self.find(codes.NO_RECEIPT, **where, receipt=found)
            else:
                self.report.unknown["receipts"] += 1
            return
        if receipt.member != settled.entry.member:
            self.find(codes.OTHER_MEMBER, **where, receipt=found)
        period = self.facts.period_of(receipt.time, settled.clock)
        if period != settled.entry.period:
            self.find(codes.OTHER_PERIOD, **where, receipt=found, period=settled.entry.period, expected=period)
        contest = self.contested.get(found)
        is_made_up = contest is not None and contest.outcome != OPEN and points + contest.credited == contest.points
        if points != receipt.points and not is_made_up:
            self.find(codes.OTHER_POINTS, **where, receipt=found, points=points, expected=receipt.points)

    def _settle_by(self, period: int, clock: Timestamp) -> int:
        """Until when a period must be settled: its end plus the grace, by the terms in force at `clock`."""
        grace = self.facts.terms_at(clock).settle_grace_days * DAY_SECONDS
        return self.facts.period_end(period, clock) + grace

    def check_open_entries(self) -> None:
        """What an entry in clear says is what its receipt says; its points every node has computed."""
        for settled in self.facts.entries:
            entry = settled.entry
            if isinstance(entry, OpenEntry) and settled.is_credited:
                self.settled[entry.receipt] += 1
                receipt = self.receipts.get(entry.receipt)
                where: dict[str, FieldValue] = {"height": settled.height, "index": settled.index}
                if receipt is None:
                    if self.report.is_whole:
                        self.find(codes.NO_RECEIPT, **where, receipt=entry.receipt)
                    else:
                        self.report.unknown["receipts"] += 1
                elif _in_clear(receipt) != _in_clear(entry):
                    self.find(codes.OPEN_DIFFERS, **where, receipt=entry.receipt)

    # --- what is missing ---

    def check_unsettled(self) -> None:
        """Each receipt is settled once, by its day; each credited entry was opened, where everything was handed over."""
        for found, count in sorted(self.settled.items()):
            if count > 1:
                self.find(codes.SETTLED_TWICE, receipt=found, count=count)
        skipped = {(s.entry.member, s.entry.period): s.code for s in self.facts.entries if not s.is_credited}
        for found, receipt in self.receipts.items():
            if found not in self.settled and receipt.points:
                self._check_waiting(found, receipt, skipped)
        closed = [s for s in self.facts.entries if _place(s) in self.before and _place(s) not in self.opened]
        if closed and self.report.is_whole:
            points = sum(s.entry.points for s in closed if isinstance(s.entry, SealedEntry))
            where: dict[str, FieldValue] = {"height": closed[0].height, "index": closed[0].index}
            self.find(codes.NOT_OPENED, count=len(closed), points=points, **where)
        else:
            self.report.unknown["entries"] += len(closed)

    def _check_waiting(self, found: ReceiptHash, receipt: Receipt, skipped: dict[tuple[Address, int], str]) -> None:
        period = self.facts.period_of(receipt.time, receipt.time)
        if self.facts.clock <= self._settle_by(period, receipt.time):
            self.report.waiting_receipts += 1
        elif self.report.is_whole:
            code = skipped.get((receipt.member, period))
            reason = "" if code is None else f"; the chain skipped an entry of this member and period ({code})"
            reason += "; it is contested, and that is not decided yet" if found in self.contested else ""
            self.find(codes.NOT_SETTLED, receipt=found, points=receipt.points, reason=reason)
        else:
            self.report.unknown["unsettled"] += 1

    def count(self) -> None:
        """The figures at the end."""
        report = self.report
        report.receipts = len(self.receipts)
        report.members = len({receipt.member for receipt in self.receipts.values()})
        report.receipt_points = sum(receipt.points for receipt in self.receipts.values())
        report.settled_receipts = sum(1 for found in self.receipts if found in self.settled)
        report.issued_points = self.facts.books.issued
        report.earned_points = self.facts.earned_points
        report.other_points = report.issued_points - self.facts.earned_points - report.contest_points
        if report.other_points < 0:
            self.find(
                codes.ISSUED_DIFFERS,
                entries=self.facts.earned_points,
                contests=report.contest_points,
                issued=report.issued_points,
            )
        report.checked.sort(key=lambda checked: _place(checked.entry))
        last = {checked.entry.entry.member: checked.after for checked in report.checked}
        report.carried_points = sum(last.values())


def _place(settled: SettledEntry) -> tuple[int, int, bytes]:
    return settled.height, settled.index, settled.txid


def _in_clear(found: Receipt | OpenEntry) -> tuple[bytes, int, CountedPurchase]:
    """What an open entry and its receipt both say."""
    return found.member, found.terms_version, found.purchase()


def _first_gap(numbers: list[int]) -> int:
    """The first number that is missing from an ascending list that has a gap."""
    return next(number for number, after in pairwise(numbers) if after > number + 1) + 1
