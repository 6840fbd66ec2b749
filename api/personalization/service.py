"""Personalization for one node: reads a fan through the gate, computes, and shows nothing whose consent ended meanwhile."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeVar

from api.http.receipt_desk import ReceiptDesk
from api.personalization.board import Boards
from api.personalization.candidates import QUESTION, Scene
from api.personalization.consent_gate import PersonalGate
from api.personalization.counting import Counting, GroupsRefused
from api.personalization.facts import FanFacts
from api.personalization.feedback import Heard, judge_feedback
from api.personalization.group_reading import Moment
from api.personalization.groups import Fan, Tally, make_group
from api.personalization.messages import decide, show_message, shown_now
from api.personalization.offer_plans import Crowd
from api.personalization.pacing import CONVERTED, OPT_OUT, Past
from api.personalization.predictor import PlainRules, Predictor
from api.personalization.preferences import change_preferences, check_answers, check_asked
from api.personalization.profile import build_profile
from api.personalization.questions import Imagine, find_question, show_asking
from api.receipts.inbox import KeptFeedback, KeptMessage
from api.receipts.store import ReceiptStore
from ledger.errors import Code, LedgerError
from ledger.types import Address, ProgramId, Timestamp
from node.clock import Clock
from node.store.reader import Reader

READS_MAX: Final = 3
"""How often a fan is read anew because a consent ended while an answer was made; then there is none."""

NOT_GRANTED = Code(
    "personal.not_granted",
    "this account has not allowed the program to personalise",
    "Allow it, if you want that: `fansumer wallet consent grant PROGRAM --purpose personalise`, after "
    "`fansumer wallet join PROGRAM`; refusing costs no points.",
)

GROUP_SECONDS_MAX: Final = 3_600
"""A walk through all fans of a program that takes longer is given up, and says so: no figure is of some of them."""
TOO_LONG = Code(
    "groups.too_long",
    "the program's fans were not all read within {seconds} s; of some of them no figures are made",
    "Ask again at a quieter hour, or on a faster machine.",
)

Made = TypeVar("Made")


class PersonalRefused(LedgerError):
    """What is asked for rests on a consent that is not there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A fan as it is seen at one moment, what was said to it before, and in which language.

    `imagine`: the same fan with other facts.
    """

    scene: Scene
    past: Past
    language: str
    imagine: Imagine
    linked: Sequence[FanFacts] = ()

    @property
    def facts(self) -> FanFacts:
        """What was granted."""
        return self.scene.facts


class Personalization:
    """`predictor` is replaced by a trained one where there is one (see `predictor`)."""

    def __init__(self, reader: Reader, gate: PersonalGate, desk: ReceiptDesk, clock: Clock) -> None:
        self.gate = gate
        self.boards = Boards()
        self.predictor: Predictor = PlainRules()
        self._reader = reader
        self._desk = desk
        self._clock = clock
        self._counting = Counting()
        self._walking = asyncio.Lock()
        """Held while all fans of a program are read: one walk at a time bounds memory, and leaves others the store."""

    async def see(self, fan: Address, program: ProgramId, what_for: str) -> Seen | None:
        """A fan as its program may see it; None if nothing is granted. Raises `program.unknown`."""
        with self._reader.snapshot() as view:
            board = self.boards.read(view, program)
        sight = await self.gate.look(fan, program, what_for)
        if sight is None:
            return None
        facts, catalogue = sight.facts, sight.catalogue
        linked = await self.gate.read_linked(facts, what_for)
        now, predictor = self._clock.now(), self.predictor  # another may be swapped in meanwhile
        if not predictor.is_prepared(facts, catalogue):
            await asyncio.to_thread(predictor.prepare, facts, catalogue, now)

        def imagine(of: FanFacts) -> Scene:
            profile = build_profile(of, catalogue, predictor, now, board.offset_minutes, linked)
            return Scene(of, profile, board, catalogue, predictor, now)

        return Seen(imagine(facts), sight.past, facts.wishes.document.get("language", "en"), imagine, linked)

    def _still_holds(self, seen: Seen) -> bool:
        """Whether all that a fan is seen by is granted still, what is linked from other programs among it."""
        return all(self.gate.still_holds(facts) for facts in (seen.facts, *seen.linked))

    async def answer(self, fan: Address, program: ProgramId, what_for: str, make: Callable[[Seen], Made]) -> Made:
        """What `make` makes of a fan. Raises `program.unknown`, `personal.not_granted`, also where it was taken back meanwhile."""
        for _ in range(READS_MAX):
            seen = await self.see(fan, program, what_for)
            if seen is None:
                break
            made = make(seen)
            if self._still_holds(seen):
                return made
        raise PersonalRefused(NOT_GRANTED)

    # --- messages ---

    async def messages(self, fan: Address, program: ProgramId) -> list[dict[str, Any]]:
        """What is shown to a fan now; what is decided in this moment is kept. Raises as `answer`."""
        for _ in range(READS_MAX):
            seen = await self.see(fan, program, "messages")
            if seen is None:
                break
            decided = decide(seen.scene, seen.past)
            if decided.fresh:
                if not self._still_holds(seen):
                    continue
                fresh, now = decided.fresh, self._clock.now()
                await self._desk.run(lambda store, fresh=fresh, now=now: store.inbox.add(fresh, now))
            shown = shown_now(seen.scene, decided, seen.past)
            if self._still_holds(seen):
                return [show_message(message, seen.language) for message in shown]
        raise PersonalRefused(NOT_GRANTED)

    # --- questions ---

    async def question(self, fan: Address, program: ProgramId) -> dict[str, Any] | None:
        """The question that is open for a fan, or is asked from now on; None if there is none. Raises as `answer`."""
        for _ in range(READS_MAX):
            seen = await self.see(fan, program, "questions")
            if seen is None:
                break
            # messages are decided once for each answer: not in the loop in which all requests are answered
            found = await asyncio.to_thread(find_question, seen.scene, seen.imagine, seen.past)
            if not self._still_holds(seen):
                continue
            if found is None:
                return None
            if found.fresh is not None:
                fresh, now = found.fresh, self._clock.now()
                await self._desk.run(lambda store, fresh=fresh, now=now: store.inbox.add([fresh], now))
            if self._still_holds(seen):
                return show_asking(found, seen.language)
        raise PersonalRefused(NOT_GRANTED)

    async def prefer(self, fan: Address, program: ProgramId, said: Mapping[str, Any]) -> dict[str, Any]:
        """Let preferences, and answers among them, take the place of those before; returns the new document.

        Raises AnswerRefused answer.question, answer.unknown, answer.not_asked.
        """
        check_answers(said.get("answers") or {})
        now = self._clock.now()
        return await self._desk.run(lambda store: _take_preferences(store, fan, program, said, now))

    # --- groups ---

    async def group(self, program: ProgramId, what_for: str) -> Sequence[Fan]:
        """All fans of a program whose consent is active, for figures of groups alone. Raises `program.unknown`."""
        return (await self.crowd(program, what_for)).fans

    async def crowd(self, program: ProgramId, what_for: str) -> Crowd:
        """The same with what everybody may know of the program. Raises `program.unknown`."""
        with self._reader.snapshot() as view:
            board = self.boards.read(view, program)
        found = await self.gate.read_group(program, what_for)
        catalogue = await self._desk.run(lambda store: self.gate.catalogues.read(store, program))
        now, predictor = self._clock.now(), self.predictor
        fans = await asyncio.to_thread(make_group, found, catalogue, predictor, now, board.offset_minutes)
        return Crowd(fans, board, catalogue, predictor, now)

    async def figures(
        self, program: ProgramId, what_for: str, asked: object, make: Callable[[int], Tally]
    ) -> dict[str, Any]:
        """Figures of all fans of a program whose consent is active, and `as_of` when. `asked`: what else they hang on.

        Raises `program.unknown`, `groups.counting`, `groups.busy`, `groups.too_long`.
        """
        return await self._counting.ask((program, what_for, asked), lambda: self.tally(program, what_for, make))

    async def close(self) -> None:
        """Stop what is being counted."""
        await self._counting.close()

    async def tally(self, program: ProgramId, what_for: str, make: Callable[[int], Tally]) -> dict[str, Any]:
        """The same, however long it takes: read and counted chunk by chunk, by the tally that `make` makes for the moment.

        One such walk at a time; it is given up after GROUP_SECONDS_MAX. Raises `program.unknown`, `groups.too_long`.
        """
        async with self._walking:
            with self._reader.snapshot() as view:
                board = self.boards.read(view, program)
            until = monotonic() + GROUP_SECONDS_MAX
            moment = Moment(self._clock.now(), self.predictor, board.offset_minutes)
            tally = make(moment.now)
            async for found in self.gate.walk_group(program, what_for, moment, tally.parts):
                for fan in found:
                    tally.add(fan)
                if monotonic() > until:
                    raise GroupsRefused(TOO_LONG, seconds=GROUP_SECONDS_MAX)
        return {"as_of": moment.now, **tally.show()}

    async def hear(self, fan: Address, program: ProgramId, heard: Sequence[Heard]) -> list[dict[str, Any]]:
        """Take in what a fan did with messages; what became of each. An opt-out switches its topic off at once."""
        now = self._clock.now()
        return await self._desk.run(lambda store: _take_in(store, fan, program, heard, now))


def _take_in(
    store: ReceiptStore, fan: Address, program: ProgramId, heard: Sequence[Heard], now: int
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for one in heard:
        found: KeptMessage | None = store.inbox.find(fan, one.message)
        result = judge_feedback(found, program, one, now)
        if result == "taken" and found is not None:
            kept = KeptFeedback(one.message, fan, program, one.kind, one.at, now)
            result = "taken" if store.inbox.add_feedback(kept) else "repeated"
        if found is not None and one.kind == OPT_OUT and result in ("taken", "repeated", "late"):
            _switch_off(store, fan, program, found.topic, now)
        results.append({"message": one.message.hex(), "kind": one.kind, "result": result})
    return results


def _take_preferences(
    store: ReceiptStore, fan: Address, program: ProgramId, said: Mapping[str, Any], now: Timestamp
) -> dict[str, Any]:
    """An answer is also what the fan did with the question: it was not ignored. What was to come is decided anew.

    Raises AnswerRefused answer.not_asked.
    """
    answers: Mapping[str, str] = said.get("answers") or {}
    asked = [one for one in store.inbox.all_of(fan, program) if one.topic == QUESTION] if answers else []
    before = store.preferences.find(fan, program)
    given = {} if before is None else before.document.get("answers", {})
    check_asked(answers, {*given, *(one.document["subject"] for one in asked)})
    store.inbox.drop_waiting(fan, program, now)
    document = store.preferences.change(fan, program, now, lambda before: change_preferences(before, said))
    for one in asked:
        if one.document["subject"] in answers:
            store.inbox.add_feedback(KeptFeedback(one.id, fan, program, CONVERTED, now, now))
    return document


def _switch_off(store: ReceiptStore, fan: Address, program: ProgramId, topic: str, now: Any) -> None:
    store.preferences.change(
        fan, program, now, lambda before: {**before, "off": sorted({*before.get("off", ()), topic})}
    )


__all__ = ["NOT_GRANTED", "Past", "PersonalRefused", "Personalization", "Seen"]
