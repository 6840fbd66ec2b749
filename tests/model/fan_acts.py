"""What fans do: joining, leaving, redeeming, consenting, sending coin, changing keys."""

from typing import Any

from ledger import keys
from tests.model.accounts import policy_hash
from tests.model.brand_acts import affordable
from tests.model.life import ANNA, BY_ADDRESS, FANS, KIOSK, NOWHERE, PEOPLE, STRANGER, TILL, Life
from tests.model.records import DAY, ENROL, M
from tests.model.redemptions import left_of_limit
from tests.model.rewards import price_now, reward_at
from tests.model.vouchers import VALID_SECONDS_MAX, voucher_id
from tests.model.world import person
from tests.second_decoder.hashing import tagged


def join(life: Life) -> None:
    """With a till's countersignature, or alone."""
    program = life.any_program()
    outside = [fan.address for fan in FANS if not life.model.is_present_member(program, fan.address)]
    fan = life.some(outside, [someone.address for someone in PEOPLE], 92)
    alone = life.model.balance(fan) > 100_000 and life.chance(40)
    vouchers = _voucher(life, program, fan) if life.chance(50) else ()
    issuer = b"" if alone or (vouchers and life.chance(97)) else life.issuer_of(program, ENROL)
    referrer = b""
    if life.chance(5 if (program, fan) in life.model.members else 60):
        members = life.members_of(program)
        referrer = life.some(members, [someone.address for someone in PEOPLE], 96)
    attested = all(is_right for *_, is_right in vouchers)
    shown = tuple(tuple(voucher[:-1]) for voucher in vouchers)
    life.send("member.join", (program, issuer, referrer, life.chance(50), shown), fan, program, attested=attested)


def _voucher(life: Life, program: bytes, fan: bytes) -> tuple[tuple[Any, ...], ...]:
    """A voucher (JOIN-1), new or one that was shown before, with the holder's proof; last of all whether it is right."""
    choose, now, chain_id = life.choose, life.world.now, life.world.chain_id
    if life.vouchers and life.chance(45):
        used = [item for item in life.vouchers if voucher_id(program, (item[0].key, item[1])) in life.model.vouchers]
        holder, valid_until, till = life.choose.choice(used or life.vouchers)
    else:
        holder = person(f"voucher {len(life.vouchers)}")
        valid_until = now + choose.choice((0, 1, 3_600, 3_600, 30 * DAY, VALID_SECONDS_MAX, VALID_SECONDS_MAX))
        valid_until += choose.choice((-1, 1)) if life.chance(20) else 0
        till = BY_ADDRESS[life.some(life.issuers_of(program, ENROL), [TILL.address, KIOSK.address, ANNA.address], 93)]
        life.vouchers.append((holder, valid_until, till))
    which = voucher_id(program, (holder.key, valid_until))
    signature = keys.sign(till.seed, tagged("JOIN_VOUCHER_SIGNATURE", chain_id + which))
    whose = fan if life.chance(97) else choose.choice(FANS).address
    proof = keys.sign(holder.seed, tagged("JOIN_VOUCHER_PROOF", chain_id + which + whose))
    return ((holder.key, valid_until, till.key, signature, proof, whose == fan),)


def leave(life: Life) -> None:
    """A fan has enough."""
    if life.chance(60):
        return
    program = life.any_program()
    life.send("member.leave", (program,), life.fan_of(program), program)


def redeem(life: Life, wanted: tuple[bytes, bytes] | None = None, whose: bytes = b"") -> None:
    """For what a fan can afford, just can't, or may not have."""
    choose, model = life.choose, life.model
    now = life.world.now
    likely = [
        (program, reward, fan)
        for (program, reward), found in model.rewards.items()
        if reward_at(found, now).listed
        and reward_at(found, now).stock
        and (reward_at(found, now).window[0] <= now < reward_at(found, now).window[1])
        for fan in {fan for of, fan in model.members if of == program}
        if affordable(life, program, fan) >= price_now(model, program, found)
    ]
    names = [*model.rewards, (life.any_program(), NOWHERE)]
    anything = [(*choose.choice(names), choose.choice(FANS).address)]
    likely = [found for found in likely if wanted in (None, found[:2]) and whose in (b"", found[2])]
    program, reward, fan = life.some(sorted(likely), anything, 92)
    found = model.rewards.get((program, reward))
    quantity, price = choose.choice((1, 1, 2, 1_000)), 10
    if found is not None:
        shown = reward_at(found, now)
        price = price_now(model, program, found)
        left = left_of_limit(model, program, reward, fan)
        most = max(min(affordable(life, program, fan) // price, 1_000), 1)
        fitting = max(min(most, shown.stock), 1)
        quantity = choose.choice((1, 1, fitting, choose.number(1, fitting), choose.number(1, fitting)))
        if left is not None and life.chance(60):
            quantity = min(max(left + choose.choice((0, 0, 1)), 1), quantity + 1, 1_000)
        if life.chance(6):
            quantity = min(choose.choice((most + 1, fitting + 1)), 1_000)
    accepted = min(max(price + choose.choice((0, 0, 0, 5, -1 if life.chance(10) else 0)), 1), 2**53)
    life.send("redeem", (program, reward, quantity, accepted), fan, program)


def grant_consent(life: Life) -> None:
    """Mostly to a program, to publish."""
    choose = life.choose
    program = life.any_program()
    purpose, scope = choose.choice((2, 2, 2, 0, 0, 1, 3)), choose.choice(("", "", "", "mail"))
    now = life.world.now
    expires_at = choose.choice((0, 0, now + 1, now + 3_600, now + 3 * DAY, now if life.chance(30) else 0))
    life.send("consent.grant", (program, purpose, scope, expires_at), life.fan_of(program), program)


def revoke_consent(life: Life) -> None:
    """Of what was granted."""
    live = sorted(key for key, found in life.model.consents.items() if not found.revoked_at)
    known = list(life.model.consents)
    anything = [*known, (FANS[0].address, NOWHERE, 0, "")]
    fan, grantee, purpose, scope = life.some(live, anything, 88)
    life.send("consent.revoke", (grantee, purpose, scope), fan, grantee)


def transfer(life: Life) -> None:
    """Coin, often so that next to nothing is left."""
    choose = life.choose
    rich = [someone.address for someone in PEOPLE if life.model.balance(someone.address) > 100_000]
    sender = life.some(rich, [someone.address for someone in PEOPLE], 95)
    receiver = choose.choice(PEOPLE).address
    minimum = life.world.params.account_minimum
    fee = 10_000
    balance = life.model.balance(sender)
    left = choose.choice((0, minimum, 1_000_000, balance // 2, balance // 2, balance // 2))
    if life.chance(8):
        left = choose.choice((1, max(minimum - 1, 0), 2_000))
    amounts = [balance - fee - left, balance - fee - left, max(minimum, 1), 2_000_000, 1]
    amount = choose.choice([found for found in amounts if 0 < found <= M])
    payment: dict[str, Any] = {"payment": (0, fee)} if life.chance(70) else {}
    life.send("transfer", ((0, receiver), amount), sender, **payment)


def set_policy(life: Life) -> None:
    """Other keys, now and then none that make sense."""
    choose = life.choose
    keys = sorted(choose.choice(PEOPLE).key for _ in range(choose.choice((1, 2, 2, 3))))
    unique = tuple(sorted(set(keys)))
    policy = (choose.number(1, len(unique)), unique)
    if life.chance(6):
        policy = choose.choice(((len(keys) + 1, unique), (1, tuple(keys)), (1, tuple(reversed(keys)))))
    author = choose.choice((*FANS, STRANGER)).address
    life.world.policies[policy_hash(policy)] = policy
    life.send("account.set_policy", (policy,), author, life.any_program())


def send_again(life: Life) -> None:
    """What stood in a block of this branch or another."""
    if not life.world.sent:
        return
    tx, raw = life.choose.choice(life.world.sent[-60:])
    life.world.offer(tx, raw)
