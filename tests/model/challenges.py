"""Challenges: CHL-1 to CHL-6."""

from itertools import pairwise
from typing import Any, NamedTuple

from tests.model.accounts import address_of_key
from tests.model.collateral import can_promise, issue
from tests.model.contests import count_contested
from tests.model.loyalty import grant_at, room_under_cap
from tests.model.points import expiry_of, give_lot
from tests.model.records import (
    DAY,
    NOBODY,
    SETTLE,
    SIGN,
    Achievement,
    Challenge,
    Completion,
    Lot,
    M,
    Refused,
    refuse_unless,
)
from tests.model.returns import Return, check_usable, require_reverser, take_back
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import is_included, leaf_hash, object_id, tagged, tree_root
from tests.second_decoder.receipts import opened_hash

VISITS, SPEND, CODES = 0, 1, 2
DAYS_MAX = 1_098
AHEAD_DAYS_MAX = 366
CONTEST_SECONDS = 2_592_000
AGAIN_SECONDS = 604_800
KEEP_SECONDS = 3_888_000
PENDING_DAYS_MIN = 16
PREPAID_CONTESTS_MAX = 8
CONTEST_WEIGHT = 20_000
ITEMS_MAX = 192


class Occurrence(NamedTuple):
    """CHL-1."""

    begins: int
    ends: int
    end_day: int
    due_by: int
    contest_until: int
    again_until: int
    keep_until: int


def occurrence_of(model: Model, found: Challenge, number: int) -> Occurrence:
    """CHL-1."""
    first_day = found.from_day + number * found.days
    end_day = first_day + found.days
    ends = model.day_start(found.program, end_day)
    due_by = ends + found.grace_days * DAY
    begins = model.day_start(found.program, first_day)
    contest_until = due_by + CONTEST_SECONDS
    return Occurrence(
        begins, ends, end_day, due_by, contest_until, contest_until + AGAIN_SECONDS, due_by + KEEP_SECONDS
    )


def achievement_id(challenge: bytes, fan: bytes) -> bytes:
    """CHL-1."""
    return tagged("ACHIEVEMENT", challenge + fan)


def evidence_of(receipts: list[bytes]) -> bytes:
    """CHL-1."""
    return tree_root([leaf_hash(receipt) for receipt in receipts])


def terms_are_sound(payload: tuple) -> bool:
    """CHL-2, the check."""
    _, _, goal, basket_min_cents, _, days, occurrences, times_max, _, reward, budget = payload
    return (
        times_max <= occurrences
        and days * occurrences <= DAYS_MAX
        and budget >= reward
        and (goal[0] != SPEND or basket_min_cents * 16 >= goal[1])
        and (goal[0] != CODES or all(left < right for left, right in pairwise(goal[1])))
    )


def contest_fee(model: Model) -> int:
    """What a contest costs (CHL-2, CHL-5)."""
    return CONTEST_WEIGHT * model.params.fee_rate_min


def create(model: Model, call: Call, payload: tuple) -> list[str]:
    """CHL-2."""
    program, _, _, _, from_day, days, occurrences, _, _, reward, budget = payload
    refuse_unless(program in model.programs, "program.unknown")
    owner, sunset_at = model.programs[program].owner, model.programs[program].sunset_at
    refuse_unless(call.author == owner, "program.not_owner")
    refuse_unless(not model.has_ended(program, model.now), "program.ended")
    today = model.today(program)
    refuse_unless(from_day >= today, "challenge.past")
    refuse_unless(from_day <= today + AHEAD_DAYS_MAX, "challenge.too_far")
    begins_last = model.day_start(program, from_day + (occurrences - 1) * days)
    refuse_unless(sunset_at == 0 or begins_last <= sunset_at, "program.ending")
    refuse_unless(budget <= room_under_cap(model, program), "earn.issuance_cap")
    refuse_unless(can_promise(model, program, budget), "earn.pool_insufficient")
    model.change_books(program, challenge_points=budget)
    model.take(call.payer, model.record_deposit)
    prepaid = min(PREPAID_CONTESTS_MAX, budget // reward) * (contest_fee(model) + model.record_deposit)
    model.take(call.payer, prepaid)
    which = object_id("challenge", call.txid)
    made = (call.payer, model.record_deposit, prepaid, *payload, 0, False)
    found = Challenge._make(made)
    model.challenges[which] = found
    model.queue("challenge.end", which, 0, occurrence_of(model, found, occurrences - 1).keep_until)
    return [""]


def end(model: Model, which: bytes) -> None:
    """Due work `challenge.end` (CHL-2)."""
    found = model.challenges[which]
    model.change_books(found.program, challenge_points=found.given - found.budget)
    model.give(found.payer, found.prepaid)
    model.challenges[which] = found._replace(prepaid=0, has_ended=True)


def forget(model: Model, which: bytes) -> None:
    """Due work `challenge.forget` (CHL-3)."""
    found = model.achievements.pop(which)
    model.give(found.payer, found.deposit)


def _kept(model: Model, challenge: bytes, fan: bytes) -> Achievement | None:
    """The record without what is to be dropped (CHL-1)."""
    achieved, found = model.achievements.get(achievement_id(challenge, fan)), model.challenges[challenge]
    if achieved is None:
        return None

    def is_kept(number: int) -> bool:
        return model.now < occurrence_of(model, found, number).keep_until

    return achieved._replace(
        completions=tuple(item for item in achieved.completions if is_kept(item.occurrence)),
        returned=tuple(item for item in achieved.returned if is_kept(item[0])),
    )


def why_not(model: Model, challenge: bytes, fan: bytes, number: int, *, contested: bool = False) -> str:
    """The first fault of CHL-3, 1., or nothing."""
    found = model.challenges[challenge]
    program, books = found.program, model.books[found.program]
    member, achieved = model.members[program, fan], _kept(model, challenge, fan)
    when = occurrence_of(model, found, number)
    completions = achieved.completions if achieved else ()
    is_again = contested and achieved is not None and any(of == number for of, _ in achieved.returned)
    faults = {
        "challenge.no_occurrence": number >= found.occurrences,
        "challenge.not_begun": when.begins > model.now,
        "challenge.over": model.now > (when.again_until if is_again else when.contest_until),
        "challenge.before_joining": when.ends <= member.joined_at,
        "challenge.after_leaving": member.left_at != 0 and when.begins > member.left_at,
        "challenge.program_ended": model.has_ended(program, when.begins),
        "challenge.completed": any(item.occurrence == number for item in completions),
        "challenge.times_reached": achieved is not None and achieved.times >= found.times_max,
        "challenge.too_many_returns": achieved is not None and len(completions) + len(achieved.returned) >= ITEMS_MAX,
        "challenge.budget_gone": found.reward > found.budget - found.given,
        "earn.issuance_cap": found.reward > M - books.issued,
    }
    return next((code for code, is_so in faults.items() if is_so), "")


def _credit(
    model: Model,
    payer: bytes,
    challenge: bytes,
    fan: bytes,
    number: int,
    evidence: tuple[bytes, int],
    *,
    contested: bool = False,
) -> None:
    """CHL-3, 2. to 4.; the payer has locked the deposit of a record that is made."""
    found = model.challenges[challenge]
    program, when, today = found.program, occurrence_of(model, found, number), model.today(found.program)
    version = model.version_at(program, min(when.ends - 1, model.now))
    t = model.terms[program, version]
    base = min(today, when.end_day)
    activation_day = max(today + PENDING_DAYS_MIN if contested else today, base + t.activation_delay_days)
    counts_from = max(today, activation_day - t.activation_delay_days)
    issue(model, program, version, found.reward, challenge_points=-found.reward)
    lot = Lot(version, activation_day, expiry_of(t, counts_from, activation_day), found.reward)
    give_lot(model, program, fan, lot)
    model.challenges[challenge] = model.challenges[challenge]._replace(given=found.given + found.reward)
    key, achieved = achievement_id(challenge, fan), _kept(model, challenge, fan)
    if achieved is None:
        achieved = Achievement(payer, model.record_deposit, challenge, fan, 0, (), ())
        model.queue("challenge.forget", key, 0, occurrence_of(model, found, found.occurrences - 1).keep_until)
    completion = Completion(number, *evidence, version, activation_day, base, contested)
    completions = tuple(sorted((*achieved.completions, completion)))
    model.achievements[key] = achieved._replace(times=achieved.times + 1, completions=completions)


def complete(model: Model, call: Call, payload: tuple) -> list[str]:
    """CHL-4."""
    program, entries = payload
    refuse_unless(program in model.programs, "program.unknown")
    model.require_live_grant(program, call.author, SETTLE)
    today, grant = model.today(program), model.grants[program, call.author]
    used = grant.day_used if grant.day == today else 0
    codes = []
    for fan, challenge, number, evidence, receipts in entries:
        found = model.challenges.get(challenge)
        if found is None or found.program != program or found.has_ended:
            codes.append("challenge.unknown")
            continue
        code = "challenge.no_member"
        if (program, fan) in model.members:
            code = why_not(model, challenge, fan, number)
            if not code and found.reward > max(grant.daily_cap - used, 0):
                code = "earn.daily_cap"
        codes.append(code)
        if code:
            continue
        is_new = achievement_id(challenge, fan) not in model.achievements
        used += found.reward
        _credit(model, call.payer, challenge, fan, number, (evidence, receipts))
        if is_new:
            model.take(call.payer, model.record_deposit)
    model.grants[program, call.author] = grant._replace(day=today, day_used=used)
    return codes


def shown_hash(program: bytes, author: bytes, shown: tuple) -> bytes:
    """The hash of a receipt that is shown (CHL-5, RCP-8)."""
    till, sequence, time, net, paid, codes, blinding, _ = shown
    opened: dict[int, Any] = {1: program, 3: author, 4: till, 5: sequence, 6: time, 7: net, 8: paid}
    if codes:
        opened[9] = [list(item) for item in codes]
    return opened_hash(opened, list(blinding))


def reaches(goal: tuple, receipts: tuple) -> bool:
    """CHL-1: the goal is reached with receipts that count."""
    if goal[0] == VISITS:
        return len(receipts) >= goal[1]
    if goal[0] == SPEND:
        return sum(shown[3] - shown[4] for shown in receipts) >= goal[1]
    bought = {code for shown in receipts for code, cents in shown[5] if cents > 0}
    return set(goal[1]) <= bought


def _pay(model: Model, call: Call, challenge: bytes, deposit: int) -> bytes:
    """CHL-5, 6.: the payer of the Achievement."""
    if call.payer != NOBODY:
        model.take(call.payer, deposit)
        return call.payer
    found, fee = model.challenges[challenge], contest_fee(model)
    if found.prepaid >= fee + deposit:
        model.challenges[challenge] = found._replace(prepaid=found.prepaid - fee - deposit)
    else:
        refuse_unless(model.books[found.program].pool >= fee + deposit, "challenge.none_prepaid")
        model.change_books(found.program, pool=-fee - deposit)
    model.fees += fee
    return b"P" + found.program


def contest(model: Model, call: Call, payload: tuple) -> list[str]:
    """CHL-5."""
    program, challenge, number, receipts = payload
    refuse_unless(program in model.programs, "program.unknown")
    found = model.challenges.get(challenge)
    if found is None or found.program != program or found.has_ended:
        raise Refused("challenge.unknown")
    refuse_unless((program, call.author) in model.members, "member.unknown")
    refuse_unless(number < found.occurrences, "challenge.no_occurrence")
    when = occurrence_of(model, found, number)
    refuse_unless(model.now >= when.due_by, "challenge.too_early")
    code = why_not(model, challenge, call.author, number, contested=True)
    refuse_unless(code == "", code)
    achieved = _kept(model, challenge, call.author)
    hashes = [shown_hash(program, call.author, shown) for shown in receipts]
    for shown, hashed in zip(receipts, hashes, strict=True):
        till, _, time, net, paid = shown[:5]
        refuse_unless(when.begins <= time < when.ends, "challenge.outside")
        grant = model.grants.get((program, address_of_key(till)))
        then = grant_at(grant, time) if grant else None
        refuse_unless(then is not None and bool(then[0] & SIGN), "contest.not_a_till")
        refuse_unless(net - paid >= found.basket_min_cents, "challenge.basket")
        is_returned = achieved is not None and (number, hashed) in achieved.returned
        refuse_unless(not is_returned, "challenge.receipt_returned")
    refuse_unless(reaches(found.goal, receipts), "challenge.not_reached")
    _count_at_till(model, program, receipts, found.reward)
    deposit = 0 if achievement_id(challenge, call.author) in model.achievements else model.record_deposit
    payer = _pay(model, call, challenge, deposit)
    _credit(model, payer, challenge, call.author, number, (evidence_of(hashes), len(hashes)), contested=True)
    return [""]


def _count_at_till(model: Model, program: bytes, receipts: tuple, reward: int) -> None:
    """CHL-5, 5."""
    latest = max(shown[2] for shown in receipts)
    till = address_of_key([shown[0] for shown in receipts if shown[2] == latest][-1])
    grant, day = model.grants[program, till], model.day_at(program, latest)
    then = grant_at(grant, latest)
    assert then is not None
    refuse_unless(dict(grant.contested).get(day, 0) + reward <= then[1], "contest.till_cap")
    count_contested(model, program, till, day, reward)


def reverse(model: Model, call: Call, payload: tuple) -> list[str]:
    """CHL-6."""
    challenge, number, index, path, array, _, consent = payload
    returned = Return(*array)
    program, fan = returned.program, returned.member
    refuse_unless(program in model.programs, "program.unknown")
    found = model.challenges.get(challenge)
    if found is None or found.program != program or found.has_ended:
        raise Refused("challenge.unknown")
    require_reverser(model, program, call.author)
    achieved = _kept(model, challenge, fan)
    standing = [item for item in achieved.completions if item.occurrence == number] if achieved else []
    if achieved is None or not standing:
        raise Refused("challenge.not_completed")
    done, when = standing[0], occurrence_of(model, found, number)
    refuse_unless(done.contested or model.now <= when.contest_until, "challenge.stands")
    is_evidence = is_included(leaf_hash(returned.receipt), index, done.receipts, list(path), done.evidence)
    refuse_unless(is_evidence, "challenge.not_in_evidence")
    check_usable(model, returned, consent)
    t = model.terms[program, done.version]
    until = model.day_start(program, done.base + t.return_window_days + 1)
    refuse_unless(when.begins <= returned.time < until, "challenge.outside_window")
    take_back(model, returned, (done.version, done.activation_day), found.reward)
    model.challenges[challenge] = found._replace(given=found.given - found.reward)
    refuse_unless(can_promise(model, program, found.reward), "earn.pool_insufficient")
    model.change_books(program, challenge_points=found.reward, challenge_points_reversed=found.reward)
    model.achievements[achievement_id(challenge, fan)] = achieved._replace(
        times=achieved.times - 1,
        completions=tuple(item for item in achieved.completions if item != done),
        returned=tuple(sorted({*achieved.returned, (number, returned.receipt)})),
    )
    return [""]
