"""Blocks, the times at which they come, and blocks that are taken back."""

from functools import partial

from tests.model import (
    brand_acts,
    campaign_acts,
    challenge_acts,
    contest_acts,
    fan_acts,
    guardian_acts,
    offer_acts,
    pledge_acts,
    return_acts,
    till_acts,
    voice_acts,
)
from tests.model.campaign_records import COIN, FUNDED, OPEN
from tests.model.challenges import occurrence_of
from tests.model.contests import CONTEST_SECONDS, period_of
from tests.model.earn import dates_of
from tests.model.life import PEOPLE, Act, Idle, Life
from tests.model.offers import last_day_to_ask
from tests.model.points import RECEIPT_AGE_MAX
from tests.model.records import DAY, PUBLISH, UNDECIDED
from tests.model.world import HEADER_TIME_MAX

STEPS = (1, 60, 60, 60, 60, 600, 3_600, 3_600, 43_200, DAY, DAY, 3 * DAY, 10 * DAY)
FAR = 400 * DAY


def deadlines(life: Life) -> list[int]:
    """Times to come at which something begins or ends, the next ones first."""
    model = life.model
    found = {time for time, _ in model.due}
    found.update(hold.expires_at for hold in model.holds.values())
    found.update(campaign.until for campaign in model.campaigns.values() if campaign.until)
    for which, campaign in model.campaigns.items():
        terms = model.campaign_terms[which]
        if campaign.until:
            found.update((terms.deadline - DAY, terms.late_until, *terms.due_times))
    for contest in model.contests.values():
        found.update((contest.answer_by, contest.keep_until))
    for receipt in life.receipts[-30:]:
        if receipt.program in model.programs:
            settle_by = period_of(model, receipt.program, receipt.time).settle_by
            found.update((settle_by, settle_by + 2_592_000))
    for program in model.programs:
        begun = [since for _, since in model.programs[program].versions]
        found.update((*begun, *(since + RECEIPT_AGE_MAX for since in begun)))
        found.add(model.day_start(program, model.today(program) + 1))
        terms = model.terms_now(program)
        length = max(terms.period_days, 1)
        first = (model.today(program) - terms.period_anchor_day) // length * length + terms.period_anchor_day
        found.add(model.day_start(program, first + length))
    found.update(time for when in _occurrences(life) for time in when[1])
    found.update(voice_acts.deadlines_of_voice(life))
    for offer in model.offers.values():
        found.update((offer.expires_at, offer.returnable_until, offer.keep_until))
    found.update(time for program in model.programs.values() for time in program[-2:])
    found.update(reward.announced[0][0] for reward in model.rewards.values() if reward.announced)
    found.update(time for reward in model.rewards.values() for time in reward.window)
    found.update(consent.expires_at for consent in model.consents.values())
    return sorted(time for time in found if model.now < time < model.now + FAR)


def _occurrences(life: Life) -> list[tuple[tuple[bytes, int], tuple[int, ...]]]:
    """Occurrences of about now, by challenge and number, and their times."""
    model = life.model
    found = []
    for name, challenge in model.challenges.items():
        now = max((model.today(challenge.program) - challenge.from_day) // challenge.days, 0)
        for number in {min(max(now - back, 0), challenge.occurrences - 1) for back in (0, 1, 3)}:
            when = occurrence_of(model, challenge, number)
            times = (when.begins, when.ends, when.due_by, when.contest_until, when.again_until, when.keep_until)
            if not challenge.has_ended:
                found.append(((name, number), times))
    return found


def mine(life: Life) -> None:
    """A block: soon after the last one, or exactly at a deadline, or a second beside it."""
    choose = life.choose
    now = life.world.now
    time = now + choose.choice(STEPS)
    if life.chance(45):
        waiting = deadlines(life)
        if waiting:
            near = waiting[: choose.choice((1, 1, 3, 3, 10, 10, 1_000))]
            time = choose.choice(near) + choose.choice((0, 0, 0, -1, 1))
    miners = [choose.choice(PEOPLE).address for _ in range(choose.choice((1, 1, 1, 2, 3)))]
    life.world.mine(max(min(time, HEADER_TIME_MAX - 10**6), now + 1), miners)


Subject = tuple[int, int, Act]


def _subjects(life: Life) -> list[list[Subject]]:
    """What ends or begins at a time, and not before a height, with what somebody does then; each sort of thing in a list."""
    model = life.model
    holds = [
        (found.expires_at, found.expires_height, partial(ends, hold=name))
        for name, found in model.holds.items()
        for ends in (brand_acts.fulfil, brand_acts.cancel)
    ]
    fulfilments = [
        (found.keep_until, found.keep_height, partial(brand_acts.refund, fulfilment=name))
        for name, found in model.fulfilments.items()
    ]
    contests = [
        (found.answer_by, found.answer_height, partial(contest_acts.answer, which=name))
        for name, found in model.contests.items()
        if found.outcome == UNDECIDED
    ]
    consents = [
        (found.expires_at, 0, partial(till_acts.settle_openly, program=grantee, fan=fan))
        for (fan, grantee, purpose, scope), found in model.consents.items()
        if (purpose, scope, found.revoked_at) == (PUBLISH, "", 0) and found.expires_at and grantee in model.programs
    ]
    rewards = [
        (found.announced[0][0], 0, partial(fan_acts.redeem, wanted=name))
        for name, found in model.rewards.items()
        if found.announced
    ]
    entries = [
        (
            dates_of(model, batch.program, row[2], batch.settled_at).returnable_until,
            0,
            partial(return_acts.reverse, wanted=(name, index)),
        )
        for name, batch in list(model.batches.items())[-10:]
        for index, row in enumerate(model.rows[name][:4])
        if row[-1] == "" and row[3]
    ]
    recoveries = [
        (time, height, partial(what, address=name))
        for name, found in model.guardianships.items()
        for recovery in found.recovery
        for time, height in (recovery[2:4], recovery[4:6])
        for what in (guardian_acts.sign_something, guardian_acts.cancel_recovery)
    ]
    windows = [
        (time, 0, partial(fan_acts.redeem, wanted=name))
        for name, found in model.rewards.items()
        for time in found.window
    ]
    lots = [
        (model.day_start(program, day), 0, partial(fan_acts.redeem, whose=fan))
        for (program, fan), member in model.members.items()
        for lot in member.lots[:6]
        for day in (lot.activation_day, lot.expiry_day)
    ]
    kept = [holds, fulfilments, contests, consents, rewards, entries, windows, recoveries, lots]
    return [
        *kept,
        _receipts(life),
        *_challenges(life),
        *_offers(life),
        *_campaigns(life),
        *voice_acts.subjects_of_voice(life),
    ]


def _campaigns(life: Life) -> list[list[Subject]]:
    """What is decided about campaigns, and what may be done only until then."""
    decisions: list[Subject] = []
    others: list[Subject] = []
    closing: list[Subject] = []
    for name, found in life.model.campaigns.items():
        terms = life.model.campaign_terms[name]
        if found.until:
            decisions.append((found.until, found.until_height, partial(campaign_acts.try_something, which=name)))
        if found.status == OPEN:
            changes = (pledge_acts.change, pledge_acts.cancel)
            others.extend((terms.deadline - DAY, 0, partial(what, which=name)) for what in changes)
        if found.status in (OPEN, FUNDED) and terms.unit != COIN:
            closes_at = life.model.programs[terms.unit[1]].closes_at
            gives = (pledge_acts.pledge, pledge_acts.change) if found.status == OPEN else (pledge_acts.pledge_late,)
            closing.extend((closes_at, 0, partial(what, which=name)) for what in gives)
        if found.status == FUNDED:
            others.append((terms.late_until, 0, partial(pledge_acts.pledge_late, which=name)))
            if not found.submitted_at:
                due = terms.due_times[found.step]
                others.extend((time, 0, partial(campaign_acts.submit, which=name)) for time in (due, due + DAY))
    return [decisions, others, closing]


def _challenges(life: Life) -> list[list[Subject]]:
    contests: list[Subject] = []
    others: list[Subject] = []
    for wanted, (begins, ends, due_by, contest_until, again_until, keep_until) in _occurrences(life):
        contested = partial(challenge_acts.contest, wanted=wanted)
        contests.extend(((due_by, 0, contested), (contest_until, 0, contested), (again_until, 0, contested)))
        others.extend((time, 0, partial(challenge_acts.complete, wanted=wanted)) for time in (begins, contest_until))
        others.extend((time, 0, challenge_acts.visit) for time in (begins, ends))
        goes_back = partial(challenge_acts.reverse, wanted=wanted)
        others.extend((time, 0, goes_back) for time in (contest_until, keep_until))
    for achieved in life.model.achievements.values():
        program = life.model.challenges[achieved.challenge].program
        for done in achieved.completions[-4:]:
            window = life.model.terms[program, done.version].return_window_days
            until = life.model.day_start(program, done.base + window + 1)
            wanted = (achieved.challenge, done.occurrence)
            others.append((until, 0, partial(challenge_acts.reverse, wanted=wanted)))
    return [contests, others]


def _offers(life: Life) -> list[list[Subject]]:
    ends: list[Subject] = []
    for name, found in life.model.offers.items():
        if found.receipt:
            ends.append((found.returnable_until, 0, partial(offer_acts.reverse, which=name)))
        else:
            last = last_day_to_ask(life.model, found)
            settles = partial(offer_acts.settle, which=name)
            ends.extend(((last, 0, settles), (found.expires_at, 0, offer_acts.cite)))
    contests: list[Subject] = []
    for receipt in life.receipts[-40:]:
        if receipt.offer in life.model.offers and receipt.program in life.model.programs:
            settle_by = period_of(life.model, receipt.program, receipt.time).settle_by
            contested = partial(offer_acts.contest, receipt=receipt)
            contests.extend(((settle_by, 0, contested), (settle_by + CONTEST_SECONDS, 0, contested)))
    return [ends, contests]


def _receipts(life: Life) -> list[Subject]:
    found: list[Subject] = []
    for receipt in life.receipts[-40:]:
        if receipt.program in life.model.programs:
            settle_by = period_of(life.model, receipt.program, receipt.time).settle_by
            contested = partial(contest_acts.contest, receipt=receipt)
            found.extend(((settle_by, 0, contested), (settle_by + CONTEST_SECONDS, 0, contested)))
    return found


def come_to_a_deadline(life: Life) -> None:
    """Mine until just before, at or just after a deadline, in time and in blocks, and do what it bounds."""
    choose, world = life.choose, life.world
    now, height = world.now, world.model.height
    sorts = [
        [
            subject
            for subject in subjects
            if now <= subject[0] < now + FAR or (subject[0] < now and subject[1] >= height)
        ]
        for subjects in _subjects(life)
    ]
    sorts = [subjects for subjects in sorts if subjects]
    if not sorts:
        raise Idle
    _come_to(life, *choose.choice(choose.choice(sorts)))


def lend_a_consent(life: Life) -> None:
    """A consent to publish that ends soon, and a purchase that is published when it does."""
    program = life.any_program()
    fan = life.fan_of(program)
    expires_at = life.world.now + life.choose.choice((1, 60, 3_600, 3 * DAY))
    life.send("consent.grant", (program, PUBLISH, "", expires_at), fan, program)
    if program in life.model.programs:
        _come_to(life, expires_at, 0, partial(till_acts.settle_openly, program=program, fan=fan))


def _come_to(life: Life, time: int, least_height: int, what: Act) -> None:
    choose, world = life.choose, life.world
    now, height = world.now, world.model.height
    time += choose.choice((-1, 0, 0, 0, 1))
    blocks = max(least_height + choose.choice((-1, 0, 0, 1)) - height, int(time != now))
    for left in range(blocks, 0, -1):
        world.mine(max(time, now + 1) if left == 1 else now + 1, [PEOPLE[0].address])
        now = world.now
    what(life)


def mine_quietly(life: Life) -> None:
    """Empty blocks, as many as protective windows ask for."""
    count = life.choose.choice((1, 2, 5, 6, 6, 20, 144))
    step = life.choose.choice((1, 1, 60, 600, 3_600))
    for _ in range(count):
        life.world.mine(life.world.now + step, [PEOPLE[0].address])


def reorganise(life: Life) -> None:
    """Some blocks are taken back; what comes next is another branch. What stood in them is sent again, or not."""
    depth = life.choose.choice((1, 1, 2, 3, 6, 12, 40))
    depth = min(depth, len(life.world.past) - 3)
    if depth > 0:
        life.world.take_back(depth)
        if life.chance(50):
            for tx, raw in life.world.sent[-4:]:
                life.world.offer(tx, raw)
