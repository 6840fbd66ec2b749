"""What a fan may say to personalization for one program, with limits; everything has a default, and nothing must be said.

Answers to questions (spec PER-7) are part of it, by the question's name: `with_answers` says what they come to. What the fan said
outright goes before what it answered.
"""

from collections.abc import Mapping, Set
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger.errors import Code, LedgerError

LIST_MAX: Final = 200
MINUTES_OF_DAY: Final = 1_440

Topics = Annotated[list[Annotated[str, Field(pattern="^[a-z_]{1,32}$")]], Field(max_length=LIST_MAX)]
QuestionName = Annotated[str, Field(min_length=1, max_length=80)]
Answers = Annotated[dict[QuestionName, Annotated[str, Field(pattern="^[a-z_]{1,16}$")]], Field(max_length=LIST_MAX)]

LANGUAGE: Final = "language"
PART_OF_DAY: Final = "part_of_day"
DISLIKE: Final = "dislike"
LASTS: Final = "lasts"
GIFT: Final = "gift"
NEVER_SHOW: Final = "never"
IT_LASTS: Final = "lasts"
USED_UP: Final = "used_up"
GIVEN: Final = "gift"
ANSWERS: Final[Mapping[str, tuple[str, ...]]] = {
    LANGUAGE: ("en", "ko"),
    PART_OF_DAY: ("night", "early", "morning", "afternoon", "evening", "late"),
    DISLIKE: ("show", NEVER_SHOW),
    LASTS: (IT_LASTS, USED_UP),
    GIFT: ("own", GIVEN),
}
"""Which answers each kind of question takes."""
OF_SUBJECT: Final = frozenset({DISLIKE, LASTS, GIFT})
"""Kinds of questions about a category or an item: `dislike:CATEGORY`, `lasts:ITEM`, `gift:ITEM`."""
SUBJECT_CHARACTERS_MAX: Final = 64

UNKNOWN_QUESTION = Code(
    "answer.question",
    "there is no question {question}",
    "Take the name that `fansumer wallet questions PROGRAM` shows, such as lasts:ITEM.",
)
UNKNOWN_ANSWER = Code("answer.unknown", "the question {question} takes {known}, not {answer}", "Choose one of these.")
NOT_ASKED = Code(
    "answer.not_asked",
    "this account was never asked {question}",
    "Answer what `fansumer wallet questions PROGRAM` shows; likes and dislikes of your own: `fansumer wallet profile correct`.",
)


class AnswerRefused(LedgerError):
    """An answer to what was not asked, or one that its question does not take."""


class Preferences(BaseModel):
    """How and when a fan wants to hear of it, and what it wants or not.

    `quiet_from` and `quiet_until` are minutes of the day by the shop's clock: nothing comes between them; equal: there are no quiet
    hours. `day_max` and `week_max` are messages that sell; what helps (a recall) is not counted. `off` are topics never to come,
    `question` among them. `answers` are by the name of the question.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    language: Literal["en", "ko"] = "en"
    channel: Literal["inbox", "stream", "webhook"] = "inbox"
    quiet_from: int = Field(default=21 * 60, ge=0, lt=MINUTES_OF_DAY)
    quiet_until: int = Field(default=8 * 60, ge=0, lt=MINUTES_OF_DAY)
    day_max: int = Field(default=1, ge=0, le=20)
    week_max: int = Field(default=3, ge=0, le=100)
    off: Topics = []
    answers: Answers = {}


def preferences_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The preferences of what a fan said, with the defaults of what it did not say; corrections are left out."""
    return dict(DEFAULTS) | {name: value for name, value in document.items() if name in DEFAULTS}


def said_in(document: Mapping[str, Any]) -> list[str]:
    """Which preferences the fan said outright, so that no default and no answer stands for them."""
    return sorted(name for name in document if name in DEFAULTS and name != "answers")


def change_preferences(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The document after `PUT /v1/me/preferences`: what is not said any more has its default again, corrections stay.

    `said["answers"]` missing or None leaves the answers as they were; an answer that is missing in it is taken back.
    """
    answers = before.get("answers", {}) if said.get("answers") is None else said["answers"]
    corrections = {name: value for name, value in before.items() if name not in DEFAULTS}
    outright = {name: value for name, value in said.items() if name != "answers"}
    return {**corrections, **outright, **({"answers": dict(answers)} if answers else {})}


def after_reset(before: Mapping[str, Any]) -> dict[str, Any]:
    """The document after `DELETE /v1/me/profile`: how the fan wants to be spoken to stays; corrections and answers are gone."""
    return {name: before[name] for name in said_in(before)}


def check_answers(answers: Mapping[str, str]) -> None:
    """Raise AnswerRefused answer.question or answer.unknown."""
    for name, answer in answers.items():
        kind, colon, subject = name.partition(":")
        is_named = bool(colon) and 0 < len(subject) <= SUBJECT_CHARACTERS_MAX
        if kind not in ANSWERS or is_named is not (kind in OF_SUBJECT) or (colon and not subject):
            raise AnswerRefused(UNKNOWN_QUESTION, question=name)
        if answer not in ANSWERS[kind]:
            raise AnswerRefused(UNKNOWN_ANSWER, question=name, known=" or ".join(ANSWERS[kind]), answer=answer)


def check_asked(answers: Mapping[str, str], asked: Set[str]) -> None:
    """Raise AnswerRefused answer.not_asked, where one is about a category or an item that is not in `asked`."""
    for name in answers:
        if name.partition(":")[0] in OF_SUBJECT and name not in asked:
            raise AnswerRefused(NOT_ASKED, question=name)


def with_answers(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as personalization reads it: what the answers come to, where the fan did not say otherwise outright.

    Beside the preferences and corrections: `part_of_day`; `lasting`, `used_up` and `given` are items.
    """
    found = dict(document)
    lists: dict[str, list[str]] = {}
    for name, answer in sorted(document.get("answers", {}).items()):
        kind, _, subject = name.partition(":")
        if kind == LANGUAGE and LANGUAGE not in document:
            found[LANGUAGE] = answer
        elif kind == PART_OF_DAY:
            found[PART_OF_DAY] = answer
        elif (kind, answer) in COMES_TO:
            lists.setdefault(COMES_TO[kind, answer], []).append(subject)
    for name, subjects in lists.items():
        found[name] = sorted({*document.get(name, ()), *subjects})
    return found


COMES_TO: Final[Mapping[tuple[str, str], str]] = {
    (DISLIKE, NEVER_SHOW): "dislikes",
    (LASTS, IT_LASTS): "lasting",
    (LASTS, USED_UP): "used_up",
    (GIFT, GIVEN): "given",
}
"""Into which list of the document an answer puts its subject."""
DEFAULTS: Final[Mapping[str, Any]] = Preferences().model_dump()
