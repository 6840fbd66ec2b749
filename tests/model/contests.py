"""Contests of receipts, their answers and their ends: LOY-14 to LOY-17."""

from typing import NamedTuple

from ledger.codec import pack
from tests.model.accounts import address_of_key
from tests.model.collateral import issue
from tests.model.earn import KEEP_SECONDS
from tests.model.loyalty import CONTESTS_PREPAID, grant_at
from tests.model.points import Purchase, better_of_two, days_in_seconds, expiry_of, give_lot, versions_nameable
from tests.model.records import (
    IN_TIME,
    LATE,
    NOBODY,
    RETURNED,
    SETTLE,
    SHORT,
    SIGN,
    UNDECIDED,
    UNSETTLED,
    Contest,
    Lot,
    M,
    Refused,
    refuse_unless,
)
from tests.model.returns import Return, check_usable, count_return, left_of_return
from tests.model.state import Model
from tests.model.tiers import count_towards_tiers, extend_sliding_lots
from tests.model.transaction import Call
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import be8, is_included, leaf_hash, tagged
from tests.second_decoder.receipts import earn_remainder, earn_sum, follow_sums, opened_hash, sum_leaf

CONTEST_SECONDS = 2_592_000
ANSWER_SECONDS = 1_296_000
ANSWER_BLOCKS = 144
DAYS_KEPT = 200
RETRY_SECONDS = 60


class Period(NamedTuple):
    """The period of a time (LOY-15)."""

    begins: int
    ends: int
    end_day: int
    version: int
    settle_by: int


def period_of(model: Model, program: bytes, time: int) -> Period:
    """LOY-15."""
    version = model.version_at(program, time)
    t = model.terms[program, version]
    length = max(t.period_days, 1)
    day = model.day_at(program, time)
    first_day = (day - t.period_anchor_day) // length * length + t.period_anchor_day
    ends = model.day_start(program, first_day + length)
    return Period(
        model.day_start(program, first_day),
        ends,
        first_day + length,
        version,
        ends + days_in_seconds(t.settle_grace_days),
    )


def contest_id(program: bytes, till: bytes, sequence: int) -> bytes:
    """LOY-15."""
    return tagged("CONTEST", program + till + be8(sequence))


def receipt_hash_of(author: bytes, payload: tuple) -> bytes:
    """The hash of the receipt that a contest opens (RCP-8)."""
    program, version, till, sequence, time, points, claim, blinding, _ = payload
    opened = {1: program, 2: version, 3: author, 4: till, 5: sequence, 6: time, 11: points}
    if claim[0] == 1:
        codes = [list(item) for item in claim[3]]
        opened.update({7: claim[1], 8: claim[2], 9: codes, 12: claim[4], 13: claim[5]})
    return opened_hash(opened, list(blinding))


def count_contested(model: Model, program: bytes, issuer: bytes, day: int, points: int) -> None:
    """LOY-15, 9: add points to a day of a till's contested ones."""
    oldest = model.today(program) - DAYS_KEPT
    grant = model.grants[program, issuer]
    days = {found: claimed for found, claimed in grant.contested if found >= oldest}
    if day >= oldest and (points > 0 or day in days):
        days[day] = days.get(day, 0) + points
    contested = tuple((found, claimed) for found, claimed in sorted(days.items()) if claimed)
    model.grants[program, issuer] = grant._replace(contested=contested)


def pay(model: Model, call: Call, program: bytes, deposit: int) -> tuple[bytes, int]:
    """LOY-14: payer and repaid of a contest, for which such a deposit is locked."""
    if call.payer != NOBODY:
        model.take(call.payer, deposit)
        return call.payer, min(call.fee, model.contest_fee) if call.payer[:1] == b"A" else 0
    member = model.members[program, call.author]
    price = model.contest_fee + deposit
    free = member.prepaid - (model.prepaid_exit if member.left_at == 0 else 0)
    refuse_unless(free >= price, "contest.none_prepaid")
    begins = model.begin_of_period(program)
    count = member.contest_count if member.contest_period == begins else 0
    refuse_unless(count < CONTESTS_PREPAID, "contest.period_limit")
    model.members[program, call.author] = member._replace(
        prepaid=member.prepaid - price, contest_period=begins, contest_count=count + 1
    )
    model.fees += model.contest_fee
    return NOBODY, model.contest_fee


def contest(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-15."""
    program, version, till_key, sequence, time, points, claim, _, _ = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless((program, call.author) in model.members, "member.unknown")
    which = contest_id(program, till_key, sequence)
    refuse_unless(which not in model.contests, "contest.already")
    period = period_of(model, program, time)
    refuse_unless(time <= model.now, "contest.future")
    refuse_unless(model.now >= period.settle_by, "contest.too_early")
    refuse_unless(model.now <= period.settle_by + CONTEST_SECONDS, "contest.too_late")
    till = address_of_key(till_key)
    grant = model.grants.get((program, till))
    then = grant_at(grant, time) if grant else None
    if grant is None or then is None or not then[0] & SIGN:
        raise Refused("contest.not_a_till")
    refuse_unless(version in versions_nameable(model, program, time), "contest.wrong_version")
    member = model.members[program, call.author]
    refuse_unless(period.ends > member.joined_at, "contest.before_joining")
    refuse_unless(member.left_at == 0 or period.begins <= member.left_at, "contest.after_leaving")
    owed = points
    if claim[0] == 1:
        owed = better_of_two(model, program, call.author, version, Purchase(time, *claim[1:]))
        refuse_unless(owed > points, "contest.nothing_owed")
    refuse_unless(owed > 0, "contest.nothing_owed")
    day = model.day_at(program, time)
    refuse_unless(dict(grant.contested).get(day, 0) + owed <= then[1], "contest.till_cap")
    refuse_unless(owed <= model.books[program].contest_points, "contest.reserve_empty")
    model.change_books(program, contest_points=-owed, contests_open=1)
    count_contested(model, program, till, day, owed)
    payer, repaid = pay(model, call, program, model.record_deposit)
    model.contests[which] = Contest(
        payer=payer,
        deposit=model.record_deposit,
        repaid=repaid,
        program=program,
        member=call.author,
        till=till,
        sequence=sequence,
        receipt=receipt_hash_of(call.author, payload),
        claim=claim[0],
        time=time,
        points=owed,
        settle_by=period.settle_by,
        opened_at=model.now,
        answer_by=model.now + ANSWER_SECONDS,
        answer_height=model.height + ANSWER_BLOCKS,
        keep_until=period.settle_by + KEEP_SECONDS,
        outcome=UNDECIDED,
        credited=0,
    )
    model.queue("earn.contest", which, 0, model.now + ANSWER_SECONDS)
    return [""]


def _is_over(model: Model, found: Contest) -> bool:
    return model.now >= found.answer_by and model.height >= found.answer_height


def _opened(array: tuple) -> bytes:
    """K of an `opened` (RCP-7)."""
    salt, points = array
    return earn_remainder(salt, points) if salt else b""


def _row_of_answer(found: Contest, entry: tuple) -> tuple[tuple, int]:
    """The leaf that an answer claims, and the sum that it opens (LOY-16, 3. and 4.)."""
    if entry[0] == 1:
        _, period, points, remainder = entry
        return (1, found.member, period, points, found.receipt, remainder, remainder, ""), 0
    _, period, points, receipt_points, position, receipts, sums, salt, before, after = entry
    root = None
    if receipt_points + sum(item[1] for item in sums) <= M:
        try:
            root = follow_sums(sum_leaf(found.receipt, receipt_points), position, receipts, list(sums))
        except Fault:
            root = None
    if root is None:
        raise Refused("contest.not_in_entry")
    sealed = earn_sum(salt, root)
    return (0, found.member, period, points, sealed, _opened(after), _opened(before), ""), root[1]


def answer(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-16."""
    which, batch_id, index, path, entry = payload
    found = model.contests.get(which)
    if found is None:
        raise Refused("contest.unknown")
    refuse_unless(found.outcome == UNDECIDED and not _is_over(model, found), "contest.closed")
    if call.author != model.programs[found.program].owner:
        model.require_live_grant(found.program, call.author, SETTLE)
    if entry[0] == 2:
        return _answer_with_return(model, call, which, entry)
    batch = model.batches.get(batch_id)
    if batch is None or batch.program != found.program:
        raise Refused("contest.no_batch")
    row, total = _row_of_answer(found, entry)
    reduced = (*row[:-1], "earn.period_cap_reduced")
    included = any(
        is_included(leaf_hash(pack(leaf)), index, batch.entries, list(path), batch.entries_root)
        for leaf in (row, reduced)
    )
    rows = model.rows[batch_id]
    assert included <= (index < len(rows) and rows[index] in (row, reduced)), "a path leads to a row that is not there"
    refuse_unless(included, "contest.not_in_batch")
    if entry[0] == 1:
        given = entry[2]
    else:
        _, _, points, given, _, _, _, _, before, after = entry
        left_at = model.members[found.program, found.member].left_at
        has_left = left_at != 0 and left_at <= batch.settled_at
        has_ended = model.has_ended(found.program, batch.settled_at)
        maximum = 0 if has_left or has_ended else model.terms_at(found.program, batch.settled_at).remainder_max
        refuse_unless(after[1] <= maximum, "contest.remainder")
        refuse_unless(points == total + before[1] - after[1], "contest.equation")
    if given < found.points:
        decide(model, which, SHORT, found.points - given)
    else:
        decide(model, which, IN_TIME if batch.settled_at <= found.settle_by else LATE, 0)
    return [""]


def _answer_with_return(model: Model, call: Call, which: bytes, entry: tuple) -> list[str]:
    """LOY-16, 6."""
    found = model.contests[which]
    _, array, _, consent = entry
    returned = Return(*array)
    period = period_of(model, found.program, found.time)
    t = model.terms[found.program, period.version]
    until = model.day_start(found.program, period.end_day + t.return_window_days + 1)
    is_of_contest = returned[1:4] == (found.program, found.member, found.receipt)
    refuse_unless(is_of_contest and found.time <= returned.time < until, "contest.other_return")
    check_usable(model, returned, consent)
    left = left_of_return(model, returned)
    count_return(model, call, returned, left)
    decide(model, which, SHORT if left < found.points else RETURNED, max(found.points - left, 0))
    return [""]


def _give_to_payer(model: Model, payer: bytes, member_key: tuple[bytes, bytes], amount: int) -> None:
    if payer != NOBODY:
        model.give(payer, amount)
        return
    member = model.members[member_key]
    model.members[member_key] = member._replace(prepaid=member.prepaid + amount)


def repay(model: Model, payer: bytes, member_key: tuple[bytes, bytes], repaid: int) -> None:
    """LOY-14, repaying."""
    program = member_key[0]
    reserved = min(repaid, model.books[program].contest_coin)
    pooled = min(repaid - reserved, model.books[program].pool)
    model.change_books(program, contest_coin=-reserved, pool=-pooled)
    _give_to_payer(model, payer, member_key, reserved + pooled)


def decide(model: Model, which: bytes, outcome: int, credited: int) -> None:
    """LOY-17."""
    found = model.contests[which]
    program = found.program
    credited = min(credited, M - model.books[program].issued)
    count_contested(model, program, found.till, model.day_at(program, found.time), credited - found.points)
    model.change_books(
        program,
        contest_points=found.points - credited,
        contest_points_credited=credited,
        contests_open=-1,
    )
    if credited > 0:
        period = period_of(model, program, found.time)
        t = model.terms[program, period.version]
        today = model.today(program)
        activation_day = max(today, period.end_day + t.activation_delay_days)
        expiry_day = expiry_of(t, max(today, period.end_day), activation_day)
        extend_sliding_lots(model, program, found.member)
        issue(model, program, period.version, credited)
        give_lot(model, program, found.member, Lot(period.version, activation_day, expiry_day, credited))
        count_towards_tiers(model, program, found.member, t, max(today, period.end_day), credited)
        member = model.members[program, found.member]
        model.members[program, found.member] = member._replace(earned=member.earned + credited)
    if outcome not in (IN_TIME, RETURNED):
        repay(model, found.payer, (program, found.member), found.repaid)
    model.contests[which] = found._replace(outcome=outcome, credited=credited)


def end_contest(model: Model, which: bytes) -> None:
    """Due work `earn.contest` (LOY-17)."""
    found = model.contests[which]
    if found.outcome == UNDECIDED:
        if not _is_over(model, found):
            model.queue("earn.contest", which, 0, model.now + RETRY_SECONDS)
            return
        decide(model, which, UNSETTLED, found.points)
    if model.now < found.keep_until:
        model.queue("earn.contest", which, 0, found.keep_until)
    else:
        del model.contests[which]
        _give_to_payer(model, found.payer, (found.program, found.member), found.deposit)
