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
from api.personalization.catalogue import Catalogues
from api.personalization.chain_facts import (
    LISTED_MAX,
    read_backed,
    read_contributed,
    read_said,
    read_standing,
    read_voted,
)
from api.personalization.facts import (
    BEHAVIOUR,
    CAMPAIGNS,
    CATEGORY_PREFIX,
    LINKED,
    RECEIPTS,
    SCOPES,
    SCOPES_BY_NAME,
    STANDING,
    VOICE,
    Behaviour,
    FanFacts,
    Promised,
    Purchase,
    Wishes,
    leave_out,
)
from api.personalization.pacing import Past
from api.personalization.preferences import with_answers
from api.personalization.receipt_lines import read_bought_line
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
from api.receipts.store import KeptReceipt, ReceiptStore
from api.wallet.offers import offer_text
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.state import Member, Program, member_key, program_key
from ledger.domains.offers.terms import decode_offer
from ledger.types import Address, ProgramId, Timestamp
from node.clock import Clock
from node.store.reader import Position, Reader, Snapshot

PURCHASES_MAX: Final = 2_000
"""The latest receipts of an account that count: five a week for seven years."""
PROGRAMS_LINKED_MAX: Final = 8
FANS_REMEMBERED: Final = 20_000
"""Whose parsed receipts are kept in memory: about 40 kB each for a grocer's year."""

GROUP_PAGE: Final = 1_000
"""Members of a program whose addresses are read at a time, until there are none."""
GROUP_CHUNK: Final = 100
"""Of them, so many are read at a time, so that others have their turn, and only these are in memory."""
GROUP_SCOPES: Final = frozenset({RECEIPTS, VOICE})
"""What figures of groups are made of, with `receipts/CATEGORY`: nothing else of a fan is read for them."""

Categories = Mapping[str, str]
OffChain = tuple[tuple[Purchase, ...], tuple[Behaviour, ...], Wishes]


@dataclass(slots=True)
class Remembered:
    """What was parsed of one fan at a version of the store, and, by the scopes that were granted, what was computed of it."""

    version: tuple[object, ...]
    off_chain: OffChain
    by_scopes: dict[frozenset[str], tuple[tuple[Purchase, ...], dict[Any, Any]]]


class PersonalGate:
    """Reads fans for one node. Its memory of a fan is dropped by `forget`."""

    def __init__(self, reader: Reader, consents: ConsentGate, desk: ReceiptDesk, clock: Clock) -> None:
        self._reader = reader
        self._consents = consents
        self._desk = desk
        self._clock = clock
        self.catalogues = Catalogues()
        self._remembered: LRUCache[tuple[Address, ProgramId], Remembered] = LRUCache(FANS_REMEMBERED)
        self._past: LRUCache[tuple[Address, ProgramId], tuple[tuple[int, ...], Past]] = LRUCache(FANS_REMEMBERED)

    async def read(self, fan: Address, program: ProgramId, what_for: str) -> FanFacts | None:
        """What the fan granted to the program, and a row in the fan's log that says `what_for`; None: nothing is granted."""
        return (await self.read_all([fan], program, what_for))[0]

    async def read_all(
        self, fans: Sequence[Address], program: ProgramId, what_for: str, *, is_group: bool = False
    ) -> list[FanFacts | None]:
        """The same for many fans, in one go; each has its row. `is_group`: GROUP_SCOPES alone, and nothing is remembered."""
        await self._consents.ready()
        with self._reader.snapshot() as view:
            found = [self._read_chain(view, fan, program, is_group=is_group) for fan in fans]
        whole = await self._desk.run(lambda store: self._add_off_chain(store, found, what_for, is_group=is_group))
        return [facts if facts is not None and self.still_holds(facts) else None for facts in whole]

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

    async def read_past(self, facts: FanFacts) -> Past:
        """What was said to the fan for this program before, and what it did with that."""
        return await self._desk.run(lambda store: self._read_past(store, facts.fan, facts.program))

    async def read_group(self, program: ProgramId, what_for: str) -> list[tuple[FanFacts, Past]]:
        """All members of a program who granted it to personalise, with what was said to them, and all that they granted.

        All of them are in memory at once; figures of groups alone are made by `walk_group`.
        """
        found: list[tuple[FanFacts, Past]] = []
        async for fans in self.walk_members(program):
            found += await self._read_chunk(fans, program, what_for, is_group=False)
        return [one for one in found if self.still_holds(one[0])]

    async def walk_group(self, program: ProgramId, what_for: str) -> AsyncIterator[list[tuple[FanFacts, Past]]]:
        """The same in chunks, however many there are: for figures of groups alone, of GROUP_SCOPES."""
        async for fans in self.walk_members(program):
            found = await self._read_chunk(fans, program, what_for, is_group=True)
            yield [one for one in found if self.still_holds(one[0])]

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
        self, fans: Sequence[Address], program: ProgramId, what_for: str, *, is_group: bool
    ) -> list[tuple[FanFacts, Past]]:
        found = await self.read_all(fans, program, what_for, is_group=is_group)
        facts = [one for one in found if one is not None]
        past = await self._desk.run(
            lambda store: [self._read_past(store, one.fan, program, is_group=is_group) for one in facts]
        )
        return list(zip(facts, past, strict=True))

    async def list_buyers(
        self, program: ProgramId, after: Position | None, limit: int
    ) -> tuple[list[Address], Position | None]:
        """Members after a position of the program's list who let it read receipts, or some of them; and where to go on.

        Nothing of what they bought is read: who reads that asks `read_all`, and is in their logs.
        """
        await self._consents.ready()
        with self._reader.snapshot() as view:
            rows = view.listed(program, "member", after, limit)
            fans = [Address(row.id) for row in rows]
            buyers = [fan for fan in fans if _covers_purchases(self._active_scopes(view, fan, program))]
        return buyers, rows[-1].position if len(rows) == limit else None

    def _read_past(self, store: ReceiptStore, fan: Address, program: ProgramId, *, is_group: bool = False) -> Past:
        if is_group and (fan, program) not in self._past:
            return _past_of(store, fan, program)
        key, version = (fan, program), store.inbox.version(fan, program)
        known = self._past.get(key)
        if known is None or known[0] != version:
            known = self._past[key] = (version, _past_of(store, fan, program))
        return known[1]

    def still_holds(self, facts: FanFacts) -> bool:
        """Whether all that the facts rest on is granted still: asked right before something made of them is shown."""
        with self._reader.snapshot() as view:
            active = self._active_scopes(view, facts.fan, facts.program)
        return bool(active) and facts.scopes <= active

    def allows_offers(self, view: Snapshot, fan: Address, program: ProgramId) -> bool:
        """Whether the law lets the program promise this fan something of its own (spec OFR-3), and no revocation says otherwise."""
        return self._consents.find_active(view, fan, program, PERSONALISE, ALL_OF_IT, by_name=True) is not None

    def forget(self, fan: Address) -> None:
        """Drop what is remembered of a fan, as when it deletes its data."""
        for memory in (self._remembered, self._past):
            for key in [key for key in memory if key[0] == fan]:
                memory.pop(key, None)

    # --- consents ---

    def _active_scopes(self, view: Snapshot, fan: Address, program: ProgramId) -> frozenset[str]:
        """The scopes that are granted now, the empty one spelled out."""
        active: set[str] = set()
        for row in view.listed_last(fan, "consent", LISTED_MAX):
            if row.id[:32] != program or row.id[32] != PERSONALISE:
                continue
            scope = row.id[33:].decode()
            if self._consents.find_active(view, fan, program, PERSONALISE, scope, by_name=True) is None:
                continue
            if scope == ALL_OF_IT:
                active.update(SCOPES)
            elif scope in SCOPES or scope in SCOPES_BY_NAME or scope.startswith(CATEGORY_PREFIX):
                active.add(scope)
        return frozenset(active)

    # --- the chain ---

    def _read_chain(
        self, view: Snapshot, fan: Address, program_id: ProgramId, *, is_group: bool = False
    ) -> FanFacts | None:
        scopes = self._active_scopes(view, fan, program_id)
        if not scopes:
            return None
        if is_group:
            scopes = frozenset(scope for scope in scopes if scope in GROUP_SCOPES or scope.startswith(CATEGORY_PREFIX))
        program: Program | None = view.record(program_key(program_id))
        member: Member | None = view.record(member_key(program_id, fan))
        if program is None or member is None or member.left_at:
            return None
        facts = FanFacts(fan, program_id, scopes, member.joined_at)
        if STANDING in scopes:
            facts = replace(facts, standing=read_standing(view, facts, program, member))
        if CAMPAIGNS in scopes:
            facts = replace(facts, backed=read_backed(view, facts, program))
        if VOICE in scopes:
            facts = replace(
                facts,
                voted=frozenset(read_voted(view, facts)),
                contributed=tuple(read_contributed(view, facts)),
                said=tuple(read_said(view, facts, program)),
            )
        return facts

    # --- off the chain ---

    def _add_off_chain(
        self, store: ReceiptStore, found: Sequence[FanFacts | None], what_for: str, *, is_group: bool
    ) -> list[FanFacts | None]:
        whole = [None if facts is None else self._with_off_chain(store, facts, is_group=is_group) for facts in found]
        now = self._clock.now()
        given = [
            Read(
                member=facts.fan,
                reader=Address(facts.program),
                program=facts.program,
                purpose=PERSONALISE,
                scope=what_for,
                first_at=now,
                last_at=now,
                given=facts.count,
            )
            for facts in whole
            if facts is not None
        ]
        if given:
            store.log.add_counted(given)
        return whole

    def _with_off_chain(self, store: ReceiptStore, facts: FanFacts, *, is_group: bool = False) -> FanFacts:
        key = (facts.fan, facts.program)
        catalogue = self.catalogues.read(store, facts.program)
        if is_group and key not in self._remembered:
            known = Remembered((), _read_store(store, facts, catalogue.categories, with_behaviour=False), {})
        else:
            version = (*store.personal_version(*key), catalogue.version)
            known = self._remembered.get(key)
            if known is None or known.version != version:
                known = Remembered(version, _read_store(store, facts, catalogue.categories), {})
                self._remembered[key] = known
        purchases, behaviour, wishes = known.off_chain
        if facts.scopes not in known.by_scopes:
            known.by_scopes = {facts.scopes: (_granted_purchases(purchases, facts.scopes), {})}
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


def _read_store(
    store: ReceiptStore, facts: FanFacts, categories: Categories, *, with_behaviour: bool = True
) -> OffChain:
    kept = store.preferences.find(facts.fan, facts.program)
    wishes = Wishes() if kept is None else Wishes(with_answers(kept.document), kept.reset_at, kept.changed_at)
    rows = store.page(facts.fan, program=facts.program, period=None, before=None, limit=PURCHASES_MAX, with_gifts=False)
    purchases = sorted((_purchase_of(row, categories) for row in rows), key=lambda found: (found.time, found.receipt))
    # what is remembered serves all scopes; a group's fan, whose facts go at once, is read without its behaviour
    deeds = store.behaviour.all_of(facts.fan, facts.program) if with_behaviour else []
    behaviour = [Behaviour(deed.kind, deed.item, deed.seconds, deed.at) for _, deed in deeds]
    return (
        leave_out(
            tuple(found for found in purchases if found.time >= wishes.reset_at),
            frozenset(wishes.document.get("given", ())),
        ),
        tuple(found for found in behaviour if found.at >= wishes.reset_at),
        wishes,
    )


def _purchase_of(kept: KeptReceipt, categories: Categories) -> Purchase:
    receipt = kept.signed.receipt
    lines = (read_bought_line(line, categories) for line in kept.lines)
    return Purchase(
        receipt=kept.id.hex(),
        time=Timestamp(receipt.time),
        period=kept.period,
        net_cents=receipt.net_cents,
        points=receipt.points,
        codes=receipt.codes,
        lines=tuple(line for line in lines if line is not None),
        received_at=kept.received_at,
    )


def _covers_purchases(scopes: frozenset[str]) -> bool:
    """Whether lines of receipts may be read, be it of one category."""
    return RECEIPTS in scopes or any(scope.startswith(CATEGORY_PREFIX) for scope in scopes)


def _granted_purchases(purchases: tuple[Purchase, ...], scopes: frozenset[str]) -> tuple[Purchase, ...]:
    """All of them, or of each only the lines of categories that were granted."""
    if RECEIPTS in scopes:
        return purchases
    wanted = {scope.removeprefix(CATEGORY_PREFIX) for scope in scopes if scope.startswith(CATEGORY_PREFIX)}
    if not wanted:
        return ()
    found: list[Purchase] = []
    for purchase in purchases:
        lines = tuple(line for line in purchase.lines if line.category in wanted)
        if lines:
            cents = sum(line.cents for line in lines)
            found.append(replace(purchase, net_cents=cents, points=0, codes=(), lines=lines))
    return tuple(found)
