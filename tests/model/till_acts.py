"""What tills and those who settle do: receipts, batches of entries."""

from dataclasses import replace
from typing import Any

from ledger import keys
from ledger.codec import pack
from tests.model.life import ANNA, BY_ADDRESS, KIOSK, STRANGER, TILL, Idle, Life, Receipt, Settled
from tests.model.loyalty import room_under_cap
from tests.model.points import Purchase, points_of, versions_nameable
from tests.model.records import SETTLE, SIGN, M
from tests.model.world import Person
from tests.second_decoder.hashing import leaf_hash, object_id, tree_root
from tests.second_decoder.receipts import earn_remainder, earn_sum, field_salt, signing_hash, sum_leaf, sum_root

RECEIPTS_MAX = 150
SEQUENCES = 40


def purchase(life: Life) -> None:
    """A till signs receipts of one program, off chain."""
    program = life.any_program()
    if program not in life.model.programs:
        raise Idle
    till = BY_ADDRESS[life.some(life.issuers_of(program, SIGN), [TILL.address, KIOSK.address, ANNA.address], 93)]
    for _ in range(life.choose.choice((1, 1, 1, 3, 4))):
        _sell(life, program, till)


def _sell(life: Life, program: bytes, till: Person) -> None:
    """One receipt: mostly of now, mostly right."""
    choose, model = life.choose, life.model
    member = life.fan_of(program)
    time = model.now + choose.choice((0, 0, 0, 0, 0, 0, 0, -3_600, -86_400, -259_200, 30, -1))
    time = max(time, 0)
    nameable = sorted(versions_nameable(model, program, time))
    known = [version for of, version in model.terms if of == program]
    version = life.some(nameable, known, 90)
    net = choose.choice((0, 99, 100, 500, 1_999, 50_000, -500, choose.number(1, 9_999)))
    paid = choose.choice((0, 0, 0, 50, 2_000))
    codes = choose.choice(((), (("bread", net),), (("bread", 1), ("milk", 2))))
    tier, visited = choose.choice((0, 0, 0, 1, 2)), max(time - choose.choice((time, time, 60, 3_600, 86_400)), 0)
    offset = model.programs[program].offset_minutes
    right = max(
        points_of(model.terms[program, name], offset, Purchase(time, net, paid, codes, tier, visited))
        for name in {version, model.version_at(program, time)}
    )
    points = choose.choice((right, right, right, max(right - 1, 0), right // 2, 0, min(right + 10, M)))
    if life.chance(30):
        points = _rest_of_cap(life, program, till, time) or points
    sequence = choose.number(1, SEQUENCES)
    sums = (net, paid, codes, tier, visited)
    keep_receipt(life, sign_receipt(life, till, (program, version, member), sequence, time, sums, points))


def keep_receipt(life: Life, receipt: Receipt) -> None:
    """The last ones are known."""
    life.receipts.append(receipt)
    del life.receipts[:-RECEIPTS_MAX]


def _rest_of_cap(life: Life, program: bytes, till: Person, time: int) -> int:
    """What a till's cap leaves for contests of a day of which it has signed receipts, or one more; 0 where that is much."""
    day = life.model.day_at(program, time)
    of_day = [
        found.points
        for found in life.receipts
        if found.till == till and found.program == program and life.model.day_at(program, found.time) == day
    ]
    grant = life.model.grants.get((program, till.address))
    rest = grant.daily_cap - sum(of_day) if grant and of_day else 0
    return rest + life.choose.choice((0, 1)) if 0 < rest < 10_000 else 0


def sign_receipt(
    life: Life,
    till: Person,
    of: tuple[bytes, int, bytes],
    sequence: int,
    time: int,
    sums: tuple[Any, ...],
    points: int,
    offer: bytes = b"",
) -> Receipt:
    """RCP-1 to RCP-4."""
    program, version, member = of
    fields = (1, program, version, member, till.key, sequence, time, *sums[:3], life.fresh(), points, *sums[3:], offer)
    salt = life.fresh()
    leaves = tuple(leaf_hash(pack((index, field_salt(salt, index), value))) for index, value in enumerate(fields))
    hashed = tree_root(list(leaves))
    signature = keys.sign(till.seed, signing_hash(life.world.chain_id, hashed))
    return Receipt(fields, till, salt, leaves, hashed, signature)


def _settled_hashes(life: Life) -> set[bytes]:
    """Receipts that some entry of this branch holds."""
    found = {row[4] for rows in life.model.rows.values() for row in rows if row[0] == 1}
    for settled in life.settled:
        if settled.batch in life.model.rows:
            found.update(hashed for hashed, _ in settled.leaves)
    return found


def period_near(life: Life, program: bytes, time: int) -> int:
    """The period of a time by the terms in force now, or one beside it."""
    f = life.model.terms_now(program)
    length = max(f.period_days, 1)
    period = (life.model.day_at(program, time) - f.period_anchor_day) // length
    return max(period + life.choose.choice((0,) * 8 + (-1, -1, -2, 1)), 0)


def settle(life: Life) -> None:
    """A batch of sealed and open entries."""
    choose, model = life.choose, life.model
    program = life.any_program()
    author = life.issuer_of(program, SETTLE)
    if program not in model.programs:
        life.send("earn", (program, ((0, ANNA.address, 1, 1, life.fresh(), b""),)), author)
        return
    contested = {found.receipt for found in model.contests.values() if found.outcome == 0}
    done = _settled_hashes(life)
    waiting = [found for found in life.receipts if found.program == program and found.hash not in done]
    waiting.sort(key=lambda found: found.hash not in contested)
    count = choose.choice((1, 1, 2, 3, 4, 25))
    fans = [life.fan_of(program) for _ in range(count)]
    if waiting and life.chance(70):
        fans[0] = choose.choice(waiting[:5]).member
    remainders: dict[bytes, tuple[bytes, int]] = {}
    entries: list[tuple[Any, ...]] = []
    notes: list[Settled | None] = []
    for fan in fans:
        of_fan = [found for found in waiting if found.member == fan]
        if life.chance(22):
            entries.append(_open_entry(life, program, fan, of_fan))
            notes.append(None)
        else:
            entry, note = _sealed_entry(life, program, fan, of_fan, remainders)
            entries.append(entry)
            notes.append(note)
        waiting = [found for found in waiting if found not in of_fan]
    if life.chance(12):
        entries[0] = _at_a_cap(life, program, author, entries[0])
        notes[0] = None
    code, tx = life.send("earn", (program, tuple(entries)), author, program)
    if not code:
        batch = object_id("earn", tx.txid)
        for index, note in enumerate(notes):
            if note is not None:
                life.settled.append(replace(note, batch=batch, index=index))
        del life.settled[:-400]


def settle_openly(life: Life, program: bytes, fan: bytes) -> None:
    """One open entry of a purchase of now, by the terms of now."""
    model = life.model
    f = model.terms_now(program)
    period = (model.today(program) - f.period_anchor_day) // max(f.period_days, 1)
    entry = (1, fan, max(period, 0), life.fresh(), model.version_at(program, model.now), model.now, 700, 0, (), 0, 0)
    life.send("earn", (program, (entry,)), life.issuer_of(program, SETTLE), program)


def _open_entry(life: Life, program: bytes, fan: bytes, receipts: list[Receipt]) -> tuple[Any, ...]:
    choose, model = life.choose, life.model
    if receipts and life.chance(70):
        found = choose.choice(receipts)
        rest = (*found.fields[7:10], *found.fields[12:14])
        return (1, fan, period_near(life, program, found.time), found.hash, found.version, found.time, *rest)
    time = max(model.now + choose.choice((0, 0, -1, 1, -86_400)), 0)
    known = sorted(version for of, version in model.terms if of == program)
    version = life.some(sorted(versions_nameable(model, program, time)), [*known, known[-1] + 1], 92)
    net, paid = choose.choice((10, 100, 2_500, -5)), choose.choice((0, 0, 30))
    codes = choose.choice(((), (("bread", net),), (("bread", 1), ("milk", 2))))
    codes = (("milk", 2), ("bread", 1)) if life.chance(2) else codes
    rest = (codes, choose.choice((0, 0, 1, 2)), max(time - choose.choice((time, 60, 3_600)), 0))
    return (1, fan, period_near(life, program, time), life.fresh(), version, time, net, paid, *rest)


def _sealed_entry(
    life: Life, program: bytes, fan: bytes, receipts: list[Receipt], remainders: dict[bytes, tuple[bytes, int]]
) -> tuple[tuple[Any, ...], Settled]:
    choose, model = life.choose, life.model
    chosen = receipts[: choose.choice((0, 1, 1, 2, 3, 5))]
    time = chosen[0].time if chosen else model.now
    leaves = tuple((found.hash, max(found.points - choose.choice((0,) * 9 + (1,)), 0)) for found in chosen)
    root = sum_root([sum_leaf(*leaf) for leaf in leaves])
    member = model.members.get((program, fan))
    held = member.remainder if member else b""
    before = remainders.get(fan, life.openings.get(held, (b"", 0)) if held else (b"", 0))
    due = root[1] + before[1]
    if not chosen and life.chance(75):
        due += choose.choice((1, 5, 30, 100, 400, choose.number(1, 1_000)))
    maximum = model.terms_now(program).remainder_max
    carried = choose.choice((0, 0, 0, maximum, maximum, maximum // 2, maximum // 2))
    carried = choose.choice((0, 0, 0, maximum, maximum, maximum // 2, maximum // 2))
    carried = min(carried + (1 if life.chance(3) else 0), due)
    after = (b"", 0) if carried == 0 and life.chance(60) else (life.fresh(), carried)
    salt = life.fresh()
    points = due - carried + (choose.choice((1, -1)) if life.chance(4) and due > carried else 0)
    k = earn_remainder(*after) if after[0] else b""
    life.openings[k] = after
    remainders[fan] = after
    period = period_near(life, program, time)
    entry = (0, fan, period, points, earn_sum(salt, root), k)
    return entry, Settled(b"", 0, period, points, leaves, salt, before, after)


def _at_a_cap(life: Life, program: bytes, author: bytes, entry: tuple[Any, ...]) -> tuple[Any, ...]:
    """The entry with exactly as many points as a cap leaves, or one more."""
    model = life.model
    room = room_under_cap(model, program)
    grant = model.grants.get((program, author))
    if grant is not None and life.chance(50):
        room = grant.daily_cap - (grant.day_used if grant.day == model.today(program) else 0)
    points = min(max(room, 0) + life.choose.choice((0, 1)), M)
    if points > 10**7:
        return entry
    return (0, entry[1], entry[2], points, life.fresh(), b"")


def keep_coming(life: Life) -> None:
    """A habit: an entry a day, for days or for months, so that lots pile up."""
    choose, model = life.choose, life.model
    program = life.any_program()
    issuers, members = life.issuers_of(program, SETTLE), life.members_of(program)
    if program not in model.programs or not issuers or not members:
        raise Idle
    issuer, fan = choose.choice(issuers), choose.choice(members)
    for _ in range(choose.choice((4, 4, 4, 4, 10, 10, 40, 170))):
        period = period_near(life, program, life.world.now)
        entry = (0, fan, period, choose.number(1, 20), life.fresh(), b"")
        life.send("earn", (program, (entry,)), issuer, program)
        life.world.mine(life.world.now + 86_400, [STRANGER.address])
