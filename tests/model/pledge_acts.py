"""What backers do: pledging, changing their minds, voting, taking out their share."""

from tests.model.brand_acts import affordable
from tests.model.campaign_records import COIN, DONE, FUNDED, OPEN, Pledge
from tests.model.decisions import is_over
from tests.model.life import FANS, NOWHERE, OWNER, STRANGER, Life
from tests.model.records import M

AddOns = tuple[tuple[int, int], ...]
QUANTITY_MAX = 10**9
FEES = 30_000


def _budget(life: Life, which: bytes, fan: bytes) -> int:
    """What a fan can pledge."""
    unit = life.model.campaigns[which].unit
    if unit == COIN:
        return max(life.model.balance(fan) - FEES, 0)
    return affordable(life, unit[1], fan)


def _backers(life: Life, which: bytes) -> list[bytes]:
    """Those who have what a campaign collects."""
    unit = life.model.campaigns[which].unit
    if unit == COIN:
        return [someone.address for someone in (*FANS, OWNER, STRANGER) if _budget(life, which, someone.address)]
    return sorted(fan for of, fan in life.model.members if of == unit[1] and affordable(life, of, fan))


def _program_of(life: Life, which: bytes) -> bytes:
    found = life.model.campaigns.get(which)
    return found.unit[1] if found and found.unit != COIN else life.any_program()


def _places(life: Life, which: bytes, most: int) -> tuple[int, AddOns, int]:
    """A tier and add-ons that are mostly free and within reach, and what they cost at least."""
    choose, model = life.choose, life.model
    terms, found = model.campaign_terms[which], model.campaigns[which]
    tiers = [
        number
        for number, (_, least, limit) in enumerate(terms.tiers, 1)
        if least <= most and (limit == 0 or found.taken[number - 1] < limit)
    ]
    tier = choose.choice((0, *tiers))
    if life.chance(7):
        tier = choose.number(0, min(len(terms.tiers) + 1, 32))
    add_ons = []
    for number, (_, _, limit) in enumerate(terms.add_ons, 1):
        left = limit - found.added[number - 1] if limit else 5
        if left > 0 and life.chance(40):
            add_ons.append((number, choose.number(1, left) + (1 if limit and life.chance(8) else 0)))
    if life.chance(2):
        add_ons.append((len(terms.add_ons) + 1, 1))
    if life.chance(2):
        add_ons = add_ons[::-1] + add_ons[:1]
    cost = terms.tiers[tier - 1][1] if 0 < tier <= len(terms.tiers) else 0
    cost += sum(terms.add_ons[number - 1][1] * count for number, count in add_ons if number <= len(terms.add_ons))
    return tier, tuple(add_ons), cost


def _offer(life: Life, which: bytes, most: int, *, before: int = 0, fills: bool = False) -> tuple[int, int, AddOns]:
    """How much for which places; `before` is what is replaced by it, `fills` asks for the rest of the goal."""
    choose, model = life.choose, life.model
    if which not in model.campaigns:
        return 5, 0, ()
    terms, found = model.campaign_terms[which], model.campaigns[which]
    tier, add_ons, least = _places(life, which, most)
    left = terms.goal - found.pledged + before
    quantity = choose.choice((1, 2, 3, 7, 10, 60, 333, left, left - 1, most, least, before, before - 1, before + 1))
    if fills:
        quantity = left + choose.choice((0, 0, 1, 50))
    if life.chance(96 if least <= 1 else 88):
        quantity = max(min(quantity, most, QUANTITY_MAX), least)
    else:
        quantity = choose.choice((most + 1, least - 1, least - 1, M))
    return min(max(quantity, 1), M), tier, add_ons


def pledge(life: Life, which: bytes = b"", fills: bool = False) -> None:
    """Once, or twenty times."""
    model = life.model
    live = [name for name, found in model.campaigns.items() if found.status == OPEN and not is_over(model, found)]
    _pledge(life, "pledge", [which] if which else live, fills=fills)


def pledge_late(life: Life, which: bytes = b"") -> None:
    """To a campaign that is funded, mostly while it takes such pledges and nobody votes."""
    model = life.model
    live = [
        name
        for name, found in model.campaigns.items()
        if found.status == FUNDED and not found.submitted_at and model.now < model.campaign_terms[name].late_until
    ]
    if which and which not in live and life.chance(40):
        return
    _pledge(life, "pledge.late", [which] if which else live)


def endow(life: Life, program: bytes) -> None:
    """Points for some members, so that there is something to pledge."""
    found = life.model.programs.get(program)
    for fan in life.members_of(program)[: life.choose.choice((1, 2, 4))] if found else []:
        points = life.choose.choice((3, 20, 50, 101))
        life.send("adjust", (program, fan, points, "festival"), life.owner_of(program), program)


def _pledge(life: Life, kind: str, live: list[bytes], *, fills: bool = False) -> None:
    choose, model = life.choose, life.model
    likely = [(name, fan) for name in live if name in model.campaigns for fan in _backers(life, name)]
    anything = [(choose.choice([*model.campaigns, NOWHERE]), choose.choice((*FANS, STRANGER)).address)]
    which, fan = life.some(likely, anything, 95)
    most = _budget(life, which, fan) if which in model.campaigns else 1
    offer = _offer(life, which, most, fills=fills)
    times = choose.choice((1,) * 14 + (20,)) if not fills else 1
    if times > 1:
        offer = (min(offer[0], 3), 0, ())
    for _ in range(times):
        life.send(kind, (which, *offer), fan, _program_of(life, which))


def _some_pledge(life: Life, likely: list[tuple[bytes, int]]) -> tuple[bytes, int, bytes, Pledge | None]:
    """A pledge, mostly a likely one, and who acts on it, mostly its backer."""
    choose, model = life.choose, life.model
    known = [*model.pledges, *model.former_pledges, (choose.choice([*model.campaigns, NOWHERE]), choose.number(0, 3))]
    which, number = life.some(sorted(likely), [choose.choice(known)], 94)
    found = model.pledges.get((which, number))
    fan = life.some([found.backer] if found else [], [someone.address for someone in FANS], 96)
    return which, number, fan, found


def _of(life: Life, which: bytes, *statuses: int) -> list[tuple[bytes, int]]:
    """The pledges of one campaign, or of all with such a status."""
    campaigns = life.model.campaigns
    return [
        key for key in life.model.pledges if key[0] == which or (not which and campaigns[key[0]].status in statuses)
    ]


def change(life: Life, which: bytes = b"") -> None:
    """More, less, or something else for as much."""
    which, number, fan, found = _some_pledge(life, _of(life, which, OPEN))
    before = found.quantity if found else 0
    most = before + (_budget(life, which, fan) if which in life.model.campaigns else 0)
    offer = _offer(life, which, most, before=before)
    life.send("pledge.change", (which, number, *offer), fan, _program_of(life, which))


def cancel(life: Life, which: bytes = b"") -> None:
    """While a campaign is open, or when nothing is left of it; also what is kept of one that left."""
    if not which and life.chance(30):
        return
    former = [key for key in life.model.former_pledges if which in (b"", key[0])]
    if former and life.chance(40):
        which, number = life.choose.choice(former)
        backer = life.model.former_pledges[which, number].backer
        fan = life.some([backer], [someone.address for someone in FANS], 96)
        life.send("pledge.cancel", (which, number), fan, _program_of(life, which))
        return
    which, number, fan, _ = _some_pledge(life, _of(life, which, OPEN, DONE))
    life.send("pledge.cancel", (which, number), fan, _program_of(life, which))


def vote(life: Life, which: bytes = b"", percent: int = 60) -> None:
    """On the step that was submitted, `percent` of them for it; mostly by those who may."""
    model = life.model
    campaigns = model.campaigns
    likely = [
        key
        for key in _of(life, which, FUNDED)
        if campaigns[key[0]].submitted_at and model.pledges[key].backer != campaigns[key[0]].creator
    ]
    which, number, fan, _ = _some_pledge(life, likely)
    found = campaigns.get(which)
    is_delivery = found is not None and found.step == len(model.campaign_terms[which].milestones)
    kind = "delivery.confirm" if is_delivery != life.chance(4) else "milestone.vote"
    life.send(kind, (which, number, life.chance(percent)), fan, _program_of(life, which))


def withdraw(life: Life, which: bytes = b"") -> None:
    """By those who said no."""
    model = life.model
    refused = [
        key
        for key in _of(life, which, FUNDED)
        if model.campaigns[key[0]].round == model.pledges[key].voted_round > 0 and not model.pledges[key].approves
    ]
    which, number, fan, _ = _some_pledge(life, refused)
    life.send("pledge.withdraw", (which, number), fan, _program_of(life, which))
