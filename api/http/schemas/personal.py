"""What a fan asks of personalization for itself, and what it is answered."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import EXAMPLE_ID, EXAMPLE_TIME, ID_PATTERN, Answer, Example
from api.personalization.preferences import Answers

Item = Annotated[str, Field(min_length=1, max_length=64)]


class BehaviourEvent(Answer):
    """Something that the fan did: looked at a product, searched, put it in the basket, or stayed with it for `seconds`."""

    kind: Literal["viewed", "searched", "basket", "stayed"]
    item: Annotated[
        str, Field(min_length=1, max_length=128, description="A product's or category's id, or what was searched.")
    ]
    at: int = Field(ge=0, le=2**40, description="Seconds since 1970.")
    seconds: int = Field(default=0, ge=0, le=86_400)

    EXAMPLE: ClassVar[Example] = {"kind": "viewed", "item": "1013167", "at": EXAMPLE_TIME, "seconds": 0}


class BehaviourBody(Answer):
    """What a fan's own application saw it do, for one program."""

    program: str = Field(pattern=ID_PATTERN)
    events: list[BehaviourEvent] = Field(min_length=1, max_length=100)

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "events": [BehaviourEvent.EXAMPLE]}


class BehaviourKept(Answer):
    """It is kept, off the chain, until the fan erases it. `kept`: how many rows of the account there are now."""

    program: str
    taken: int
    kept: int

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "taken": 1, "kept": 12}


class PreferencesBody(Answer):
    """Language, channel, quiet hours in minutes of the shop's day, caps, and topics that shall never come.

    It takes the place of what was said before; what is left out has its default. Answers that are left out stay.
    """

    program: str = Field(pattern=ID_PATTERN)
    language: Literal["en", "ko"] = "en"
    channel: Literal["inbox", "stream", "webhook"] = "inbox"
    quiet_from: int = Field(default=1_260, ge=0, le=1_439)
    quiet_until: int = Field(default=480, ge=0, le=1_439)
    day_max: int = Field(default=1, ge=0, le=20)
    week_max: int = Field(default=3, ge=0, le=100)
    off: list[Annotated[str, Field(pattern="^[a-z_]{1,32}$")]] = Field(default=[], max_length=200)
    answers: Answers | None = Field(
        default=None, description="By the question's name. Null: as before; one that is missing is taken back."
    )

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "language": "ko",
        "quiet_from": 1_260,
        "quiet_until": 480,
        "answers": {"lasts:1013167": "used_up"},
    }


class PreferencesAnswer(Answer):
    """What is in force now."""

    program: str
    language: str
    channel: str
    quiet_from: int
    quiet_until: int
    day_max: int
    week_max: int
    off: list[str]
    answers: dict[str, str]
    said: list[str] = Field(description="What the account said outright; of the rest these are defaults, or answers.")

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "language": "ko",
        "channel": "inbox",
        "quiet_from": 1_260,
        "quiet_until": 480,
        "day_max": 1,
        "week_max": 3,
        "off": ["winning_back"],
        "answers": {"lasts:1013167": "used_up"},
        "said": ["channel", "language", "off"],
    }


class CorrectionsBody(Answer):
    """What the fan says of its own taste, by categories or items. It takes the place of what was said before."""

    program: str = Field(pattern=ID_PATTERN)
    likes: list[Item] = Field(default=[], max_length=200)
    dislikes: list[Item] = Field(default=[], max_length=200)
    wishes: list[Item] = Field(default=[], max_length=200)

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "likes": ["COFFEE"],
        "dislikes": ["PET FOOD"],
        "wishes": ["1013167"],
    }


class CorrectionsAnswer(Answer):
    """What the profile will say from now on."""

    program: str
    likes: list[str]
    dislikes: list[str]
    wishes: list[str]

    EXAMPLE: ClassVar[Example] = CorrectionsBody.EXAMPLE


class ResetAnswer(Answer):
    """Personalization has forgotten the account: nothing before `reset_at` counts any more. Receipts stay the fan's own."""

    program: str
    reset_at: int
    deleted: int = Field(description="Rows of behaviour, messages, feedback and preferences.")

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "reset_at": EXAMPLE_TIME, "deleted": 12}


class MadeBy(Answer):
    """Who guesses: `rules` without a history, `behaviour` by the fan's own, `prediction` by a trained model."""

    stage: Literal["rules", "behaviour", "prediction"]
    version: str
    trained: bool

    EXAMPLE: ClassVar[Example] = {"stage": "behaviour", "version": "plain rules 1", "trained": False}


class ProfileAnswer(Answer):
    """What the program's personalization knows of the account, by consent; the fan may keep it and take it along."""

    format: str
    program: str
    scopes: list[str]
    made_by: MadeBy
    stage: Literal["new", "growing", "loyal", "cooling", "gone"]
    leaving: dict[str, Any]
    member_since: int
    rhythm: dict[str, Any]
    categories: list[dict[str, Any]]
    items: list[dict[str, Any]]
    price: dict[str, Any]
    occasion: dict[str, Any]
    standing: dict[str, Any] | None
    backed: list[dict[str, Any]]
    voted: list[str]
    contributed: list[str]
    said: list[dict[str, Any]]
    behaviour: dict[str, int]
    wishes: list[str]
    likes: list[str]
    dislikes: list[str]
    language: str
    channel: str
    linked_programs: list[str]
    reset_at: int | None

    EXAMPLE: ClassVar[Example] = {
        "format": "fansumer profile 1",
        "program": EXAMPLE_ID,
        "scopes": ["receipts", "standing"],
        "made_by": MadeBy.EXAMPLE,
        "stage": "growing",
        "leaving": {"probability": 0.12, "rests_on": "guessed"},
        "member_since": EXAMPLE_TIME,
        "rhythm": {"zone": "America/New_York", "visits": 9, "weekday": "saturday", "part_of_day": "afternoon"},
        "categories": [{"id": "COFFEE", "name": "COFFEE", "weight": 3.5, "times": 4, "last_at": EXAMPLE_TIME}],
        "items": [{"id": "1013167", "name": "Coffee", "weight": 3.5, "times": 4, "gap_days": 14.0}],
        "price": {"median_basket_cents": 1_147, "discount_share": 0.11, "sensitivity": "medium"},
        "occasion": {"own_purchases": 9, "gifts": "left out"},
        "standing": {"available": 415, "pending": 0, "held": 0, "tier": None, "tier_points": 0, "next_tier": None},
        "backed": [],
        "voted": [],
        "contributed": [],
        "said": [],
        "behaviour": {"viewed": 3},
        "wishes": [],
        "likes": ["COFFEE"],
        "dislikes": [],
        "language": "en",
        "channel": "inbox",
        "linked_programs": [],
        "reset_at": None,
    }


class MessageItem(Answer):
    """A message in all languages; why, by which rule and consent it comes, what it is worth, how to stop its kind."""

    id: str
    program: str
    text: str
    topic: str
    kind: Literal["assist", "anticipate"]
    subject: str
    texts: dict[str, str]
    action: dict[str, Any]
    why: list[dict[str, Any]]
    rule: dict[str, Any]
    made_by: dict[str, Any]
    value: dict[str, Any]
    consent: dict[str, Any]
    switch: dict[str, str]
    decided_at: int
    ready_at: int
    expires_at: int

    EXAMPLE: ClassVar[Example] = {
        "id": "7c" * 32,
        "program": EXAMPLE_ID,
        "text": "415 points expire on 2026-11-08.",
        "topic": "points_expiring",
        "kind": "anticipate",
        "subject": "points",
        "texts": {"en": "415 points expire on 2026-11-08.", "ko": "415 points의 유효 기간이 2026-11-08에 끝납니다."},
        "action": {"kind": "redeem"},
        "why": [
            {
                "texts": {"en": "415 of your points were earned under terms that end on 2026-11-08."},
                "rests_on": "proved",
                "source": {"program": EXAMPLE_ID},
            }
        ],
        "rule": {"name": "anticipate.points_expiring", "version": 1},
        "made_by": {"stage": "behaviour", "version": "plain rules 1"},
        "value": {
            "formula": "trust * relevance * timeliness * benefit_minutes - effort_minutes - data_minutes",
            "trust": 0.8,
            "relevance": 1.0,
            "timeliness": 0.8,
            "benefit_minutes": 30.0,
            "effort_minutes": 1.0,
            "data_minutes": 0.2,
            "value_minutes": 18.0,
        },
        "consent": {"purpose": "personalise", "scopes": ["standing"]},
        "switch": {"off": "points_expiring"},
        "decided_at": EXAMPLE_TIME,
        "ready_at": EXAMPLE_TIME,
        "expires_at": EXAMPLE_TIME + 604_800,
    }


class MessagesAnswer(Answer):
    """What the program has to say to the account now: what helps comes first."""

    program: str
    items: list[MessageItem]

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "items": [MessageItem.EXAMPLE]}


class QuestionItem(Answer):
    """A question in all languages, what it is for, its answers, and what would change now with each of them."""

    id: str
    program: str
    question: str
    text: str
    what_for: str
    texts: dict[str, str]
    answers: list[dict[str, Any]]
    changes: dict[str, Any]
    value: dict[str, Any]
    consent: dict[str, Any]
    switch: dict[str, str]
    asked_at: int
    expires_at: int

    EXAMPLE: ClassVar[Example] = {
        "id": "7c" * 32,
        "program": EXAMPLE_ID,
        "question": "lasts:1013167",
        "text": "Does Mug last, or is it used up?",
        "what_for": "If it lasts, you are not reminded to buy it again; if it is used up, you are, when it is usually due.",
        "texts": {"en": "Does Mug last, or is it used up?", "ko": "Mug 상품은 오래 쓰시나요?"},
        "answers": [
            {"answer": "lasts", "texts": {"en": "It lasts", "ko": "오래 씁니다"}},
            {"answer": "used_up", "texts": {"en": "It is used up", "ko": "다 쓰고 다시 구매합니다"}},
        ],
        "changes": {
            "count": 1,
            "first": [
                {
                    "what": "recommendation",
                    "topic": "next_basket",
                    "subject": "1013167",
                    "with": {"lasts": None, "used_up": {"text": "Mug", "rank": 1}},
                }
            ],
        },
        "value": {"value_minutes": 3.4},
        "consent": {"purpose": "personalise", "scopes": ["receipts"]},
        "switch": {"off": "question"},
        "asked_at": EXAMPLE_TIME,
        "expires_at": EXAMPLE_TIME + 1_209_600,
    }


class QuestionsAnswer(Answer):
    """What the program asks the account now: one question, or none."""

    program: str
    items: list[QuestionItem] = Field(max_length=1)

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "items": [QuestionItem.EXAMPLE]}


class RecommendedItem(Answer):
    """A product, how likely it is wanted (0 to 1), and why."""

    item: str
    name: str
    category: str | None
    score: float
    why: list[dict[str, Any]]

    EXAMPLE: ClassVar[Example] = {
        "item": "1029743",
        "name": "Milk",
        "category": "DAIRY",
        "score": 0.8,
        "why": [{"text": "Milk goes with it, says the brand.", "rests_on": "said", "source": {"product": "1029743"}}],
    }


class RecommendationsAnswer(Answer):
    """What was never bought and might be liked, and what is due by the account's own intervals."""

    program: str
    made_by: dict[str, Any]
    discoveries: list[RecommendedItem]
    next_basket: list[RecommendedItem]
    consent: dict[str, Any]

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "made_by": {"stage": "behaviour", "version": "plain rules 1"},
        "discoveries": [RecommendedItem.EXAMPLE],
        "next_basket": [],
        "consent": {"purpose": "personalise", "scopes": ["receipts"]},
    }


class FeedbackEvent(Answer):
    """What was done with a message, and when."""

    message: str = Field(pattern=ID_PATTERN)
    kind: Literal["impression", "opened", "clicked", "converted", "dismissed", "opt_out"]
    at: int = Field(ge=0, le=2**40)

    EXAMPLE: ClassVar[Example] = {"message": "7c" * 32, "kind": "opened", "at": EXAMPLE_TIME}


class FeedbackBody(Answer):
    """What a fan did with messages of one program."""

    program: str = Field(pattern=ID_PATTERN)
    events: list[FeedbackEvent] = Field(min_length=1, max_length=100)

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "events": [FeedbackEvent.EXAMPLE]}


class FeedbackResult(Answer):
    """What became of one piece of feedback."""

    message: str
    kind: str
    result: Literal["taken", "repeated", "unknown", "early", "late"]

    EXAMPLE: ClassVar[Example] = {"message": "7c" * 32, "kind": "opened", "result": "taken"}


class FeedbackAnswer(Answer):
    """What became of each piece of feedback, in its order."""

    program: str
    items: list[FeedbackResult]

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "items": [FeedbackResult.EXAMPLE]}
