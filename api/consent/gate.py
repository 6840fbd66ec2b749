"""Whether a consent is active now. Everything above the ledger that reads or uses what fans did asks here, and nowhere else.

A consent is active if the chain says so (spec CON-1), at the later of the chain's time and the node's clock, and this node has
received no revocation of it since. A grant counts from its block on, a revocation from the moment in which it was received: before
any block, across a restart, and whatever a reorganisation takes back.

The border for personalization: `await gate.ready()`, then `gate.find_active(view, fan, program, PERSONALISE, scope)`; None means
that nothing of this fan exists for the asker. Receipts for a profile are read from the store with `with_gifts=False`.
"""

from dataclasses import dataclass
from typing import Final

from api.consent.revocations import Revocations
from ledger.domains.consent.state import Consent, consent_key
from ledger.types import Address, RecordKey, Timestamp
from node.clock import Clock
from node.store.reader import Snapshot

ALL_OF_IT: Final = ""
"""The scope of a consent that names none."""
SCOPES_MAX: Final = 200
"""Consents of one fan to one grantee for one purpose that are looked at: the first ones in the order of their scopes' bytes."""

AFTER_TEXT: Final = b"\xff"
"""Comes after every text in UTF-8."""


@dataclass(frozen=True, slots=True)
class ActiveConsent:
    """A consent that may be acted on. `scope` is as it was granted; `expires_at` 0: until it is taken back."""

    key: RecordKey
    scope: str
    granted_at: Timestamp
    expires_at: Timestamp


class ConsentGate:
    """Reads consents at the tip and the revocations that this node has received."""

    def __init__(self, revocations: Revocations, clock: Clock) -> None:
        self._revocations = revocations
        self._clock = clock

    async def ready(self) -> None:
        """Read the noted revocations, once. Raises what the store of them raises: while they are unknown, nothing is allowed."""
        await self._revocations.load()

    def find_active(
        self, view: Snapshot, fan: Address, grantee: bytes, purpose: int, scope: str, *, by_name: bool = False
    ) -> ActiveConsent | None:
        """The consent by which `grantee` may act on what `fan` did, for `purpose` within `scope`; None if there is none now.

        A consent to all of it covers every scope, unless the scope must be granted `by_name`. `grantee` is who acts itself: a
        program and its owner's address are two grantees.
        """
        named = self._find(view, fan, grantee, purpose, scope)
        covering = None if by_name or scope == ALL_OF_IT else self._find(view, fan, grantee, purpose, ALL_OF_IT)
        return named or covering

    def active_scopes(self, view: Snapshot, fan: Address, grantee: bytes, purpose: int) -> frozenset[str]:
        """All scopes, as they were granted, within which `grantee` may act on what `fan` did, for `purpose`, now: one search."""
        first = consent_key(fan, grantee, purpose, ALL_OF_IT)
        before = first[:-1] + bytes((purpose - 1,)) + AFTER_TEXT if purpose else first[:-1]
        found = view.records_between(before, first + AFTER_TEXT, SCOPES_MAX)
        if not found:
            return frozenset()
        now = Timestamp(max(view.tip().header.time, self._clock.now()))
        return frozenset(
            key[len(first) :].decode()
            for key, consent in found.items()
            if consent.is_active(now) and not self._revocations.stands(view, key)
        )

    def _find(self, view: Snapshot, fan: Address, grantee: bytes, purpose: int, scope: str) -> ActiveConsent | None:
        key = consent_key(fan, grantee, purpose, scope)
        consent: Consent | None = view.record(key)
        now = Timestamp(max(view.tip().header.time, self._clock.now()))
        if consent is None or not consent.is_active(now) or self._revocations.stands(view, key):
            return None
        return ActiveConsent(key, scope, consent.granted_at, consent.expires_at)
