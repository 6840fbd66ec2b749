"""What fans say of brands and products, and what these reply."""

from typing import Any

from tests.model.life import FANS, NOWHERE, OWNER, PEOPLE, STRANGER, Life
from tests.model.reviews import has_standing, own_account

EVERYBODY = [someone.address for someone in (*FANS, STRANGER)]


def _subjects(life: Life) -> list[tuple[int, bytes]]:
    model = life.model
    return [*((0, name) for name in model.programs), *((1, name) for name in model.campaigns)]


def _standings(life: Life, author: bytes) -> list[tuple[Any, ...]]:
    """What somebody may name."""
    model = life.model
    found: list[tuple[Any, ...]] = [(0,), (1,)]
    for pledges in (model.pledges, model.former_pledges):
        found += [(2, campaign, number) for (campaign, number), pledge in pledges.items() if pledge.backer == author]
    found += [(3, name) for name, done in model.contributions.items() if done.fan == author]
    return found


def write(life: Life) -> None:
    """A review, or a revision, mostly with a standing."""
    choose, model = life.choose, life.model
    subjects = _subjects(life)
    subject = life.some(subjects, [(0, NOWHERE), (1, NOWHERE)], 97)
    likely = [
        (author, standing)
        for author in EVERYBODY
        for standing in (_standings(life, author) if subject in subjects else ())
        if has_standing(model, subject, author, standing) and author != own_account(model, subject)
    ]
    likely += [(author, found.standing) for (of, author), found in model.reviews.items() if of == subject[1]]
    groups: dict[tuple[int, bool], list[tuple[bytes, tuple[Any, ...]]]] = {}
    for found in likely:
        groups.setdefault((found[1][0], found[1][1:] in model.former_pledges), []).append(found)
    group = choose.choice([groups[name] for name in sorted(groups)]) if groups else []
    somebody = choose.choice(EVERYBODY) if life.chance(70) else choose.choice(PEOPLE).address
    pledges = [(2, *name) for name in (*model.pledges, *model.former_pledges)] or [(2, NOWHERE, 0)]
    done = [(3, name) for name in model.contributions] or [(3, NOWHERE)]
    theirs = choose.choice(_standings(life, somebody))
    anything = [(0,), (1,), theirs, theirs, choose.choice(pledges), choose.choice(done), (2, NOWHERE, 0)]
    author, standing = life.some(group, [(somebody, choose.choice(anything))], 78)
    text = b"" if life.chance(20) else life.fresh()
    payload = (subject, standing, choose.number(0, 1), choose.number(1, 5), text)
    life.send("review", payload, author, subject[1] if subject[0] == 0 else life.any_program())


def reply(life: Life) -> None:
    """The subject's own account replies."""
    choose, model = life.choose, life.model
    written = list(model.reviews)
    which, author = life.some(written, [(NOWHERE, STRANGER.address)], 97)
    if life.chance(8):
        author = choose.choice(PEOPLE).address
    tag = 1 if which in model.campaigns else 0
    owner = OWNER.address
    if tag == 0 and which in model.programs:
        owner = model.programs[which].owner
    elif tag == 1:
        owner = model.campaigns[which].creator
    if life.chance(5):
        owner = choose.choice(PEOPLE).address
    tag = 1 - tag if life.chance(2) else tag
    life.send("review.reply", ((tag, which), author, life.fresh()), owner, which if tag == 0 else b"")
