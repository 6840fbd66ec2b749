"""Which messages a fan gets: candidates, their value, their moment; and how each is explained."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from api.personalization.anticipate import find_anticipations
from api.personalization.assist import find_assists
from api.personalization.candidates import ANTICIPATE, RULES_VERSION, Candidate, Reason, Scene
from api.personalization.discoveries import discovery_reasons, replenish_reasons
from api.personalization.facts import FanFacts
from api.personalization.pacing import (
    DISMISSED,
    OPT_OUT,
    Pace,
    Past,
    find_trust,
    is_backed_off,
    is_held_out,
    opened_part,
)
from api.personalization.predictor import may_offer
from api.personalization.preferences import PART_OF_DAY, preferences_in
from api.personalization.rhythm import DAY_SECONDS, find_zone
from api.personalization.texts import say, say_all
from api.personalization.value import Value, find_value
from api.receipts.inbox import KeptMessage
from ledger.types import Hash

SHOWN_DAYS: Final = 14
"""How long a message without a deadline is shown."""
COUNTED_DAYS: Final = 8
"""Messages since then are counted by caps: a week, and the day that is not over."""
LASTING: Final = frozenset({"discovery", "challenge"})
"""Topics that stay true until one of their items was bought, though others may rank higher meanwhile."""
RECOMMENDED_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided now; `present` are the documents, by message, of all that could be said at this moment."""

    fresh: tuple[KeptMessage, ...]
    present: Mapping[Hash, Mapping[str, Any]]


def decide(scene: Scene, past: Past) -> Decision:
    """What is said to this fan from now on: helping first, then by value, as far as caps, quiet hours and back-off let it."""
    facts, document = scene.facts, scene.facts.wishes.document
    preferences = preferences_in(document)
    zone = find_zone(scene.catalogue.zone, scene.board.offset_minutes)
    pace = Pace(preferences, zone, find_part(scene, past), scene.profile.rhythm.own_weekday)
    trust, known = find_trust(past, scene.now), {message.id for message in past.messages}
    recent = past.since(scene.now - COUNTED_DAYS * DAY_SECONDS)
    backed_off = {
        topic
        for topic in {message.topic for message in past.messages}
        if is_backed_off(past, topic, scene.now, facts.wishes.changed_at)
    }
    valued = [(candidate, find_value(candidate, trust, scene.now)) for candidate in find_candidates(scene)]
    worth = [
        (candidate, value)
        for candidate, value in valued
        if value.minutes > 0
        and candidate.topic not in preferences["off"]
        and message_id(scene, candidate) not in known
        and not (may_back_off(candidate) and candidate.topic in backed_off)
    ]
    worth.sort(key=lambda found: (found[0].kind == ANTICIPATE, -found[1].minutes, found[0].topic, found[0].subject))
    fresh: list[KeptMessage] = []
    for candidate, value in worth:
        moment = pace.find_moment(candidate, (*recent, *fresh), scene.now)
        if moment is not None:
            fresh.append(_make_message(scene, candidate, value, moment))
    present = {message_id(scene, candidate): (candidate, value) for candidate, value in valued}
    told = [
        one for one in (*past.messages, *fresh) if one.ready_at <= scene.now < one.expires_at and not one.is_held_out
    ]
    wanted = [message.id for message in told if message.id in present]
    return Decision(tuple(fresh), {found: _make_document(scene, *present[found]) for found in wanted})


def find_part(scene: Scene, past: Past) -> str | None:
    """The part of the day in which the fan is there: as it answered, else in which it opens messages, else in which it shops."""
    zone = find_zone(scene.catalogue.zone, scene.board.offset_minutes)
    said: str | None = scene.facts.wishes.document.get(PART_OF_DAY)
    return said or opened_part(past, zone) or scene.profile.rhythm.part


def find_candidates(scene: Scene) -> list[Candidate]:
    """All that could be said to this fan at this moment."""
    return [*find_assists(scene), *find_anticipations(scene)]


def may_back_off(candidate: Candidate) -> bool:
    """Whether silence is an answer: not to what protects the fan."""
    return candidate.kind == ANTICIPATE or candidate.topic == "how_to"


def message_id(scene: Scene, candidate: Candidate) -> Hash:
    """The same message has the same id, whoever computes it and whenever."""
    return make_id(scene.facts, candidate.topic, candidate.subject, candidate.occasion)


def make_id(facts: FanFacts, topic: str, subject: str, occasion: str) -> Hash:
    """The id of what is said to a fan about a subject on an occasion."""
    text = f"{topic}\x1f{subject}\x1f{occasion}".encode()
    return Hash(sha256(b"fansumer message 1" + facts.fan + facts.program + text).digest())


def _make_message(scene: Scene, candidate: Candidate, value: Value, moment: int) -> KeptMessage:
    expires_at = candidate.deadline or moment + SHOWN_DAYS * DAY_SECONDS
    may_hold_out = candidate.kind == ANTICIPATE and not candidate.is_promised
    held_out = may_hold_out and is_held_out(scene.facts, candidate.topic, scene.now)
    return KeptMessage(
        id=message_id(scene, candidate),
        member=scene.facts.fan,
        program=scene.facts.program,
        topic=candidate.topic,
        decided_at=scene.now,
        ready_at=moment,
        expires_at=max(expires_at, moment + 1),
        is_held_out=held_out,
        document=_make_document(scene, candidate, value),
    )


def _make_document(scene: Scene, candidate: Candidate, value: Value) -> dict[str, Any]:
    """What is said and why, as of now."""
    return {
        "topic": candidate.topic,
        "kind": candidate.kind,
        "subject": candidate.subject,
        "texts": say_all(candidate.words),
        "action": dict(candidate.action),
        "why": show_reasons(candidate.reasons),
        "rule": {"name": f"{candidate.kind}.{candidate.topic}", "version": RULES_VERSION},
        "made_by": show_maker(scene),
        "value": value.show(),
        "consent": show_consent(candidate.scopes, candidate.linked),
        "receipts": sorted(candidate.receipts),
        "switch": {"off": candidate.topic},
    }


def show_consent(scopes: Collection[str], linked: Sequence[str] = ()) -> dict[str, Any]:
    """The consents that were used: scopes as they were granted, and the linked programs whose own consents count with them."""
    programs = {"linked_programs": list(linked)} if linked else {}
    return {"purpose": "personalise", "scopes": sorted(scopes), **programs}


def show_maker(scene: Scene) -> dict[str, Any]:
    """Who guessed: rules, the fan's own habits, or a model."""
    return {"stage": scene.predictor.stage_of(scene.facts), "version": scene.predictor.version_of(scene.facts)}


def show_reasons(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    """Each fact in both languages, with what it rests on and where it can be looked up."""
    return [
        {"texts": say_all(reason.words), "rests_on": reason.rests_on, "source": dict(reason.source)}
        for reason in reasons
    ]


def shown_now(scene: Scene, decision: Decision, past: Past) -> list[KeptMessage]:
    """What is shown now, as it stands now: its time has come, it is true still, and all consents and receipts are there still."""
    off = set(preferences_in(scene.facts.wishes.document)["off"])
    found: list[KeptMessage] = []
    for message in (*past.messages, *decision.fresh):
        document = decision.present.get(message.id) or _lasting(scene, message)
        is_time = message.ready_at <= scene.now < message.expires_at
        is_wanted = message.topic not in off and not past.said_of(message) & {DISMISSED, OPT_OUT}
        if document is not None and is_time and is_wanted and not message.is_held_out:
            found.append(replace(message, document=document))
    return sorted(found, key=lambda one: (one.document["kind"] == ANTICIPATE, -one.ready_at, one.id))


def _lasting(scene: Scene, message: KeptMessage) -> Mapping[str, Any] | None:
    """The document of a message that is no candidate any more and still holds; None if it does not."""
    document = message.document
    if message.topic not in LASTING or not set(document["consent"]["scopes"]) <= scene.facts.scopes:
        return None
    if not set(document["consent"].get("linked_programs", ())) <= set(scene.profile.linked):
        return None
    if not set(document["receipts"]) <= {purchase.receipt for purchase in scene.facts.purchases}:
        return None
    action, dislikes = document["action"], set(scene.facts.wishes.document.get("dislikes", ()))
    items = {*action.get("items", ()), *({action["item"]} if "item" in action else ())}
    if not all(may_offer(item, scene.catalogue, dislikes) for item in items):
        return None
    since = [purchase for purchase in scene.facts.purchases if purchase.time >= message.decided_at]
    return None if any(line.item in items for purchase in since for line in purchase.lines) else document


def show_message(message: KeptMessage, language: str) -> dict[str, Any]:
    """A message as its fan gets it."""
    document: Mapping[str, Any] = message.document
    shown = {name: document[name] for name in ("topic", "kind", "subject", "texts", "action", "why", "rule", "made_by")}
    return {
        "id": message.id.hex(),
        "program": message.program.hex(),
        "text": document["texts"][language],
        **shown,
        "value": document["value"],
        "consent": document["consent"],
        "switch": document["switch"],
        "decided_at": message.decided_at,
        "ready_at": message.ready_at,
        "expires_at": message.expires_at,
    }


def recommend(scene: Scene, language: str, limit: int) -> dict[str, Any]:
    """What the fan may not know yet, and what it may need now; each with its reasons."""
    discovered = scene.predictor.discover(scene.facts, scene.catalogue, limit)
    due = scene.predictor.next_basket(scene.facts, scene.catalogue, scene.now, limit)

    def show(item: str, score: float, reasons: Sequence[Reason]) -> dict[str, Any]:
        return {
            "item": item,
            "name": scene.catalogue.name(item, language),
            "category": scene.catalogue.categories.get(item) or None,
            "score": round(score, 4),
            "why": [
                {"text": say(reason.words, language), "rests_on": reason.rests_on, "source": dict(reason.source)}
                for reason in reasons
            ],
        }

    return {
        "program": scene.facts.program.hex(),
        "made_by": show_maker(scene),
        "discoveries": [show(one.item, one.score, discovery_reasons(scene, one)) for one in discovered],
        "next_basket": [show(one.item, one.score, replenish_reasons(scene, one)) for one in due],
        "consent": show_consent(scene.facts.scopes, scene.profile.linked),
    }
