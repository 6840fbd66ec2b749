"""Settling a batch: LOY-11 and LOY-12."""

from typing import NamedTuple

from ledger.codec import pack
from tests.model.collateral import can_issue, issue
from tests.model.consent import is_active
from tests.model.loyalty import room_under_cap
from tests.model.points import Purchase, better_of_two, days_in_seconds, expiry_of, give_lot, versions_nameable
from tests.model.records import PUBLISH, SETTLE, Batch, Lot, refuse_unless
from tests.model.referrals import start_referral
from tests.model.state import Model
from tests.model.tiers import (
    count_in_period,
    count_towards_tiers,
    extend_sliding_lots,
    left_of_period,
    period_cap,
)
from tests.model.transaction import Call
from tests.second_decoder.hashing import leaf_hash, object_id, tree_root

KEEP_SECONDS = 3_888_000
POST_SECONDS = 1_209_600
SEALED, OPENED = 0, 1


class Dates(NamedTuple):
    """The dates of an entry (LOY-11)."""

    begins: int
    ends: int
    version: int
    base: int
    activation_day: int
    expiry_day: int
    settle_by: int
    returnable_until: int


def settle_by_of(model: Model, program: bytes, version: int, time: int) -> int:
    """Until when a purchase of a time is to be settled by some terms (LOY-15)."""
    t = model.terms[program, version]
    length = max(t.period_days, 1)
    day = model.day_at(program, time)
    first_day = (day - t.period_anchor_day) // length * length + t.period_anchor_day
    ends = model.day_start(program, first_day + length)
    return ends + days_in_seconds(t.settle_grace_days)


def dates_of(model: Model, program: bytes, period: int, settled_at: int | None = None) -> Dates:
    """LOY-11, of a period settled now or then.

    `settle_by` is what keep_until counts from: the greatest by the terms of now and of each version
    that was in force in the period.
    """
    now = model.now if settled_at is None else settled_at
    f = model.terms_at(program, now)
    length = max(f.period_days, 1)
    first_day = period * length + f.period_anchor_day
    begins, ends = model.day_start(program, first_day), model.day_start(program, first_day + length)
    version = model.version_at(program, min(ends - 1, now))
    t = model.terms[program, version]
    today = model.day_at(program, now)
    base = today if f.period_days == 0 else max(today, first_day + length)
    settle_by = (ends if begins <= now < ends else now) + days_in_seconds(t.settle_grace_days)
    if begins <= now:
        time = min(ends - 1, now)
        for version_then in model.versions_in_force(program, begins, time):
            settle_by = max(settle_by, settle_by_of(model, program, version_then, time))
    return Dates(
        begins,
        ends,
        version,
        base,
        base + t.activation_delay_days,
        expiry_of(t, base, base + t.activation_delay_days),
        settle_by,
        model.day_start(program, base + t.return_window_days + 1),
    )


def _why_skipped(model: Model, program: bytes, entry: tuple, dates: Dates) -> str:
    """The first of LOY-11's reasons 1 to 7, or nothing."""
    fan = entry[1]
    member = model.members.get((program, fan))
    if member is None:
        return "earn.no_member"
    if dates.begins > model.now:
        return "earn.future_period"
    if dates.ends <= member.joined_at:
        return "earn.before_joining"
    if member.left_at != 0 and dates.begins > member.left_at:
        return "earn.member_left"
    if model.has_ended(program, dates.begins):
        return "earn.program_ended"
    if entry[0] == SEALED and model.has_ended(program, model.now) and entry[5]:
        return "earn.carries_on"
    if entry[0] == OPENED:
        version, time = entry[4:6]
        if not is_active(model, fan, program, PUBLISH, ""):
            return "earn.no_consent"
        if not (dates.begins <= time < dates.ends and time <= model.now):
            return "earn.wrong_period"
        if version not in versions_nameable(model, program, time):
            return "earn.wrong_version"
    return ""


def earn(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-11."""
    program, entries = payload
    refuse_unless(program in model.programs, "program.unknown")
    model.require_live_grant(program, call.author, SETTLE)
    model.take(call.payer, model.record_deposit)
    room_of_program = room_under_cap(model, program)
    today = model.today(program)
    grant = model.grants[program, call.author]
    used = grant.day_used if grant.day == today else 0
    room_of_issuer = max(grant.daily_cap - used, 0)
    credited = 0
    keep_until = 0
    rows: list[tuple] = []
    reduced: list[tuple[int, int]] = []
    batch = object_id("earn", call.txid)
    for entry in entries:
        fan, period = entry[1], entry[2]
        dates = dates_of(model, program, period)
        keep_until = max(keep_until, dates.settle_by + KEEP_SECONDS)
        if dates.begins <= model.now:
            keep_until = max(keep_until, dates.returnable_until + POST_SECONDS)
        code = _why_skipped(model, program, entry, dates)
        if entry[0] == SEALED:
            points = entry[3]
        elif code:
            points = 0
        else:
            points = better_of_two(model, program, fan, entry[4], Purchase(*entry[5:]))
        member = model.members.get((program, fan))
        t = model.terms[program, dates.version]
        cap = period_cap(t)
        given = points
        if not code and cap and member:
            left = left_of_period(member, t, dates.begins)
            if cap[1] and points > left:
                code = "earn.period_cap"
            given = min(points, left)
        if not code and given > room_of_program - credited:
            code = "earn.issuance_cap"
        if not code and not can_issue(model, program, dates.version, given):
            code = "earn.pool_insufficient"
        if not code and given > room_of_issuer - credited:
            code = "earn.daily_cap"
        is_credited = code == ""
        if is_credited and given < points:
            code = "earn.period_cap_reduced"
            if given:
                reduced.append((len(rows), given))
        before = member.remainder if member else b""
        commitment, remainder = entry[4:6] if entry[0] == SEALED else (entry[3], before)
        rows.append((entry[0], fan, period, points, commitment, remainder, before, code))
        if is_credited:
            credited += given
            _credit(model, program, fan, dates, (batch, len(rows) - 1, given), remainder)
    model.grants[program, call.author] = grant._replace(day=today, day_used=used + credited)
    root = tree_root([leaf_hash(pack(row)) for row in rows])
    kept = (call.payer, model.record_deposit, program, root, len(rows), model.now, keep_until)
    model.batches[batch] = Batch(*kept, (), tuple(reduced))
    model.rows[batch] = tuple(rows)
    model.queue("earn.drop", batch, 0, keep_until)
    return [row[-1] for row in rows]


def _credit(
    model: Model, program: bytes, fan: bytes, dates: Dates, entry: tuple[bytes, int, int], remainder: bytes
) -> None:
    """An entry (batch, index, points) that is not skipped."""
    given, t = entry[2], model.terms[program, dates.version]
    extend_sliding_lots(model, program, fan)
    if given:
        issue(model, program, dates.version, given)
        give_lot(model, program, fan, Lot(dates.version, dates.activation_day, dates.expiry_day, given))
        count_towards_tiers(model, program, fan, t, dates.base, given)
        count_in_period(model, program, fan, t, dates.begins, given)
        start_referral(model, program, fan, entry, dates.returnable_until)
    member = model.members[program, fan]
    model.members[program, fan] = member._replace(
        entries=member.entries + 1, remainder=remainder, earned=member.earned + given
    )


def drop_batch(model: Model, subject: bytes) -> None:
    """Due work `earn.drop` (LOY-12)."""
    batch = model.batches[subject]
    if model.books[batch.program].contests_open:
        model.queue("earn.drop", subject, 0, model.now + 86_400)
        return
    del model.batches[subject]
    del model.rows[subject]
    model.give(batch.payer, batch.deposit)
