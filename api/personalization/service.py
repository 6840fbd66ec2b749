"""Personalization for one node: reads a fan through the gate, computes, and shows nothing whose consent ended meanwhile."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from api.http.receipt_desk import ReceiptDesk
from api.personalization.board import Boards
from api.personalization.candidates import Scene
from api.personalization.consent_gate import PersonalGate
from api.personalization.facts import FanFacts
from api.personalization.feedback import Heard, judge_feedback
from api.personalization.groups import Fan, make_group
from api.personalization.messages import decide, show_message, shown_now
from api.personalization.offer_plans import Crowd
from api.personalization.pacing import OPT_OUT, Past
from api.personalization.predictor import PlainRules, Predictor
from api.personalization.profile import build_profile
from api.receipts.inbox import KeptFeedback, KeptMessage
from api.receipts.store import ReceiptStore
from ledger.errors import Code, LedgerError
from ledger.types import Address, ProgramId
from node.clock import Clock
from node.store.reader import Reader

READS_MAX: Final = 3
"""How often a fan is read anew because a consent ended while an answer was made; then there is none."""

NOT_GRANTED = Code(
    "personal.not_granted",
    "this account has not allowed the program to personalise",
    "Allow it, if you want that: `fansumer wallet consent grant PROGRAM --purpose personalise`; refusing costs no points.",
)

Made = TypeVar("Made")


class PersonalRefused(LedgerError):
    """What is asked for rests on a consent that is not there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A fan as it is seen at one moment, and the language in which it is spoken to."""

    scene: Scene
    language: str

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

    async def see(self, fan: Address, program: ProgramId, what_for: str) -> Seen | None:
        """A fan as its program may see it; None if nothing is granted. Raises `program.unknown`."""
        with self._reader.snapshot() as view:
            board = self.boards.read(view, program)
        facts = await self.gate.read(fan, program, what_for)
        if facts is None:
            return None
        linked = await self.gate.read_linked(facts, what_for)
        catalogue = await self._desk.run(lambda store: self.gate.catalogues.read(store, program))
        now, predictor = self._clock.now(), self.predictor  # another may be swapped in meanwhile
        if not predictor.is_prepared(facts, catalogue):
            await asyncio.to_thread(predictor.prepare, facts, catalogue, now)
        profile = build_profile(facts, catalogue, predictor, now, board.offset_minutes, linked)
        scene = Scene(facts, profile, board, catalogue, predictor, now)
        return Seen(scene, facts.wishes.document.get("language", "en"))

    async def answer(self, fan: Address, program: ProgramId, what_for: str, make: Callable[[Seen], Made]) -> Made:
        """What `make` makes of a fan. Raises `program.unknown`, `personal.not_granted`, also where it was taken back meanwhile."""
        for _ in range(READS_MAX):
            seen = await self.see(fan, program, what_for)
            if seen is None:
                break
            made = make(seen)
            if self.gate.still_holds(seen.facts):
                return made
        raise PersonalRefused(NOT_GRANTED)

    # --- messages ---

    async def messages(self, fan: Address, program: ProgramId) -> list[dict[str, Any]]:
        """What is shown to a fan now; what is decided in this moment is kept. Raises as `answer`."""
        for _ in range(READS_MAX):
            seen = await self.see(fan, program, "messages")
            if seen is None:
                break
            past = await self.gate.read_past(seen.facts)
            decided = decide(seen.scene, past)
            if not self.gate.still_holds(seen.facts):
                continue
            if decided.fresh:
                fresh, now = decided.fresh, self._clock.now()
                await self._desk.run(lambda store, fresh=fresh, now=now: store.inbox.add(fresh, now))
            shown = shown_now(seen.scene, decided, past)
            if self.gate.still_holds(seen.facts):
                return [show_message(message, seen.language) for message in shown]
        raise PersonalRefused(NOT_GRANTED)

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
            if one.kind == OPT_OUT:
                _switch_off(store, fan, program, found.topic, now)
        results.append({"message": one.message.hex(), "kind": one.kind, "result": result})
    return results


def _switch_off(store: ReceiptStore, fan: Address, program: ProgramId, topic: str, now: Any) -> None:
    store.preferences.change(
        fan, program, now, lambda before: {**before, "off": sorted({*before.get("off", ()), topic})}
    )


__all__ = ["NOT_GRANTED", "Past", "PersonalRefused", "Personalization", "Seen"]
