"""The end of what is carried on: after a program's end every member's remainder is brought to zero, once.

What was tried is written down, so that neither the next hour nor a restart pays for the same entry again.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.till.clock import TillClock
from api.till.store import TillStore
from api.wallet.settlement import Outcome, SettlementBook, Settler
from api.wallet.wallet import Wallet
from ledger.domains.loyalty.earn import ENTRY_EARLY, ENTRY_ENDED, ENTRY_LEFT, ENTRY_NO_MEMBER
from ledger.types import Address, ProgramId, Timestamp

DOCUMENT: Final = "flushed"
AGAIN_SECONDS: Final = 86_400
"""A cap of a day, or what the owner raised, may let it through the day after."""
FOR_GOOD: Final = frozenset({code.name for code in (ENTRY_EARLY, ENTRY_ENDED, ENTRY_LEFT, ENTRY_NO_MEMBER)})
"""Codes that no later day changes."""
SHOWN_MAX: Final = 50


class Flushing:
    """Flushes remainders of members that the chain has not refused for good."""

    def __init__(self, store: TillStore, wallet: Wallet, program: ProgramId, clock: TillClock) -> None:
        self._store = store
        self._wallet = wallet
        self._program = program
        self._clock = clock

    def list_due(self, book: SettlementBook) -> list[Address]:
        """Members for whom something is carried on and may be flushed now."""
        tried, now = self._tried(), self._clock.now()
        return [member for member in book.carrying() if _is_due(tried.get(member.hex()), now)]

    def flush(self, settler: Settler, book: SettlementBook, at: Timestamp) -> Outcome:
        """Flush what is due, in the period that holds `at`, of those who left before it in the one in which they left.

        Raises ClientProblem, LedgerError: then nothing counts as tried that has not its code.
        """
        members = self.list_due(book)
        if not members:
            return Outcome()
        outcome = settler.flush(at, members)
        total = Outcome(list(outcome.openings))
        for opening, code in outcome.skipped:
            left_at = self._left_at(opening.member) if code == ENTRY_LEFT.name else 0
            if left_at:
                total.add(settler.flush(left_at, [opening.member]))
            else:
                total.skipped.append((opening, code))
        tried = {name: item for name, item in self._tried().items() if bytes.fromhex(name) in book.carrying()}
        tried |= {opening.member.hex(): {"at": self._clock.now(), "code": code} for opening, code in total.skipped}
        self._store.keep_document(DOCUMENT, tried)
        return total

    def _left_at(self, member: Address) -> Timestamp:
        """When a member left; 0 where the node does not say."""
        shown = self._wallet.client.account(self._wallet.address_text(member))["programs"]
        found = next((item for item in shown if item["program"] == self._program.hex()), None)
        return Timestamp(0 if found is None else int(found["left_at"] or 0))

    def _tried(self) -> dict[str, Any]:
        return self._store.document(DOCUMENT) or {}

    def show(self) -> list[dict[str, Any]]:
        """Members whose remainder the chain did not take, with its code."""
        return [{"member": name, **item} for name, item in list(self._tried().items())[:SHOWN_MAX]]


def _is_due(item: Mapping[str, Any] | None, now: Timestamp) -> bool:
    if item is None:
        return True
    return item["code"] not in FOR_GOOD and not 0 <= now - int(item["at"]) < AGAIN_SECONDS
