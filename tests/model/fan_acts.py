"""What fans do: joining, leaving, redeeming, pledging, consenting, sending coin, changing keys."""

from tests.model.accounts import policy_hash
from tests.model.brand_acts import affordable
from tests.model.life import FANS, NOWHERE, PEOPLE, STRANGER, Life
from tests.model.records import DAY, ENROL, OPEN, M
from tests.model.rewards import reward_at


def join(life: Life) -> None:
    """With a till's countersignature, or alone."""
    program = life.any_program()
    outside = [fan.address for fan in FANS if not life.model.is_present_member(program, fan.address)]
    fan = life.some(outside, [someone.address for someone in PEOPLE], 88)
    issuer = life.issuer_of(program, ENROL) if life.chance(75) else b""
    life.send("member.join", (program, issuer), fan, program)


def leave(life: Life) -> None:
    """A fan has enough."""
    if life.chance(60):
        return
    program = life.any_program()
    life.send("member.leave", (program,), life.fan_of(program), program)


def redeem(life: Life) -> None:
    """For what a fan can afford, just can't, or may not have."""
    choose = life.choose
    program, reward = life.some(list(life.model.rewards), [(life.any_program(), NOWHERE)], 97)
    fans = [fan for (of, fan), member in life.model.members.items() if of == program and member.lots]
    fan = life.some(fans, [fan.address for fan in FANS], 92)
    found = life.model.rewards.get((program, reward))
    quantity, price = choose.choice((1, 1, 2, 1_000)), 10
    if found is not None:
        price = reward_at(found, life.world.now).price
        most = min(affordable(life, program, fan) // price, 1_000)
        quantity = choose.choice((1, max(most, 1), min(most + 1, 1_000), choose.number(1, max(most, 1))))
    accepted = min(max(price + choose.choice((0, 0, 0, 5, -1 if life.chance(10) else 0)), 1), 2**53)
    life.send("redeem", (program, reward, quantity, accepted), fan, program)


def pledge(life: Life) -> None:
    """Once, or twenty times."""
    choose = life.choose
    model = life.model
    live = [name for name, found in model.campaigns.items() if found.status == OPEN and found.deadline > model.now]
    which = life.some(live, [*model.campaigns, NOWHERE], 92)
    found = model.campaigns.get(which)
    program = found.unit[1] if found and found.unit[0] else life.any_program()
    in_points = found is not None and found.unit[0] == 1
    fan = life.fan_of(program) if in_points or life.chance(60) else STRANGER.address
    tier = choose.number(0, len(found.tiers)) if found else 0
    tier += choose.choice((0,) * 19 + (1,)) if tier < 32 else 0
    most = affordable(life, program, fan) if in_points else model.balance(fan)
    left = found.goal - found.pledged if found else 0
    quantity = choose.choice((1, 5, 10, 60, 400, max(left, 1), max(left - 1, 1), max(most, 1), most + 1))
    if life.chance(85) and 0 < most < quantity:
        quantity = most
    times = choose.choice((1,) * 11 + (20,))
    for _ in range(times):
        life.send("pledge", (which, min(1 if times > 1 else quantity, M), tier), fan, program)


def grant_consent(life: Life) -> None:
    """Mostly to a program, to publish."""
    choose = life.choose
    program = life.any_program()
    purpose, scope = choose.choice((2, 2, 2, 0, 1, 3)), choose.choice(("", "", "", "mail"))
    now = life.world.now
    expires_at = choose.choice((0, 0, now + 1, now + 3_600, now + 3 * DAY, now if life.chance(30) else 0))
    life.send("consent.grant", (program, purpose, scope, expires_at), life.fan_of(program), program)


def revoke_consent(life: Life) -> None:
    """Of what was granted."""
    live = [key for key, found in life.model.consents.items() if not found.revoked_at]
    known = list(life.model.consents)
    anything = [*known, (FANS[0].address, NOWHERE, 0, "")]
    fan, grantee, purpose, scope = life.some(live, anything, 88)
    life.send("consent.revoke", (grantee, purpose, scope), fan, grantee)


def transfer(life: Life) -> None:
    """Coin, often so that next to nothing is left."""
    choose = life.choose
    sender = choose.choice(PEOPLE).address
    receiver = choose.choice(PEOPLE).address
    minimum = life.world.params.account_minimum
    fee = 10_000
    balance = life.model.balance(sender)
    left = choose.choice((0, 1, minimum, max(minimum - 1, 0), 1_000_000, balance // 2))
    amounts = [balance - fee - left, 1, minimum, max(minimum - 1, 1), 2_000_000]
    amount = choose.choice([found for found in amounts if 0 < found <= M])
    life.send("transfer", ((0, receiver), amount), sender, **({"payment": (0, fee)} if life.chance(70) else {}))


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
