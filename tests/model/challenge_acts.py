"""What brands, tills and fans do about challenges: promising, completing, showing receipts, taking back."""

from typing import Any

from tests.model.challenges import (
    CODES,
    SPEND,
    VISITS,
    Occurrence,
    achievement_id,
    evidence_of,
    occurrence_of,
    reaches,
    shown_hash,
    why_not,
)
from tests.model.life import BY_ADDRESS, FANS, KIOSK, NOWHERE, TILL, Idle, Life, Receipt
from tests.model.loyalty import room_under_cap
from tests.model.records import DAY, SETTLE, SIGN, Achievement, Challenge, Completion
from tests.model.return_acts import sign_new_return
from tests.model.till_acts import keep_receipt, sign_receipt
from tests.second_decoder.hashing import inclusion_path, leaf_hash
from tests.second_decoder.receipts import field_salt

GOING_ON_MAX = 8
RECEIPTS_SHOWN_MAX = 16
OPENED = (1, 3, 4, 5, 6, 7, 8)

Place = tuple[bytes, bytes, int]


def _going_on(life: Life, program: bytes) -> list[bytes]:
    found = life.model.challenges.items()
    return [name for name, challenge in found if challenge.program == program and not challenge.has_ended]


def create(life: Life) -> None:
    """A challenge of now or soon, mostly one that can be reached with a purchase or two."""
    choose, model = life.choose, life.model
    program = life.any_program()
    if len(_going_on(life, program)) >= GOING_ON_MAX:
        raise Idle
    today = model.today(program) if program in model.programs else 20_000
    goal = choose.choice(
        (
            (VISITS, 1),
            (VISITS, 1),
            (VISITS, 3),
            (SPEND, 300),
            (SPEND, 5_000),
            (CODES, ("bread",)),
            (CODES, ("bread", "milk")),
        )
    )
    basket = choose.choice((1, 100, 100, 500, 312))
    days, occurrences = choose.choice(((1, 1), (1, 1), (1, 30), (2, 3), (7, 4), (7, 52), (30, 12), (92, 1)))
    reward = choose.choice((1, 5, 20, 50, 100))
    budget = reward * choose.choice((1, 2, 5, 20, 20)) + choose.choice((0, 0, reward - 1))
    if program in model.programs and life.chance(25):
        room = room_under_cap(model, program) + choose.choice((0, 0, 1))
        budget = room if reward <= room <= 2**53 else budget
    times_max = choose.choice((1, occurrences, occurrences, max(occurrences // 2, 1)))
    from_day = today + choose.choice((0,) * 12 + (1, 1, 3, 366))
    if life.chance(5):
        from_day = today + choose.choice((-1, 367))
    if life.chance(6):
        goal, times_max, budget, occurrences = choose.choice(
            (
                ((SPEND, basket * 16 + 1), times_max, budget, occurrences),
                ((CODES, ("milk", "bread")), times_max, budget, occurrences),
                (goal, occurrences + 1, budget, occurrences),
                (goal, times_max, reward - 1 or budget, occurrences),
                (goal, times_max, budget, 366),
            )
        )
    grace = choose.choice((0, 0, 0, 1, 5, 31))
    terms = (goal, basket, max(from_day, 0), days, occurrences, times_max, grace, reward, budget)
    life.send("challenge.create", (program, "Weeks", *terms), life.owner_of(program), program)


def _number_now(life: Life, found: Challenge) -> int:
    return max((life.model.today(found.program) - found.from_day) // found.days, 0)


def _numbers(life: Life, found: Challenge) -> list[int]:
    """Occurrences of about now, and one beyond the last."""
    now = _number_now(life, found)
    return sorted({min(max(number, 0), found.occurrences, 365) for number in (now - 4, now - 2, now - 1, now, now + 1)})


def _places(life: Life, program: bytes, *, due: bool = False, contested: bool = False) -> list[Place]:
    """Who may be credited now for which occurrence of what."""
    model = life.model
    return [
        (challenge, fan, number)
        for challenge in _going_on(life, program)
        for number in _numbers(life, model.challenges[challenge])
        if not due or occurrence_of(model, model.challenges[challenge], number).due_by <= model.now
        for of, fan in model.members
        if of == program and not why_not(model, challenge, fan, number, contested=contested)
    ]


def _any_place(life: Life) -> Place:
    challenge = life.choose.choice([*life.model.challenges, NOWHERE])
    found = life.model.challenges.get(challenge)
    return challenge, life.choose.choice(FANS).address, life.choose.choice(_numbers(life, found)) if found else 0


def visit(life: Life) -> None:
    """A fan buys what a challenge asks for, or nearly."""
    choose, model = life.choose, life.model
    going_on = [name for name, found in model.challenges.items() if not found.has_ended]
    if not going_on:
        raise Idle
    found = model.challenges[choose.choice(going_on)]
    if life.chance(60):
        _reach(life, found, life.fan_of(found.program), _number_now(life, found))
        return
    program, now = found.program, model.now
    till = BY_ADDRESS[life.some(life.issuers_of(program, SIGN), [TILL.address, KIOSK.address], 95)]
    fan, version = life.fan_of(program), model.version_at(program, now)
    when = occurrence_of(model, found, min(_number_now(life, found), found.occurrences - 1))
    for _ in range(choose.choice((1, 1, 2, 3, 4))):
        net = choose.choice((found.basket_min_cents, found.basket_min_cents, 500, 5_000, found.basket_min_cents - 1))
        paid = choose.choice((0, 0, 0, 0, 1))
        codes: Any = choose.choice((found.goal[1], ("bread", "milk"), ())) if found.goal[0] == CODES else ()
        codes = tuple((code, choose.choice((1, 1, 1, 0))) for code in codes)
        time = choose.choice((now, now, now, now, when.begins, when.ends - 1, when.ends, when.begins - 1))
        sums = (net + paid * choose.choice((0, 1)), paid, codes, 0, 0)
        of = (program, version, fan)
        keep_receipt(
            life, sign_receipt(life, till, of, choose.number(1, 200), max(time, 0), sums, choose.choice((0, 3)))
        )


def _reach(life: Life, found: Challenge, fan: bytes, number: int, times: tuple[int, ...] = ()) -> None:
    """Purchases of now or of other times of an occurrence, with which a fan reaches its goal, if only just."""
    choose, now, program = life.choose, life.model.now, found.program
    till = BY_ADDRESS[life.some(life.issuers_of(program, SIGN), [TILL.address, KIOSK.address], 98)]
    count = found.goal[1] if found.goal[0] == VISITS else choose.choice((1, 1, 2))
    net = max(found.basket_min_cents, -(-found.goal[1] // count) if found.goal[0] == SPEND else 0)
    when = occurrence_of(life.model, found, min(number, found.occurrences - 1))
    for place in range(count):
        time = choose.choice(times or (now, now, now, max(when.begins, now - 60), when.begins, when.ends - 1))
        codes = tuple((code, 1) for code in found.goal[1][place % 2 :: count]) if found.goal[0] == CODES else ()
        codes = tuple((code, 1) for code in found.goal[1]) if codes and life.chance(50) else codes
        of = (program, life.model.version_at(program, now), fan)
        sums = (net, 0, codes, 0, 0)
        keep_receipt(life, sign_receipt(life, till, of, choose.number(1, 10**6), max(time, 0), sums, 0))


def _begun(life: Life) -> list[tuple[bytes, int]]:
    """Occurrences of now, of challenges that a till can sign receipts for."""
    model = life.model
    return [
        (name, number)
        for name, found in model.challenges.items()
        for number in (_number_now(life, found),)
        if not found.has_ended
        and number < found.occurrences
        and life.issuers_of(found.program, SIGN)
        and occurrence_of(model, found, number).begins <= model.now
    ]


def finish(life: Life, program: bytes) -> None:
    """A fan gets what a challenge that goes on gives, shown by itself when that is due."""
    going_on = _going_on(life, program)
    if not going_on:
        raise Idle
    which = life.choose.choice(going_on[-2:])
    found = life.model.challenges[which]
    when = occurrence_of(life.model, found, 0)
    if life.model.now < when.due_by:
        complete(life, wanted=(which, 0))
        return
    if life.issuers_of(program, SIGN):
        _reach(life, found, life.fan_of(program), 0, (when.begins, when.ends - 1))
    contest(life, wanted=(which, 0))


def live_through(life: Life) -> None:
    """From purchases that reach a goal to the time when they can be shown, and back: all of it by one fan."""
    choose, going_on = life.choose, _begun(life)
    if not going_on:
        create(life)
        life.world.mine(life.world.now + 1, [TILL.address])
        going_on = _begun(life)
    if not going_on:
        raise Idle
    model = life.model
    which, number = choose.choice(going_on)
    found = model.challenges[which]
    for _ in range(choose.choice((1, 1, 2))):
        _reach(life, found, life.fan_of(found.program), number)
    life.world.mine(model.now + 1, [TILL.address])
    when = occurrence_of(model, found, number)
    last = when.contest_until
    time = choose.choice((*(when.due_by + after for after in (-1, 0, 0, 0, 1, DAY)), last, last, last + 1, last + 1))
    if life.chance(25):
        _show_again(life, (which, number), when)
        return
    if life.chance(70):
        life.world.mine(max(time, life.model.now + 1), [TILL.address])
    for _ in range(choose.choice((1, 2, 2, 3))):
        step = choose.choice((contest, contest, complete, reverse))
        try:
            step(life, wanted=(which, number))
        except Idle:
            continue


def _show_again(life: Life, wanted: tuple[bytes, int], when: Occurrence) -> None:
    """An occurrence that was completed is taken back around the last moment for contests, and shown again up to a week later."""
    choose, world = life.choose, life.world
    found = life.model.challenges[wanted[0]]
    fan, inside = life.fan_of(found.program), (when.begins, when.begins, when.ends - 1)
    last, again = when.contest_until, when.again_until
    steps = (
        ((when.due_by, when.due_by, last - 1, last), (complete, contest, contest)),
        ((when.due_by, last, last, last + 1, again), (reverse,)),
        ((last, last + 1, again, again, again + 1), (contest, contest, contest, contest, complete)),
    )
    for times, acts in steps:
        world.mine(max(choose.choice(times), world.now + 1), [TILL.address])
        if acts != (reverse,):
            _reach(life, found, fan, wanted[1], inside)
        try:
            choose.choice(acts)(life, wanted=wanted)
        except Idle:
            continue


def _counting(life: Life, found: Challenge, when: Occurrence, fan: bytes) -> list[Receipt]:
    """The receipts of a fan that count in an occurrence, as far as tills are granted still."""
    known: dict[tuple[bytes, int], Receipt] = {}
    for receipt in life.receipts:
        counts = when.begins <= receipt.time < when.ends
        is_enough = receipt.fields[7] - receipt.fields[8] >= found.basket_min_cents
        if (receipt.program, receipt.member) == (found.program, fan) and counts and is_enough:
            known[receipt.till.key, receipt.fields[5]] = receipt
    return [known[place] for place in sorted(known)]


def _show(receipt: Receipt) -> tuple[Any, ...]:
    fields = receipt.fields
    opened = (*OPENED, 9) if fields[9] else OPENED
    blinding = tuple(field_salt(receipt.salt, i) if i in opened else receipt.leaves[i] for i in range(15))
    return (*fields[4:10], blinding, receipt.signature)


def complete(life: Life, wanted: tuple[bytes, int] | None = None) -> None:
    """A batch of completions, of the receipts that there are, or of others."""
    choose, model = life.choose, life.model
    program = model.challenges[wanted[0]].program if wanted else life.any_program()
    places = [place for place in _places(life, program) if wanted in (None, (place[0], place[2]))]
    entries = []
    for _ in range(choose.choice((1, 1, 1, 2, 4))):
        if wanted and not life.chance(20):
            challenge, fan, number = wanted[0], life.fan_of(program), wanted[1]
        else:
            challenge, fan, number = life.some(places, [_any_place(life)], 92)
        found = model.challenges.get(challenge)
        receipts = []
        if found is not None:
            receipts = [receipt.hash for receipt in _counting(life, found, occurrence_of(model, found, number), fan)]
        hashes = receipts[:RECEIPTS_SHOWN_MAX] or [life.fresh() for _ in range(choose.choice((1, 2, 5)))]
        evidence = evidence_of(hashes)
        life.evidences[evidence] = tuple(hashes)
        entries.append((fan, challenge, min(number, 365), evidence, len(hashes)))
    life.send("challenge.complete", (program, tuple(entries)), life.issuer_of(program, SETTLE), program)


def contest(life: Life, wanted: tuple[bytes, int] | None = None) -> None:
    """A fan shows the receipts that reach the goal; now and then too few, too early, or others."""
    choose, model = life.choose, life.model
    program = model.challenges[wanted[0]].program if wanted else life.any_program()
    shows: list[tuple[Place, list[Receipt]]] = []
    for place in _places(life, program, due=not life.chance(6), contested=True):
        found = model.challenges[place[0]]
        receipts = _counting(life, found, occurrence_of(model, found, place[2]), place[1])
        achieved = model.achievements.get(achievement_id(place[0], place[1]))
        if achieved is not None and not life.chance(6):
            receipts = [receipt for receipt in receipts if (place[2], receipt.hash) not in achieved.returned]
        shown = tuple(_show(receipt) for receipt in receipts)
        if receipts and (reaches(found.goal, shown) or life.chance(4)):
            shows.append((place, receipts))
    if wanted is not None:
        shows = [show for show in shows if (show[0][0], show[0][2]) == wanted] or _shows_anyway(life, wanted)
    known = [receipt for receipt in life.receipts if receipt.program == program]
    if not known:
        raise Idle
    one = choose.choice(known)
    challenge, _, number = _any_place(life)
    anything = ((challenge, one.member, number), [one])
    (challenge, fan, number), receipts = life.some(shows, [anything], 93)
    if len(receipts) > 1 and life.chance(12):
        receipts = receipts[1:]
    shown = [_show(receipt) for receipt in receipts[:RECEIPTS_SHOWN_MAX]]
    if life.chance(3):
        shown.append(shown[0])
    if life.chance(3):
        fan = choose.choice(FANS).address
    if life.chance(3):
        number += 1
    if life.chance(3):
        place = choose.choice((1, 2, 3))
        shown[0] = (*shown[0][:place], shown[0][place] + 1, *shown[0][place + 1 :])
    if life.chance(2):
        shown[0] = (*shown[0][:5], (("milk", 1), ("bread", 2)), *shown[0][6:])
    hashes = tuple(shown_hash(program, fan, item) for item in shown)
    signed = {(receipt.hash, receipt.signature) for receipt in receipts}
    attested = all((hashed, item[-1]) in signed for hashed, item in zip(hashes, shown, strict=True))
    life.evidences[evidence_of(list(hashes))] = hashes
    payload = (program, challenge, min(number, 365), tuple(shown))
    payment = {"payment": (2,)} if life.chance(60) else {}
    life.send("challenge.contest", payload, fan, program, attested=attested, **payment)


def _shows_anyway(life: Life, wanted: tuple[bytes, int]) -> list[tuple[Place, list[Receipt]]]:
    """Whoever has receipts of an occurrence, whether or not it may show them now."""
    found = life.model.challenges[wanted[0]]
    when = occurrence_of(life.model, found, wanted[1])
    fans = sorted({receipt.member for receipt in life.receipts if receipt.program == found.program})
    shows = [((wanted[0], fan, wanted[1]), _counting(life, found, when, fan)) for fan in fans]
    return [show for show in shows if show[1]]


def _stands(life: Life, achieved: Achievement, done: Completion) -> bool:
    found = life.model.challenges[achieved.challenge]
    return not found.has_ended and life.model.now < occurrence_of(life.model, found, done.occurrence).keep_until


def reverse(life: Life, wanted: tuple[bytes, int] | None = None) -> None:
    """One of the receipts went back."""
    choose, model = life.choose, life.model
    standing = [
        (achieved, item)
        for achieved in model.achievements.values()
        for item in achieved.completions
        if item.evidence in life.evidences and wanted in (None, (achieved.challenge, item.occurrence))
    ]
    fresh = [item for item in standing if wanted or _stands(life, *item)]
    standing = fresh or (standing if life.chance(10) else [])
    if not standing:
        raise Idle
    achieved, done = choose.choice(standing)
    found, hashes = model.challenges[achieved.challenge], life.evidences[done.evidence]
    index = choose.number(0, len(hashes) - 1)
    when = occurrence_of(model, found, done.occurrence)
    window = model.terms[found.program, done.version].return_window_days
    last = min(model.day_start(found.program, done.base + window + 1) - 1, model.now)
    times = (model.now, max(last, 0), max(last, 0), when.begins, when.begins - 1, last + 1, when.ends)
    path = tuple(inclusion_path([leaf_hash(hashed) for hashed in hashes], index))
    signed = sign_new_return(
        life, (found.program, achieved.member, hashes[index]), choose.choice(times), choose.choice((1, 5))
    )
    array, signature, consent, attested = signed
    number = done.occurrence + (1 if life.chance(3) else 0)
    index = (index + 1) % 16 if life.chance(3) else index
    author = life.issuer_of(found.program, SETTLE, model.programs[found.program].owner)
    challenge = life.some([achieved.challenge], [*model.challenges, NOWHERE], 97)
    payload = (challenge, min(number, 365), index, path, array, signature, consent)
    life.send("challenge.reverse", payload, author, found.program, attested=attested)
