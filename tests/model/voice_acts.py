"""A proposal lived through from question to promise, and the times at which something of voice begins or ends."""

from collections.abc import Callable
from functools import partial

from tests.model import ballot_acts, mission_acts, pledge_acts, proposal_acts
from tests.model.ballots import AGE_BOUNDS
from tests.model.campaign_records import OPEN
from tests.model.life import PEOPLE, Idle, Life
from tests.model.proposals import TENURE, voting_is_over
from tests.model.voice_records import (
    EACH_MEMBER,
    EARNED_POINTS,
    ENDED,
    OPEN_BALLOTS,
    PLEDGED_TO,
    REVEALING,
    SEALED_BALLOTS,
    SINGLE,
    STANDS,
    VOTING,
)
from tests.model.world import HEADER_TIME_MAX

EACH, BY_POINTS = (EACH_MEMBER,), (EARNED_POINTS, 2**31 - 1)

Subject = tuple[int, int, Callable[[Life], None]]


def _wait(life: Life, time: int, height: int) -> None:
    """Mine until a time and a height, or a second or a block beside them."""
    choose, world = life.choose, life.world
    time = min(time + choose.choice((0, 0, 0, 1, -1)), HEADER_TIME_MAX - 10**6)
    height += choose.choice((0, 0, 0, 1, -1))
    blocks = max(height - world.model.height, int(time > world.now))
    for left in range(blocks, 0, -1):
        world.mine(max(time, world.now + 1) if left == 1 else world.now + 1, [PEOPLE[0].address])


def _try(life: Life, what: Callable[[Life], object], times: int = 1) -> None:
    for _ in range(times):
        try:
            what(life)
        except Idle:
            continue


def _wanted(life: Life) -> bytes:
    """A new proposal, or one that nobody has answered."""
    going_on = [name for name, found in life.model.proposals.items() if found.status <= ENDED]
    if going_on and life.chance(40):
        return life.choose.choice(going_on)
    return proposal_acts.ask(life)


def live_through(life: Life) -> None:
    """Ask, vote, open what was sealed, answer, fulfil; it may stop at any of these."""
    choose = life.choose
    wanted = _wanted(life)
    if not wanted:
        raise Idle
    for _ in range(choose.number(1, 5)):
        if wanted not in life.model.proposals:
            return
        found = life.model.proposals[wanted]
        if found.status == VOTING and not voting_is_over(life.model, found):
            _try(life, partial(ballot_acts.vote, wanted=wanted), choose.choice((0, 2, 5, 6)))
            _wait(life, found.voting_until, found.voting_height)
        if found.mode == SEALED_BALLOTS and found.status in (VOTING, REVEALING):
            _try(life, partial(ballot_acts.reveal, wanted=wanted), choose.choice((0, 1, 3, 5)))
            found = life.model.proposals[wanted]
            _wait(life, found.reveal_until, found.reveal_height)
            if life.chance(30):
                _try(life, partial(ballot_acts.reveal, wanted=wanted))
        found = life.model.proposals[wanted]
        if found.status == ENDED or life.chance(5):
            if life.chance(12):
                _wait(life, found.answer_by, found.answer_height)
            _try(life, partial(proposal_acts.respond, wanted=wanted))
        _keep_promise(life, wanted)


def ask_backers(life: Life) -> None:
    """Many pledges to a campaign of a brand, and a question to those who made them."""
    model = life.model
    owners = {found.owner: name for name, found in model.programs.items()}
    going_on = [name for name, found in model.campaigns.items() if found.status == OPEN and found.creator in owners]
    campaign = life.some(going_on, [b""], 99)
    if not campaign:
        raise Idle
    _try(life, partial(pledge_acts.pledge, which=campaign), life.choose.choice((1, 2, 3, 5)))
    life.world.mine(life.world.now + 1, [PEOPLE[0].address])
    program = owners[model.campaigns[campaign].creator]
    author = model.campaigns[campaign].creator if life.chance(70) else life.fan_of(program)
    wanted = proposal_acts.propose_as(life, program, author, (PLEDGED_TO, campaign))
    if wanted:
        _try(life, partial(ballot_acts.vote, wanted=wanted), 4)


def ask_at_once(life: Life) -> None:
    """More questions that end at one time than a block has room for: what is over is over, counted or not."""
    choose, model = life.choose, life.model
    program = life.any_program()
    if program not in model.programs:
        raise Idle
    mode, until = choose.choice((OPEN_BALLOTS, SEALED_BALLOTS, SEALED_BALLOTS)), life.world.now + 60
    times = (until, until + 1 if mode == SEALED_BALLOTS else 0)
    before = set(model.proposals)
    for _ in range(36):
        payload = (program, "Now?", life.fresh(), ("yes", "no"), SINGLE, mode, EACH, 1, *times)
        life.send("proposal.create", payload, model.programs[program].owner, program)
    made = [name for name in life.model.proposals if name not in before]
    if not made:
        raise Idle
    last = [made[-1 - choose.number(0, min(len(made), 8) - 1)] for _ in range(3)]
    for wanted in last:
        _try(life, partial(ballot_acts.vote, wanted=wanted), 2)
    for what in (ballot_acts.reveal, proposal_acts.respond, proposal_acts.respond):
        found = [life.model.proposals[wanted] for wanted in last if wanted in life.model.proposals]
        if not found:
            return
        bounds = {
            VOTING: (found[0].voting_until, found[0].voting_height),
            REVEALING: (found[0].reveal_until, found[0].reveal_height),
            ENDED: (found[0].answer_by, found[0].answer_height),
        }
        _wait(life, *bounds.get(found[0].status, (life.world.now, 0)))
        for wanted in last:
            _try(life, partial(what, wanted=wanted))


def ask_and_vote(life: Life, program: bytes, author: bytes, weight: tuple[int, ...] = ()) -> None:
    """Somebody asks, and votes at once."""
    asks = author if not weight or program not in life.model.programs else life.model.programs[program].owner
    wanted = proposal_acts.propose_as(life, program, asks, weight)
    if wanted:
        ballot_acts.vote(life, wanted, author)


def _keep_promise(life: Life, wanted: bytes) -> None:
    """Fulfil in time, late, or when it is broken."""
    found = life.model.obligations.get(wanted)
    if found is None or found.fulfilled_at:
        return
    time, height = life.choose.choice(((0, 0), (found.due_at, 0), (found.grace_until, found.grace_height)))
    _wait(life, max(time, life.world.now), height)
    if life.chance(80):
        _try(life, partial(proposal_acts.fulfil, wanted=wanted))


def deadlines_of_voice(life: Life) -> set[int]:
    """Times at which something begins or ends."""
    model = life.model
    found: set[int] = set()
    for proposal in model.proposals.values():
        found.update((proposal.voting_until, proposal.reveal_until, proposal.answer_by))
    for obligation in model.obligations.values():
        found.update((obligation.due_at, obligation.due_at + 1, obligation.grace_until))
    found.update(mission.until for mission in model.missions.values())
    found.update(member.joined_at + bound for member in model.members.values() for bound in AGE_BOUNDS)
    return found


def subjects_of_voice(life: Life) -> list[list[Subject]]:
    """What ends or begins, and what somebody does then."""
    model = life.model
    proposals: list[Subject] = []
    for name, found in model.proposals.items():
        vote, reveal = partial(ballot_acts.vote, wanted=name), partial(ballot_acts.reveal, wanted=name)
        respond = partial(proposal_acts.respond, wanted=name)
        if found.status == VOTING:
            proposals.append((found.voting_until, found.voting_height, vote))
            proposals.append((found.voting_until, found.voting_height, reveal))
        elif found.status == REVEALING:
            proposals.append((found.reveal_until, found.reveal_height, reveal))
        elif found.status == ENDED:
            proposals.append((found.answer_by, found.answer_height, respond))
    promises: list[Subject] = [
        (time, height, partial(proposal_acts.fulfil, wanted=name))
        for name, found in model.obligations.items()
        if found.status == STANDS
        for time, height in ((found.due_at, 0), (found.grace_until, found.grace_height))
    ]
    missions: list[Subject] = [
        (found.until, 0, partial(mission_acts.record, wanted=name)) for name, found in model.missions.items()
    ]
    tenures: list[Subject] = [
        (member.joined_at + bound, 0, partial(ask_and_vote, program=program, author=fan, weight=weight))
        for (program, fan), member in model.members.items()
        for bound, weight in ((TENURE, ()), *((bound, EACH) for bound in AGE_BOUNDS))
        if not member.left_at
    ]
    lots: list[Subject] = [
        (model.day_start(program, day), 0, partial(ask_and_vote, program=program, author=fan, weight=BY_POINTS))
        for (program, fan), member in model.members.items()
        for day in sorted({lot.activation_day for lot in member.lots})[:6]
    ]
    return [proposals, promises, missions, tenures, lots]
