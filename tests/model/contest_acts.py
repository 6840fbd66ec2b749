"""What fans contest, and what shops answer."""

from typing import Any

from ledger.codec import pack
from tests.model.contests import contest_id, period_of, receipt_hash_of
from tests.model.life import FANS, IDLE_PERCENT, NOWHERE, Idle, Life, Receipt, Settled
from tests.model.points import Purchase, better_of_two
from tests.model.records import SETTLE
from tests.model.return_acts import answer_with_return
from tests.second_decoder.hashing import inclusion_path, leaf_hash
from tests.second_decoder.receipts import field_salt, sum_leaf, sum_path

CREDITED = ("", "earn.period_cap_reduced")
OPENED = (1, 2, 3, 4, 5, 6, 11)
OPENED_WRONG = (*OPENED, 7, 8, 9, 12, 13)


def _ripe(life: Life) -> list[Receipt]:
    """Receipts whose time to be contested it is."""
    model, found = life.model, []
    for receipt in life.receipts:
        if receipt.program in model.programs and receipt.time <= model.now:
            settle_by = period_of(model, receipt.program, receipt.time).settle_by
            is_new = contest_id(receipt.program, receipt.till.key, receipt.fields[5]) not in model.contests
            owes = _is_short(life, receipt) or receipt.points
            if settle_by <= model.now <= settle_by + 2_592_000 and is_new and owes:
                found.append(receipt)
    return found


def _is_short(life: Life, receipt: Receipt) -> bool:
    """Whether the rule gives more than the receipt says."""
    program, version = receipt.program, receipt.version
    if program not in life.model.programs or (program, version) not in life.model.terms:
        return False
    if (program, receipt.member) not in life.model.members:
        return False
    rest = (*receipt.fields[7:10], *receipt.fields[12:14])
    return better_of_two(life.model, program, receipt.member, version, Purchase(receipt.time, *rest)) > receipt.points


def _claim(life: Life, receipt: Receipt) -> tuple[Any, ...]:
    net, paid, codes = receipt.fields[7:10]
    return (1, net, paid, codes, *receipt.fields[12:14]) if life.chance(85 if _is_short(life, receipt) else 4) else (0,)


def contest(life: Life, receipt: Receipt | None = None) -> None:
    """Receipts that are due, mostly: one, or all that a till signed on a day."""
    if not life.receipts:
        raise Idle
    receipt = receipt or life.some(_ripe(life), life.receipts, 90)
    _contest(life, receipt)
    if life.chance(40):
        for other in _ripe(life):
            if other.till == receipt.till and abs(other.time - receipt.time) < 3_600:
                _contest(life, other)


def _contest(life: Life, receipt: Receipt) -> None:
    """One contest; now and then of a receipt that was tampered with."""
    claim = _claim(life, receipt)
    opened = OPENED_WRONG if claim[0] else OPENED
    blinding = tuple(field_salt(receipt.salt, i) if i in opened else receipt.leaves[i] for i in range(15))
    program, version, member, till, sequence, time = receipt.fields[1:7]
    payload = [program, version, till, sequence, time, receipt.points, claim, blinding, receipt.signature]
    if life.chance(5):
        place = life.choose.choice((1, 3, 4, 5))
        payload[place] += 1
    if claim[0] and life.chance(4):
        payload[6] = (1, claim[1], claim[2], (("milk", 1), ("bread", 2)), *claim[4:])
    author = life.some([member], [fan.address for fan in FANS], 95)
    attested = receipt_hash_of(author, tuple(payload)) == receipt.hash
    payment = {"payment": (2,)} if life.chance(70) else {}
    life.send("earn.contest", tuple(payload), author, program, attested=attested, **payment)


def _sealed_answer(life: Life, settled: Settled, hashed: bytes) -> tuple[Any, ...]:
    choose = life.choose
    position = [found for found, _ in settled.leaves].index(hashed)
    nodes = [sum_leaf(*leaf) for leaf in settled.leaves]
    answer: list[Any] = [
        0,
        settled.period,
        settled.points,
        settled.leaves[position][1],
        position,
        len(nodes),
        tuple(sum_path(nodes, position)),
        settled.salt,
        settled.before,
        settled.after,
    ]
    if life.chance(5):
        place = choose.choice((1, 2, 3, 4, 5))
        answer[place] += 1
    elif life.chance(3):
        place = choose.choice((8, 9))
        answer[place] = choose.choice(((b"", 0), (b"", 1), (life.fresh(), 0)))
    elif life.chance(2):
        answer[6] = (*answer[6], (life.fresh(), choose.choice((0, 1, 2**63 - 1))))
    return tuple(answer)


def _answers_in_batches(life: Life, hashed: bytes) -> list[tuple[bytes, int, tuple[Any, ...]]]:
    """Every credited entry of this branch that holds the receipt: batch, index, and the entry that opens it."""
    found = []
    for settled in life.settled:
        rows = life.model.rows.get(settled.batch, ())
        if (
            rows
            and (rows[settled.index][-1] in CREDITED or life.chance(10))
            and any(hashed == leaf for leaf, _ in settled.leaves)
        ):
            found.append((settled.batch, settled.index, _sealed_answer(life, settled, hashed)))
    for batch, rows in life.model.rows.items():
        for index, row in enumerate(rows):
            if row[0] == 1 and row[4] == hashed and (row[-1] in CREDITED or life.chance(5)):
                found.append((batch, index, (1, row[2], row[3], row[5])))
    return found


def answer(life: Life, which: bytes = b"") -> None:
    """With the entry that settled the receipt, or with another one."""
    model = life.model
    live = [name for name, found in model.contests.items() if found.outcome == 0]
    which = which or life.some(live, [*model.contests, NOWHERE], 95)
    found = model.contests.get(which)
    program = found.program if found else life.any_program()
    if found is not None and life.chance(15):
        answer_with_return(life, which, found)
        return
    candidates = _answers_in_batches(life, found.receipt) if found else []
    if not candidates and life.chance(IDLE_PERCENT):
        raise Idle
    batches = list(model.batches)
    nothing = (batches[0] if batches else NOWHERE, 0, (1, 1, 1, b""))
    batch, index, entry = life.some(candidates, [nothing], 95)
    path: tuple[bytes, ...] = ()
    if batch in model.rows:
        leaves = [leaf_hash(pack(row)) for row in model.rows[batch]]
        path = tuple(inclusion_path(leaves, index)) if index < len(leaves) else ()
    if life.chance(4):
        index += 1
    if life.chance(3):
        batch = life.choose.choice([*batches, NOWHERE])
    owners = [model.programs[program].owner] if program in model.programs else []
    author = life.issuer_of(program, SETTLE, *owners)
    life.send("earn.answer_contest", (which, batch, index, path, entry), author, program)
