"""What brands and fans do together: missions, slips that both sign, what came of them."""

from typing import Any

from ledger import keys
from tests.model.life import BY_ADDRESS, FANS, KIOSK, NOWHERE, OWNER, STRANGER, TILL, Idle, Life, Person
from tests.model.missions import contribution_id
from tests.model.participation_records import Slip
from tests.model.records import DAY, RECORD
from tests.second_decoder.hashing import tagged

SLIPS_KEPT = 40


def create(life: Life) -> None:
    """A brand asks for help."""
    choose, now = life.choose, life.world.now
    program = life.any_program()
    until = now + choose.choice((1, 60, 3_600, DAY, 5 * DAY, 30 * DAY, 30 * DAY))
    until = max(now + choose.choice((0, -1, 1)), 0) if life.chance(6) else until
    places = choose.choice((0, 1, 1, 2, 3))
    life.send("mission.create", (program, "Translate", life.fresh(), until, places), life.owner_of(program), program)


def _issuers_then(life: Life, program: bytes) -> list[bytes]:
    """Those that have, or had, the scope to record."""
    return [
        issuer
        for (of, issuer), grant in life.model.grants.items()
        if of == program and (grant.scopes & RECORD or any(span[2] & RECORD for span in grant.earlier))
    ]


def _time(life: Life, program: bytes, issuer: bytes, mission: bytes) -> int:
    choose, model, now = life.choose, life.model, life.world.now
    times = [now, now, now, now, now - 60, now - DAY]
    grant = model.grants.get((program, issuer))
    if grant is not None:
        bounds = [grant.granted_at, grant.revoked_at or now, *(time for span in grant.earlier for time in span[:2])]
        times.append(choose.choice(bounds) + choose.choice((-1, 0, 0, 1)))
    if mission in model.missions:
        times.append(min(model.missions[mission].until, now) + choose.choice((0, 0, 1)))
    time = choose.choice(times)
    return max(now + 1 if life.chance(3) else time, 0)


def _new_slip(life: Life, wanted: bytes) -> Slip:
    choose, model = life.choose, life.model
    program = life.any_program()
    if wanted in model.missions:
        program = model.missions[wanted].program
    issuer = life.some(_issuers_then(life, program), [TILL.address, KIOSK.address, OWNER.address, STRANGER.address], 95)
    fan = choose.choice((*FANS, STRANGER)).address if life.chance(30) else life.fan_of(program)
    theirs = [name for name, found in model.missions.items() if found.program == program]
    free = [name for name in theirs if model.missions[name].until >= life.world.now]
    mission = wanted or (choose.choice(free or theirs or [b""]) if life.chance(75) else b"")
    if life.chance(6):
        mission = choose.choice([*sorted(set(model.missions) - set(theirs)), NOWHERE])
    time = _time(life, program, issuer, mission)
    return Slip(1, program, fan, mission, choose.number(0, 3), life.fresh(), BY_ADDRESS[issuer].key, time, life.fresh())


def record(life: Life, wanted: bytes = b"") -> None:
    """A fan shows a slip, now and then one that was shown before, or one of somebody else."""
    slip = _new_slip(life, wanted)
    if life.slips and life.chance(10):
        slip = life.choose.choice(life.slips)
    life.slips.append(slip)
    del life.slips[:-SLIPS_KEPT]
    by_key: dict[bytes, Person] = {someone.key: someone for someone in BY_ADDRESS.values()}
    message = tagged("CONTRIBUTION_SIGNATURE", life.world.chain_id + contribution_id(slip))
    signature = keys.sign(by_key[slip.issuer].seed, message)
    shown = slip._replace(role=(slip.role + 1) % 4) if life.chance(3) else slip
    author = slip.fan if life.chance(96) else life.choose.choice(FANS).address
    payload = (tuple(shown), signature)
    life.send("contribution.record", payload, author, slip.program, attested=shown == slip)


def credit(life: Life) -> None:
    """A brand says what came of a contribution."""
    model = life.model
    waiting = [name for name, found in model.contributions.items() if not found.credited_at]
    wanted = life.some(waiting, [*model.contributions, NOWHERE], 92)
    found = model.contributions.get(wanted)
    program = found.program if found else life.any_program()
    likely: list[tuple[int, bytes]] = []
    if program in model.programs:
        owner = model.programs[program].owner
        likely += [(1, reward) for of, reward in model.rewards if of == program]
        for name, campaign in model.campaigns.items():
            if campaign.creator == owner or campaign.unit[:2] == (1, program):
                likely += [(0, name)] * 3
    anything: list[tuple[int, bytes]] = [(0, NOWHERE), (1, NOWHERE)]
    anything += [(tag, name) for tag in (0, 1) for name in (*model.campaigns, *(of[1] for of in model.rewards))]
    product: tuple[int, Any] = life.some(likely, anything, 92)
    life.send("contribution.credit", (wanted, product), life.owner_of(program), program)


def live_through(life: Life) -> None:
    """A mission until it is full, and what came of what was done."""
    before = set(life.model.missions)
    create(life)
    made = set(life.model.missions) - before
    for _ in range(life.choose.number(1, 4)):
        for what in (lambda: record(life, next(iter(made), b"")), lambda: credit(life)):
            try:
                what()
            except Idle:
                continue
