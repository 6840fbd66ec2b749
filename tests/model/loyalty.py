"""Programs, terms, issuers, members: LOY-1 to LOY-5, LOY-7, LOY-14."""

from fractions import Fraction

from tests.model import referrals, vouchers
from tests.model.records import (
    DAY,
    ENROL,
    Books,
    Grant,
    M,
    Member,
    Program,
    Refused,
    Sponsor,
    Terms,
    refuse_unless,
    terms_of_array,
)
from tests.model.state import Model
from tests.model.tiers import CALENDAR, NEVER_EXPIRES, ROLLING, SLIDING, period_cap
from tests.model.transaction import Call
from tests.second_decoder.hashing import object_id

KEPT_SECONDS = 14_601_600
VERSIONS_MAX = 32
SPANS_MAX = 16
CONTESTS_PREPAID = 2
CONTESTS_RESERVED = 16
LOWER_IS_WORSE = (
    *("issuance_cap", "hold_seconds", "notice_days", "transfer_day_max", "wind_down_days", "refund_days"),
    *("collateral", "burn"),
)


def terms_are_sound(terms: Terms) -> bool:
    """LOY-2."""
    kinds = [rule[0] for rule in terms.rules]
    codes = [rule[1] for rule in terms.rules if rule[0] == 3]
    tiers = [rule[1] for rule in terms.rules if rule[0] == 6]
    windows = [rule for rule in terms.rules if rule[0] == 5]
    thresholds = [threshold for _, threshold in terms.tiers]
    names = {name for name, _ in terms.tiers}
    periods = (terms.tier_period_days, terms.tier_anchor_day, terms.tier_grace_days)
    return (
        bool({0, 3, 4} & set(kinds))
        and all(kinds.count(kind) <= 1 for kind in (1, 2, 4, 7))
        and len(set(codes)) == len(codes)
        and len(set(tiers)) == len(tiers)
        and all(rule[1] < rule[2] and rule[4] < rule[5] for rule in windows)
        and all(rule[-2] >= rule[-1] for rule in terms.rules if rule[0] in (5, 6))
        and all(tier <= len(terms.tiers) for tier in tiers)
        and thresholds == sorted(set(thresholds))
        and len(names) == len(terms.tiers)
        and (terms.tier_period_days >= 28 if terms.tiers else periods == (0, 0, 0))
        and (terms.tier_anchor_day == 0 or terms.tier_anchor_day < terms.tier_period_days)
        and terms.tier_grace_days <= terms.tier_period_days
        and (terms.expiry[0] not in (ROLLING, SLIDING) or terms.expiry[1] > terms.activation_delay_days)
        and terms.activation_delay_days >= terms.return_window_days
        and (terms.period_anchor_day == 0 or terms.period_anchor_day < terms.period_days)
        and (terms.floor[0] == 0) == (terms.floor[1] == 0)
        and 0 in (terms.collateral, terms.burn)
    )


def _reserve(terms: Terms) -> int:
    return -(-terms.issuance_cap // 10)


def given_or_promised(books: Books) -> int:
    """What an issuance cap has to leave room for (LOY-3)."""
    beside_caps = books.contest_points_credited + books.challenge_points_reversed
    return books.issued + books.challenge_points + books.offered - beside_caps


def room_under_cap(model: Model, program: bytes) -> int:
    """The room (LOY-11)."""
    books = model.books[program]
    beside_caps = books.contest_points_credited + books.challenge_points_reversed
    cap = min(model.terms_now(program).issuance_cap + beside_caps, M)
    return max(cap - books.issued - books.challenge_points - books.offered, 0)


def create_program(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-1."""
    name, unit, decimals, offset_minutes, array = payload
    terms = terms_of_array(array)
    refuse_unless(terms.sponsor.rate >= model.params.fee_rate_min, "program.sponsor_rate")
    contest_coin = CONTESTS_RESERVED * model.contest_fee
    books = Books(
        contest_points=_reserve(terms),
        contest_points_locked=_reserve(terms),
        contest_coin=contest_coin,
        contest_backing=max(terms.collateral, terms.burn),
    )
    refuse_unless(books.thousandths <= M, "program.collateral_too_large")
    model.take(call.payer, model.record_deposit)
    model.take(call.payer, contest_coin)
    model.take(call.payer, books.security)
    program = object_id("program", call.txid)
    model.programs[program] = Program(
        call.author, call.payer, model.record_deposit, name, unit, decimals, offset_minutes, ((1, model.now),)
    )
    model.terms[program, 1] = terms
    model.books[program] = books
    return [""]


def _rule_value(terms: Terms, tag: int, otherwise: int) -> int:
    found = [rule[1] for rule in terms.rules if rule[0] == tag]
    return found[0] if found else otherwise


def _ratios(terms: Terms) -> list[Fraction]:
    return sorted((Fraction(rule[1], rule[2]) for rule in terms.rules if rule[0] == 0), reverse=True)


def _sponsors_less(new: Sponsor, old: Sponsor) -> bool:
    return any(
        after < before or after * old.rate < before * new.rate for after, before in zip(new[1:], old[1:], strict=True)
    )


def _rates_are_worse(new: Terms, old: Terms) -> bool:
    rates, former = _ratios(new), _ratios(old)
    if len(rates) < len(former) or any(a < b for a, b in zip(rates, former, strict=False)):
        return True
    by_code = {rule[1]: Fraction(rule[2], rule[3]) for rule in new.rules if rule[0] == 3}
    if any(by_code.get(rule[1], 0) < Fraction(rule[2], rule[3]) for rule in old.rules if rule[0] == 3):
        return True
    visits = [rule for rule in new.rules if rule[0] == 4]
    for was in (rule for rule in old.rules if rule[0] == 4):
        if not visits or visits[0][1] < was[1] or visits[0][2] > was[2] or visits[0][3] > was[3]:
            return True
    return False


def _covers(new: tuple, old: tuple) -> bool:
    """Whether a BonusWindow holds whenever another one does, and gives as much."""
    return (
        new[1] <= old[1]
        and new[2] >= old[2]
        and old[3] & ~new[3] == 0
        and new[4] <= old[4]
        and new[5] >= old[5]
        and Fraction(*new[6:]) >= Fraction(*old[6:])
    )


def _best_multiplier(terms: Terms, tier: int) -> Fraction:
    found = [Fraction(*rule[2:]) for rule in terms.rules if rule[0] == 6 and rule[1] <= tier]
    return max(found, default=Fraction(1))


def _bonuses_are_worse(new: Terms, old: Terms, today: int) -> bool:
    windows = [rule for rule in new.rules if rule[0] == 5]
    for was in (rule for rule in old.rules if rule[0] == 5 and rule[2] > today):
        if not any(_covers(window, was) for window in windows):
            return True
    return any(_best_multiplier(new, tier) < _best_multiplier(old, tier) for tier in range(1, 9))


def _tiers_are_worse(new: Terms, old: Terms) -> bool:
    if len(new.tiers) < len(old.tiers):
        return True
    if any(after[1] > before[1] for after, before in zip(new.tiers, old.tiers, strict=False)):
        return True
    same = (new.tier_period_days, new.tier_anchor_day) == (old.tier_period_days, old.tier_anchor_day)
    return bool(old.tiers) and (not same or new.tier_grace_days < old.tier_grace_days)


def _lives(terms: Terms) -> tuple[int, int]:
    """Least and greatest life of a lot in days, by the table of LOY-3."""
    kind = terms.expiry[0]
    if kind == NEVER_EXPIRES:
        return M, M
    if kind == ROLLING:
        return terms.expiry[1], terms.expiry[1]
    if kind == SLIDING:
        return terms.expiry[1], M
    years, delay = terms.expiry[3], terms.activation_delay_days
    return delay + 365 * years + 1, delay + 366 * (years + 1) + 1


def _expiry_is_worse(new: Terms, old: Terms) -> bool:
    kinds = (old.expiry[0], new.expiry[0])
    if new.expiry[0] == NEVER_EXPIRES:
        return False
    if kinds in ((ROLLING, ROLLING), (SLIDING, SLIDING), (ROLLING, SLIDING)) and new.expiry[1] >= old.expiry[1]:
        return False
    same_delay = new.activation_delay_days == old.activation_delay_days
    if (
        kinds == (CALENDAR, CALENDAR)
        and new.expiry[1:3] == old.expiry[1:3]
        and new.expiry[3] >= old.expiry[3]
        and same_delay
    ):
        return False
    return _lives(new)[0] < _lives(old)[1]


def is_worse(new: Terms, old: Terms, today: int) -> bool:
    """LOY-3."""
    if _rates_are_worse(new, old) or _bonuses_are_worse(new, old, today) or _tiers_are_worse(new, old):
        return True
    if _rule_value(new, 1, 0) > _rule_value(old, 1, 0) or _rule_value(new, 2, M) < _rule_value(old, 2, M):
        return True
    cap, former_cap = period_cap(new), period_cap(old)
    if _rule_value(new, 7, M) < _rule_value(old, 7, M) or (cap and former_cap and cap[1] != former_cap[1]):
        return True
    if _expiry_is_worse(new, old):
        return True
    for higher_is_worse in ("activation_delay_days", "return_window_days", "settle_grace_days", "remainder_max"):
        if getattr(new, higher_is_worse) > getattr(old, higher_is_worse):
            return True
    for lower_is_worse in LOWER_IS_WORSE:
        if getattr(new, lower_is_worse) < getattr(old, lower_is_worse):
            return True
    if any(after < before for after, before in zip(new.referral, old.referral, strict=True)):
        return True
    if (new.period_days, new.period_anchor_day) != (old.period_days, old.period_anchor_day):
        return True
    (points, cents), (former_points, former_cents) = new.floor, old.floor
    if former_points > 0 and (points == 0 or cents * former_points < former_cents * points):
        return True
    return _sponsors_less(new.sponsor, old.sponsor)


def _require_owner(model: Model, program: bytes, author: bytes) -> None:
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(model.programs[program].owner == author, "program.not_owner")


def update_program(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-3."""
    program, latest_named, array = payload
    _require_owner(model, program, call.author)
    terms = terms_of_array(array)
    versions = list(model.programs[program].versions)
    latest = max(version for version, _ in versions)
    books = model.books[program]
    refuse_unless(latest_named == latest, "program.stale_version")
    refuse_unless(terms.sponsor.rate >= model.params.fee_rate_min, "program.sponsor_rate")
    refuse_unless(terms.issuance_cap >= given_or_promised(books), "program.cap_below_issued")
    old = model.terms_now(program)
    if is_worse(terms, old, model.today(program)):
        refuse_unless(not model.programs[program].sunset_at, "program.ending")
        refuse_unless(all(since <= model.now for _, since in versions), "program.update_pending")
        since = model.now + old.notice_days * DAY
    else:
        since = model.now
        versions = [item for item in versions if item[1] <= model.now]
    versions.append((latest + 1, since))
    versions.sort(key=lambda item: (item[1], item[0]))
    successors = [*versions[1:], None]
    versions = [
        item
        for item, successor in zip(versions, successors, strict=True)
        if successor is None or successor[1] >= model.now - KEPT_SECONDS
    ]
    refuse_unless(len(versions) <= VERSIONS_MAX, "program.too_many_versions")
    model.programs[program] = model.programs[program]._replace(versions=tuple(versions))
    model.terms[program, latest + 1] = terms
    more = max(_reserve(terms) - books.contest_points_locked, 0)
    changed = books._replace(
        contest_points=books.contest_points + more,
        contest_points_locked=books.contest_points_locked + more,
        contest_backing=max(books.contest_backing, terms.collateral, terms.burn),
    )
    refuse_unless(changed.thousandths <= M, "program.collateral_too_large")
    model.take(call.payer, changed.security - books.security)
    model.books[program] = changed._replace(pool=model.books[program].pool)
    return [""]


def grant_issuer(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-4."""
    program, issuer, scopes, daily_cap = payload
    _require_owner(model, program, call.author)
    grant = model.grants.get((program, issuer))
    if grant is None:
        model.take(call.payer, model.record_deposit)
        grant = Grant(call.payer, model.record_deposit, scopes, daily_cap, model.now, 0, 0, 0, (), ())
    elif grant.revoked_at or (grant.scopes, grant.daily_cap) != (scopes, daily_cap):
        span = (grant.granted_at, grant.revoked_at or model.now, grant.scopes, grant.daily_cap)
        earlier = tuple(
            (begins, until, *what)
            for begins, until, *what in (*grant.earlier, span)
            if until > begins and until > model.now - KEPT_SECONDS
        )
        refuse_unless(len(earlier) <= SPANS_MAX, "issuer.too_many_grants")
        grant = grant._replace(scopes=scopes, daily_cap=daily_cap, granted_at=model.now, revoked_at=0, earlier=earlier)
    model.grants[program, issuer] = grant
    return [""]


def revoke_issuer(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-5."""
    program, issuer = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(call.author in (model.programs[program].owner, issuer), "program.not_owner")
    grant = model.grants.get((program, issuer))
    if grant is None or grant.revoked_at:
        raise Refused("issuer.not_granted")
    model.grants[program, issuer] = grant._replace(revoked_at=model.now)
    return [""]


def grant_at(grant: Grant, time: int) -> tuple[int, int] | None:
    """Scopes and daily cap of an issuer at a time (LOY-4), or None."""
    if grant.granted_at <= time <= (grant.revoked_at or 2**40):
        return grant.scopes, grant.daily_cap
    spans = [span for span in grant.earlier if span[0] <= time <= span[1]]
    return (spans[-1][2], spans[-1][3]) if spans else None


def join(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-7."""
    program, issuer, referrer, gives_back_from_all, shown = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(not model.has_ended(program, model.now), "program.ended")
    if issuer:
        model.require_live_grant(program, issuer, ENROL)
    for voucher in shown:
        vouchers.check(model, program, voucher)
    contests = CONTESTS_PREPAID * (model.contest_fee + model.record_deposit)
    member = model.members.get((program, call.author))
    if member is None:
        if referrer:
            referrals.open_referral(model, call, program, referrer)
        model.take(call.payer, model.record_deposit)
        model.take(call.payer, model.prepaid_exit)
        model.take(call.payer, contests)
        prepaid = model.prepaid_exit + contests
        member = Member(call.payer, model.record_deposit, prepaid, model.now, 0, b"", 0, 0, 0, (), 0, 0)
        member = member._replace(is_referred=referrer != b"")
    else:
        refuse_unless(member.left_at != 0, "member.already")
        refuse_unless(referrer == b"", "member.no_referral")
        missing = max(contests - member.prepaid, 0)
        model.take(call.payer, model.prepaid_exit)
        model.take(call.payer, missing)
        member = member._replace(prepaid=member.prepaid + model.prepaid_exit + missing, left_at=0)
    model.members[program, call.author] = member._replace(gives_back_from_all=gives_back_from_all)
    for voucher in shown:
        vouchers.use(model, call, program, voucher)
    model.change_books(program, members=1)
    return [""]


def leave(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-7."""
    (program,) = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(model.is_present_member(program, call.author), "member.unknown")
    if model.members[program, call.author].is_referred:
        referrals.close_referral(model, program, call.author)
    member = model.members[program, call.author]
    model.fees += model.prepaid_exit
    model.members[program, call.author] = member._replace(
        prepaid=member.prepaid - model.prepaid_exit, left_at=model.now
    )
    model.change_books(program, members=-1)
    return [""]
