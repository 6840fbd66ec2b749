"""Reviews, their revisions, the scores, and replies: REV-1 to REV-4."""

from tests.model.participation_records import Review, Scores
from tests.model.records import refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call

PROGRAM_SUBJECT, CAMPAIGN_SUBJECT = 0, 1
EARNED, REDEEMED, PLEDGED, CONTRIBUTED = range(4)
ENDORSES = 0


def own_account(model: Model, subject: tuple) -> bytes:
    """REV-1: who speaks for a subject, which exists."""
    tag, which = subject
    if tag == PROGRAM_SUBJECT:
        refuse_unless(which in model.programs, "program.unknown")
        return model.programs[which].owner
    refuse_unless(which in model.campaigns, "campaign.unknown")
    return model.campaigns[which].creator


def has_standing(model: Model, subject: tuple, author: bytes, standing: tuple) -> bool:
    """REV-2."""
    tag, which = subject
    is_program = tag == PROGRAM_SUBJECT
    if standing[0] in (EARNED, REDEEMED):
        member = model.members.get((which, author)) if is_program else None
        if member is None:
            return False
        return (member.entries if standing[0] == EARNED else member.redemptions) > 0
    if standing[0] == PLEDGED:
        pledge = model.pledges.get(standing[1:]) or model.former_pledges.get(standing[1:])
        if pledge is None or pledge.backer != author:
            return False
        campaign = model.campaigns[standing[1]]
        if is_program:
            return campaign.creator == model.programs[which].owner or campaign.unit[:2] == (1, which)
        return standing[1] == which
    found = model.contributions.get(standing[1])
    if found is None or found.fan != author:
        return False
    return (found.program if is_program else found.product) == which


def _add_to_scores(scores: Scores, stance: int, score: int, by: int) -> Scores:
    name = "endorsing" if stance == ENDORSES else "criticising"
    counts = list(getattr(scores, name))
    counts[score - 1] += by
    return scores._replace(**{name: tuple(counts)})


def write(model: Model, call: Call, payload: tuple) -> list[str]:
    """REV-3."""
    subject, standing, stance, score, text = payload
    which = subject[1]
    refuse_unless(call.author != own_account(model, subject), "review.own_subject")
    before = model.reviews.get((which, call.author))
    keeps_its_word = before is not None and before.standing == standing
    has_one = keeps_its_word or has_standing(model, subject, call.author, standing)
    refuse_unless(has_one, "review.no_standing")
    scores = model.scores.get(which, Scores((0,) * 5, (0,) * 5, 0))
    if before is None:
        model.take(call.payer, model.record_deposit)
        kept = (call.payer, model.record_deposit)
        review = Review(*kept, stance, score, text, standing, model.now, model.now, 1, b"", 0, 0)
    else:
        scores = _add_to_scores(scores, before.stance, before.score, -1)
        review = before._replace(
            stance=stance,
            score=score,
            text=text,
            standing=standing,
            latest_at=model.now,
            revisions=before.revisions + 1,
        )
    model.reviews[which, call.author] = review
    model.scores[which] = _add_to_scores(scores, stance, score, 1)
    return [""]


def reply(model: Model, call: Call, payload: tuple) -> list[str]:
    """REV-4."""
    subject, author, text = payload
    which = subject[1]
    refuse_unless(call.author == own_account(model, subject), "review.not_subject")
    refuse_unless((which, author) in model.reviews, "review.unknown")
    review, scores = model.reviews[which, author], model.scores[which]
    model.reviews[which, author] = review._replace(reply=text, replied_at=model.now, replies=review.replies + 1)
    model.scores[which] = scores._replace(replies=scores.replies + 1)
    return [""]
