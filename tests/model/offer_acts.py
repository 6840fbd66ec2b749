"""What brands, tills and fans do about personal offers: promising, citing, settling, contesting, taking back."""

from typing import Any

from tests.model.consent import is_active
from tests.model.contests import CONTEST_SECONDS, period_of
from tests.model.life import BY_ADDRESS, FANS, KIOSK, NOWHERE, TILL, Idle, Life, PersonalOffer, Receipt
from tests.model.loyalty import room_under_cap
from tests.model.offers import are_met, offer_id, receipt_hash_of, terms_hash
from tests.model.records import DAY, OFFER, PERSONALISE, SETTLE, SIGN, M
from tests.model.return_acts import sign_new_return
from tests.model.till_acts import keep_receipt, period_near, sign_receipt
from tests.second_decoder.receipts import field_salt

EXPIRY_MAX = 31_622_400
OPENED = (1, 3, 4, 6, 14)


def issue(life: Life) -> None:
    """One offer or some, up to a cap now and then."""
    choose, model, now = life.choose, life.model, life.world.now
    program = life.any_program()
    author = life.issuer_of(program, OFFER, *([model.programs[program].owner] if program in model.programs else []))
    agreeing = [fan for fan in life.members_of(program) if is_active(model, fan, program, PERSONALISE, "")]
    entries = []
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        fan = life.some(agreeing, [fan.address for fan in FANS], 90)
        points = choose.choice((1, 5, 20, 60, 100))
        if program in model.programs and life.chance(20):
            points = _at_a_cap(life, program, author) or points
        lasts = choose.choice((60, 3_600, DAY, 5 * DAY, 5 * DAY, 30 * DAY, EXPIRY_MAX))
        if life.chance(4):
            lasts = choose.choice((0, -1, EXPIRY_MAX + 1))
        codes = choose.choice(((), (), ("bread",), ("bread", "milk"), ("milk", "bread") if life.chance(2) else ()))
        least = choose.choice((0, 0, 100, 500))
        needs_all = (len(codes) > 1 and life.chance(50)) or life.chance(1)
        terms = (1, choose.choice((0, 0, 0, now, now + 60)), least, codes, "bread", needs_all)
        salt = life.fresh()
        hashed = terms_hash(salt, terms)
        entries.append((fan, hashed, points, now + lasts))
        which = offer_id(program, fan, points, now + lasts, hashed)
        life.offers[which] = PersonalOffer(program, fan, points, now + lasts, salt, terms)
    if life.chance(4):
        entries.append(entries[0])
    life.send("offer.issue", (program, tuple(entries)), author, program)


def _at_a_cap(life: Life, program: bytes, author: bytes) -> int:
    """What a cap leaves, or a point more; 0 where that is nothing or much."""
    model, today = life.model, life.model.today(program)
    books = model.books[program]
    used = books.offer_day_used if books.offer_day == today else 0
    limits = [model.terms_now(program).offer_day_max - used, room_under_cap(model, program)]
    grant = model.grants.get((program, author))
    if grant is not None:
        limits.append(grant.daily_cap - (grant.day_used if grant.day == today else 0))
    limit = life.choose.choice(limits) + life.choose.choice((0, 0, 1))
    return limit if 0 < limit <= 10**7 else 0


def _open(life: Life) -> list[bytes]:
    return [name for name, found in life.model.offers.items() if not found.receipt and name in life.offers]


def cite(life: Life) -> None:
    """A purchase that cites an offer, mostly as the offer wants it."""
    choose, model = life.choose, life.model
    which = life.some(_open(life), [*life.offers, NOWHERE], 95)
    if which not in life.offers or life.offers[which].program not in model.programs:
        raise Idle
    found, now = life.offers[which], model.now
    program = found.program
    till = BY_ADDRESS[life.some(life.issuers_of(program, SIGN), [TILL.address, KIOSK.address], 95)]
    least = found.terms[2]
    net, paid = choose.choice((least, least, 700, 700, 700, max(least - 1, 0))), choose.choice((0,) * 6 + (1,))
    codes: Any = tuple((code, choose.choice((1, 1, 1, 0))) for code in sorted(set(found.terms[3])))
    codes = () if life.chance(5) else codes
    time = choose.choice((now,) * 12 + (found.terms[1], found.expires_at, found.expires_at + 1, now - DAY))
    if which in model.offers and life.chance(15):
        time = _before(life, which)
    of = (program, model.version_at(program, now), found.member)
    sums = (net + paid * choose.choice((0, 1)), paid, codes, 0, 0)
    receipt = sign_receipt(life, till, of, choose.number(1, 200), max(time, 0), sums, choose.choice((0, 2)), which)
    keep_receipt(life, receipt)


def _before(life: Life, which: bytes) -> int:
    """A time in the last period that is over when the offer is issued, or in the first that isn't."""
    found = life.model.offers[which]
    program, issued_at = found.program, found.issued_at
    today, terms = life.model.day_at(program, issued_at), life.model.terms_now(program)
    length = max(terms.period_days, 1)
    first = (today - terms.period_anchor_day) // length * length + terms.period_anchor_day
    begins = life.model.day_start(program, first)
    return life.choose.choice((begins - 1, begins - 1, begins, issued_at - DAY))


def live_through(life: Life) -> None:
    """From an offer to a purchase that cites it, to the time when it can be contested, and back."""
    choose = life.choose
    if life.chance(50) or not _open(life):
        issue(life)
    cite(life)
    receipt = life.receipts[-1]
    if not receipt.offer or receipt.program not in life.model.programs:
        raise Idle
    life.world.mine(life.model.now + 1, [TILL.address])
    if life.chance(70):
        settle_by = period_of(life.model, receipt.program, receipt.time).settle_by
        time = settle_by + choose.choice((-1, 0, 0, 0, 1, CONTEST_SECONDS, CONTEST_SECONDS + 1))
        life.world.mine(max(time, life.model.now + 1), [TILL.address])
    for _ in range(choose.choice((1, 2, 2, 3))):
        step = choose.choice((0, 0, 1, 2))
        try:
            if receipt.offer not in life.model.offers:
                return
            if step == 0:
                contest(life, receipt)
            elif step == 1:
                settle(life, receipt.offer)
            elif life.model.offers[receipt.offer].receipt or life.chance(10):
                reverse(life, receipt.offer)
        except Idle:
            continue


def _citing(life: Life, program: bytes) -> list[Receipt]:
    """Receipts that cite an open offer."""
    found = set(_open(life))
    return [receipt for receipt in life.receipts if receipt.program == program and receipt.offer in found]


def settle(life: Life, which: bytes = b"") -> None:
    """A batch of citations, now and then of none."""
    choose, model = life.choose, life.model
    found = model.offers.get(which)
    program = found.program if found else life.any_program()
    if program not in model.programs:
        raise Idle
    citing = [(receipt.offer, receipt.time, receipt.hash) for receipt in _citing(life, program)]
    citing = [item for item in citing if which in (b"", item[0])]
    names = [which] if which else [*model.offers, NOWHERE]
    entries = []
    for _ in range(choose.choice((1, 1, 2, 3))):
        anything = (choose.choice(names), model.now, life.fresh())
        name, time, hashed = life.some(citing or ([anything] if which else []), [anything], 88)
        entries.append((name, period_near(life, program, time), hashed))
    author = life.issuer_of(program, SETTLE, model.programs[program].owner)
    life.send("offer.settle", (program, tuple(entries)), author, program)


def contest(life: Life, receipt: Receipt | None = None) -> None:
    """A fan shows a receipt that cites an offer of which nobody credited the bonus."""
    choose, model = life.choose, life.model
    if receipt is None:
        known = [found for found in life.receipts if found.offer and found.program in model.programs]
        ripe = []
        for found in known:
            settle_by = period_of(model, found.program, found.time).settle_by
            if found.offer in _open(life) and settle_by <= model.now <= settle_by + CONTEST_SECONDS:
                offer = life.offers[found.offer]
                if are_met(offer.terms, offer.expires_at, found.time, *found.fields[7:10]) or life.chance(8):
                    ripe.append(found)
        if not known:
            raise Idle
        receipt = life.some(ripe, known, 94)
    if receipt.offer not in life.offers:
        raise Idle
    made = life.offers[receipt.offer]
    salt, terms = made.salt, made.terms
    if life.chance(4):
        terms = (*terms[:2], *choose.choice(((100, ()), (0, ("milk",)), (0, ("milk", "bread")))), "other", False)
    opened = (*OPENED, *((7, 8) if terms[2] else ()), *((9,) if terms[3] else ()))
    blinding = tuple(field_salt(receipt.salt, i) if i in opened else receipt.leaves[i] for i in range(15))
    net, paid = receipt.fields[7:9] if terms[2] else (0, 0)
    codes = receipt.fields[9] if terms[3] else ()
    if life.chance(3):
        net, codes = choose.choice(((net + 1, codes), (net, (("milk", 1),)), (net, (("milk", 1), ("bread", 1)))))
    time = receipt.time + (1 if life.chance(3) else 0)
    rest = (receipt.till.key, time, net, paid, codes, blinding, receipt.signature)
    payload = (receipt.program, receipt.offer, life.fresh() if life.chance(3) else salt, terms, *rest)
    author = life.some([receipt.member], [fan.address for fan in FANS], 96)
    attested = receipt_hash_of(author, payload) == receipt.hash
    payment = {"payment": (2,)} if life.chance(65) else {}
    life.send("offer.contest", payload, author, receipt.program, attested=attested, **payment)


def reverse(life: Life, which: bytes = b"") -> None:
    """The purchase went back."""
    choose, model = life.choose, life.model
    cited = [name for name, found in model.offers.items() if found.receipt and found.reversed < found.points]
    which = which or life.some(cited, [*model.offers, NOWHERE], 95)
    found = model.offers.get(which)
    if found is None:
        raise Idle
    receipt = found.receipt or life.fresh()
    left = max(found.points - found.reversed, 1)
    points = min(max(choose.choice((left, left, left // 2, 1, left + 1 if life.chance(20) else left)), 1), M)
    now = model.now
    last = max(min(found.returnable_until - 1, now), 0)
    time = choose.choice((last, last, last, last, last, min(last + 1, now), now + 1))
    least = choose.choice((points, points, left, max(points - 1, 1)))
    signed = sign_new_return(life, (found.program, found.member, receipt), time, least)
    array, signature, consent, attested = signed
    author = life.issuer_of(found.program, SETTLE, model.programs[found.program].owner)
    payload = (which, points, array, signature, consent)
    life.send("offer.reverse", payload, author, found.program, attested=attested)
