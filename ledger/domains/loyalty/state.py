"""Records of the loyalty domain: programs, their terms and books, issuers, members, batches of entries, and days."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.books import Books, DayTotals
from ledger.domains.loyalty.price_floor import NO_FLOOR, Floor
from ledger.domains.loyalty.referral_bonus import NO_BONUS, ReferralBonus
from ledger.domains.loyalty.rules import (
    BonusWindow,
    CalendarExpiry,
    MinimumBasket,
    NeverExpires,
    PeriodCap,
    PerVisit,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    RollingExpiry,
    SlidingExpiry,
    TierMultiplier,
)
from ledger.domains.loyalty.shapes import (
    COIN,
    DAY,
    DAY_MAX,
    DAY_ZERO,
    EARNED_ITEM,
    LOT,
    NO_COIN,
    NO_POINTS,
    NOT_ANNOUNCED,
    PAYER,
    PERIOD_CREDIT,
    POINTS,
    POINTS_OF_ENTRIES,
    TIER,
    TIME,
    TIME_END,
    EarnedItem,
    Lot,
    Span,
)
from ledger.errors import Code, RuleViolation
from ledger.params import (
    COLLATERAL_MAX,
    CONTEST_DAYS_MAX,
    GRANT_SPANS_MAX,
    LOTS_MAX,
    PERIOD_CREDITS_MAX,
    TERMS_VERSIONS_MAX,
    TIER_HISTORY_MAX,
    TIERS_MAX,
    WIND_DOWN_DAYS_MIN,
)
from ledger.schema import Boolean, Integer, ListOf, OneOf, OptionalIdentifier, Row, Struct, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    ContestId,
    Day,
    Hash,
    Height,
    Points,
    ProgramId,
    ReceiptHash,
    RecordKey,
    Timestamp,
)

NEVER = Day(DAY_MAX)
"""Expiry day of a lot that does not expire."""

NO_PROGRAM = Code(
    "program.unknown", "there is no program {program}", "Check the program id; `GET /v1/programs` lists them."
)
NO_MEMBER = Code("member.unknown", "the account {member} has not joined the program", "Join the program first.")

NOT_GRANTED = Code(
    "issuer.not_granted", "{issuer} holds no live grant of this program", "Check the issuer's address and its grant."
)
NO_SCOPE = Code(
    "issuer.no_scope",
    "{issuer} holds a live grant of this program, but not the scope to {scope}",
    "The owner grants the issuer again, with all the scopes that it shall have.",
)

SCOPE_TILL = 1
SCOPE_SETTLE = 2
SCOPE_ENROL = 4
SCOPE_FULFIL = 8
SCOPE_ADJUST = 16
SCOPE_OFFER = 32
SCOPE_RECORD = 64
SCOPES_ALL = 127
SCOPE_NAMES = {
    SCOPE_TILL: "till",
    SCOPE_SETTLE: "settle",
    SCOPE_ENROL: "enrol",
    SCOPE_FULFIL: "fulfil",
    SCOPE_ADJUST: "adjust",
    SCOPE_OFFER: "offer",
    SCOPE_RECORD: "record",
}
"""How people write the scopes of an issuer's grant (spec LOY-4)."""

EarnRule = (
    RatePerAmount | MinimumBasket | ReceiptCap | RatePerCode | PerVisit | BonusWindow | TierMultiplier | PeriodCap
)
EARN_RULE = OneOf(
    RatePerAmount, MinimumBasket, ReceiptCap, RatePerCode, PerVisit, BonusWindow, TierMultiplier, PeriodCap
)

Expiry = NeverExpires | RollingExpiry | CalendarExpiry | SlidingExpiry
EXPIRY = OneOf(NeverExpires, RollingExpiry, CalendarExpiry, SlidingExpiry)


@dataclass(frozen=True, slots=True)
class SponsorPolicy:
    """What the fee pool pays: `rate` coin a weight unit, with totals per member and day, per block, and per day (spec FEE-2)."""

    rate: Annotated[Amount, Integer(0, 1_000_000)]
    member_day_max: Annotated[Amount, COIN]
    block_max: Annotated[Amount, COIN]
    day_max: Annotated[Amount, COIN]


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of what a program promises (spec LOY-2). Days are the program's own.

    `period_days` 0 settles on demand: a period is a day, and dates count from the settling block's day. `remainder_max` bounds
    what may be carried from one entry to the next. `hold_seconds` is how long a redemption may stay open, `refund_days` how long
    a fulfilled one can be refunded (0: not at all). `tiers` are (name, threshold in points), ascending; a tier period has
    `tier_period_days` (spec TIER-1). `adjust_day_max` bounds `adjust` per program and day, `transfer_day_max` `points.transfer`
    per member and day (0: not allowed), `offer_day_max` what personal offers promise in a day. `collateral` or `burn` is coin
    per 1,000 points (spec COL-1).
    """

    rules: Annotated[tuple[EarnRule, ...], ListOf(EARN_RULE, 1, 16)]
    expiry: Annotated[Expiry, EXPIRY]
    activation_delay_days: Annotated[int, Integer(0, 366)]
    return_window_days: Annotated[int, Integer(0, 366)]
    period_days: Annotated[int, Integer(0, 92)]
    period_anchor_day: Annotated[int, Integer(0, 91)]
    settle_grace_days: Annotated[int, Integer(0, 31)]
    remainder_max: Annotated[Points, Integer(0, 2**31 - 1)]
    issuance_cap: Annotated[Points, Integer(0, INTEGER_MAX)]
    hold_seconds: Annotated[int, Integer(60, 90 * 86_400)]
    notice_days: Annotated[int, Integer(0, 366)]
    sponsor: Annotated[SponsorPolicy, Struct(SponsorPolicy)]
    tiers: Annotated[tuple[tuple[str, int], ...], ListOf(TIER, 0, TIERS_MAX)] = ()
    tier_period_days: Annotated[int, Integer(0, 366)] = 0
    tier_anchor_day: Annotated[int, Integer(0, 365)] = 0
    tier_grace_days: Annotated[int, Integer(0, 366)] = 0
    adjust_day_max: Annotated[Points, POINTS] = NO_POINTS
    transfer_day_max: Annotated[Points, POINTS] = NO_POINTS
    wind_down_days: Annotated[int, Integer(WIND_DOWN_DAYS_MIN, 366)] = WIND_DOWN_DAYS_MIN
    referral: Annotated[ReferralBonus, Struct(ReferralBonus)] = NO_BONUS
    floor: Annotated[Floor, Struct(Floor)] = NO_FLOOR
    refund_days: Annotated[int, Integer(0, 92)] = 0
    offer_day_max: Annotated[Points, POINTS] = NO_POINTS
    collateral: Annotated[Amount, Integer(0, COLLATERAL_MAX)] = NO_COIN
    burn: Annotated[Amount, Integer(0, COLLATERAL_MAX)] = NO_COIN


@dataclass(frozen=True, slots=True)
class Program:
    """A program's fixed facts, and which terms are in force from when: (version, from time), by time. Earning ends at `sunset_at`,
    redeeming at `closes_at` (spec LOY-21); 0 and 0: no end is announced.
    """

    owner: Annotated[Address, identifier()]
    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    name: Annotated[str, Text(1, 64)]
    unit: Annotated[str, Text(1, 16)]
    decimals: Annotated[int, Integer(0, 8)]
    offset_minutes: Annotated[int, Integer(-1_439, 1_439)]
    versions: Annotated[tuple[tuple[int, int], ...], ListOf(Row(Integer(1, 2**31 - 1), TIME), 1, TERMS_VERSIONS_MAX)]
    sunset_at: Annotated[Timestamp, TIME] = NOT_ANNOUNCED
    closes_at: Annotated[Timestamp, TIME] = NOT_ANNOUNCED

    def day_at(self, time: Timestamp) -> Day:
        """The program's day that holds `time`: integer arithmetic, no time zones (spec BYTES-6)."""
        return Day((time + self.offset_minutes * 60) // 86_400)

    def day_start(self, day: Day) -> Timestamp:
        """The first second of the program's `day`."""
        return Timestamp(day * 86_400 - self.offset_minutes * 60)

    def version_at(self, time: Timestamp) -> int:
        """The version in force at `time`; before the first one, the first."""
        found = self.versions[0][0]
        for version, since in self.versions:
            if since <= time:
                found = version
        return found

    def versions_between(self, first: Timestamp, last: Timestamp) -> tuple[int, ...]:
        """The versions in force at some time from `first` to `last`; none where `last` comes first."""
        if last < first:
            return ()
        begun = {version for version, since in self.versions if first < since <= last}
        return tuple(sorted(begun | {self.version_at(first)}))

    def pending_version(self, time: Timestamp) -> int | None:
        """The version that is announced and not yet in force, if any."""
        version, since = self.versions[-1]
        return version if since > time else None

    def has_ended(self, time: Timestamp) -> bool:
        """Whether earning has ended at `time`: what begins later earns nothing."""
        return 0 < self.sunset_at < time

    def has_closed(self, time: Timestamp) -> bool:
        """Whether the wind-down is over at `time`."""
        return 0 < self.closes_at <= time


@dataclass(frozen=True, slots=True)
class Grant:
    """What an issuer's key may do, and until when. `revoked_at` other than 0 is a tombstone that stays.

    `earlier` are grants that this one replaced: (from, until, scopes, daily cap), since a till's receipts count by the grant that
    was live at their time. `contested` is what contests claim of its receipts, by day: (day, points).
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    scopes: Annotated[int, Integer(1, SCOPES_ALL)]
    daily_cap: Annotated[Points, POINTS]
    granted_at: Annotated[Timestamp, TIME]
    revoked_at: Annotated[Timestamp, TIME]
    day: Annotated[Day, DAY]
    day_used: Annotated[Points, POINTS]
    earlier: Annotated[tuple[Span, ...], ListOf(Row(TIME, TIME, Integer(1, SCOPES_ALL), POINTS), 0, GRANT_SPANS_MAX)]
    contested: Annotated[tuple[tuple[int, int], ...], ListOf(Row(DAY, Integer(1, INTEGER_MAX)), 0, CONTEST_DAYS_MAX)]

    def span_at(self, time: Timestamp) -> Span | None:
        """The grant that was live at `time`, its last second included, or None; of two that meet there the later one."""
        until = self.revoked_at or TIME_END
        spans = ((self.granted_at, until, self.scopes, self.daily_cap), *reversed(self.earlier))
        return next((span for span in spans if span[0] <= time <= span[1]), None)


@dataclass(frozen=True, slots=True)
class Member:
    """A member's standing: when it joined and left, the sealed remainder, and its lots by expiry.

    `remainder` is the commitment K of the last entry; empty means that nothing is carried. `left_at` 0: it has not left.
    `prepaid` holds what leaving costs, until it left, and the rest pays for contests (spec LOY-14): `contest_count` were paid for
    in the period that begins at `contest_period`. `tier_history` is what was earned in tier periods (spec TIER-1);
    `period_credits` is what entries credited by the begin of their period, where a cap counts it (spec TIER-3).
    `gives_back_from_all`: a return may take points from any of its lots (spec LOY-19). `transferred` points were sent on
    `transfer_day`. `is_referred`: the first entry will start its referral (spec LOY-22); `referrals` of others were paid to it in
    the period that begins at `referral_period`. `earned`: by entries and contests, less what returns took (spec VOI-2).
    `redemptions` were handed out to it, in whole or in part.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    joined_at: Annotated[Timestamp, TIME]
    left_at: Annotated[Timestamp, TIME]
    remainder: Annotated[Hash, OptionalIdentifier()]
    entries: Annotated[int, Integer(0, INTEGER_MAX)]
    sponsor_day: Annotated[Day, DAY]
    sponsor_spent: Annotated[Amount, COIN]
    lots: Annotated[tuple[Lot, ...], ListOf(LOT, 0, LOTS_MAX)]
    contest_period: Annotated[Timestamp, TIME]
    contest_count: Annotated[int, Integer(0, INTEGER_MAX)]
    tier_history: Annotated[tuple[EarnedItem, ...], ListOf(EARNED_ITEM, 0, TIER_HISTORY_MAX)] = ()
    period_credits: Annotated[tuple[tuple[int, int], ...], ListOf(PERIOD_CREDIT, 0, PERIOD_CREDITS_MAX)] = ()
    gives_back_from_all: Annotated[bool, Boolean()] = False
    transfer_day: Annotated[Day, DAY] = DAY_ZERO
    transferred: Annotated[Points, POINTS] = NO_POINTS
    is_referred: Annotated[bool, Boolean()] = False
    referral_period: Annotated[Timestamp, TIME] = NOT_ANNOUNCED
    referrals: Annotated[int, Integer(0, INTEGER_MAX)] = 0
    earned: Annotated[Points, POINTS] = NO_POINTS
    redemptions: Annotated[int, Integer(0, INTEGER_MAX)] = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A settled batch: the RFC 9162 root over its entries, kept until nothing can be contested any more (spec LOY-12).

    (index, points), by index: `reversed` is what was taken back of entries (spec LOY-19), `reduced` what those gave that a cap cut.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    entries_root: Annotated[Hash, identifier()]
    count: Annotated[int, Integer(1, INTEGER_MAX)]
    settled_at: Annotated[Timestamp, TIME]
    keep_until: Annotated[Timestamp, TIME]
    reversed: Annotated[tuple[tuple[int, int], ...], POINTS_OF_ENTRIES] = ()
    reduced: Annotated[tuple[tuple[int, int], ...], POINTS_OF_ENTRIES] = ()


# Outcomes of a contest (spec LOY-17).
OPEN = 0
SETTLED_IN_TIME = 1
SETTLED_LATE = 2
SETTLED_SHORT = 3
UNSETTLED = 4
RETURNED = 5
OUTCOME = Integer(OPEN, RETURNED)
OUTCOME_NAMES = {
    OPEN: "open",
    SETTLED_IN_TIME: "settled_in_time",
    SETTLED_LATE: "settled_late",
    SETTLED_SHORT: "settled_short",
    UNSETTLED: "unsettled",
    RETURNED: "returned",
}
"""How people write the outcomes."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A receipt that its member says was not settled, or settled with too few points (spec LOY-15).

    `points` is what is owed for it. `payer` empty: the member's prepaid paid the deposit. `repaid` is the coin that the contest's
    payer gets if it is upheld. The issuer may answer until the later of `answer_by` and `answer_height`; `outcome` 0: it is open.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    repaid: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    till: Annotated[Address, identifier()]
    sequence: Annotated[int, Integer(0, INTEGER_MAX)]
    receipt: Annotated[ReceiptHash, identifier()]
    claim: Annotated[int, Integer(0, 1)]
    time: Annotated[Timestamp, TIME]
    points: Annotated[Points, Integer(1, INTEGER_MAX)]
    settle_by: Annotated[Timestamp, TIME]
    opened_at: Annotated[Timestamp, TIME]
    answer_by: Annotated[Timestamp, TIME]
    answer_height: Annotated[Height, Integer(0, 2**32 - 1)]
    keep_until: Annotated[Timestamp, TIME]
    outcome: Annotated[int, OUTCOME]
    credited: Annotated[Points, POINTS]


PROGRAMS = Table(b"B", Program)
TERMS = Table(b"T", Terms)
BOOKS = Table(b"K", Books)
GRANTS = Table(b"G", Grant)
MEMBERS = Table(b"M", Member)
BATCHES = Table(b"E", Batch)
DAYS = Table(b"D", DayTotals)
CONTESTS = Table(b"X", Contest)


def program_key(program: ProgramId) -> RecordKey:
    """`B` + program."""
    return RecordKey(b"B" + program)


def terms_key(program: ProgramId, version: int) -> RecordKey:
    """`T` + program + version as 4 bytes."""
    return RecordKey(b"T" + program + version.to_bytes(4, "big"))


def books_key(program: ProgramId) -> RecordKey:
    """`K` + program."""
    return RecordKey(b"K" + program)


def grant_key(program: ProgramId, issuer: Address) -> RecordKey:
    """`G` + program + issuer."""
    return RecordKey(b"G" + program + issuer)


def member_key(program: ProgramId, member: Address) -> RecordKey:
    """`M` + program + member."""
    return RecordKey(b"M" + program + member)


def batch_key(batch: Hash) -> RecordKey:
    """`E` + batch id."""
    return RecordKey(b"E" + batch)


def contest_key(contest: ContestId) -> RecordKey:
    """`X` + contest id."""
    return RecordKey(b"X" + contest)


def days_key(program: ProgramId, day: Day) -> RecordKey:
    """`D` + program + day as 4 bytes."""
    return RecordKey(b"D" + program + day.to_bytes(4, "big"))


def load_program(view: RuleView, program: ProgramId) -> Program:
    """The program, or `program.unknown`."""
    found: Program | None = view.get(program_key(program))
    if found is None:
        raise RuleViolation(NO_PROGRAM, program=program)
    return found


def load_terms(view: RuleView, program: ProgramId, version: int) -> Terms:
    """Terms of a version that exists."""
    found: Terms | None = view.get(terms_key(program, version))
    assert found is not None, f"program {program.hex()} names missing terms {version}"
    return found


def load_books(view: RuleView, program: ProgramId) -> Books:
    """The books of a program that exists."""
    found: Books | None = view.get(books_key(program))
    assert found is not None, f"program {program.hex()} has no books"
    return found


def load_member(view: RuleView, program: ProgramId, member: Address) -> Member:
    """The member's record (also of one who left), or `member.unknown`."""
    found: Member | None = view.get(member_key(program, member))
    if found is None:
        raise RuleViolation(NO_MEMBER, member=member)
    return found


def require_grant(view: RuleView, program: ProgramId, issuer: Address, scope: int) -> None:
    """Raise `issuer.not_granted` unless `issuer` holds a live grant, then `issuer.no_scope` unless the grant has `scope`."""
    grant: Grant | None = view.get(grant_key(program, issuer))
    if grant is None or grant.revoked_at:
        raise RuleViolation(NOT_GRANTED, issuer=issuer)
    if not grant.scopes & scope:
        raise RuleViolation(NO_SCOPE, issuer=issuer, scope=SCOPE_NAMES[scope])


def grant_allows(view: RuleView, program: ProgramId, issuer: Address, scope: int) -> bool:
    """Whether `issuer` holds a live grant with `scope`."""
    grant: Grant | None = view.get(grant_key(program, issuer))
    return grant is not None and not grant.revoked_at and bool(grant.scopes & scope)
