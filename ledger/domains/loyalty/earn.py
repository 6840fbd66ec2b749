"""`earn`: an issuer settles purchases as a batch of entries, sealed or open (spec LOY-11, LOY-12).

A structural fault, or an issuer that may not settle, rejects the batch; a fault of one entry's state skips that entry and records
its code. The state keeps one root over the batch's entries, as long as anything about them can be contested.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from ledger.codec import pack_shaped
from ledger.coin import give_to, lock_deposit
from ledger.domains.consent.state import PUBLISH, has_consent
from ledger.domains.loyalty.earning import better_points, versions_named_at
from ledger.domains.loyalty.events import BatchSettled, EntrySkipped, PointsEarned, TierReached
from ledger.domains.loyalty.issuance import Award, Issuance
from ledger.domains.loyalty.period_caps import cap_points, count_credited
from ledger.domains.loyalty.periods import expiry_day, settle_by
from ledger.domains.loyalty.program_sunset import ENTRY_CARRIES, ENTRY_ENDED
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import MONEY, check_codes
from ledger.domains.loyalty.referral import start_referral
from ledger.domains.loyalty.state import (
    POINTS,
    SCOPE_SETTLE,
    TIME,
    Batch,
    Grant,
    Member,
    Program,
    Terms,
    batch_key,
    grant_key,
    load_books,
    load_program,
    load_terms,
    member_key,
    program_key,
    require_grant,
)
from ledger.due import schedule
from ledger.errors import Code
from ledger.evolve import replace
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, DueKind, Kind
from ledger.merkle import leaf_hash, root
from ledger.params import CONTEST_KEEP_SECONDS, EARN_ENTRIES_MAX, RETURN_POST_SECONDS, TIERS_MAX
from ledger.schema import Integer, ListOf, OneOf, OptionalIdentifier, Row, Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import (
    Address,
    Amount,
    Day,
    Hash,
    Points,
    ProgramId,
    ReceiptHash,
    RecordKey,
    Timestamp,
)

ENTRY_NO_MEMBER = Code("earn.no_member", "the account has not joined", "Let the fan join, then settle again.")
ENTRY_LEFT = Code("earn.member_left", "the member left before this period", "Nothing: later purchases earn nothing.")
ENTRY_EARLY = Code(
    "earn.before_joining", "the period ended before the member joined", "Settle what came after joining."
)
ENTRY_FUTURE = Code("earn.future_period", "the period has not begun", "Settle it when it has.")
ENTRY_DAILY_CAP = Code(
    "earn.daily_cap", "the issuer's daily cap would be passed", "Settle the rest tomorrow, or raise the cap."
)
ENTRY_NO_CONSENT = Code(
    "earn.no_consent", "the member has not agreed to publish open entries", "Settle it as a sealed entry."
)
ENTRY_NO_VERSION = Code(
    "earn.wrong_version", "the terms named were not in force at the purchase", "Name the version that was in force."
)
ENTRY_WRONG_TIME = Code(
    "earn.wrong_period", "the purchase's time lies outside the entry's period", "Put it into its own period."
)
ENTRY_PERIOD_CAP = Code(
    "earn.period_cap",
    "the member's cap of this period would be passed",
    "Settle what is left of it, or raise the cap; what stays unsettled can be contested.",
)
ENTRY_REDUCED = Code(
    "earn.period_cap_reduced",
    "the entry was credited with what the member's cap of this period left",
    "Nothing: the terms say so. The entry's remainder and receipts count as settled.",
)

CREDITED = frozenset({APPLIED, ENTRY_REDUCED.name})
"""Result codes of entries that were credited; all others name why an entry was skipped."""

DROP_BATCH_DUE = "earn.drop"


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """What is settled for one member and period: points, R over the receipts, and K over the remainder (spec RCP-6, 7)."""

    tag: ClassVar[int] = 0
    member: Annotated[Address, identifier()]
    period: Annotated[int, Integer(0, 2**31 - 1)]
    points: Annotated[Points, POINTS]
    receipts: Annotated[Hash, identifier()]
    remainder: Annotated[Hash, OptionalIdentifier()]


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """One receipt in clear, where its member agreed to publish: every node computes its points."""

    tag: ClassVar[int] = 1
    member: Annotated[Address, identifier()]
    period: Annotated[int, Integer(0, 2**31 - 1)]
    receipt: Annotated[ReceiptHash, identifier()]
    terms_version: Annotated[int, Integer(1, 2**31 - 1)]
    time: Annotated[Timestamp, TIME]
    net_cents: Annotated[int, Integer(-(2**53), 2**53)]
    paid_with_points_cents: Annotated[int, Integer(0, 2**53)]
    codes: Annotated[tuple[tuple[str, int], ...], ListOf(Row(Text(1, 32), MONEY), 0, 64)] = ()
    tier: Annotated[int, Integer(0, TIERS_MAX)] = 0
    previous_visit: Annotated[int, TIME] = 0

    def purchase(self) -> Purchase:
        """What the rules read of it."""
        return Purchase(
            self.time, self.net_cents, self.paid_with_points_cents, self.codes, self.tier, self.previous_visit
        )


Entry = SealedEntry | OpenEntry


@dataclass(frozen=True, slots=True)
class Earn:
    """A batch for one program. The author holds the scope to settle."""

    program: Annotated[ProgramId, identifier()]
    entries: Annotated[tuple[Entry, ...], ListOf(OneOf(SealedEntry, OpenEntry), 1, EARN_ENTRIES_MAX)]


class PeriodDates(NamedTuple):
    """What an entry of one period becomes: its terms, the lot's days, and when contesting it and returning its purchases ends.
    Days count from `base`.
    """

    version: int
    terms: Terms
    base: Day
    begins: Timestamp
    ends: Timestamp
    activation_day: Day
    expiry_day: Day
    keep_until: Timestamp
    returnable_until: Timestamp


def period_dates(view: RuleView, program_id: ProgramId, program: Program, period: int, now: Timestamp) -> PeriodDates:
    """Dates of an entry of `period` that is settled at `now`; they count from the later of the two (spec LOY-11)."""
    in_force = load_terms(view, program_id, program.version_at(now))
    length = max(in_force.period_days, 1)
    first_day = Day(period * length + in_force.period_anchor_day)
    begins, ends = program.day_start(first_day), program.day_start(Day(first_day + length))
    version = program.version_at(Timestamp(min(ends - 1, now)))
    terms = load_terms(view, program_id, version)
    today = program.day_at(now)
    base = today if in_force.period_days == 0 else Day(max(today, first_day + length))
    activation_day = Day(base + terms.activation_delay_days)
    # An entry of a period to come is skipped, so nothing of it can be contested or returned: its end, however far, keeps nothing.
    kept = (ends if begins <= now < ends else now) + terms.settle_grace_days * 86_400
    for other in program.versions_between(begins, Timestamp(min(ends - 1, now))):
        kept = max(kept, settle_by(program, load_terms(view, program_id, other), Timestamp(min(ends - 1, now))))
    returnable_until = program.day_start(Day(base + terms.return_window_days + 1))
    posted_until = returnable_until + RETURN_POST_SECONDS if begins <= now else 0
    return PeriodDates(
        version=version,
        terms=terms,
        base=base,
        begins=begins,
        ends=ends,
        activation_day=activation_day,
        expiry_day=expiry_day(terms.expiry, base=base, activation_day=activation_day),
        keep_until=Timestamp(max(kept + CONTEST_KEEP_SECONDS, posted_until)),
        returnable_until=returnable_until,
    )


@dataclass(slots=True)
class Settlement:
    """The running totals of one batch."""

    view: RuleView
    program_id: ProgramId
    program: Program
    batch_id: Hash
    issuance: Issuance
    context: Context
    day_left: int
    dates: dict[int, PeriodDates]
    reduced: list[tuple[int, int]]
    settled: int = 0

    def dates_of(self, period: int) -> PeriodDates:
        """Dates of a period, computed once per batch."""
        found = self.dates.get(period)
        if found is None:
            found = period_dates(self.view, self.program_id, self.program, period, self.context.time)
            self.dates[period] = found
        return found

    def settle(self, entry: Entry, index: int) -> tuple[str, Hash]:
        """Apply one entry, or skip it: its result code, and its leaf in the batch's root (spec LOY-12)."""
        key = member_key(self.program_id, entry.member)
        member: Member | None = self.view.get(key)
        dates = self.dates_of(entry.period)
        fault, given, credited = self._check(entry, member, dates)
        if isinstance(entry, SealedEntry):
            commitment, remainder = entry.receipts, entry.remainder
        else:
            commitment = Hash(entry.receipt)
            remainder = Hash(b"") if member is None else member.remainder
        before = b"" if member is None else member.remainder
        if fault is None:
            assert member is not None, "an entry without a member is a fault"
            kept_back = Points(given - credited)
            self._credit(key, member, entry, index, credited, kept_back, commitment, remainder, dates)
            code = ENTRY_REDUCED.name if kept_back else APPLIED
            if kept_back and credited:
                self.reduced.append((index, credited))
        else:
            code = fault.name
            self.view.emit(EntrySkipped(self.program_id, entry.member, index, entry.period, code))
        leaf = pack_shaped((entry.tag, entry.member, entry.period, given, commitment, remainder, before, code))
        return code, leaf_hash(leaf)

    def _check(self, entry: Entry, member: Member | None, dates: PeriodDates) -> tuple[Code | None, Points, Points]:
        """The first fault of an entry in the order of the spec, the points that it gives, and what of them is credited."""
        points = entry.points if isinstance(entry, SealedEntry) else Points(0)
        if member is None:
            return ENTRY_NO_MEMBER, points, points
        if dates.begins > self.context.time:
            return ENTRY_FUTURE, points, points
        if dates.ends <= member.joined_at:
            return ENTRY_EARLY, points, points
        if member.left_at and dates.begins > member.left_at:
            return ENTRY_LEFT, points, points
        if self.program.has_ended(dates.begins):
            return ENTRY_ENDED, points, points
        if isinstance(entry, SealedEntry) and entry.remainder and self.program.has_ended(self.context.time):
            return ENTRY_CARRIES, points, points
        if isinstance(entry, OpenEntry):
            fault, points = self._check_open(entry, member, dates)
            if fault is not None:
                return fault, points, points
        capped = cap_points(member.period_credits, dates.terms, dates.begins, points)
        if capped.is_rejected:
            return ENTRY_PERIOD_CAP, points, points
        refused = self.issuance.refusal(capped.points, dates.version)
        if refused is not None:
            return refused, points, points
        if capped.points > self.day_left:
            return ENTRY_DAILY_CAP, points, points
        return None, points, capped.points

    def _check_open(self, entry: OpenEntry, member: Member, dates: PeriodDates) -> tuple[Code | None, Points]:
        none = Points(0)
        if not has_consent(self.view, entry.member, self.program_id, PUBLISH, self.context.time):
            return ENTRY_NO_CONSENT, none
        if not dates.begins <= entry.time < dates.ends or entry.time > self.context.time:
            return ENTRY_WRONG_TIME, none
        if entry.terms_version not in versions_named_at(self.program, entry.time):
            return ENTRY_NO_VERSION, none
        points = better_points(
            self.view,
            self.program_id,
            self.program,
            member,
            terms_version=entry.terms_version,
            purchase=entry.purchase(),
        )
        return None, points

    def _credit(
        self,
        key: RecordKey,
        member: Member,
        entry: Entry,
        index: int,
        points: Points,
        kept_back: Points,
        commitment: Hash,
        remainder: Hash,
        dates: PeriodDates,
    ) -> None:
        lots = self.issuance.slide(member.lots)
        history, credits = member.tier_history, member.period_credits
        reached: TierReached | None = None
        if points:
            days = (dates.activation_day, dates.expiry_day, dates.base)
            award = Award(entry.member, points, dates.version, dates.terms, *days)
            lots, history, reached = self.issuance.issue_points(lots, history, award)
            self.day_left -= points
            self.settled += points
            if member.is_referred:
                self._start_referral(entry, index, points, dates)
            credits = count_credited(credits, dates.terms, dates.begins, points)
        after = replace(
            member,
            remainder=remainder,
            entries=member.entries + 1,
            lots=lots,
            tier_history=history,
            period_credits=credits,
            is_referred=member.is_referred and not points,
            earned=Points(member.earned + points),
        )
        self.view.put(key, after)
        self.view.emit(
            PointsEarned(
                self.program_id,
                entry.member,
                index,
                entry.period,
                points,
                commitment,
                dates.activation_day,
                dates.expiry_day,
                kept_back,
            )
        )
        if reached is not None:
            self.view.emit(reached)

    def _start_referral(self, entry: Entry, index: int, points: Points, dates: PeriodDates) -> None:
        start_referral(
            self.view,
            self.program_id,
            entry.member,
            batch=self.batch_id,
            index=index,
            points=points,
            due=dates.returnable_until,
        )


def apply(view: RuleView, call: Call, payload: Earn, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `issuer.not_granted`, `issuer.no_scope`, `coin.insufficient` or
    `coin.pool_insufficient`.

    An entry is skipped with the first of: `earn.no_member`, `earn.future_period`, `earn.before_joining`, `earn.member_left`,
    `earn.program_ended`, for sealed ones `earn.carries_on`, for open ones `earn.no_consent`, `earn.wrong_period`,
    `earn.wrong_version`; then `earn.period_cap`, `earn.issuance_cap`, `earn.pool_insufficient`, `earn.daily_cap`. One that a cap
    of the period reduced is credited with `earn.period_cap_reduced`.
    """
    program = load_program(view, payload.program)
    require_grant(view, payload.program, call.author, SCOPE_SETTLE)
    deposit = lock_deposit(view, call, context)
    grant: Grant = view.get(grant_key(payload.program, call.author))
    issuance = Issuance.open(view, payload.program, program, context)
    today = issuance.book.today
    used_today = grant.day_used if grant.day == today else 0
    settlement = Settlement(
        view=view,
        program_id=payload.program,
        program=program,
        batch_id=Hash(object_id("earn", call.txid, 0)),
        issuance=issuance,
        context=context,
        day_left=max(grant.daily_cap - used_today, 0),
        dates={},
        reduced=[],
    )
    results = [settlement.settle(entry, index) for index, entry in enumerate(payload.entries)]
    issuance.save()
    used = Points(used_today + settlement.settled)
    view.put(grant_key(payload.program, call.author), replace(grant, day=today, day_used=used))
    codes = tuple([code for code, _ in results])
    _keep_batch(view, call, payload, settlement, [leaf for _, leaf in results], codes, deposit)
    return codes


def _keep_batch(
    view: RuleView,
    call: Call,
    payload: Earn,
    settlement: Settlement,
    leaves: list[Hash],
    codes: tuple[str, ...],
    deposit: Amount,
) -> None:
    batch_id = settlement.batch_id
    keep_until = max(dates.keep_until for dates in settlement.dates.values())
    batch = Batch(
        payer=call.payer,
        deposit=deposit,
        program=payload.program,
        entries_root=Hash(root(leaves)),
        count=len(leaves),
        settled_at=settlement.context.time,
        keep_until=keep_until,
        reduced=tuple(settlement.reduced),
    )
    view.put(batch_key(batch_id), batch)
    schedule(view, kind=DROP_BATCH_DUE, subject=batch_id, number=0, due=keep_until)
    skipped = sum(1 for code in codes if code not in CREDITED)
    view.emit(BatchSettled(payload.program, call.author, batch_id, len(leaves), skipped, Points(settlement.settled)))


def drop_batch(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: nothing of the batch can be contested or taken back any more; its deposit goes back.

    While a contest of the program is open, the issuer may need the batch to answer it: then it is kept for another day.
    """
    key = batch_key(Hash(subject))
    batch: Batch = view.get(key)
    if load_books(view, batch.program).contests_open:
        schedule(view, kind=DROP_BATCH_DUE, subject=subject, number=0, due=Timestamp(context.time + 86_400))
        return
    view.delete(key)
    give_to(view, batch.payer, batch.deposit, "locked")


def check(payload: Earn) -> None:
    """Codes of an open entry that do not ascend are malformed, as in a receipt."""
    for entry in payload.entries:
        if isinstance(entry, OpenEntry):
            check_codes(entry.codes)


def cost(payload: Earn) -> Cost:
    """An entry: its member, and days between which its lots move; program books, grant, payer; the batch, its due item, days."""
    return Cost(records=2 * len(payload.entries) + 4, slots=10, due=5)


def reads(author: Address, payload: Earn) -> tuple[RecordKey, ...]:
    """Program, grant and every member."""
    program = payload.program
    members = tuple([member_key(program, entry.member) for entry in payload.entries])
    return (program_key(program), grant_key(program, author), *members)


DROP_BATCH = DueKind(name=DROP_BATCH_DUE, anchor="LOY-12", weight=200, apply=drop_batch)

EARN: Kind[Earn] = Kind(
    name="earn", anchor="LOY-11", payload=Struct(Earn), apply=apply, cost=cost, reads=reads, check=check
)
