"""A fan's own profile and wishes: what a program's personalization knows of it, by its consent alone."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import Services, parse_id, services_of
from api.http.limits import client_of
from api.http.message_stream import MessageStream, read_position
from api.http.openapi import SIGNED, answers, answers_events, refuses, signed_body
from api.http.problems import RequestFault
from api.http.rendering import json_response
from api.http.schemas.answer import EXAMPLE_ID, ID_PATTERN
from api.http.schemas.personal import (
    BehaviourBody,
    BehaviourKept,
    CorrectionsAnswer,
    CorrectionsBody,
    FeedbackAnswer,
    FeedbackBody,
    MessagesAnswer,
    PreferencesAnswer,
    PreferencesBody,
    ProfileAnswer,
    QuestionsAnswer,
    RecommendationsAnswer,
    ResetAnswer,
)
from api.http.signatures import authenticate
from api.http.signed_bodies import read_signed
from api.personalization.candidates import QUESTION
from api.personalization.facts import BEHAVIOUR
from api.personalization.feedback import Heard
from api.personalization.messages import RECOMMENDED_MAX, recommend
from api.personalization.preferences import after_reset, preferences_in, said_in, with_answers
from api.personalization.profile import show_profile
from api.personalization.service import PersonalRefused, Seen
from api.personalization.value import BENEFIT_MINUTES
from api.receipts.behaviour import Deed
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.state import load_member, load_program
from ledger.errors import Code
from ledger.state import Overlay
from ledger.types import Address, Hash, ProgramId

BEHAVIOUR_SECONDS_MAX: Final = 31 * 86_400
"""What was done longer ago is not taken: who was offline hands it over later, but not for ever."""
CLOCK_SECONDS_MAX: Final = 600

TOPICS: Final = frozenset({*BENEFIT_MINUTES, QUESTION})
"""All that can be switched off: nobody shall believe to have stopped what goes on under another name."""
UNKNOWN_TOPIC = Code(
    "preference.topic", "there are no messages of the topic {topic}, only of {known}", "Choose one of these."
)
NO_BEHAVIOUR = Code(
    "personal.no_behaviour",
    "this account has not allowed the program to keep what it looks at",
    "Allow it, if you want that: `fansumer wallet consent grant PROGRAM --purpose personalise --scope behaviour`.",
)
BAD_TIME = Code(
    "behaviour.time",
    "something was done {seconds} s from now; 31 days back and 10 minutes ahead are taken",
    "Check the clock of the application; older things are not needed.",
)

router = APIRouter(prefix="/v1/me", tags=["personal"])

OfProgram = Annotated[
    str,
    Query(
        description="For which program: 64 hexadecimal digits.",
        examples=[EXAMPLE_ID],
        json_schema_extra={"pattern": ID_PATTERN},
    ),
]


@router.get(
    "/profile",
    summary="What personalization knows of the account",
    responses=answers(ProfileAnswer) | refuses(403),
    openapi_extra=SIGNED,
)
async def read_profile(request: Request, program: OfProgram) -> Response:
    """Taste, rhythm, sensitivity to prices, standing, what was backed and said, stage: computed anew from what was granted now.

    Gifts are left out. `made_by` says whether plain rules, the fan's own habits or a trained model guessed what is guessed.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account = await authenticate(request)

    def show(seen: Seen) -> dict[str, Any]:
        return show_profile(seen.scene.profile, seen.scene.catalogue, seen.scene.predictor, seen.language)

    return json_response(await services.personal.answer(account, program_id, "profile", show))


@router.put(
    "/profile",
    summary="Correct the profile",
    responses=answers(CorrectionsAnswer) | refuses(413, 415),
    openapi_extra={**SIGNED, **signed_body("The corrections.", CorrectionsBody)},
)
async def correct_profile(request: Request) -> Response:
    """Say what is liked, what is not, and what is wished for. What is disliked is never recommended again."""
    services = services_of(request)
    account, body = await read_signed(request, CorrectionsBody)
    program_id = require_member(services, account, body.program)
    said = {"likes": body.likes, "dislikes": body.dislikes, "wishes": body.wishes}
    now = services.node.clock.now()
    await services.receipts.run(
        lambda store: store.preferences.change(account, program_id, now, lambda before: {**before, **said})
    )
    return json_response({"program": program_id.hex(), **said})


@router.delete(
    "/profile",
    summary="Reset the profile",
    responses=answers(ResetAnswer),
    openapi_extra=SIGNED,
)
async def reset_profile(request: Request, program: OfProgram) -> Response:
    """Begin anew: behaviour, messages, feedback, corrections and answers are erased, and purchases before now count no more.

    Receipts stay where they are, for their fan, and preferences stay: what was switched off does not come again. Once this
    answers, no file of this node holds what was erased.
    """
    services = services_of(request)
    account = await authenticate(request)
    program_id = require_member(services, account, program)
    now = services.node.clock.now()
    deleted = await services.receipts.reset_profile(account, program_id, now, after_reset)
    services.personal.gate.forget(account)
    return json_response({"program": program_id.hex(), "reset_at": now, "deleted": deleted})


@router.get(
    "/messages",
    summary="What the program has to say to the account now",
    responses=answers(MessagesAnswer) | refuses(403),
    openapi_extra=SIGNED,
)
async def list_messages(request: Request, program: OfProgram) -> Response:
    """What helps first, then what may be welcome; each with why, by which rule, by which consent, and the switch that stops it.

    Computed from what is granted in this moment. Each fact says whether the chain proves it, somebody said it, or it is guessed.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account = await authenticate(request)
    found = await services.personal.messages(account, program_id)
    return json_response({"program": program_id.hex(), "items": found})


@router.get(
    "/messages/stream",
    response_class=Response,
    summary="Messages, as their time comes",
    responses=answers_events() | refuses(403),
    openapi_extra=SIGNED,
)
async def stream_messages(
    request: Request,
    program: OfProgram,
    last_event_id: Annotated[
        str | None,
        Header(
            max_length=96,
            description="Begin after the event with this id. Without it the stream begins with all that is shown now.",
            examples=[f"1793500000:{'7c' * 32}"],
        ),
    ] = None,
) -> Response:
    """Server-sent events named `message`, each once; `consent.ended` is the last one where the consent was taken back.

    The signature is checked when the stream begins; the consent, before each event. After an hour the client comes back.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    position = read_position(last_event_id)
    account = await authenticate(request)
    await services.personal.messages(account, program_id)  # refuses before anything is streamed
    host, _ = client_of(request.client.host if request.client else "")
    return MessageStream(services, account, program_id, position, services.events.listen(host))


@router.get(
    "/recommendations",
    summary="What the account might like, and what it may need",
    responses=answers(RecommendationsAnswer) | refuses(403),
    openapi_extra=SIGNED,
)
async def list_recommendations(
    request: Request,
    program: OfProgram,
    limit: Annotated[int, Query(ge=1, le=RECOMMENDED_MAX, description="At most so many of each.", examples=[10])] = 10,
) -> Response:
    """What was never bought and goes with what was, and what is due by the account's own intervals; each with its reasons."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account = await authenticate(request)

    def show(seen: Seen) -> dict[str, Any]:
        return recommend(seen.scene, seen.language, limit)

    return json_response(await services.personal.answer(account, program_id, "recommendations", show))


@router.post(
    "/feedback",
    summary="Say what was done with messages",
    responses=answers(FeedbackAnswer) | refuses(401),
    openapi_extra={**SIGNED, **signed_body("What the fan did.", FeedbackBody)},
)
async def add_feedback(request: Request) -> Response:
    """Impressions, opens, clicks, conversions, dismissals and opt-outs. Each counts once; an opt-out stops its topic at once.

    What does not count says why: `unknown` (no such message was shown to this account), `repeated`, `early`, `late` (30 days after
    the message ended).
    """
    services = services_of(request)
    account, body = await read_signed(request, FeedbackBody)
    program_id = require_member(services, account, body.program)
    heard = [Heard(Hash(parse_id("message", event.message)), event.kind, event.at) for event in body.events]
    return json_response(
        {"program": program_id.hex(), "items": await services.personal.hear(account, program_id, heard)}
    )


@router.post(
    "/behaviour",
    status_code=201,
    summary="Hand over what the fan looked at",
    responses=answers(BehaviourKept, 201) | refuses(401, 403),
    openapi_extra={**SIGNED, **signed_body("What the fan did.", BehaviourBody)},
)
async def add_behaviour(request: Request) -> Response:
    """Keep what the fan's own application saw it do: off the chain, for personalization alone, erased whenever the fan wants.

    Only where the fan's consent covers `behaviour` now; otherwise nothing is kept.
    """
    services = services_of(request)
    account, body = await read_signed(request, BehaviourBody)
    program_id = require_member(services, account, body.program)
    now = services.node.clock.now()
    for event in body.events:
        if not -BEHAVIOUR_SECONDS_MAX <= event.at - now <= CLOCK_SECONDS_MAX:
            raise PersonalRefused(BAD_TIME, seconds=abs(event.at - now))
    await services.consents.ready()
    with services.reader.snapshot() as view:
        consent = services.consents.find_active(view, account, program_id, PERSONALISE, BEHAVIOUR)
    if consent is None:
        raise PersonalRefused(NO_BEHAVIOUR)
    deeds = [Deed(event.kind, event.item, event.seconds, event.at, now) for event in body.events]
    kept = await services.receipts.run(lambda store: store.behaviour.add(account, program_id, deeds, now))
    return json_response({"program": program_id.hex(), "taken": len(deeds), "kept": kept}, 201)


@router.put(
    "/preferences",
    summary="Say how and when to be spoken to",
    responses=answers(PreferencesAnswer) | refuses(413, 415),
    openapi_extra={**SIGNED, **signed_body("The preferences.", PreferencesBody)},
)
async def put_preferences(request: Request) -> Response:
    """Language, channel, quiet hours, caps, topics that shall never come, and answers. It counts from the next answer on.

    What is left out has its default again; but `answers` left out stay as they were, and an answer missing in it is taken back.
    """
    services = services_of(request)
    account, body = await read_signed(request, PreferencesBody)
    program_id = require_member(services, account, body.program)
    unknown = sorted(set(body.off) - TOPICS)
    if unknown:
        raise RequestFault(UNKNOWN_TOPIC, topic=unknown[0], known=", ".join(sorted(TOPICS)))
    said = body.model_dump(exclude={"program"}, exclude_unset=True)
    document = await services.personal.prefer(account, program_id, said)
    return json_response(_show_preferences(program_id, document))


@router.get(
    "/preferences",
    summary="How and when the account is spoken to",
    responses=answers(PreferencesAnswer),
    openapi_extra=SIGNED,
)
async def read_preferences(request: Request, program: OfProgram) -> Response:
    """What the fan said, with the defaults of what it did not say."""
    services = services_of(request)
    account = await authenticate(request)
    program_id = require_member(services, account, program)
    kept = await services.receipts.run(lambda store: store.preferences.find(account, program_id))
    return json_response(_show_preferences(program_id, {} if kept is None else kept.document))


def _show_preferences(program: ProgramId, document: Mapping[str, Any]) -> dict[str, Any]:
    return {"program": program.hex(), **preferences_in(with_answers(document)), "said": said_in(document)}


@router.get(
    "/questions",
    summary="What the program asks the account now",
    responses=answers(QuestionsAnswer) | refuses(403),
    openapi_extra=SIGNED,
)
async def list_questions(request: Request, program: OfProgram) -> Response:
    """At most one question: one whose answer would change a message or a recommendation now, with what it is for.

    Answer it by `PUT /v1/me/preferences` under `answers`; skip it by feedback `dismissed` on its id; `opt_out` stops questions.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account = await authenticate(request)
    found = await services.personal.question(account, program_id)
    return json_response({"program": program_id.hex(), "items": [] if found is None else [found]})


def require_member(services: Services, account: Address, program: str) -> ProgramId:
    """The program, if the account ever joined it. Raises `id.format`, `program.unknown`, `member.unknown`."""
    program_id = ProgramId(parse_id("program", program))
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        load_member(Overlay(view), program_id, account)
    return program_id
