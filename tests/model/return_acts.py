"""Purchases that go back: what till and fan sign, and what the shop makes of it."""

from typing import Any

from ledger import keys
from ledger.codec import pack
from tests.model.life import BY_ADDRESS, IDLE_PERCENT, KIOSK, NOWHERE, PEOPLE, STRANGER, TILL, Idle, Life
from tests.model.records import SETTLE, SIGN, Contest
from tests.model.returns import Return, left_of_return, return_id
from tests.second_decoder.hashing import inclusion_path, leaf_hash, tagged

BY_KEY = {someone.key: someone for someone in PEOPLE}
RETURNS_KEPT = 60

Signed = tuple[tuple[Any, ...], bytes, tuple[Any, ...], bool]


def sign_return(life: Life, returned: Return) -> Signed:
    """The return, the till's signature, the fan's consent, and whether all is as it was signed; now and then it is not."""
    world = life.world
    hashed = return_id(returned)
    signature = keys.sign(BY_KEY[returned.till].seed, tagged("RETURN_SIGNATURE", world.chain_id + hashed))
    policy = world.shown_policy(returned.member)
    if life.chance(3):
        policy = life.choose.choice(list(world.policies.values()))
    message = tagged("RETURN_CONSENT", world.chain_id + hashed)
    count = min(policy[0], len(policy[1]), 16)
    signatures = [(index, keys.sign(BY_KEY[policy[1][index]].seed, message)) for index in range(count)]
    if life.chance(3):
        signatures = life.choose.choice(([*signatures, signatures[-1]], [(15, signatures[0][1])]))
    if life.chance(3):
        return tuple(returned._replace(points=returned.points + 1)), signature, (policy, tuple(signatures)), False
    return tuple(returned), signature, (policy, tuple(signatures)), True


def _till_key(life: Life, program: bytes) -> bytes:
    till = life.some(life.issuers_of(program, SIGN), [TILL.address, KIOSK.address, STRANGER.address], 95)
    return BY_ADDRESS[till].key


def _time(life: Life, purchase: int) -> int:
    now = life.world.now
    return max(life.choose.choice((now, now, now, now, purchase, now - 60, now - 86_400, now + 1)), 0)


def _rows(life: Life) -> list[tuple[bytes, int]]:
    """Entries that gave points, those of which some may still be had first."""
    return [
        (batch, index)
        for batch, rows in life.model.rows.items()
        for index, row in enumerate(rows)
        if row[-1] in ("", "earn.period_cap_reduced")
        and _given(life, batch, index) > dict(life.model.batches[batch].reversed).get(index, 0)
    ]


def _given(life: Life, batch: bytes, index: int) -> int:
    """What an entry credited."""
    reduced = dict(life.model.batches[batch].reduced)
    row = life.model.rows[batch][index]
    return reduced.get(index, 0 if row[-1] == "earn.period_cap_reduced" else row[3])


def _receipt_of(life: Life, batch: bytes, index: int) -> bytes:
    """A receipt that an entry holds, as far as the shop knows."""
    row = life.model.rows[batch][index]
    if row[0] == 1:
        return row[4]
    for settled in life.settled:
        if (settled.batch, settled.index) == (batch, index) and settled.leaves:
            return life.choose.choice(settled.leaves)[0]
    return life.fresh()


def _some_points(life: Life, least: int, most: int) -> int:
    return max(life.choose.choice((most, most, most // 2, least, most + 1 if life.chance(8) else most)), 1)


def _return_of(life: Life, batch: bytes, index: int) -> Return:
    """A new return of what an entry gave, or one that was used in part."""
    model = life.model
    row = model.rows[batch][index]
    program, settled_at = model.batches[batch].program, model.batches[batch].settled_at
    known = [found for found in life.returns if found[1:3] == (program, row[1]) and left_of_return(model, found)]
    if known and life.chance(50):
        return life.choose.choice(known)
    receipt = _receipt_of(life, batch, index)
    points = _some_points(life, 1, row[3])
    time = _time(life, settled_at)
    returned = Return(1, program, row[1], receipt, _till_key(life, program), time, points, life.fresh())
    life.returns.append(returned)
    del life.returns[:-RETURNS_KEPT]
    return returned


def sign_new_return(life: Life, of: tuple[bytes, bytes, bytes], time: int, points: int) -> Signed:
    """A return of a receipt (program, member, receipt hash), mostly one that nobody saw before."""
    program, member, receipt = of
    known = [found for found in life.returns if found[1:4] == of and left_of_return(life.model, found)]
    if known and life.chance(50):
        return sign_return(life, life.choose.choice(known))
    key = _till_key(life, program)
    returned = Return(1, program, member, receipt, key, max(time, 0), points, life.fresh())
    life.returns.append(returned)
    del life.returns[:-RETURNS_KEPT]
    return sign_return(life, returned)


def reverse(life: Life, wanted: tuple[bytes, int] | None = None) -> None:
    """Take points back for what went back."""
    choose, model = life.choose, life.model
    everything = [(batch, index) for batch, rows in model.rows.items() for index in range(len(rows))]
    if not everything:
        raise Idle
    batch, index = wanted if wanted in everything else life.some(_rows(life), everything, 96)
    row = model.rows[batch][index]
    returned = _return_of(life, batch, index)
    reversed_before = dict(model.batches[batch].reversed).get(index, 0)
    most = min(max(_given(life, batch, index) - reversed_before, 1), max(left_of_return(model, returned), 1))
    points = _some_points(life, 1, most)
    path = inclusion_path([leaf_hash(pack(found)) for found in model.rows[batch]], index)
    place = (0, *row[2:5], *row[5:7]) if row[0] == 0 else (1, *row[2:4], row[5])
    if life.chance(3):
        place = (place[0], place[1] + 1, *place[2:])
    if life.chance(3):
        batch = choose.choice([*model.batches, NOWHERE])
    array, signature, consent, attested = sign_return(life, returned)
    program = returned.program
    author = life.issuer_of(program, SETTLE, model.programs[program].owner)
    payload = (batch, index, tuple(path), place, points, array, signature, consent)
    life.send("reverse", payload, author, program, attested=attested)


def answer_with_return(life: Life, which: bytes, found: Contest) -> None:
    """A contest is answered with what the fan signed when the purchase went back."""
    choose, model = life.choose, life.model
    if found.member not in BY_ADDRESS and life.chance(IDLE_PERCENT):
        raise Idle
    known = [old for old in life.returns if old[1:3] == (found.program, found.member)]
    points = _some_points(life, max(found.points - 1, 1), found.points)
    time = choose.choice((_time(life, found.time), found.time, found.time + 60, found.time - 1))
    till = _till_key(life, found.program)
    returned = Return(1, found.program, found.member, found.receipt, till, max(time, 0), points, life.fresh())
    if known and life.chance(5):
        returned = choose.choice(known)
    elif life.chance(50):
        life.returns.append(returned)
    array, signature, consent, attested = sign_return(life, returned)
    place = (bytes(32), 0, ()) if life.chance(97) else (life.fresh(), 0, ())
    owners = [model.programs[found.program].owner]
    author = life.issuer_of(found.program, SETTLE, *owners)
    payload = (which, *place, (2, array, signature, consent))
    life.send("earn.answer_contest", payload, author, found.program, attested=attested)
