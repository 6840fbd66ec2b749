"""Answers about reviews, missions, contributions and texts."""

from typing import ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    ID_PATTERN,
    Answer,
    Example,
    PageAnswer,
)
from ledger.domains.voice.texts import TEXT_BYTES_MAX

Stance = Literal["endorse", "criticise"]
StandingName = Literal["earned", "redeemed", "pledged", "contributed"]
Role = Literal["testing", "translating", "idea", "supporting"]


class ReviewAnswer(Answer):
    """What one author says of a subject now. `text` is a hash; `text_here`: whether this node serves `/v1/texts/{text}`."""

    subject: str
    author: str
    stance: Stance
    score: int
    text: str | None
    text_here: bool
    standing: StandingName
    first_at: int
    latest_at: int
    revisions: int
    reply: str | None
    reply_here: bool
    replied_at: int | None
    replies: int

    EXAMPLE: ClassVar[Example] = {
        "subject": EXAMPLE_ID,
        "author": EXAMPLE_ADDRESS,
        "stance": "criticise",
        "score": 2,
        "text": "e3" * 32,
        "text_here": True,
        "standing": "earned",
        "first_at": EXAMPLE_TIME,
        "latest_at": EXAMPLE_TIME + 86_400,
        "revisions": 2,
        "reply": None,
        "reply_here": False,
        "replied_at": None,
        "replies": 0,
    }


class ShownScores(Answer):
    """How many authors' latest reviews give 1, 2, 3, 4 and 5, by stance; every node counts them."""

    endorsing: list[int]
    criticising: list[int]
    replies: int

    EXAMPLE: ClassVar[Example] = {"endorsing": [0, 0, 1, 4, 9], "criticising": [3, 1, 0, 0, 0], "replies": 2}


class ReviewsAnswer(PageAnswer):
    """A subject's reviews in the order in which their authors first spoke, and the count of all of them."""

    scores: ShownScores
    items: list[ReviewAnswer]

    EXAMPLE: ClassVar[Example] = {
        "scores": ShownScores.EXAMPLE,
        "items": [ReviewAnswer.EXAMPLE],
        "next_cursor": EXAMPLE_CURSOR,
    }


class AccountReviewsAnswer(PageAnswer):
    """An account's reviews in the order in which it first spoke of each subject."""

    items: list[ReviewAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [ReviewAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class RevisionItem(Answer):
    """What was said once: nothing deletes it."""

    height: int
    revision: int
    stance: Stance
    score: int
    text: str | None
    text_here: bool
    standing: StandingName

    EXAMPLE: ClassVar[Example] = {
        "height": 1_440,
        "revision": 1,
        "stance": "criticise",
        "score": 1,
        "text": "e4" * 32,
        "text_here": False,
        "standing": "earned",
    }


class RevisionsAnswer(PageAnswer):
    """All revisions of one review, the latest first."""

    items: list[RevisionItem]

    EXAMPLE: ClassVar[Example] = {"items": [RevisionItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class MissionAnswer(Answer):
    """What a brand asks fans to help with. `places` null: as many as come."""

    id: str
    program: str
    title: str
    text: str
    text_here: bool
    until: int
    places: int | None
    taken: int
    open: bool

    EXAMPLE: ClassVar[Example] = {
        "id": "4d" * 32,
        "program": EXAMPLE_ID,
        "title": "Test the lamp at night",
        "text": "e5" * 32,
        "text_here": True,
        "until": EXAMPLE_TIME + 864_000,
        "places": 20,
        "taken": 7,
        "open": True,
    }


class MissionsAnswer(PageAnswer):
    """A program's missions in the order in which they were made."""

    items: list[MissionAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [MissionAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class ContributionAnswer(Answer):
    """What a fan did, by its own word and the brand's. `product`: the campaign or reward that came of it, as the brand says."""

    id: str
    program: str
    fan: str
    mission: str | None
    role: Role
    work: str
    issuer: str
    worked_at: int
    recorded_at: int
    credited_at: int | None
    product: str | None

    EXAMPLE: ClassVar[Example] = {
        "id": "c7" * 32,
        "program": EXAMPLE_ID,
        "fan": EXAMPLE_ADDRESS,
        "mission": "4d" * 32,
        "role": "testing",
        "work": "77" * 32,
        "issuer": EXAMPLE_ADDRESS,
        "worked_at": EXAMPLE_TIME,
        "recorded_at": EXAMPLE_TIME + 60,
        "credited_at": None,
        "product": None,
    }


class ContributionsAnswer(PageAnswer):
    """Contributions in the order in which they were recorded."""

    items: list[ContributionAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [ContributionAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class TextAnswer(Answer):
    """A text, and the salt with which its hash is what stands on the chain."""

    text: str
    salt: str
    content: str

    EXAMPLE: ClassVar[Example] = {"text": "e3" * 32, "salt": "5a" * 32, "content": "The lamp flickers."}


class TextBody(Answer):
    """The text to keep, with its salt in hex."""

    salt: str = Field(pattern=ID_PATTERN)
    content: str = Field(min_length=1, max_length=TEXT_BYTES_MAX)

    EXAMPLE: ClassVar[Example] = {"salt": "5a" * 32, "content": "The lamp flickers."}


class TextKept(Answer):
    """The text is here."""

    text: str
    is_new: bool

    EXAMPLE: ClassVar[Example] = {"text": "e3" * 32, "is_new": True}


class TextErased(Answer):
    """The text is not here any more: 0 where it was not the account's, or gone already."""

    erased: int

    EXAMPLE: ClassVar[Example] = {"erased": 1}
