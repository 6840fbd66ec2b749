"""Who has joined, asked of the node when a sale comes: a receipt of anybody else gives no points, and the fan should hear it now.

Without its node a till cannot know, and says so: the sale is signed, for the fan may have joined elsewhere. What the till
learns later counts, too: from the node that refuses the receipt, and from the last settling.
"""

import threading
from dataclasses import dataclass
from typing import Any, Final

from api.till.clock import TillClock
from api.till.knowledge import Knowledge
from api.till.schedule import LAST_RUN
from api.till.store import KeptSale, TillStore
from api.till.tables import WAITING
from api.till.tier_book import TROUBLE_SECONDS
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from ledger.address import decode_address, encode_address
from ledger.domains.loyalty.earn import ENTRY_LEFT, ENTRY_NO_MEMBER
from ledger.domains.loyalty.receipts import decode_receipt
from ledger.errors import Malformed
from ledger.types import Address, ProgramId

MEMBER_SECONDS: Final = 3_600
"""Who was a member within the hour is not asked for again."""
STRANGER_SECONDS: Final = 5
"""Who was none may have joined since: a fan joins at the counter."""
ENROLLED_SECONDS: Final = 120
"""So long a request that this till sent may take until its block."""
MEMBERS_KEPT: Final = 10_000
NOT_HERE: Final = frozenset({ENTRY_NO_MEMBER.name, ENTRY_LEFT.name})
"""What a settling says of somebody who is no member."""
UNKNOWN_MEMBER: Final = "member.unknown"
"""What the node says when it is handed a receipt of nobody's."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the node said, and until when by the till's steady clock it is believed."""

    is_member: bool
    until: float


class MemberBook:
    """Looks up who has joined. Several threads may ask."""

    def __init__(
        self, store: TillStore, knowledge: Knowledge, client: Client, program: ProgramId, clock: TillClock
    ) -> None:
        self._store = store
        self._knowledge = knowledge
        self._client = client
        self._program = program
        self._clock = clock
        self._known: dict[Address, _Known] = {}
        self._lock = threading.Lock()
        self._quiet_until = 0.0

    def is_needed(self, member_text: str) -> bool:
        """Whether the node should be asked: it answered when it was last asked for anything, and has not said it lately."""
        member, now = self._read(member_text), self._clock.steady()
        if member is None or self._knowledge.problem or now < self._quiet_until:
            return False
        known = self._known.get(member)
        return known is None or now >= known.until

    def look_up(self, member_text: str) -> None:
        """Ask the node; where it does not answer, nothing is known, and sales go on without asking for a while."""
        member = self._read(member_text)
        if member is None:
            return
        try:
            is_member = self._ask(member_text)
        except ClientProblem:
            with self._lock:
                self._quiet_until = self._clock.steady() + TROUBLE_SECONDS
            return
        if is_member is None:
            return
        until = self._clock.steady() + (MEMBER_SECONDS if is_member else STRANGER_SECONDS)
        self._keep(member, _Known(is_member, until))

    def note_enrolled(self, member_text: str) -> None:
        """This till has just enrolled somebody: its block comes later than its first purchase."""
        member = self._read(member_text)
        if member is not None:
            self._keep(member, _Known(True, self._clock.steady() + ENROLLED_SECONDS))

    def is_member(self, sale: KeptSale) -> bool | None:
        """Whether a sale's member has joined, by the last word of the node; None where there is none."""
        member = decode_receipt(sale.signed).receipt.member
        known = self._known.get(member)
        if known is not None and self._clock.steady() < known.until:
            return known.is_member
        if sale.is_settled:
            return True
        was_refused = sale.hand_over == WAITING and sale.code == UNKNOWN_MEMBER
        return False if was_refused or self._was_skipped(member) else None

    def list_warnings(self, sale: KeptSale) -> list[dict[str, str]]:
        """What a cashier must know about a sale's member."""
        if self.is_member(sale) is not False:
            return []
        contact, member = self._knowledge.contact, decode_receipt(sale.signed).receipt.member
        shown = member.hex() if contact is None else encode_address(contact.facts.address_prefix, member)
        return [
            {
                "code": "till.no_member",
                "text": f"{shown} has not joined the program: this receipt gives no points unless the fan joins in its period.",
                "advice": "Let the fan join now (GET /invitation, POST /enrolments), or compare the address with the one that "
                "the fan's wallet says: `fansumer wallet addresses --program PROGRAM`.",
            }
        ]

    def _keep(self, member: Address, known: _Known) -> None:
        with self._lock:
            if len(self._known) >= MEMBERS_KEPT:
                self._known.clear()
            self._known[member] = known

    def _ask(self, member_text: str) -> bool | None:
        """None where the account has more programs than the node shows. Raises ClientProblem."""
        account = self._client.account(member_text)
        found = next((item for item in account["programs"] if item["program"] == self._program.hex()), None)
        if found is None:
            return None if not account["programs_complete"] else False
        return not found["left_at"]

    def _was_skipped(self, member: Address) -> bool:
        run: dict[str, Any] = self._store.document(LAST_RUN) or {}
        skipped = run.get("skipped", ())
        return any(item["member"] == member.hex() and item["code"] in NOT_HERE for item in skipped)

    def _read(self, member_text: str) -> Address | None:
        contact = self._knowledge.contact
        if contact is None:
            return None
        try:
            return decode_address(contact.facts.address_prefix, member_text)
        except Malformed:
            return None
