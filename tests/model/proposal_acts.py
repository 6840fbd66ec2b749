"""What brands and fans do about proposals: asking, answering, keeping a promise."""

from typing import Any

from tests.model.life import BRAND, FANS, NOWHERE, OWNER, STRANGER, Life
from tests.model.proposals import DUE_MAX, REVEALING_MAX, TENURE, VOTING_MAX, least_quorum
from tests.model.records import DAY
from tests.model.voice_records import (
    APPROVAL,
    EACH_MEMBER,
    EARNED_POINTS,
    ENDED,
    OPEN_BALLOTS,
    PLEDGED_TO,
    RANKED,
    SEALED_BALLOTS,
    SINGLE,
)
from tests.second_decoder.hashing import object_id

NAMES = tuple(f"option {number}" for number in range(16))


def _campaigns_of(life: Life, program: bytes) -> list[bytes]:
    """Campaigns of a program's owner, those with pledges more often."""
    owner = life.model.programs[program].owner
    theirs = [name for name, found in life.model.campaigns.items() if found.creator == owner]
    return [name for name in theirs for _ in range(1 + min(life.model.campaigns[name].pledges, 20))]


def _weight(life: Life, program: bytes) -> tuple[Any, ...]:
    choose = life.choose
    theirs = _campaigns_of(life, program) if program in life.model.programs else []
    if theirs and life.chance(45):
        return (PLEDGED_TO, choose.choice(theirs))
    if life.chance(6):
        others = [name for name in life.model.campaigns if name not in theirs]
        return (PLEDGED_TO, choose.choice([*others * 4, NOWHERE]))
    if life.chance(30):
        return (EACH_MEMBER,)
    return (EARNED_POINTS, choose.choice((1, 20, 100, 1_000, 2**31 - 1, 2**31 - 1)))


def _options(life: Life, method: int) -> tuple[str, ...]:
    choose = life.choose
    count = choose.choice((2, 2, 3, 3, 4, 5, 12, 13 if method != RANKED or life.chance(20) else 3, 16))
    if method == RANKED and count > 12 and life.chance(80):
        count = 4
    options = NAMES[:count]
    return (*options[:-1], options[0]) if life.chance(2) else options


def _times(life: Life, mode: int) -> tuple[int, int]:
    choose, now = life.choose, life.world.now
    voting = now + choose.choice((1, 60, 3_600, 3_600, DAY, 5 * DAY, VOTING_MAX))
    revealing = voting + choose.choice((1, 60, 3_600, DAY, REVEALING_MAX)) if mode == SEALED_BALLOTS else 0
    if life.chance(4):
        voting = now + choose.choice((0, VOTING_MAX + 1))
    if life.chance(4):
        revealing = choose.choice((0, voting, voting + 1, voting + REVEALING_MAX + 1))
    return voting, revealing


def propose(life: Life) -> None:
    """By a brand, or by a fan."""
    ask(life)


def ask(life: Life) -> bytes:
    """By a brand, or by a fan; the proposal's id, or nothing if it was refused."""
    model = life.model
    program = life.any_program()
    author = life.owner_of(program)
    if life.chance(45):
        settled = [
            fan
            for (of, fan), member in model.members.items()
            if of == program and (not member.left_at or life.chance(12))
            if member.joined_at + TENURE <= model.now or life.chance(8)
        ]
        author = life.some(settled, [someone.address for someone in (*FANS, STRANGER)], 93)
    return propose_as(life, program, author)


def propose_as(life: Life, program: bytes, author: bytes, weight: tuple[Any, ...] = ()) -> bytes:
    """By somebody."""
    choose, model = life.choose, life.model
    method, mode = choose.choice((SINGLE, APPROVAL, RANKED, RANKED)), choose.choice((OPEN_BALLOTS, SEALED_BALLOTS))
    weight = weight or _weight(life, program)
    quorum = choose.choice((1, 1, 1, 2, 3, 4, 2**32 - 1))
    if program in model.programs and (weight[0] != PLEDGED_TO or weight[1] in model.campaigns) and life.chance(40):
        _, least = least_quorum(model, program, weight, author)
        quorum = max(least - choose.choice((0, 0, 0, 1)), 1)
    payload = (program, "What next?", life.fresh(), _options(life, method), method, mode, weight, quorum)
    code, tx = life.send("proposal.create", (*payload, *_times(life, mode)), author, program)
    return b"" if code else object_id("proposal", tx.txid)


def _products(life: Life, program: bytes) -> list[bytes]:
    """What an answer may name, and what it may not."""
    model = life.model
    mostly = [reward for of, reward in model.rewards if of == program]
    mostly += [name for name, found in model.campaigns.items() if found.creator == model.programs[program].owner]
    anything = [reward for _, reward in model.rewards] + [*model.campaigns, NOWHERE]
    return mostly if mostly and life.chance(92) else anything


def respond(life: Life, wanted: bytes = b"") -> None:
    """Adopt or decline, mostly when a proposal has ended."""
    choose, model = life.choose, life.model
    ended = [name for name, found in model.proposals.items() if found.status == ENDED]
    wanted = wanted or life.some(ended, [*model.proposals, NOWHERE], 94)
    found = model.proposals.get(wanted)
    program = found.program if found else life.any_program()
    author = life.owner_of(program) if life.chance(97) else choose.choice((OWNER, BRAND)).address
    answer: tuple[Any, ...] = (1,)
    if life.chance(70):
        due_at = model.now + choose.choice((1, 60, 3_600, DAY, 5 * DAY, 30 * DAY, DUE_MAX))
        if life.chance(5):
            due_at = model.now + choose.choice((0, -1, DUE_MAX + 1))
        known = program in model.programs and life.chance(50)
        answer = (0, due_at, choose.choice(_products(life, program)) if known else b"")
    life.send("proposal.respond", (wanted, answer, life.fresh()), author, program)


def fulfil(life: Life, wanted: bytes = b"") -> None:
    """Say that what was adopted was done."""
    model = life.model
    waiting = [name for name, found in model.obligations.items() if not found.fulfilled_at]
    wanted = wanted or life.some(waiting, [*model.obligations, *model.proposals, NOWHERE], 94)
    found = model.proposals.get(wanted)
    program = found.program if found else life.any_program()
    life.send("obligation.fulfil", (wanted, life.fresh()), life.owner_of(program), program)
