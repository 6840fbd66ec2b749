"""What is given without a purchase, given on and brought to an end: adjusting, points for others, a program's last day.

And the coin behind points, after it.
"""

from contextlib import suppress

from tests.model import challenge_acts
from tests.model.brand_acts import affordable
from tests.model.challenges import VISITS
from tests.model.life import FANS, STRANGER, Idle, Life
from tests.model.loyalty import room_under_cap
from tests.model.records import ADJUST, DAY, M


def adjust(life: Life) -> None:
    """Points for nothing, often up to a limit."""
    choose, model = life.choose, life.model
    program = life.any_program()
    owners = [model.programs[program].owner] if program in model.programs else []
    author = life.issuer_of(program, ADJUST, *owners)
    points = choose.choice((1, 5, 30, 30, 100))
    if program in model.programs and life.chance(40):
        books, today = model.books[program], model.today(program)
        used = books.adjust_day_used if books.adjust_day == today else 0
        limits = [model.terms_now(program).adjust_day_max - used, room_under_cap(model, program)]
        grant = model.grants.get((program, author))
        if grant is not None:
            limits.append(grant.daily_cap - (grant.day_used if grant.day == today else 0))
        limit = choose.choice(limits) + choose.choice((0, 0, 1))
        points = limit if 0 < limit <= 10**7 else points
    life.send("adjust", (program, life.fan_of(program), points, "apology.late"), author, program)


def give_on(life: Life) -> None:
    """Points for somebody else, mostly as many as there are and may be."""
    choose, model = life.choose, life.model
    program = life.any_program()
    likely = [fan for fan in life.members_of(program) if affordable(life, program, fan)]
    author = life.some(likely, [fan.address for fan in (*FANS, STRANGER)], 95)
    others = [fan for fan in life.members_of(program) if fan != author]
    recipient = life.some(others, [fan.address for fan in (*FANS, STRANGER)], 95)
    has = affordable(life, program, author)
    points = choose.choice((1, has // 2, has, has, has + 1 if life.chance(10) else has))
    if program in model.programs and life.chance(30):
        sender = model.members.get((program, author))
        sent = sender.transferred if sender and sender.transfer_day == model.today(program) else 0
        points = model.terms_now(program).transfer_day_max - sent + choose.choice((0, 0, 1))
    life.send("points.transfer", (program, recipient, min(max(points, 1), M)), author, program)


def announce_sunset(life: Life) -> None:
    """A program's last second, rarely; mostly with as little notice as may be."""
    program = life.any_program()
    found = life.model.programs.get(program)
    if found is not None and not found.sunset_at and life.chance(75):
        return
    notice = life.model.terms_now(program).notice_days if found is not None else 0
    sunset_at = life.world.now + notice * DAY + life.choose.choice((0, 0, 0, -1, 1, 3_600, 3 * DAY))
    life.send("program.sunset", (program, max(sunset_at, 1)), life.owner_of(program), program)


def _finish(life: Life, program: bytes) -> None:
    """One of the challenges that go on is completed for some members, or shown by one."""
    with suppress(Idle):
        challenge_acts.finish(life, program)
    life.world.mine(life.world.now + 1, [STRANGER.address])


def _wind_up(life: Life) -> list[bytes]:
    """Rarely, a program whose points have coin behind them announces its end."""
    backed = [program for program, books in life.model.books.items() if books.backing]
    if not backed or not life.chance(35):
        raise Idle
    program = life.choose.choice(backed)
    found, terms = life.model.programs[program], life.model.terms_now(program)
    days = min(terms.notice_days + terms.wind_down_days, 92)
    for later in (0, max(min(terms.notice_days, terms.notice_days + terms.wind_down_days - days) - 1, 0)):
        goes_on = ((VISITS, 1), 1, life.model.today(program) + later, days, 1, 1, 0, 20, 200)
        life.send("challenge.create", (program, "To the end", *goes_on), found.owner, program)
    life.world.mine(life.world.now + 1, [STRANGER.address])
    _finish(life, program)
    life.send("program.sunset", (program, life.model.now + terms.notice_days * DAY), found.owner, program)
    return [program]


def _wait_for_pending(life: Life, program: bytes, fan: bytes) -> None:
    """What was pending when a member claimed is claimed when it can be spent, or a second too early."""
    life.world.mine(life.world.now + 1, [STRANGER.address])
    model = life.model
    if (program, fan) not in model.members:
        return
    today, lots = model.today(program), model.members[program, fan].lots
    days = sorted({day for lot in lots for day in lot[1:3] if today < day < today + 400})
    if not days or not life.chance(60):
        return
    begins = model.day_start(program, life.choose.choice(days))
    life.world.mine(max(begins - life.choose.choice((0, 0, 1)), life.world.now + 1), [STRANGER.address])
    life.send("points.claim_collateral", (program,), fan, program)


def claim(life: Life) -> None:
    """The coin behind a member's points, mostly of a program that has closed; now and then they wait for that."""
    model = life.model
    closing = [program for program, found in model.programs.items() if found.closes_at]
    closing.sort(key=lambda program: model.books[program].backing)
    is_new = not closing
    if is_new:
        closing = _wind_up(life)
        model = life.model
    program = closing[-1]
    closes_at = model.programs[program].closes_at
    if model.now < closes_at and life.chance(90 if is_new else 40):
        life.world.mine(max(closes_at + life.choose.choice((-1, 0, 0, 1)), model.now + 1), [STRANGER.address])
    if life.model.has_closed(program) and life.chance(75):
        _finish(life, program)
    model = life.model
    likely = [fan for of, fan in model.members if of == program and model.members[of, fan].lots]
    if not model.books[program].backing and life.chance(60):
        raise Idle
    today = model.today(program)
    usable = [fan for fan in likely if any(lot[1] <= today < lot[2] for lot in model.members[program, fan].lots)]
    for _ in range(life.choose.choice((1, 2, 3))):
        fan = life.some(
            usable if usable and life.chance(75) else likely, [fan.address for fan in (*FANS, STRANGER)], 95
        )
        life.send("points.claim_collateral", (program,), fan, program)
        _wait_for_pending(life, program, fan)
