"""Personal offers: OFR-1 to OFR-7."""

from typing import Any

from ledger.codec import pack
from tests.model.accounts import address_of_key
from tests.model.collateral import can_promise, issue
from tests.model.consent import is_active
from tests.model.contests import count_contested, pay, period_of, repay
from tests.model.earn import dates_of, settle_by_of
from tests.model.loyalty import grant_at, room_under_cap
from tests.model.points import expiry_of, give_lot
from tests.model.records import OFFER, PERSONALISE, SIGN, Lot, M, Offer, Refused, refuse_unless
from tests.model.returns import Return, check_usable, count_return, require_reverser, take_back
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import be8, tagged
from tests.second_decoder.receipts import opened_hash

EXPIRY_SECONDS_MAX = 31_622_400
KEEP_SECONDS = 2_592_000
PENDING_DAYS_MIN = 16


def terms_hash(salt: bytes, terms: tuple) -> bytes:
    """OFR-1."""
    return tagged("OFFER_TERMS", salt + pack(terms))


def offer_id(program: bytes, fan: bytes, points: int, expires_at: int, terms: bytes) -> bytes:
    """OFR-1."""
    return tagged("OFFER", program + fan + be8(points) + be8(expires_at) + terms)


def are_met(terms: tuple, expires_at: int, time: int, net: int, paid: int, codes: tuple) -> bool:
    """OFR-1: the terms are met by a receipt."""
    _, from_time, net_cents_min, wanted, _, needs_all = terms
    bought = [code for code in wanted if any(code == found and cents > 0 for found, cents in codes)]
    return (
        from_time <= time <= expires_at
        and (net_cents_min == 0 or net - paid >= net_cents_min)
        and (bought == list(wanted) if needs_all else bool(bought or not wanted))
    )


def last_day_to_ask(model: Model, found: Offer) -> int:
    """OFR-2: last."""
    program, begins, ends = found.program, found.issued_at, found.expires_at
    versions = model.versions_in_force(program, begins, ends)
    return max(settle_by_of(model, program, version, ends) for version in versions) + KEEP_SECONDS


def _why_not_issued(model: Model, program: bytes, entry: tuple, promised: int, rooms: dict[str, int]) -> str:
    """The first of OFR-3's reasons, or nothing."""
    fan, terms, points, expires_at = entry
    if not model.is_present_member(program, fan):
        return "offer.no_member"
    if not is_active(model, fan, program, PERSONALISE, ""):
        return "offer.no_consent"
    if not model.now < expires_at <= model.now + EXPIRY_SECONDS_MAX:
        return "offer.expiry"
    if offer_id(program, fan, points, expires_at, terms) in model.offers:
        return "offer.already"
    for code in ("offer.day_cap", "earn.issuance_cap"):
        if points > rooms[code] - promised:
            return code
    if not can_promise(model, program, points):
        return "earn.pool_insufficient"
    if "earn.daily_cap" in rooms and points > rooms["earn.daily_cap"] - promised:
        return "earn.daily_cap"
    return ""


def issue_offers(model: Model, call: Call, payload: tuple) -> list[str]:
    """OFR-3."""
    program, entries = payload
    refuse_unless(program in model.programs, "program.unknown")
    is_owner = call.author == model.programs[program].owner
    if not is_owner:
        model.require_live_grant(program, call.author, OFFER)
    refuse_unless(not model.has_ended(program, model.now), "program.ended")
    books, today = model.books[program], model.today(program)
    used_of_day = books.offer_day_used if books.offer_day == today else 0
    rooms = {
        "offer.day_cap": max(model.terms_now(program).offer_day_max - used_of_day, 0),
        "earn.issuance_cap": room_under_cap(model, program),
    }
    used_of_key = 0
    if not is_owner:
        grant = model.grants[program, call.author]
        used_of_key = grant.day_used if grant.day == today else 0
        rooms["earn.daily_cap"] = max(grant.daily_cap - used_of_key, 0)
    promised, codes = 0, []
    for entry in entries:
        code = _why_not_issued(model, program, entry, promised, rooms)
        codes.append(code)
        if code:
            continue
        fan, terms, points, expires_at = entry
        promised += points
        model.change_books(program, offered=points)
        model.take(call.payer, model.record_deposit)
        which = offer_id(program, fan, points, expires_at, terms)
        model.offers[which] = Offer(
            payer=call.payer,
            deposit=model.record_deposit,
            program=program,
            member=fan,
            terms=terms,
            points=points,
            issued_at=model.now,
            expires_at=expires_at,
            receipt=b"",
            version=0,
            activation_day=0,
            returnable_until=0,
            keep_until=0,
            reversed=0,
        )
        model.queue("offer.end", which, 0, expires_at + 1)
    model.books[program] = model.books[program]._replace(offer_day=today, offer_day_used=used_of_day + promised)
    if not is_owner:
        grant = model.grants[program, call.author]
        model.grants[program, call.author] = grant._replace(day=today, day_used=used_of_key + promised)
    return codes


def _credit(model: Model, which: bytes, receipt: bytes, version: int, days: tuple[int, int], until: int) -> None:
    """OFR-4: credited, with the days of the lot, and how late the purchase can be returned."""
    found = model.offers[which]
    bonus = min(found.points, M - model.books[found.program].issued)
    issue(model, found.program, version, bonus, offered=-found.points)
    if bonus:
        give_lot(model, found.program, found.member, Lot(version, *days, bonus))
    model.offers[which] = found._replace(
        points=bonus,
        receipt=receipt,
        version=version,
        activation_day=days[0],
        returnable_until=until,
        keep_until=max(until, model.now) + KEEP_SECONDS,
    )


def settle(model: Model, call: Call, payload: tuple) -> list[str]:
    """OFR-4."""
    program, entries = payload
    refuse_unless(program in model.programs, "program.unknown")
    require_reverser(model, program, call.author)
    codes = []
    for which, period, receipt in entries:
        found = model.offers.get(which)
        if found is None or found.program != program:
            codes.append("offer.unknown")
            continue
        dates = dates_of(model, program, period)
        is_its_period = dates.begins <= model.now and dates.begins <= found.expires_at and dates.ends > found.issued_at
        if found.receipt:
            codes.append("offer.cited")
        elif not is_its_period:
            codes.append("offer.wrong_period")
        elif model.now > found.expires_at and model.now > last_day_to_ask(model, found):
            codes.append("offer.expired")
        else:
            codes.append("")
            days = (dates.activation_day, dates.expiry_day)
            _credit(model, which, receipt, dates.version, days, dates.returnable_until)
    return codes


def receipt_hash_of(author: bytes, payload: tuple) -> bytes:
    """The hash of the receipt that a contest opens (OFR-5, RCP-8)."""
    program, which, _, terms, till, time, net, paid, codes, blinding, _ = payload
    opened: dict[int, Any] = {1: program, 3: author, 4: till, 6: time, 14: which}
    if terms[2]:
        opened.update({7: net, 8: paid})
    if terms[3]:
        opened[9] = [list(item) for item in codes]
    return opened_hash(opened, list(blinding))


def contest(model: Model, call: Call, payload: tuple) -> list[str]:
    """OFR-5."""
    program, which, salt, terms, till_key, time, net, paid, codes, _, _ = payload
    refuse_unless(program in model.programs, "program.unknown")
    found = model.offers.get(which)
    if found is None or (found.program, found.member) != (program, call.author):
        raise Refused("offer.unknown")
    refuse_unless(found.receipt == b"", "offer.cited")
    refuse_unless(terms_hash(salt, terms) == found.terms, "offer.other_terms")
    refuse_unless(time <= model.now, "contest.future")
    period = period_of(model, program, time)
    refuse_unless(model.now >= period.settle_by, "contest.too_early")
    refuse_unless(model.now <= period.settle_by + KEEP_SECONDS, "contest.too_late")
    till = address_of_key(till_key)
    grant = model.grants.get((program, till))
    then = grant_at(grant, time) if grant else None
    if grant is None or then is None or not then[0] & SIGN:
        raise Refused("contest.not_a_till")
    refuse_unless(are_met(terms, found.expires_at, time, net, paid, codes), "offer.not_met")
    refuse_unless(model.day_start(program, period.end_day) > found.issued_at, "offer.wrong_period")
    day = model.day_at(program, time)
    refuse_unless(dict(grant.contested).get(day, 0) + found.points <= then[1], "contest.till_cap")
    count_contested(model, program, till, day, found.points)
    payer, repaid = pay(model, call, program, 0)
    t, today = model.terms[program, period.version], model.today(program)
    activation_day = max(today + PENDING_DAYS_MIN, period.end_day + t.activation_delay_days)
    base = max(today, period.end_day, activation_day - t.activation_delay_days)
    days = (activation_day, expiry_of(t, base, activation_day))
    until = model.day_start(program, period.end_day + t.return_window_days + 1)
    _credit(model, which, receipt_hash_of(call.author, payload), period.version, days, until)
    repay(model, payer, (program, call.author), repaid)
    return [""]


def reverse(model: Model, call: Call, payload: tuple) -> list[str]:
    """OFR-6."""
    which, points, array, _, consent = payload
    returned, found = Return(*array), model.offers.get(which)
    if found is None:
        raise Refused("offer.unknown")
    require_reverser(model, found.program, call.author)
    refuse_unless(found.receipt != b"", "offer.not_cited")
    is_of_offer = returned[1:4] == (found.program, found.member, found.receipt)
    refuse_unless(is_of_offer, "offer.other_return")
    check_usable(model, returned, consent)
    refuse_unless(returned.time < found.returnable_until, "offer.outside_window")
    refuse_unless(found.reversed + points <= found.points, "offer.above_bonus")
    model.offers[which] = found._replace(reversed=found.reversed + points)
    count_return(model, call, returned, points)
    take_back(model, returned, (found.version, found.activation_day), points)
    return [""]


def end(model: Model, which: bytes) -> None:
    """Due work `offer.end` (OFR-7)."""
    found = model.offers[which]
    deadline = max(last_day_to_ask(model, found), found.keep_until)
    if model.now <= deadline:
        model.queue("offer.end", which, 0, deadline + 1)
        return
    if not found.receipt:
        model.change_books(found.program, offered=-found.points)
    del model.offers[which]
    model.give(found.payer, found.deposit)
