"""The one door through which anything of a fan comes into personalization: nothing else there reads receipts or the chain.

`await gate.read(fan, program, what_for)` gives `FanFacts`: what that fan granted to that program for the purpose `personalise`,
by a consent that is active now (spec CON-4: a revocation counts from the moment in which this node received it, before any block).
None: for the asker nothing of this fan exists, be it that there is no such member, no consent, or one that has ended.

Scopes: the empty one covers `receipts`, `behaviour`, `standing`, `campaigns` and `voice`; `receipts/CATEGORY` covers lines of one
category; `linked` must be named: then what the same account granted to other programs may be used for this one, too. Receipts that
are marked as gifts are never read. Each read is a row of the fan's log before anything is given. What was computed from facts is
shown only if `still_holds(facts)` afterwards.

What was read off the chain is remembered, parsed, for as long as the store's own version of it is the same, which each read asks
for: what was erased, marked or added counts in the next answer.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cachetools import LRUCache

from api.consent.gate import ALL_OF_IT, ConsentGate
from api.http.receipt_desk import ReceiptDesk
from api.personalization.catalogue import Catalogue, Catalogues
from api.personalization.chain_facts import ChainFacts, read_member, read_said
from api.personalization.facts import (
    BEHAVIOUR,
    CATEGORY_PREFIX,
    LINKED,
    RECEIPTS,
    SCOPES,
    SCOPES_BY_NAME,
    VOICE,
    Behaviour,
    FanFacts,
    Promised,
    Purchase,
    Said,
    Wishes,
)
from api.personalization.figures import VOICE_PART, FanFigures
from api.personalization.granted_purchases import (
    Categories,
    covers_purchases,
    facts_reader,
    granted_purchases,
    purchases_of,
)
from api.personalization.group_reading import (
    PURCHASES_MAX,
    Bought,
    Granted,
    GroupMemory,
    Moment,
    read_bought,
)
from api.personalization.pacing import Past
from api.personalization.preferences import with_answers
from api.personalization.service_history import (
    NOT_GRANTED,
    SERVICE,
    Look,
    ServiceHistory,
    read_chain,
    read_store,
    service_parts,
)
from api.receipts.access_log import Read
from api.receipts.store import ReceiptStore
from api.receipts.versions import Version
from api.wallet.offers import offer_text
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.state import Member, Program, member_key, program_key
from ledger.domains.offers.terms import decode_offer
from ledger.types import Address, ProgramId
from node.clock import Clock
from node.store.reader import Position, Reader, Snapshot

PROGRAMS_LINKED_MAX: Final = 8
FANS_REMEMBERED: Final = 20_000
"""Whose parsed receipts are kept in memory: about 40 kB each for a grocer's year."""

GROUP_PAGE: Final = 1_000
"""Members of a program whose addresses are read at a time, until there are none."""
GROUP_CHUNK: Final = 100
"""Of them, so many are read at a time, so that others have their turn, and only these are in memory."""
GROUP_SCOPES: Final = frozenset({RECEIPTS, VOICE})
"""What figures of groups are made of, with `receipts/CATEGORY`: nothing else of a fan is read for them."""

OffChain = tuple[tuple[Purchase, ...], tuple[Behaviour, ...], Wishes]


@dataclass(slots=True)
class Remembered:
    """What was parsed of one fan at a version of the store, and, by the scopes that were granted, what was computed of it."""

    version: tuple[object, ...]
    off_chain: OffChain
    by_scopes: dict[frozenset[str], tuple[tuple[Purchase, ...], dict[Any, Any]]]


@dataclass(frozen=True, slots=True)
class Sight:
    """A fan as it is read for an answer: what it granted, what the brand says of its products, what was said to the fan before."""

    facts: FanFacts
    catalogue: Catalogue
    past: Past


class PersonalGate:
    """Reads fans for one node. Its memory of a fan is dropped by `forget`."""

    def __init__(self, reader: Reader, consents: ConsentGate, desk: ReceiptDesk, clock: Clock) -> None:
        self._reader = reader
        self._consents = consents
        self._desk = desk
        self._clock = clock
        self.catalogues = Catalogues()
        self._chain = ChainFacts()
        self._remembered: LRUCache[tuple[Address, ProgramId], Remembered] = LRUCache(FANS_REMEMBERED)
        self._groups = GroupMemory()
        self._past: LRUCache[tuple[Address, ProgramId], tuple[tuple[Any, ...], Past]] = LRUCache(FANS_REMEMBERED)

    async def read(self, fan: Address, program: ProgramId, what_for: str) -> FanFacts | None:
        """What the fan granted to the program, and a row in the fan's log that says `what_for`; None: nothing is granted."""
        return (await self.read_all([fan], program, what_for))[0]

    async def read_all(self, fans: Sequence[Address], program: ProgramId, what_for: str) -> list[FanFacts | None]:
        """The same for many fans, in one go; each has its row."""
        await self._consents.ready()
        with self._reader.snapshot() as view:
            found = [self._read_chain(view, fan, program) for fan in fans]
        whole = await self._desk.run(lambda store: self._add_off_chain(store, found, what_for))
        return [facts if facts is not None and self.still_holds(facts) else None for facts in whole]

    async def look(self, fan: Address, program: ProgramId, what_for: str) -> Sight | None:
        """The same for one fan that is answered now, with all that an answer needs of the store, in one transaction.

        Whoever asks looks whether it `still_holds` before anything made of it is shown.
        """
        await self._consents.ready()
        with self._reader.snapshot() as view:
            scopes = self._active_scopes(view, fan, program)
            found = self._chain.read(view, fan, program, scopes) if scopes else None
        return None if found is None else await self._desk.run(lambda store: self._look(store, found, what_for))

    def _look(self, store: ReceiptStore, found: FanFacts, what_for: str) -> Sight:
        with store.together():
            version = store.versions.read(found.fan, found.program)
            catalogue = self.catalogues.at(store, found.program, version.feed)
            facts = self._with_off_chain(store, found, version, catalogue)
            past = self._read_past(store, found, version)
            self._log(store, [(facts.fan, facts.count)], facts.program, what_for)
        return Sight(facts, catalogue, past)

    async def read_linked(self, facts: FanFacts, what_for: str) -> list[FanFacts]:
        """What the same account granted to other programs, where the fan linked them to this one by name."""
        if LINKED not in facts.scopes:
            return []
        with self._reader.snapshot() as view:
            others = [found.program_id for found in view.memberships(facts.fan, PROGRAMS_LINKED_MAX)]
        read = [await self.read(facts.fan, other, what_for) for other in others if other != facts.program]
        return [found for found in read if found is not None]

    async def read_for_service(self, fan: Address, program: ProgramId, look: Look) -> ServiceHistory | None:
        """What the fan opened to the program's service staff, and a row of its own in the fan's log; None: nothing is open.

        A refused look has its row, too. Raises ReadRefused partner.too_many_reads.
        """
        await self._consents.ready()
        now = self._clock.now()
        with self._reader.snapshot() as view:
            parts = self._service_parts(view, fan, program)
            is_member = view.stored(member_key(program, fan)) is not None
            found = read_chain(view, fan, program, parts, look.limit) if is_member else {}
        row = Read(fan, look.reader, program, PERSONALISE, SERVICE, now, now, staff=look.staff, why=look.why)
        if is_member and parts:
            history = await self._desk.run(lambda store: read_store(store, fan, program, found, parts, look, now))
            with self._reader.snapshot() as view:
                is_open = parts.keys() <= self._service_parts(view, fan, program).keys()
            if is_open:
                given = replace(row, given=history.count)
                await self._desk.run(lambda store: store.log.add(given))
                return history
        await self._desk.run(lambda store: store.log.add(replace(row, code=NOT_GRANTED.name)))
        return None

    def _service_parts(self, view: Snapshot, fan: Address, program: ProgramId) -> dict[str, int]:
        now = max(view.tip().header.time, self._clock.now())
        return service_parts(self._consents, view, fan, program, now)

    async def read_group(self, program: ProgramId, what_for: str) -> list[tuple[FanFacts, Past]]:
        """All members of a program who granted it to personalise, with what was said to them, and all that they granted.

        All of them are in memory at once; figures of groups alone are made by `walk_group`.
        """
        found: list[tuple[FanFacts, Past]] = []
        async for fans in self.walk_members(program):
            found += await self._read_chunk(fans, program, what_for)
        return [one for one in found if self.still_holds(one[0])]

    async def walk_group(
        self, program: ProgramId, what_for: str, moment: Moment, parts: frozenset[str]
    ) -> AsyncIterator[list[FanFigures]]:
        """The fans of a program for figures of groups, in chunks, however many there are: of GROUP_SCOPES, and of `parts` alone.

        Each has its row in its log. What is yielded rests on consents that held when the chunk was complete: count it at once.
        """
        await self._consents.ready()
        async for fans in self.walk_members(program):
            with self._reader.snapshot() as view:
                granted = self._granted(view, fans, program, parts)
            found = {one.fan: one for one in granted}
            self._groups.drop((fan for fan in fans if fan not in found), program)
            counted = await self._desk.run(
                lambda store, granted=granted: self._count(store, granted, program, what_for, moment, parts)
            )
            with self._reader.snapshot() as view:
                ended = {fan for fan, one in found.items() if not self._grants(view, fan, program, one.scopes)}
            self._groups.drop(ended, program)
            yield [figures for fan, figures in zip(found, counted, strict=True) if fan not in ended]

    def _granted(
        self, view: Snapshot, fans: Sequence[Address], program_id: ProgramId, parts: frozenset[str]
    ) -> list[Granted]:
        """Of some members those whose consent is active, with what the chain says of them for figures."""
        program: Program | None = view.record(program_key(program_id))
        found: list[Granted] = []
        for fan in fans:
            scopes = self._active_scopes(view, fan, program_id)
            member: Member | None = view.record(member_key(program_id, fan)) if scopes else None
            if program is None or member is None or member.left_at:
                continue
            said: list[Said] = []
            if VOICE in scopes and VOICE_PART in parts:
                said = list(read_said(view, FanFacts(fan, program_id, scopes, member.joined_at), program))
            read = frozenset(one for one in scopes if one in GROUP_SCOPES or one.startswith(CATEGORY_PREFIX))
            found.append(Granted(fan, read, len(said), any(one.is_criticism for one in said)))
        return found

    def _count(
        self,
        store: ReceiptStore,
        granted: Sequence[Granted],
        program: ProgramId,
        what_for: str,
        moment: Moment,
        parts: frozenset[str],
    ) -> list[FanFigures]:
        """What figures need of fans, each with its row in the log."""
        catalogue = self.catalogues.read(store, program)
        read_facts = facts_reader(program, catalogue)
        counted = self._groups.read(store, program, granted, moment, parts, catalogue, read_facts)
        self._log(store, [(one.granted.fan, one.items) for one in counted], program, what_for)
        return [one.figures for one in counted]

    async def read_purchases(
        self, fans: Sequence[Address], program: ProgramId, what_for: str, known: Mapping[Address, int] | None = None
    ) -> list[Bought]:
        """What those of some fans bought who let the program read it now, and nothing else of them; each has a row in its log.

        `known`: versions of fans' purchases. Who has the same one still is not read again, and has no row.
        """
        await self._consents.ready()
        with self._reader.snapshot() as view:
            granted = [one for one in self._granted(view, fans, program, frozenset()) if covers_purchases(one.scopes)]
        found = await self._desk.run(lambda store: self._read_bought(store, granted, program, what_for, known or {}))
        with self._reader.snapshot() as view:
            holds = [self._grants(view, one.fan, program, one.scopes) for one in granted]
        return [one for one, is_granted in zip(found, holds, strict=True) if is_granted]

    def _read_bought(
        self,
        store: ReceiptStore,
        granted: Sequence[Granted],
        program: ProgramId,
        what_for: str,
        known: Mapping[Address, int],
    ) -> list[Bought]:
        catalogue = self.catalogues.read(store, program)
        found = read_bought(store, program, granted, catalogue, known, facts_reader(program, catalogue))
        read = [(one.fan, len(one.purchases)) for one in found if one.purchases is not None]
        self._log(store, read, program, what_for)
        return found

    async def walk_members(self, program: ProgramId) -> AsyncIterator[list[Address]]:
        """All that ever joined a program, in the order of joining, in chunks; others have their turn between two."""
        place: Position | None = None
        while True:
            with self._reader.snapshot() as view:
                rows = view.listed(program, "member", place, GROUP_PAGE)
            for first in range(0, len(rows), GROUP_CHUNK):
                await asyncio.sleep(0)
                yield [Address(row.id) for row in rows[first : first + GROUP_CHUNK]]
            if len(rows) < GROUP_PAGE:
                return
            place = rows[-1].position

    async def _read_chunk(
        self, fans: Sequence[Address], program: ProgramId, what_for: str
    ) -> list[tuple[FanFacts, Past]]:
        found = await self.read_all(fans, program, what_for)
        facts = [one for one in found if one is not None]
        past = await self._desk.run(
            lambda store: [self._read_past(store, one, store.versions.read(one.fan, program)) for one in facts]
        )
        return list(zip(facts, past, strict=True))

    async def list_buyers(
        self, program: ProgramId, after: Position | None, limit: int
    ) -> tuple[list[Address], Position | None]:
        """Members after a position of the program's list who let it read receipts, or some of them; and where to go on.

        Nothing of what they bought is read: who reads that asks `read_purchases`, and is in their logs.
        """
        await self._consents.ready()
        with self._reader.snapshot() as view:
            rows = view.listed(program, "member", after, limit)
        fans, buyers = [Address(row.id) for row in rows], list[Address]()
        for first in range(0, len(fans), GROUP_CHUNK):
            await asyncio.sleep(0)  # others' turn
            with self._reader.snapshot() as view:
                part = fans[first : first + GROUP_CHUNK]
                buyers += [fan for fan in part if covers_purchases(self._active_scopes(view, fan, program))]
        return buyers, rows[-1].position if len(rows) == limit else None

    def _read_past(self, store: ReceiptStore, facts: FanFacts, version: Version) -> Past:
        key = (facts.fan, facts.program)
        known = self._past.get(key)
        if known is None or known[0] != version.inbox:
            known = self._past[key] = (version.inbox, _past_of(store, *key))
        return known[1]

    def still_holds(self, facts: FanFacts) -> bool:
        """Whether all that the facts rest on is granted still: asked right before something made of them is shown."""
        with self._reader.snapshot() as view:
            return self._grants(view, facts.fan, facts.program, facts.scopes)

    def _grants(self, view: Snapshot, fan: Address, program: ProgramId, scopes: frozenset[str]) -> bool:
        active = self._active_scopes(view, fan, program)
        return bool(active) and scopes <= active

    def allows_offers(self, view: Snapshot, fan: Address, program: ProgramId) -> bool:
        """Whether the law lets the program promise this fan something of its own (spec OFR-3), and no revocation says otherwise."""
        return self._consents.find_active(view, fan, program, PERSONALISE, ALL_OF_IT, by_name=True) is not None

    def forget(self, fan: Address) -> None:
        """Drop what is remembered of a fan, as when it deletes its data."""
        for memory in (self._remembered, self._past):
            for key in [key for key in list(memory) if key[0] == fan]:  # the store's thread adds to it meanwhile
                memory.pop(key, None)
        self._groups.forget(fan)
        self._chain.forget(fan)

    # --- consents ---

    def _active_scopes(self, view: Snapshot, fan: Address, program: ProgramId) -> frozenset[str]:
        """The scopes that are granted now, the empty one spelled out."""
        active: set[str] = set()
        for scope in self._consents.active_scopes(view, fan, program, PERSONALISE):
            if scope == ALL_OF_IT:
                active.update(SCOPES)
            elif scope in SCOPES or scope in SCOPES_BY_NAME or scope.startswith(CATEGORY_PREFIX):
                active.add(scope)
        return frozenset(active)

    # --- the chain ---

    def _read_chain(self, view: Snapshot, fan: Address, program_id: ProgramId) -> FanFacts | None:
        scopes = self._active_scopes(view, fan, program_id)
        if not scopes:
            return None
        return read_member(view, fan, program_id, scopes)

    # --- off the chain ---

    def _add_off_chain(
        self, store: ReceiptStore, found: Sequence[FanFacts | None], what_for: str
    ) -> list[FanFacts | None]:
        whole = [None if facts is None else self._read_off_chain(store, facts) for facts in found]
        given = [facts for facts in whole if facts is not None]
        if given:
            self._log(store, [(facts.fan, facts.count) for facts in given], given[0].program, what_for)
        return whole

    def _log(
        self, store: ReceiptStore, given: Sequence[tuple[Address, int]], program: ProgramId, what_for: str
    ) -> None:
        """A row in the log of each fan that was read: how many items."""
        now = self._clock.now()
        rows = [
            Read(fan, Address(program), program, PERSONALISE, what_for, now, now, given=items) for fan, items in given
        ]
        store.log.add_counted(rows)

    def _read_off_chain(self, store: ReceiptStore, facts: FanFacts) -> FanFacts:
        version = store.versions.read(facts.fan, facts.program)
        return self._with_off_chain(store, facts, version, self.catalogues.at(store, facts.program, version.feed))

    def _with_off_chain(self, store: ReceiptStore, facts: FanFacts, version: Version, catalogue: Catalogue) -> FanFacts:
        key, present = (facts.fan, facts.program), (*version.facts, version.feed)
        known = self._remembered.get(key)
        if known is None or known.version != present:
            known = Remembered(present, _read_store(store, facts, catalogue.categories), {})
            self._remembered[key] = known
        return _grant(store, facts, known)


def _grant(store: ReceiptStore, facts: FanFacts, known: Remembered) -> FanFacts:
    """What the chain says, with what was read off it, as far as it was granted."""
    purchases, behaviour, wishes = known.off_chain
    if facts.scopes not in known.by_scopes:
        known.by_scopes = {facts.scopes: (granted_purchases(purchases, facts.scopes), {})}
    granted, memo = known.by_scopes[facts.scopes]
    return replace(
        facts,
        promised=_read_promised(store, facts),
        purchases=granted,
        behaviour=behaviour if BEHAVIOUR in facts.scopes else (),
        wishes=wishes,
        memo=memo,
    )


def _read_promised(store: ReceiptStore, facts: FanFacts) -> tuple[Promised, ...]:
    """Of the offers that are open on the chain, those that plans drew here."""
    are_open = {offer for offer, _, _ in facts.standing.offers} if facts.standing is not None else set[str]()
    if not are_open:
        return ()
    drawn = store.offer_plans.of_member(facts.fan, facts.program)
    return tuple(
        Promised(
            one.offer.hex(), one.document["goal"], tuple(one.document["items"]), offer_text(decode_offer(one.sealed))
        )
        for one in drawn
        if one.offer.hex() in are_open
    )


def _past_of(store: ReceiptStore, fan: Address, program: ProgramId) -> Past:
    return Past(tuple(store.inbox.all_of(fan, program)), tuple(store.inbox.feedback_of(fan, program)))


def _read_store(store: ReceiptStore, facts: FanFacts, categories: Categories) -> OffChain:
    kept = store.preferences.find(facts.fan, facts.program)
    wishes = Wishes() if kept is None else Wishes(with_answers(kept.document), kept.reset_at, kept.changed_at)
    rows = store.page(facts.fan, program=facts.program, period=None, before=None, limit=PURCHASES_MAX, with_gifts=False)
    deeds = store.behaviour.all_of(facts.fan, facts.program)
    behaviour = [Behaviour(deed.kind, deed.item, deed.seconds, deed.at) for _, deed in deeds]
    return (
        purchases_of(rows, wishes, categories),
        tuple(found for found in behaviour if found.at >= wishes.reset_at),
        wishes,
    )
