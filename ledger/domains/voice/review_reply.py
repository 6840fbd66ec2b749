"""`review.reply`: a subject answers a review; that is all that it can do about one (spec REV-4)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.voice.reviews import (
    REVISIONS,
    SUBJECT,
    Review,
    Scores,
    Subject,
    load_own_account,
    review_key,
    scores_key,
    subject_key,
)
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Hash, RecordKey

NOT_SUBJECT = Code(
    "review.not_subject",
    "only the account that speaks for the subject replies",
    "Sign with the owner's or creator's key.",
)
NO_REVIEW = Code(
    "review.unknown", "{author} has not reviewed this subject", "List its reviews and name an author of one."
)


@dataclass(frozen=True, slots=True)
class ReviewReply:
    """Whose review of what is answered, and the hash of the answer's text."""

    subject: Annotated[Subject, SUBJECT]
    author: Annotated[Address, identifier()]
    text: Annotated[Hash, identifier()]


@declare_event
@dataclass(frozen=True, slots=True)
class ReviewReplied(Event):
    """A subject answered a review, as it was in that revision."""

    name: ClassVar[str] = "review.replied"
    subject: Annotated[Hash, identifier()]
    author: Annotated[Address, identifier()]
    revision: Annotated[int, REVISIONS]
    text: Annotated[Hash, identifier()]
    replier: Annotated[Address, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.subject, self.author, self.replier)


def apply(view: RuleView, call: Call, payload: ReviewReply, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `campaign.unknown`, `review.not_subject`, `review.unknown`."""
    if load_own_account(view, payload.subject) != call.author:
        raise RuleViolation(NOT_SUBJECT)
    subject = payload.subject.id
    key = review_key(subject, payload.author)
    review: Review | None = view.get(key)
    if review is None:
        raise RuleViolation(NO_REVIEW, author=payload.author)
    replied = replace(review, reply=payload.text, replied_at=context.time, replies=review.replies + 1)
    view.put(key, replied)
    scores: Scores = view.get(scores_key(subject))
    view.put(scores_key(subject), replace(scores, replies=scores.replies + 1))
    view.emit(ReviewReplied(subject, payload.author, review.revisions, payload.text, call.author))
    return (APPLIED,)


def cost(payload: ReviewReply) -> Cost:
    """Review and scores change."""
    return Cost(records=2)


def reads(author: Address, payload: ReviewReply) -> tuple[RecordKey, ...]:
    """The subject, the review and the scores."""
    subject = payload.subject
    return (subject_key(subject), review_key(subject.id, payload.author), scores_key(subject.id))


REVIEW_REPLY = Kind(
    name="review.reply", anchor="REV-4", payload=Struct(ReviewReply), apply=apply, cost=cost, reads=reads
)
