"""Questions to a fan: only such whose answer would change something, one at a time, each with what it is for (spec PER-7).

What an answer would change is computed, not assumed: messages are decided and recommendations ranked as they would be with each
answer, and compared. An answer goes into the preferences (`PUT /v1/me/preferences`), where it can be taken back; a question that is
skipped or ignored counts like a message that is. Nothing but `FanFacts` is looked at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final

from api.personalization.candidates import QUESTION, Scene, Words
from api.personalization.discoveries import AGAIN_TIMES, linked_scopes, scopes_of
from api.personalization.facts import RECEIPTS, FanFacts, leave_out
from api.personalization.messages import decide, find_part, make_id, recommend, show_consent
from api.personalization.pacing import (
    CONVERTED,
    DISMISSED,
    IMPRESSION,
    OPT_OUT,
    TOPIC_DAYS,
    Past,
    find_trust,
    is_backed_off,
)
from api.personalization.predictor import times_by_item
from api.personalization.preferences import (
    ANSWERS,
    DISLIKE,
    GIFT,
    LANGUAGE,
    LASTS,
    PART_OF_DAY,
    preferences_in,
    with_answers,
)
from api.personalization.profile import usual_items
from api.personalization.rhythm import DAY_SECONDS
from api.personalization.texts import say_all
from api.personalization.value import DATA_MINUTES, TIMELINESS_ANY_TIME, Value
from api.receipts.inbox import KeptMessage

OPEN_DAYS: Final = 14
"""So long a question waits for its answer; then it counts as ignored."""
AGAIN_DAYS: Final = 90
"""A question that was skipped or ignored is not asked again before."""
BENEFIT_MINUTES: Final = 12.0
EFFORT_MINUTES: Final = 0.5
SUBJECTS_MAX: Final = 2
"""Items, or categories, that are asked about at a time, of each kind: bounds the work of one answer."""
CERTAIN_TIMES: Final = 5
"""What was bought so often is used up: that needs no question."""
LOOKED_AT: Final = 10
"""Recommendations that are compared, of each list."""
CHANGES_SHOWN: Final = 5

Imagine = Callable[[FanFacts], Scene]
"""The scene as it were with other facts of the same fan."""
Outcome = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""What is said and recommended: by (message, discovery or next_basket; topic; subject), what the fan sees of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What may be asked. `name` is what an answer is kept by; `scopes` are the consents that asking rests on.

    `linked` are other programs whose consents it rests on, too.
    """

    kind: str
    subject: str
    fields: Mapping[str, Any]
    scopes: frozenset[str]
    linked: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Such as `language`, or `lasts:mug`."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind

    def words(self, part: str = "") -> Words:
        """The question, or another text of it: `for`, or an answer."""
        return Words(f"ask_{self.kind}_{part}" if part else f"ask_{self.kind}", self.fields)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question with what each answer comes to."""

    question: Question
    outcomes: Mapping[str, Outcome]
    value: Value

    @property
    def changed(self) -> list[tuple[str, str, str]]:
        """What is not the same with each answer."""
        return _find_changed(tuple(self.outcomes.values()))


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked now. `fresh` is to be kept; None: it is open already."""

    document: Mapping[str, Any]
    message: KeptMessage
    fresh: KeptMessage | None


def find_question(scene: Scene, imagine: Imagine, past: Past) -> Asking | None:
    """The one question that is open, or is asked from now on; None: no answer would change anything, or none is wanted."""
    said = scene.facts.wishes.document
    if QUESTION in preferences_in(said)["off"]:
        return None
    asked = [message for message in past.messages if message.topic == QUESTION]
    answered = frozenset(said.get("answers", {}))
    left = [one for one in asked if one.document["subject"] not in answered and CONVERTED not in past.said_of(one)]
    if left:
        last = left[-1]
        is_open = scene.now < last.expires_at and not past.said_of(last) & {DISMISSED, OPT_OUT}
        weighed = _weigh_named(last.document["subject"], scene, imagine, past) if is_open else None
        if weighed is not None:
            return Asking(show_question(scene, weighed), last, None)
        if not is_open and scene.now - last.ready_at < TOPIC_DAYS * DAY_SECONDS:
            return None
    if is_backed_off(past, QUESTION, scene.now, scene.facts.wishes.changed_at):
        return None
    lately = {one.document["subject"] for one in asked if scene.now - one.ready_at < AGAIN_DAYS * DAY_SECONDS}
    weighed_all = [weigh(one, scene, imagine, past) for one in find_possible(scene, past, answered | lately)]
    worth = [one for one in weighed_all if one is not None and one.value.minutes > 0]
    if not worth:
        return None
    best = min(worth, key=lambda one: (-one.value.minutes, one.question.name))
    message = _make_message(scene, best, sum(one.document["subject"] == best.question.name for one in asked))
    return Asking(message.document, message, message)


def _weigh_named(name: str, scene: Scene, imagine: Imagine, past: Past) -> Weighed | None:
    """The question that was asked, as it stands now; None if it could not be asked any more."""
    found = next((one for one in find_possible(scene, past, frozenset(), name) if one.name == name), None)
    return None if found is None else weigh(found, scene, imagine, past)


def find_possible(scene: Scene, past: Past, leave: Set[str], first: str = "") -> Iterator[Question]:
    """What is not known and could be asked, but `leave`; whether it is worth it, `weigh` says. `first` is not cut off."""
    facts, said = scene.facts, scene.facts.wishes.document
    if LANGUAGE not in said and LANGUAGE not in leave:
        yield Question(LANGUAGE, "", {}, frozenset())
    if find_part(scene, past) is None and PART_OF_DAY not in leave:
        yield Question(PART_OF_DAY, "", {}, frozenset())
    if not any(scope.startswith(RECEIPTS) for scope in facts.scopes):
        return
    scopes = scopes_of(scene)
    for kind, subjects in _find_subjects(scene).items():
        wanted = [subject for subject in subjects if f"{kind}:{subject}" not in leave]
        wanted.sort(key=lambda subject, kind=kind: f"{kind}:{subject}" != first)
        for subject in wanted[:SUBJECTS_MAX]:
            fields = {"category": subject} if kind == DISLIKE else {"item": scene.names(subject)}
            linked = scene.profile.linked if kind == DISLIKE else ()  # nothing of the category was bought there, too
            yield Question(kind, subject, fields, scopes | linked_scopes(linked), linked)


def _find_subjects(scene: Scene) -> dict[str, list[str]]:
    """Categories and items that may be asked about, by kind, the ones that matter most first."""
    facts, said, times = scene.facts, scene.facts.wishes.document, times_by_item(scene.facts)
    found = scene.predictor.discover(facts, scene.catalogue, LOOKED_AT)
    known = {taste.name for taste in scene.profile.categories} | {"", *said.get("likes", ()), *said.get("wishes", ())}
    categories = dict.fromkeys(scene.catalogue.categories.get(one.item, "") for one in found)
    due = scene.predictor.next_basket(facts, scene.catalogue, scene.now, LOOKED_AT)
    usual = (*(one.item for one in due), *usual_items(facts, AGAIN_TIMES))
    once = dict.fromkeys(item for one in found for item in one.because)
    return {
        DISLIKE: [name for name in categories if name not in known],
        LASTS: [
            item for item in dict.fromkeys(usual) if len(times.get(item, ())) < CERTAIN_TIMES and not scene.lasts(item)
        ],
        GIFT: [item for item in once if len(times.get(item, ())) == 1],
    }


def weigh(question: Question, scene: Scene, imagine: Imagine, past: Past) -> Weighed | None:
    """What each answer would come to, and what it is worth to ask, as of a message; None: it would change nothing."""
    undecided = _without_waiting(past, scene.now)
    outcomes = {
        answer: find_outcome(imagine(with_answer(scene.facts, question.name, answer)), undecided)
        for answer in ANSWERS[question.kind]
    }
    changed = _find_changed(tuple(outcomes.values()))
    if not changed:
        return None
    everything = {key for outcome in outcomes.values() for key in outcome}
    value = Value(
        trust=find_trust(past, scene.now).share,
        relevance=len(changed) / len(everything),
        timeliness=TIMELINESS_ANY_TIME,
        benefit_minutes=BENEFIT_MINUTES,
        effort_minutes=EFFORT_MINUTES,
        data_minutes=round(DATA_MINUTES * len(question.scopes), 1),
    )
    return Weighed(question, outcomes, value)


def with_answer(facts: FanFacts, name: str, answer: str) -> FanFacts:
    """The facts as they were, had the fan given this answer."""
    document = {**facts.wishes.document, "answers": {**facts.wishes.document.get("answers", {}), name: answer}}
    wishes = replace(facts.wishes, document=with_answers(document))
    given = frozenset(wishes.document.get("given", ()))
    return replace(facts, wishes=wishes, purchases=leave_out(facts.purchases, given), memo={})


def find_outcome(scene: Scene, past: Past) -> Outcome:
    """All that would be said and recommended, when, and in which words."""
    language = preferences_in(scene.facts.wishes.document)["language"]
    found: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for message in decide(scene, past).fresh:
        if not message.is_held_out:
            key = ("message", message.topic, message.document["subject"])
            found[key] = {"text": message.document["texts"][language], "ready_at": message.ready_at}
    shown = recommend(scene, language, LOOKED_AT)
    for what in ("discoveries", "next_basket"):
        for rank, item in enumerate(shown[what], 1):
            found["recommendation", what, item["item"]] = {"text": item["name"], "rank": rank}
    return found


def _without_waiting(past: Past, now: int) -> Past:
    """The past without messages that wait or are shown, and that nothing was done with: they would be decided anew."""

    def is_over(message: KeptMessage) -> bool:
        said = past.said_of(message) - {IMPRESSION}
        return bool(said) or now >= message.expires_at or past.was_ignored(message, now) or message.topic == QUESTION

    return Past(tuple(message for message in past.messages if is_over(message)), past.feedback)


def _find_changed(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    keys = sorted({key for outcome in outcomes for key in outcome})
    return [key for key in keys if any(outcome.get(key) != outcomes[0].get(key) for outcome in outcomes)]


def _make_message(scene: Scene, weighed: Weighed, times_before: int) -> KeptMessage:
    name = weighed.question.name
    return KeptMessage(
        id=make_id(scene.facts, QUESTION, name, str(times_before)),
        member=scene.facts.fan,
        program=scene.facts.program,
        topic=QUESTION,
        decided_at=scene.now,
        ready_at=scene.now,
        expires_at=scene.now + OPEN_DAYS * DAY_SECONDS,
        is_held_out=False,
        document=show_question(scene, weighed),
    )


def show_question(scene: Scene, weighed: Weighed) -> dict[str, Any]:
    """The question in both languages, what it is for, and what each answer would change at this moment."""
    question, changed = weighed.question, weighed.changed
    return {
        "kind": QUESTION,
        "subject": question.name,
        "texts": say_all(question.words()),
        "what_for": say_all(question.words("for")),
        "answers": [{"answer": answer, "texts": say_all(question.words(answer))} for answer in ANSWERS[question.kind]],
        "changes": {
            "count": len(changed),
            "first": [
                {
                    "what": what,
                    "topic": topic,
                    "subject": subject,
                    "with": {
                        answer: outcome.get((what, topic, subject)) for answer, outcome in weighed.outcomes.items()
                    },
                }
                for what, topic, subject in changed[:CHANGES_SHOWN]
            ],
        },
        "value": weighed.value.show(),
        "consent": show_consent(question.scopes, question.linked),
        "switch": {"off": QUESTION},
    }


def show_asking(asking: Asking, language: str) -> dict[str, Any]:
    """A question as its fan gets it."""
    document, message = asking.document, asking.message
    return {
        "id": message.id.hex(),
        "program": message.program.hex(),
        "question": document["subject"],
        "text": document["texts"][language],
        "what_for": document["what_for"][language],
        **{name: document[name] for name in ("texts", "answers", "changes", "value", "consent", "switch")},
        "asked_at": message.ready_at,
        "expires_at": message.expires_at,
    }


__all__ = ["Asking", "Question", "find_question", "show_asking"]
