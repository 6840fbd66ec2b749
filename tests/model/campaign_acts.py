"""What creators do, and campaigns that are followed from their first pledge to their end."""

from contextlib import suppress
from functools import partial
from itertools import pairwise

from tests.model import pledge_acts
from tests.model.brand_acts import affordable
from tests.model.campaign_records import COIN, FUNDED, OPEN, SHARES, Campaign, CampaignTerms
from tests.model.life import ANNA, BEN, NOWHERE, OWNER, PEOPLE, STRANGER, Act, Idle, Life
from tests.model.records import DAY, M
from tests.second_decoder.hashing import object_id

LIVE_MAX = 6
LONG = 12 * DAY
STEP_TIMES = (1, 60, 3_600, DAY, 3 * DAY, 10 * DAY)

Milestones = tuple[tuple[str, int, int], ...]


# --- what a campaign promises ---


def _draw_shares(life: Life, count: int) -> list[int]:
    """So many shares, none of them 0, that sum to a whole."""
    choose = life.choose
    cuts: set[int] = set()
    while len(cuts) < count - 1:
        cuts.add(choose.choice((1, 2_500, 3_333, 5_000, 9_999, choose.number(1, SHARES - 1))))
    edges = [0, *sorted(cuts), SHARES]
    return [after - before for before, after in pairwise(edges)]


def _draw_steps(life: Life, deadline: int) -> tuple[Milestones, int, int]:
    """Milestones, reserve and the day of delivery."""
    choose = life.choose
    count = choose.choice((0, 1, 1, 2, 2, 3))
    delivers = count == 0 or life.chance(60)
    has_reserve = delivers and (count == 0 or life.chance(70))
    shares = _draw_shares(life, count + has_reserve)
    times: list[int] = []
    time = deadline + choose.choice(STEP_TIMES)
    for _ in range(count):
        times.append(time)
        time += choose.choice((0, *STEP_TIMES))
    if times and life.chance(35):
        times[0] = 0
    milestones = tuple(("Step", share, due) for share, due in zip(shares, times, strict=False))
    return milestones, shares[-1] if has_reserve else 0, time if delivers else 0


def _draw_places(life: Life) -> tuple[tuple[tuple[str, int, int], ...], tuple[tuple[str, int, int], ...]]:
    """Tiers and add-ons."""
    choose = life.choose
    tiers = choose.choice(((), (("One", 5, 2),), (("One", 10, 0), ("Two", 1, 1)), (("Any", 1, 0), ("One", 20, 1))))
    if life.chance(3):
        return (("One", 1, 0), ("All", M, 1)), (("Cup", 1, 0), ("Star", M, 0))
    add_ons = choose.choice(((), (("Cup", 2, 3),), (("Cup", 1, 0), ("Bag", 7, 2))))
    return tiers, add_ons


def _draw_terms(life: Life, unit: tuple, now: int) -> CampaignTerms:
    """A campaign whose times come within a life."""
    choose = life.choose
    deadline = now + choose.choice((1, 300, 3_600, DAY, 2 * DAY, 2 * DAY, 10 * DAY, 30 * DAY, 400 * DAY))
    goal = choose.choice((1, 40, 100, 100, 400, 10_000) if unit == COIN else (1, 1, 5, 20, 40, 300))
    stretch = ((goal + 1, "More"), (2 * goal + 1, "Most")) if life.chance(30) else ()
    milestones, reserve, delivery_due = _draw_steps(life, deadline)
    last_due = delivery_due or milestones[-1][2]
    late = (0, deadline + 1, deadline + max((last_due - deadline) // 2, 1), last_due, last_due)
    tiers, add_ons = _draw_places(life)
    return CampaignTerms(
        title="Lamp",
        unit=unit,
        goal=goal,
        deadline=deadline,
        tiers=tiers,
        all_or_nothing=life.chance(60),
        add_ons=add_ons,
        stretch=stretch,
        milestones=milestones,
        reserve=reserve,
        delivery_due=delivery_due,
        grace_seconds=choose.choice((60, 3_600, DAY, 30 * DAY, 31_622_400)),
        vote_seconds=choose.choice((60, 3_600, 3_600, DAY, 5 * DAY)),
        retry_seconds=choose.choice((0, 1, 3_600, 3_600, DAY, 5 * DAY)),
        silence_approves=life.chance(50),
        late_until=choose.choice(late) if last_due else 0,
        delivery_key=life.fresh() if delivery_due and life.chance(50) else b"",
    )


def _moved(terms: CampaignTerms, seconds: int) -> CampaignTerms:
    """The same campaign at another time."""
    return terms._replace(
        deadline=terms.deadline + seconds,
        milestones=tuple((title, share, due + seconds if due else 0) for title, share, due in terms.milestones),
        delivery_due=terms.delivery_due + seconds if terms.delivery_due else 0,
        late_until=terms.late_until + seconds if terms.late_until else 0,
    )


def _spoil(life: Life, terms: CampaignTerms, now: int) -> CampaignTerms:
    """One promise that does not fit, or only just does."""
    last_due = terms.due_times[-1]
    longest = now + 1_826 * DAY
    choices = [
        *(_moved(terms, now + later - terms.deadline) for later in (0, -1, 400 * DAY, 400 * DAY + 1)),
        terms._replace(reserve=max(terms.reserve - 1, 0)),
        terms._replace(stretch=((terms.goal, "As much"),)),
        terms._replace(stretch=((terms.goal + 5, "More"), (terms.goal + 5, "Most"))),
        terms._replace(late_until=terms.deadline),
        terms._replace(late_until=last_due + 1),
        terms._replace(late_until=max(last_due, 1)),
        terms._replace(delivery_due=0),
        terms._replace(delivery_due=terms.deadline),
        terms._replace(delivery_due=longest, late_until=0),
        terms._replace(delivery_due=longest + 1, late_until=0),
        terms._replace(milestones=(*terms.milestones[1:], *terms.milestones[:1])),
        terms._replace(milestones=tuple((title, share, 0) for title, share, _ in terms.milestones)),
        terms._replace(milestones=tuple((title, share, terms.deadline) for title, share, _ in terms.milestones)),
        terms._replace(delivery_due=0, reserve=0, delivery_key=bytes(32)),
        terms._replace(milestones=(), reserve=SHARES, delivery_due=0),
    ]
    return life.choose.choice(choices)


def _draw_unit(life: Life, program: bytes) -> tuple[tuple, bytes]:
    """Coin, a program's points, or those of another house; and who creates the campaign."""
    choose = life.choose
    anybody = choose.choice((OWNER, STRANGER, ANNA, BEN)).address
    if life.chance(45):
        return COIN, anybody
    owner = life.owner_of(program)
    if life.chance(65):
        return (1, program, b""), owner
    return (1, program, owner), anybody


def create(life: Life) -> None:
    """In coin or in points; mostly so that it fits."""
    going_on = [found for found in life.model.campaigns.values() if found.until]
    if len(going_on) >= LIVE_MAX:
        raise Idle
    which = start(life)
    if which and life.chance(75):
        _gather(life, which)


def start(life: Life) -> bytes:
    """A new campaign; its id, or no bytes where it was refused."""
    program = life.any_program()
    unit, author = _draw_unit(life, program)
    now = life.world.now
    terms = _draw_terms(life, unit, now)
    closes_at = life.model.programs[unit[1]].closes_at if unit != COIN and unit[1] in life.model.programs else 0
    if now < closes_at < now + 390 * DAY and life.chance(70):
        terms = _moved(terms, closes_at + life.choose.choice((1, 60, DAY)) - terms.deadline)
    if life.chance(18):
        terms = _spoil(life, terms, now)
    return _create(life, terms, author, program)


def _create(life: Life, terms: CampaignTerms, author: bytes, program: bytes) -> bytes:
    terms = terms._replace(deadline=max(terms.deadline, 0))
    code, tx = life.send("campaign.create", tuple(terms), author, program)
    return b"" if code else object_id("campaign", tx.txid)


# --- the creator ---


def of_status(life: Life, *statuses: int) -> list[bytes]:
    """Campaigns with one of these statuses."""
    return [name for name, found in life.model.campaigns.items() if found.status in statuses]


def _creator(life: Life, which: bytes) -> bytes:
    found = life.model.campaigns.get(which)
    return life.some([found.creator] if found else [], [OWNER.address, ANNA.address, STRANGER.address], 95)


def _program_of(life: Life, which: bytes) -> bytes:
    """Whose pool may pay: the program in whose points it is, or any."""
    found = life.model.campaigns.get(which)
    return found.unit[1] if found and found.unit != COIN else life.any_program()


def submit(life: Life, which: bytes = b"") -> None:
    """A step, mostly the one that comes next, while no vote is open."""
    ready = [name for name in of_status(life, FUNDED) if not life.model.campaigns[name].submitted_at]
    ready = [which] if which else ready
    which = life.some(ready, [*life.model.campaigns, NOWHERE], 92)
    found = life.model.campaigns.get(which)
    step = found.step if found else 0
    if life.chance(4):
        step = life.choose.choice((max(step - 1, 0), min(step + 1, 12)))
    life.send("milestone.submit", (which, step, life.fresh()), _creator(life, which), _program_of(life, which))


def cancel(life: Life, which: bytes = b"") -> None:
    """Hardly ever while all goes well."""
    if not which and life.chance(50):
        return
    which = which or life.some(of_status(life, OPEN, FUNDED), [*life.model.campaigns, NOWHERE], 88)
    life.send("campaign.cancel", (which,), _creator(life, which), _program_of(life, which))


def post_update(life: Life) -> None:
    """At any time."""
    which = life.some(list(life.model.campaigns), [NOWHERE], 96)
    life.send("campaign.post_update", (which, life.fresh()), _creator(life, which), _program_of(life, which))


# --- a campaign's life ---


def _wait(life: Life, time: int, height: int) -> None:
    """Blocks until the block being built has this clock and this height, or a later one."""
    now = life.world.now
    blocks = max(height - life.model.height, int(time > now))
    for left in range(blocks, 0, -1):
        life.world.mine(max(time, now + 1) if left == 1 else now + 1, [PEOPLE[0].address])
        now = life.world.now


def _wait_for_decision(life: Life, which: bytes) -> None:
    """Until a campaign is over, or a second or a block before; and past it, mostly."""
    found = life.model.campaigns[which]
    if found.until > life.world.now + LONG and life.chance(80):
        raise Idle
    time = found.until + life.choose.choice((-1, 0, 0, 0, 1, 7_200))
    _wait(life, time, found.until_height + life.choose.choice((-1, 0, 0, 0)))
    if life.chance(35):
        try_something(life, which)
    if life.chance(80):
        _wait(life, max(found.until, life.world.now + 1), found.until_height)


def try_something(life: Life, which: bytes) -> None:
    """Anything that one can do with a campaign, fitting or not."""
    acts: tuple[Act, ...] = (
        partial(pledge_acts.pledge, which=which),
        partial(pledge_acts.pledge_late, which=which),
        partial(pledge_acts.change, which=which),
        partial(pledge_acts.cancel, which=which),
        partial(pledge_acts.withdraw, which=which),
        partial(pledge_acts.vote, which=which),
        partial(submit, which=which),
        partial(cancel, which=which),
    )
    with suppress(Idle):
        life.choose.choice(acts)(life)


def _gather(life: Life, which: bytes) -> None:
    """Pledges, mostly until the goal is reached; then some that change, and the last day."""
    choose, terms = life.choose, life.model.campaign_terms[which]
    reaches = life.chance(75)
    if terms.unit != COIN and life.chance(90):
        pledge_acts.endow(life, terms.unit[1])
    for _ in range(choose.choice((1, 2, 3, 5))):
        with suppress(Idle):
            pledge_acts.pledge(life, which)
    if reaches:
        with suppress(Idle):
            pledge_acts.pledge(life, which, fills=True)
    for _ in range(choose.choice((0, 0, 1, 3))):
        with suppress(Idle):
            choose.choice((pledge_acts.change, pledge_acts.change, pledge_acts.cancel))(life, which)
    last_day = terms.deadline - DAY
    if life.world.now < last_day and life.chance(50):
        _wait(life, last_day + choose.choice((-1, 0, 0, 1)), 0)
        for _ in range(choose.choice((1, 2, 3))):
            with suppress(Idle):
                choose.choice((pledge_acts.change, pledge_acts.cancel))(life, which)


def _work(life: Life, which: bytes) -> None:
    """Between votes: late pledges, then the step is submitted in time or late, or forgotten."""
    choose, terms = life.choose, life.model.campaign_terms[which]
    found = life.model.campaigns[which]
    if life.world.now < terms.late_until < found.until and life.chance(30):
        _wait(life, terms.late_until - choose.choice((0, 1)), 0)
    for _ in range(choose.choice((0, 1, 2))):
        with suppress(Idle):
            pledge_acts.pledge_late(life, which)
    if life.chance(12):
        return
    due = terms.due_times[found.step]
    times = (due, due, due + 1, due + DAY, due + DAY + 1, found.until - 1)
    if life.chance(60):
        _wait(life, min(max(choose.choice(times), life.world.now), found.until - 1), 0)
    submit(life, which)
    if life.model.campaigns[which].submitted_at and life.chance(70):
        _judge(life, which)


def _judge(life: Life, which: bytes) -> None:
    """Backers vote with one mind, or not; who said no may take out its share."""
    percent = life.choose.choice((0, 0, 40, 70, 100, 100))
    for _ in range(life.choose.choice((0, 2, 4, 8))):
        with suppress(Idle):
            pledge_acts.vote(life, which, percent)
    if percent < 100:
        for _ in range(life.choose.choice((0, 1, 2, 4))):
            with suppress(Idle):
                pledge_acts.withdraw(life, which)


def _stage(life: Life, which: bytes, found: Campaign) -> None:
    if life.chance(25):
        try_something(life, which)
    if found.status == OPEN:
        _gather(life, which)
    elif found.submitted_at:
        _judge(life, which)
    else:
        _work(life, which)


def live_through(life: Life) -> None:
    """One campaign, through some of its stages or to its end."""
    going_on = [name for name, found in life.model.campaigns.items() if found.until]
    which = life.choose.choice(going_on) if going_on and life.chance(75) else start(life)
    for _ in range(life.choose.choice((1, 2, 3, 5, 12))):
        found = life.model.campaigns.get(which)
        if found is None or not found.until:
            break
        with suppress(Idle):
            _stage(life, which, found)
        if life.chance(80) and life.model.campaigns[which].until:
            _wait_for_decision(life, which)
    found = life.model.campaigns.get(which)
    if found is not None and not found.until:
        for _ in range(life.choose.choice((0, 1, 2))):
            try_something(life, which)
            with suppress(Idle):
                pledge_acts.cancel(life, which)


def outlive(life: Life) -> None:
    """A campaign in the points of a program that closes before the campaign's deadline."""
    now = life.world.now
    closing = [name for name, found in life.model.programs.items() if now < found.closes_at < now + 390 * DAY]
    if not closing:
        raise Idle
    program = life.choose.choice(closing)
    found = life.model.programs[program]
    terms = _draw_terms(life, (1, program, b""), now)
    later = life.choose.choice((-60, 1, 60, DAY))
    which = _create(life, _moved(terms, max(found.closes_at + later, now + 1) - terms.deadline), found.owner, program)
    if not which:
        return
    for _ in range(3):
        with suppress(Idle):
            pledge_acts.pledge(life, which)
    _wait(life, found.closes_at - life.choose.choice((1, 0, 0, 0)), 0)
    for _ in range(life.choose.choice((2, 4, 8))):
        with suppress(Idle):
            life.choose.choice((pledge_acts.pledge, pledge_acts.change, pledge_acts.pledge_late))(life, which)


def save_up(life: Life) -> None:
    """Rarely: a few points a day for months, all of them pledged, until a pledge can hold no more lots."""
    if life.chance(85):
        return
    program = life.any_program()
    fans = life.members_of(program)
    if not fans:
        raise Idle
    unit, owner = (1, program, b""), life.model.programs[program].owner
    now = life.world.now
    terms = _draw_terms(life, unit, now)
    which = _create(life, _moved(terms, now + 150 * DAY - terms.deadline), owner, program)
    fan, own = life.choose.choice(fans), (which, 0)
    for _ in range(140 if which else 0):
        life.send("adjust", (program, fan, life.choose.number(1, 3), "daily"), owner, program)
        life.world.mine(life.world.now + DAY, [STRANGER.address])
        has, found = affordable(life, program, fan), life.model.pledges.get(own)
        if has and found is None:
            own = (which, life.model.campaigns[which].pledges)
            life.send("pledge", (which, has, 0, ()), fan, program)
        elif has and found is not None:
            life.send("pledge.change", (*own, found.quantity + has, found.tier, found.add_ons), fan, program)


def crowd(life: Life) -> None:
    """Two campaigns with many small pledges fail just before a third one is decided, which so has to wait for a block."""
    going_on = [name for name, found in life.model.campaigns.items() if found.until > life.world.now + 60]
    if not going_on or (life.world.params.due_weight_max > 10_000 and life.chance(80)):
        raise Idle
    which = life.choose.choice(going_on)
    deadline = life.model.campaigns[which].until - life.choose.choice((1, 1, 2, 30))
    if deadline - life.world.now > 400 * DAY:
        raise Idle
    terms = CampaignTerms(
        title="Crowd",
        unit=COIN,
        goal=M,
        deadline=deadline,
        tiers=(),
        all_or_nothing=True,
        add_ons=(),
        stretch=(),
        milestones=(("All", SHARES, 0),),
        reserve=0,
        delivery_due=0,
        grace_seconds=60,
        vote_seconds=60,
        retry_seconds=0,
        silence_approves=False,
        late_until=0,
        delivery_key=b"",
    )
    rich = [someone.address for someone in (ANNA, BEN, OWNER) if life.model.balance(someone.address) > 10**7]
    if not rich:
        raise Idle
    for author in (OWNER.address, STRANGER.address):
        crowded = _create(life, terms, author, b"")
        backer = life.choose.choice(rich)
        for _ in range(life.choose.choice((16, 17, 33)) if crowded else 0):
            life.send("pledge", (crowded, life.choose.number(1, 3), 0, ()), backer)
    _wait(life, deadline, life.model.height + 6)
    found = life.model.campaigns[which]
    _wait(life, max(found.until, life.world.now + 1), 0)
    for _ in range(8):
        try_something(life, which)
