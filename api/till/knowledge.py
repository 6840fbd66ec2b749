"""What a till knows of its program without asking: the node's answers at the last contact, kept on disk with their time.

A receipt names the version of the terms that was in force at the last contact. That is right for 72 hours (spec LOY-6), whatever
was published since: the version was in force at some time in the 72 hours before the receipt. Terms that are announced are not
switched to by the till alone, since better ones may have withdrawn them meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from api.till.clock import ClockWatch, TillClock
from api.till.errors import NO_TERMS, NOT_GRANTED, REVOKED, SALE_TIME, TERMS_TOO_OLD, WRONG_CHAIN, TillRefused
from api.till.store import TillStore
from api.wallet.builder import ChainFacts
from api.wallet.client import Client
from api.wallet.grants import cap_at, find_grant, held_scope_at
from api.wallet.receipts import CLOCK_SECONDS_MAX
from api.wallet.shown_terms import ProgramFacts, read_program_answer
from ledger.address import encode_address
from ledger.params import RECEIPT_AGE_SECONDS_MAX
from ledger.types import Address, ProgramId, Timestamp

DOCUMENT: Final = "knowledge"
VERSIONS_KEPT: Final = 8
"""Versions of the terms that late sales may still name; terms hardly change eight times within 72 hours."""
SCOPE: Final = "till"

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version of the terms: in force from `since` on, and still at `seen`, when the node said so."""

    since: Timestamp
    seen: Timestamp
    program: Answer
    facts: ProgramFacts

    @property
    def number(self) -> int:
        """The version's number."""
        return self.facts.version

    def to_mapping(self) -> dict[str, Any]:
        """As JSON."""
        return {"since": self.since, "seen": self.seen, "program": self.program}


@dataclass(frozen=True, slots=True)
class Contact:
    """What the node said at one time: `at` by the till's clock."""

    at: Timestamp
    chain: Answer
    facts: ChainFacts
    grant: Answer | None
    versions: tuple[KnownVersion, ...]
    """The latest one first."""

    @property
    def known_at(self) -> Timestamp:
        """The time for which it is true: no later than the chain's own."""
        return self.versions[0].seen


@dataclass(frozen=True, slots=True)
class Basis:
    """What a receipt of a certain time is signed by: the version that it names, the program's day, that day's cap in points."""

    facts: ProgramFacts
    day: int
    cap: int


def visit_node(client: Client, program: ProgramId, till: Address) -> tuple[Answer, Answer, Answer | None]:
    """Ask the node for chain, program and this till's grant. Raises ClientProblem."""
    chain = client.chain()
    shown = client.program(program)
    return chain, shown, find_grant(client, program, encode_address(str(chain["address_prefix"]), till))


class Knowledge:
    """The last contact, in memory and in the store. Read by several threads, replaced as a whole by one."""

    def __init__(self, store: TillStore, clock: TillClock) -> None:
        self._store = store
        self._clock = clock
        document = store.document(DOCUMENT)
        self.contact = None if document is None else _contact_of_mapping(document["contact"])
        self.seen = Timestamp(0 if document is None else document["seen"])
        self.clock_watch = ClockWatch(clock, self.seen)
        self.problem: str = "it has not been asked yet"
        """Why there is no newer word from the node; empty where the last visit went well."""

    def learn(self, chain: Answer, program: Answer, grant: Answer | None) -> None:
        """Take over what the node has just said. Raises TillRefused till.wrong_chain, Unreachable client.bad_terms."""
        facts = ChainFacts.of_answer(chain)
        earlier = self.contact
        if earlier is not None and earlier.facts.chain_id != facts.chain_id:
            raise TillRefused(WRONG_CHAIN, found=facts.chain_id.hex(), known=earlier.facts.chain_id.hex())
        now = self._clock.now()
        seen = Timestamp(min(now, int(chain["time"])))
        shown = {name: value for name, value in program.items() if name != "books"}
        since = Timestamp(int(program["terms"]["effective_from"]))
        newest = KnownVersion(since, seen, shown, read_program_answer(shown))
        older = () if earlier is None else earlier.versions
        rest = tuple(found for found in older if found.number != newest.number)
        self.contact = Contact(now, chain, facts, grant, (newest, *rest)[:VERSIONS_KEPT])
        self.clock_watch.set_by_node(Timestamp(int(chain["clock"])))
        self.note_time()
        self.problem = ""

    def note_time(self) -> None:
        """Write down what time it is, with what is known: after a restart the clock must not lie before."""
        now = self._clock.now()
        is_right = abs(self.clock_watch.offset()) <= CLOCK_SECONDS_MAX
        if is_right:
            self.seen = now if self.clock_watch.is_confirmed else max(self.seen, now)
        if self.contact is not None:
            self._store.keep_document(DOCUMENT, {"seen": self.seen, "contact": _contact_to_mapping(self.contact)})

    # --- what may be signed ---

    def known(self) -> Contact:
        """The last contact. Raises TillRefused till.no_terms."""
        if self.contact is None:
            raise TillRefused(NO_TERMS, reason=self.problem)
        return self.contact

    def check_signing(self) -> Contact:
        """What is known, where a sale of now may be signed. Raises TillRefused with the code of what speaks against it."""
        contact = self.known()
        self.clock_watch.check()
        self.check_granted(contact, SCOPE)
        _check_age(contact.versions[0], self._clock.now())
        return contact

    def check_granted(self, contact: Contact, scope: str) -> None:
        """Raise TillRefused till.revoked or till.not_granted."""
        refuse_ungranted(contact.grant, scope)

    def basis_at(self, contact: Contact, time: Timestamp) -> Basis:
        """What a receipt of `time` is signed by. Raises TillRefused till.sale_time, till.terms_too_old."""
        now = self._clock.now()
        if time > now + CLOCK_SECONDS_MAX:
            raise TillRefused(SALE_TIME, time=time, reason="it lies in the future")
        if time < now - RECEIPT_AGE_SECONDS_MAX:
            raise TillRefused(SALE_TIME, time=time, reason="it is more than 72 hours ago")
        if contact.grant is None or not held_scope_at(contact.grant, SCOPE, time):
            raise TillRefused(SALE_TIME, time=time, reason="the till's key held no grant then")
        version = next((found for found in contact.versions if found.since <= time), None)
        if version is None:
            raise TillRefused(SALE_TIME, time=time, reason="the till does not know the terms of then")
        _check_age(version, time)
        return Basis(version.facts, day_of(version.facts, time), cap_at(contact.grant, time))


def refuse_ungranted(grant: Answer | None, scope: str) -> None:
    """Raise TillRefused till.revoked or till.not_granted unless a grant is live and has the scope."""
    if grant is not None and grant["revoked_at"] is not None:
        raise TillRefused(REVOKED)
    if grant is None or scope not in grant["scopes"]:
        raise TillRefused(NOT_GRANTED, scope=scope)


def day_of(facts: ProgramFacts, time: Timestamp) -> int:
    """The program's day that holds `time` (spec BYTES-6)."""
    return replace(facts.periods, period_days=1, anchor_day=0).period_of(time)


def _check_age(version: KnownVersion, time: Timestamp) -> None:
    if time - version.seen > RECEIPT_AGE_SECONDS_MAX:
        raise TillRefused(TERMS_TOO_OLD, hours=(time - version.seen) // 3_600)


def _contact_to_mapping(contact: Contact) -> dict[str, Any]:
    return {
        "at": contact.at,
        "chain": contact.chain,
        "grant": contact.grant,
        "versions": [version.to_mapping() for version in contact.versions],
    }


def _contact_of_mapping(document: Answer) -> Contact:
    """What `_contact_to_mapping` wrote."""
    versions = tuple(
        KnownVersion(
            Timestamp(found["since"]),
            Timestamp(found["seen"]),
            found["program"],
            read_program_answer(found["program"]),
        )
        for found in document["versions"]
    )
    chain = document["chain"]
    return Contact(Timestamp(document["at"]), chain, ChainFacts.of_answer(chain), document["grant"], versions)
