"""Points without a purchase, points of somebody else, and a program's end: LOY-18, LOY-20 to LOY-22."""

from tests.model.collateral import can_issue, issue
from tests.model.earn import dates_of
from tests.model.loyalty import room_under_cap
from tests.model.points import give_lot, split_lots, usable_points
from tests.model.records import ADJUST, DAY, Lot, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call

REFERRALS_MAX = 12
LOTS_MAX = 128


def _give(model: Model, program: bytes, fan: bytes, points: int) -> None:
    """LOY-18, 4."""
    f = model.terms_now(program)
    period = (model.today(program) - f.period_anchor_day) // max(f.period_days, 1)
    dates = dates_of(model, program, period)
    version = model.version_at(program, model.now)
    issue(model, program, version, points)
    give_lot(model, program, fan, Lot(version, dates.activation_day, dates.expiry_day, points))


def adjust(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-18."""
    program, fan, points, _ = payload
    refuse_unless(program in model.programs, "program.unknown")
    is_owner = call.author == model.programs[program].owner
    if not is_owner:
        model.require_live_grant(program, call.author, ADJUST)
    refuse_unless(model.is_present_member(program, fan), "member.unknown")
    refuse_unless(not model.has_ended(program, model.now), "program.ended")
    books, today = model.books[program], model.today(program)
    used = books.adjust_day_used if books.adjust_day == today else 0
    refuse_unless(points <= max(model.terms_now(program).adjust_day_max - used, 0), "adjust.day_cap")
    refuse_unless(points <= room_under_cap(model, program), "earn.issuance_cap")
    version = model.version_at(program, model.now)
    refuse_unless(can_issue(model, program, version, points), "earn.pool_insufficient")
    model.books[program] = books._replace(
        adjusted=books.adjusted + points, adjust_day=today, adjust_day_used=used + points
    )
    if not is_owner:
        grant = model.grants[program, call.author]
        day_used = grant.day_used if grant.day == today else 0
        refuse_unless(points <= grant.daily_cap - day_used, "earn.daily_cap")
        model.grants[program, call.author] = grant._replace(day=today, day_used=day_used + points)
    _give(model, program, fan, points)
    return [""]


def transfer_points(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-20."""
    program, recipient, points = payload
    refuse_unless(recipient != call.author, "points.to_oneself")
    refuse_unless(program in model.programs, "program.unknown")
    maximum = model.terms_now(program).transfer_day_max
    refuse_unless(maximum > 0, "points.not_transferable")
    for somebody in (call.author, recipient):
        refuse_unless(model.is_present_member(program, somebody), "member.unknown")
    sender, receiver = model.members[program, call.author], model.members[program, recipient]
    today = model.today(program)
    sent = sender.transferred if sender.transfer_day == today else 0
    refuse_unless(points <= max(maximum - sent, 0), "points.transfer_limit")
    refuse_unless(usable_points(model, program, call.author) >= points, "points.insufficient")
    left, taken = split_lots(sender.lots, points, today)
    together: dict[tuple[int, int, int], int] = {}
    for lot in (*receiver.lots, *taken):
        if lot.expiry_day > today:
            key = (lot.expiry_day, lot.activation_day, lot.version)
            together[key] = together.get(key, 0) + lot.points
    lots = tuple(Lot(version, begins, ends, held) for (ends, begins, version), held in sorted(together.items()))
    refuse_unless(len(lots) <= LOTS_MAX, "points.too_many_lots")
    model.members[program, call.author] = sender._replace(
        lots=tuple(left), transfer_day=today, transferred=sent + points
    )
    model.members[program, recipient] = receiver._replace(lots=lots)
    return [""]


def announce_sunset(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-21."""
    program, sunset_at = payload
    refuse_unless(program in model.programs, "program.unknown")
    found, t = model.programs[program], model.terms_now(program)
    refuse_unless(found.owner == call.author, "program.not_owner")
    refuse_unless(found.sunset_at == 0, "program.sunset_announced")
    refuse_unless(sunset_at >= model.now + t.notice_days * DAY, "program.sunset_too_early")
    model.programs[program] = found._replace(sunset_at=sunset_at, closes_at=sunset_at + t.wind_down_days * DAY)
    return [""]


def end_referral(model: Model, which: bytes) -> None:
    """Due work `member.referral` (LOY-22)."""
    found = model.referrals.pop(which)
    program = found.program
    model.give(found.payer, found.deposit)
    for_referrer, for_joiner = model.terms[program, found.version].referral
    begins = model.begin_of_period(program)
    joiner, referrer = model.members[program, found.member], model.members[program, found.referrer]
    referred = referrer.referrals if referrer.referral_period == begins else 0
    if (
        found.reversed >= found.points
        or joiner.left_at
        or referrer.left_at
        or referred >= REFERRALS_MAX
        or for_referrer + for_joiner > room_under_cap(model, program)
        or not can_issue(model, program, model.version_at(program, model.now), for_referrer + for_joiner)
    ):
        return
    for fan, points in ((found.referrer, for_referrer), (found.member, for_joiner)):
        if points:
            _give(model, program, fan, points)
    referrer = model.members[program, found.referrer]
    model.members[program, found.referrer] = referrer._replace(referral_period=begins, referrals=referred + 1)
