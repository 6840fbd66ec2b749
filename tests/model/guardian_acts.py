"""Lost keys: who names guardians, what these do, and what the owner, or a thief, does against it."""

from tests.model import guardians
from tests.model.accounts import policy_hash
from tests.model.life import FANS, NOWHERE, PEOPLE, STRANGER, Life
from tests.model.records import DAY


def name_guardians(life: Life) -> None:
    """One to three of the others, or none any more."""
    choose = life.choose
    author = choose.choice((*FANS, STRANGER)).address
    if author in life.model.guardianships and life.chance(50):
        return
    names = sorted({choose.choice(PEOPLE).address for _ in range(choose.choice((1, 2, 3)))})
    names = [name for name in names if name != author or life.chance(4)] or [PEOPLE[0].address]
    threshold = choose.number(1, len(names)) + (1 if life.chance(3) else 0)
    if life.chance(3):
        names = names[::-1] + names[:1]
    named = ((threshold, tuple(names), choose.choice((1, 1, 2, 7, 365))),)
    named = () if life.chance(8 if author not in life.model.guardianships else 25) else named
    life.send("account.set_guardians", (named,), author, life.any_program())


def recover(life: Life) -> None:
    """A guardian says which keys are the owner's now, mostly the same as the others said."""
    choose, model = life.choose, life.model
    idle = [name for name, found in model.guardianships.items() if not found.recovery]
    address = life.some(idle, [*model.guardianships, STRANGER.address], 92)
    found = model.guardianships.get(address)
    said = [approval[1] for approval in found.approvals] if found else []
    wanted = choose.choice(said) if said and life.chance(75) else policy_hash(choose.choice(PEOPLE).policy)
    wanted = NOWHERE if life.chance(2) else wanted
    fresh = [
        name
        for place, name in enumerate(found.guardians[1] if found else ())
        if not any(approval[:2] == (place, wanted) for approval in (found.approvals if found else ()))
    ]
    author = life.some(fresh, [someone.address for someone in PEOPLE], 92)
    life.send("account.recover", (address, wanted), author, life.any_program())


def cancel_recovery(life: Life, address: bytes = b"") -> None:
    """The owner looks."""
    if not address and life.chance(50):
        return
    waiting = sorted(name for name in life.model.guardianships if guardians.is_waiting(life.model, name))
    author = address or life.some(waiting, [fan.address for fan in FANS], 95)
    found = guardians.recovery_of(life.model, author)
    wanted = found.policy_hash if found and life.chance(95) else NOWHERE
    life.send("account.cancel_recovery", (wanted,), author, life.any_program())


def sign_something(life: Life, address: bytes) -> None:
    """Whoever governs the account signs: something that waits for a recovery, or something that does not."""
    expires_at = life.world.now + 3 * DAY
    if life.chance(50):
        life.send("consent.grant", (life.any_program(), 2, "", expires_at), address, life.any_program())
    else:
        life.send("transfer", ((0, STRANGER.address), 5_000), address, life.any_program())
