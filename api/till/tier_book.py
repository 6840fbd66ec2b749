"""Members' tiers, asked of the node when a sale comes, and kept for when it does not answer.

A tier raises the points that a receipt promises; the law counts the better of the tier that the receipt names and the one that the
chain knows, so that a till that names none harms nobody who contests, and still the receipt shall be right at once. Only members
that stand at this till are asked for.
"""

import threading
from typing import Final

import httpx2

from api.till.clock import TillClock
from api.till.knowledge import Knowledge
from api.till.store import TillStore
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from api.wallet.member_tier import find_member_tier
from ledger.address import decode_address
from ledger.errors import Malformed
from ledger.types import ProgramId

FRESH_SECONDS: Final = 3_600
"""A tier that was asked for within the hour is not asked for again."""
ASK_SECONDS_MAX: Final = 1.0
"""A customer waits for this."""
TROUBLE_SECONDS: Final = 30.0
"""After a node that did not answer in time, sales go on without asking."""


def quick_client(node_url: str) -> Client:
    """A client for questions that a customer waits for."""
    return Client(node_url, http=httpx2.Client(base_url=node_url, timeout=ASK_SECONDS_MAX), attempts_max=1)


class TierBook:
    """Looks tiers up in the node, where the program has any. Several threads may ask."""

    def __init__(
        self, store: TillStore, knowledge: Knowledge, client: Client, program: ProgramId, clock: TillClock
    ) -> None:
        self._store = store
        self._knowledge = knowledge
        self._client = client
        self._program = program
        self._clock = clock
        self._lock = threading.Lock()
        self._quiet_until = 0.0

    def is_needed(self) -> bool:
        """Whether the terms have tiers, and the node answered when it was last asked for anything."""
        contact = self._knowledge.contact
        if contact is None or not contact.versions[0].facts.terms.tiers or self._knowledge.problem:
            return False
        return self._clock.steady() >= self._quiet_until

    def look_up(self, member_text: str) -> None:
        """Ask the node, unless it was asked lately; what goes wrong is left to the sale. Raises NodeError store.*."""
        contact = self._knowledge.contact
        if contact is None:
            return
        try:
            member = decode_address(contact.facts.address_prefix, member_text)
        except Malformed:
            return
        now = self._clock.now()
        if 0 <= now - self._store.tier_known_at(member) < FRESH_SECONDS:
            return
        terms = contact.versions[0].facts.terms
        try:
            found = find_member_tier(self._client, self._program, terms, member_text)
        except ClientProblem as problem:
            if problem.status != 404:
                with self._lock:
                    self._quiet_until = self._clock.steady() + TROUBLE_SECONDS
            return
        self._store.keep_tier(member, found, now)
