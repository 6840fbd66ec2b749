"""`review`: somebody with standing endorses or criticises a subject; a revision replaces nothing but the count (spec REV-3)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.domains.voice.reviews import (
    NO_SCORES,
    REVISIONS,
    SCORE,
    STANCE,
    STANDING,
    SUBJECT,
    Review,
    Scores,
    Standing,
    Subject,
    has_standing,
    load_own_account,
    review_key,
    scores_key,
    subject_key,
)
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Integer, OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, RecordKey, Timestamp

OWN_SUBJECT = Code("review.own_subject", "nobody reviews itself", "Let those speak who bought, backed or helped.")
NO_STANDING = Code(
    "review.no_standing",
    "the author has no such standing with this subject",
    "Buy from it, back it or help it first; then name that earn, redemption, pledge or contribution of your own.",
)


@dataclass(frozen=True, slots=True)
class ReviewWrite:
    """Of what, on what standing, for or against, a score of 1 to 5, and the hash of the text (or none)."""

    subject: Annotated[Subject, SUBJECT]
    standing: Annotated[Standing, STANDING]
    stance: Annotated[int, STANCE]
    score: Annotated[int, SCORE]
    text: Annotated[Hash, OptionalIdentifier()]


@declare_event
@dataclass(frozen=True, slots=True)
class ReviewWritten(Event):
    """What was said, in revision number `revision` (1 is the first). Nothing deletes it."""

    name: ClassVar[str] = "review.written"
    subject: Annotated[Hash, identifier()]
    author: Annotated[Address, identifier()]
    revision: Annotated[int, REVISIONS]
    stance: Annotated[int, STANCE]
    score: Annotated[int, SCORE]
    text: Annotated[Hash, OptionalIdentifier()]
    standing: Annotated[int, Integer(0, 3)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.subject, self.author)


def apply(view: RuleView, call: Call, payload: ReviewWrite, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `campaign.unknown`, `review.own_subject`, `review.no_standing`,
    `coin.insufficient` or `coin.pool_insufficient`.
    """
    if load_own_account(view, payload.subject) == call.author:
        raise RuleViolation(OWN_SUBJECT)
    subject = payload.subject.id
    key = review_key(subject, call.author)
    earlier: Review | None = view.get(key)
    keeps_standing = earlier is not None and earlier.standing == payload.standing
    if not keeps_standing and not has_standing(view, call.author, payload.subject, payload.standing):
        raise RuleViolation(NO_STANDING)
    scores: Scores = view.get(scores_key(subject)) or NO_SCORES
    if earlier is None:
        review = _first(view, call, payload, context)
    else:
        scores = scores.changed(earlier.stance, earlier.score, -1)
        review = replace(
            earlier,
            stance=payload.stance,
            score=payload.score,
            text=payload.text,
            standing=payload.standing,
            latest_at=context.time,
            revisions=earlier.revisions + 1,
        )
    view.put(key, review)
    view.put(scores_key(subject), scores.changed(payload.stance, payload.score, 1))
    view.emit(
        ReviewWritten(
            subject,
            call.author,
            review.revisions,
            payload.stance,
            payload.score,
            payload.text,
            payload.standing.tag,
        )
    )
    return (APPLIED,)


def _first(view: RuleView, call: Call, payload: ReviewWrite, context: Context) -> Review:
    return Review(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        stance=payload.stance,
        score=payload.score,
        text=payload.text,
        standing=payload.standing,
        first_at=context.time,
        latest_at=context.time,
        revisions=1,
        reply=Hash(b""),
        replied_at=Timestamp(0),
        replies=0,
    )


def cost(payload: ReviewWrite) -> Cost:
    """Review and scores are made or change, the payer is touched, what gives standing is read."""
    return Cost(records=4, slots=2)


def reads(author: Address, payload: ReviewWrite) -> tuple[RecordKey, ...]:
    """The subject, the review and the scores."""
    subject = payload.subject
    return (subject_key(subject), review_key(subject.id, author), scores_key(subject.id))


REVIEW = Kind(name="review", anchor="REV-3", payload=Struct(ReviewWrite), apply=apply, cost=cost, reads=reads)
