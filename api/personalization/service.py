"""Personalization for one node: reads a fan through the gate, computes, and shows nothing whose consent ended meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from api.http.receipt_desk import ReceiptDesk
from api.personalization.catalogue import Catalogue
from api.personalization.consent_gate import PersonalGate
from api.personalization.facts import FanFacts
from api.personalization.predictor import PlainRules, Predictor
from api.personalization.profile import Profile, build_profile
from ledger.domains.loyalty.state import load_program
from ledger.errors import Code, LedgerError
from ledger.state import Overlay
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
    """A fan as it is seen at one moment: its facts and profile, and the catalogue by which they were read."""

    facts: FanFacts
    profile: Profile
    catalogue: Catalogue
    language: str
    now: int
    offset_minutes: int


class Personalization:
    """`predictor` is replaced by a trained one where there is one (see `predictor`)."""

    def __init__(self, reader: Reader, gate: PersonalGate, desk: ReceiptDesk, clock: Clock) -> None:
        self.gate = gate
        self.predictor: Predictor = PlainRules()
        self._reader = reader
        self._desk = desk
        self._clock = clock

    async def see(self, fan: Address, program: ProgramId, what_for: str) -> Seen | None:
        """A fan as its program may see it; None if nothing is granted. Raises `program.unknown`."""
        with self._reader.snapshot() as view:
            found = load_program(Overlay(view), program)
        facts = await self.gate.read(fan, program, what_for)
        if facts is None:
            return None
        linked = await self.gate.read_linked(facts, what_for)
        catalogue = await self._desk.run(lambda store: self.gate.catalogues.read(store, program))
        now = self._clock.now()
        profile = build_profile(facts, catalogue, self.predictor, now, found.offset_minutes, linked)
        language = facts.wishes.document.get("language", "en")
        return Seen(facts, profile, catalogue, language, now, found.offset_minutes)

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
