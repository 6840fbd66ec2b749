"""What a till forgets: sales that nobody can contest or bring back any more.

A sale is deleted once it is older than 169 days and the longest return window that this till has known of its program: by then the
law settles, contests and takes back nothing of it (spec LOY-15, LOY-19). What waits for the node, was set aside, or is still to be
settled here stays, however old; so does what a cool-down between visits still counts from, and always the last sale, from which
the numbers go on. A sale that is gone is unknown to `GET /sales/{id}`, and its id is one that was never used.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from api.till.clock import TillClock
from api.till.knowledge import Knowledge
from api.till.store import TillStore
from ledger.domains.loyalty.state import PerVisit
from ledger.params import RETURN_KEEP_SECONDS
from ledger.types import ReceiptHash, Timestamp

DOCUMENT: Final = "pruning"
LOOK_SECONDS: Final = 3_600.0
AGAIN_SECONDS: Final = 86_400
"""Looking once a day is enough for what is kept for half a year."""
DAY_SECONDS: Final = 86_400

Forget = Callable[[Sequence[ReceiptHash]], None]
"""Drops receipts from what else remembers them; on disk when it returns."""


class Pruning:
    """Deletes old sales. `is_settling`: this till settles, so that what it has not settled yet is kept."""

    def __init__(self, store: TillStore, knowledge: Knowledge, clock: TillClock, *, is_settling: bool) -> None:
        self._store = store
        self._knowledge = knowledge
        self._clock = clock
        self._is_settling = is_settling

    def work(self) -> float:
        """Prune where it is time; returns after how many seconds to come again. Raises NodeError store.*."""
        self.prune_if_due(lambda _: None)
        return LOOK_SECONDS

    def prune_if_due(self, forget: Forget) -> int:
        """Delete what is old, once a day; `forget` gets the receipts first, so that a crash between leaves nothing behind."""
        found = self._store.document(DOCUMENT) or {"at": 0, "window_days": 0}
        now, contact = self._clock.now(), self._knowledge.contact
        if contact is None or 0 <= now - int(found["at"]) < AGAIN_SECONDS:
            return 0
        window = max(int(found["window_days"]), *(known.facts.terms.return_window_days for known in contact.versions))
        before, pruned = Timestamp(now - self._kept_seconds(window)), 0
        while rows := self._store.list_prunable(before, settled_only=self._is_settling):
            forget([receipt for _, receipt in rows])
            self._store.prune([number for number, _ in rows])
            pruned += len(rows)
        self._store.prune_knowledge(before)
        self._store.keep_document(
            DOCUMENT, {"at": now, "window_days": window, "kept_days": (now - before) // DAY_SECONDS}
        )
        return pruned

    def _kept_seconds(self, window_days: int) -> int:
        """How old a sale must be, by its receipt and by its signing."""
        contact = self._knowledge.known()
        rules = (rule for known in contact.versions for rule in known.facts.terms.rules if isinstance(rule, PerVisit))
        cooldown = max((rule.cooldown_seconds for rule in rules), default=0)
        return max(RETURN_KEEP_SECONDS + (window_days + 1) * DAY_SECONDS, cooldown)

    def show(self) -> dict[str, Any]:
        """For the status: for how many days sales are kept, as far as it is known."""
        found = self._store.document(DOCUMENT)
        return {"kept_days": None if found is None else found["kept_days"], **self._store.count_kept()}
