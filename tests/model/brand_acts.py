"""What brands do: programs, terms, issuers, rewards, fulfilling."""

from tests.model.life import ANNA, BRAND, KIOSK, NOWHERE, OWNER, TILL, Idle, Life
from tests.model.loyalty import given_or_promised
from tests.model.points import usable_points
from tests.model.records import DAY, FULFIL, UNLIMITED, M, array_of_terms
from tests.model.rewards import Limit, Window, price_now
from tests.model.terms import changed_terms, draw_terms, friendly_terms

PROGRAMS_MAX = 3
NO_END = 2**40
REWARDS_MAX = 6


def create_program(life: Life) -> None:
    """Up to three programs in a life."""
    if len(life.model.programs) >= PROGRAMS_MAX:
        raise Idle
    choose = life.choose
    draw = friendly_terms if life.chance(70) else draw_terms
    terms = draw(choose, life.world.params.fee_rate_min)
    offset = choose.choice((0, 0, 120, -1_439, 1_439))
    payload = ("Shop", "point", choose.choice((0, 2)), offset, array_of_terms(terms))
    others = list(life.model.programs)
    life.send("program.create", payload, choose.choice((OWNER, OWNER, BRAND)).address, others[0] if others else b"")


def fill_pool(life: Life) -> None:
    """A transfer into the fee pool."""
    program = life.any_program()
    amount = life.choose.choice((1, 20_000, 1_000_000, 50_000_000, 50_000_000))
    rich = [someone.address for someone in (OWNER, BRAND, ANNA) if life.model.balance(someone.address) > 10**8]
    author = life.some(rich, [OWNER.address, BRAND.address, ANNA.address], 95)
    life.send("transfer", ((1, program), amount), author, program)


def update_program(life: Life) -> None:
    """Better terms, or worse ones."""
    program = life.any_program()
    found = life.model.programs.get(program)
    if found is None:
        latest, terms = 1, draw_terms(life.choose, life.world.params.fee_rate_min)
    else:
        latest = max(version for version, _ in found.versions)
        base = life.choose.choice((life.model.terms_now(program), life.model.terms[program, latest]))
        terms = changed_terms(life.choose, base, life.world.params.fee_rate_min)
        least = given_or_promised(life.model.books[program])
        if life.chance(5):
            terms = terms._replace(issuance_cap=max(least + life.choose.choice((-1, 0)), 0))
    latest += life.choose.choice((1, -1)) if life.chance(3) and latest > 1 else 0
    life.send("program.update", (program, latest, array_of_terms(terms)), life.owner_of(program), program)


def grant_issuer(life: Life) -> None:
    """A first grant, or another one."""
    program = life.any_program()
    issuer = life.choose.choice((TILL, TILL, KIOSK, OWNER, ANNA)).address
    scopes = life.choose.choice((127, 127, 127, 64, 63, 31, 15, 1, 2, 3, 4, 8, 16, 30, 32, 34))
    cap = life.choose.choice((0, 500, 5_000, 10**6, 10**6, M))
    promised = [found.points for found in life.receipts if found.program == program]
    if promised and life.chance(40):
        cap = life.choose.choice(promised) + life.choose.choice(promised) + life.choose.choice((0, 0, -1))
        cap = min(max(cap, 0), M)
    life.send("issuer.grant", (program, issuer, scopes, cap), life.owner_of(program), program)


def revoke_issuer(life: Life) -> None:
    """By the owner, or by the issuer itself."""
    program = life.any_program()
    live = [
        issuer for of, issuer in life.model.grants if of == program and not life.model.grants[of, issuer].revoked_at
    ]
    issuer = life.some(live, [TILL.address, KIOSK.address])
    author = issuer if life.chance(30) else life.owner_of(program)
    life.send("issuer.revoke", (program, issuer), author, program)


def list_reward(life: Life) -> None:
    """Something for points."""
    program = life.any_program()
    if len(life.model.rewards) >= REWARDS_MAX:
        raise Idle
    price = life.choose.choice((1, 10, 10, 50, 50, 200, 2**53))
    stock = life.choose.choice((0, 1, 5, 100, UNLIMITED, UNLIMITED - 1))
    value = life.choose.choice((0, price, 3 * price, 1_000_000, price // 2))
    if program in life.model.programs and life.chance(60):
        points, cents = life.model.terms_now(program).floor
        value = -(-price * cents // points) - life.choose.choice((0, 0, 0, 1)) if points else value
    value = min(max(value, 0), 2**53)
    payload = (program, "Tea", price, stock, value, *_conditions(life, program))
    life.send("reward.list", payload, life.owner_of(program), program)


def _conditions(life: Life, program: bytes) -> tuple[Limit, Window, int]:
    """A limit, a window and a least tier; mostly none."""
    choose, now = life.choose, life.world.now
    limit = choose.choice(((0, 0, 0), (0, 0, 0), (1, 0, 0), (3, 0, 0), (0, 1, 7), (0, 2, 1), (3, 2, 2), (1_000, 5, 30)))
    limit = choose.choice(((0, 1, 0), (1, 0, 1))) if life.chance(3) else limit
    window = (0, NO_END)
    if life.chance(25):
        window = (now + choose.choice((-1, 0, 0, 60, DAY)), now + choose.choice((1, 3_600, DAY, 3 * DAY, 30 * DAY)))
        window = (window[0], NO_END) if life.chance(20) else window
    tiers = len(life.model.terms_now(program).tiers) if program in life.model.programs else 0
    tier_min = choose.choice((0, 0, 0, *range(tiers + 1), tiers + 1 if life.chance(10) else 0))
    return limit, window, tier_min


def update_reward(life: Life) -> None:
    """A better reward, or a worse one."""
    program, reward = life.some(list(life.model.rewards), [(life.any_program(), NOWHERE)], 96)
    found = life.model.rewards.get((program, reward))
    price = price_now(life.model, program, found) if found else 10
    prices = (price, price, price + 5, max(price - 3, 1), life.choose.choice((1, 40)))
    change = life.choose.choice((0, 0, 1, 5, -1, -3, -1_000, 2**53, -(2**53)))
    limit, window, tier_min = (found.limit, found.window, found.tier_min) if found else ((0, 0, 0), (0, NO_END), 0)
    drawn = _conditions(life, program)
    limit, window = (drawn[0] if life.chance(30) else limit, drawn[1] if life.chance(30) else window)
    if life.chance(10):
        window = (window[0], min(max(window[1] + life.choose.choice((-DAY, -1, 1, DAY)), 0), NO_END))
    tier_min = drawn[2] if life.chance(30) else tier_min
    terms = (min(life.choose.choice(prices), 2**53), change, life.chance(80), limit, window, tier_min)
    payload = (program, reward, *terms)
    life.send("reward.update", payload, life.owner_of(program), program)


def fulfil(life: Life, hold: bytes = b"") -> None:
    """Hand over what was redeemed."""
    hold = hold or life.some(list(life.model.holds), [NOWHERE], 97)
    found = life.model.holds.get(hold)
    program = found.program if found else life.any_program()
    owners = [life.model.programs[program].owner] if program in life.model.programs else []
    author = life.issuer_of(program, FULFIL, *owners)
    quantity = found.quantity if found else 1
    quantity = life.choose.choice(
        (quantity, quantity, 1, max(quantity // 2, 1), quantity + 1 if life.chance(10) else 1)
    )
    count = life.choose.choice((0, quantity, quantity + 1 if life.chance(10) else 0))
    codes = tuple(life.fresh() for _ in range(count if count <= 100 else 0))
    life.send("redeem.fulfil", (hold, min(quantity, 1_000), codes), author, program)


def refund(life: Life, fulfilment: bytes = b"") -> None:
    """Take back what was handed over, or a part of it."""
    fulfilment = fulfilment or life.some(list(life.model.fulfilments), [NOWHERE], 98)
    found = life.model.fulfilments.get(fulfilment)
    program = found.program if found else life.any_program()
    owners = [life.model.programs[program].owner] if program in life.model.programs else []
    author = life.issuer_of(program, FULFIL, *owners)
    quantity = found.quantity if found else 1
    quantity = life.choose.choice(
        (quantity, quantity, 1, max(quantity // 2, 1), quantity + 1 if life.chance(10) else 1)
    )
    life.send("redeem.refund", (fulfilment, min(quantity, 1_000)), author, program)


def cancel(life: Life, hold: bytes = b"") -> None:
    """By the member, the owner, or an issuer."""
    hold = hold or life.some(list(life.model.holds), [NOWHERE], 97)
    found = life.model.holds.get(hold)
    program = found.program if found else life.any_program()
    likely = [found.member, life.model.programs[program].owner] if found else []
    life.send("redeem.cancel", (hold,), life.issuer_of(program, FULFIL, *likely), program)


def affordable(life: Life, program: bytes, fan: bytes) -> int:
    """What a fan can spend in a program."""
    return usable_points(life.model, program, fan) if (program, fan) in life.model.members else 0
