"""A program with as many made-up members as a test wants, without a chain: what `PersonalGate` reads of members and consents.

Members are numbered from 0 in the order of joining; `agrees` says who lets the program personalise. What they bought and were told
stands in a real receipt store.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from api.personalization.consent_gate import PersonalGate
from api.receipts.store import ReceiptStore
from ledger.domains.consent.state import PERSONALISE
from ledger.types import Address, ProgramId, Timestamp
from node.store.reader import ListedRow, Position

PROGRAM = ProgramId(b"P" * 32)
NOW = Timestamp(1_800_000_000)
JOINED_PER_BLOCK = 7
"""Members stand at positions (height, sequence), so that pages begin in the middle of a block, too."""


def member_address(number: int) -> Address:
    """The address of a member by its number."""
    return Address(number.to_bytes(32, "big"))


@dataclass(slots=True)
class MadeUpMembers:
    """A view of the chain, a gate of consents, a clock and a desk in one: only what group figures ask for."""

    count: int
    agrees: Callable[[int], bool]
    store: ReceiptStore
    pages: int = 0

    # --- as Reader and Snapshot ---

    @contextmanager
    def snapshot(self) -> Iterator["MadeUpMembers"]:
        """The view itself."""
        yield self

    def tip(self) -> Any:
        """A block of now."""
        return SimpleNamespace(hash=b"tip", header=SimpleNamespace(time=NOW))

    def listed(self, parent: bytes, kind: str, after: Position | None, limit: int) -> list[ListedRow]:
        """Members of the program, or the consent of a member."""
        if kind == "member":
            self.pages += 1
            first = 0 if after is None else after[0] * JOINED_PER_BLOCK + after[1] + 1
            return [
                ListedRow(member_address(number), divmod(number, JOINED_PER_BLOCK))
                for number in range(first, min(first + limit, self.count))
            ]
        if kind == "consent" and self.agrees(int.from_bytes(parent, "big")):
            return [ListedRow(PROGRAM + bytes([PERSONALISE]), (1, 0))]
        return []

    def record(self, key: bytes) -> Any:
        """A program and members that never left."""
        return SimpleNamespace(left_at=0, joined_at=NOW - 400 * 86_400, owner=b"O" * 32)

    # --- as ConsentGate, ReceiptDesk and Clock ---

    async def ready(self) -> None:
        """Nothing is to be loaded."""

    def find_active(self, *_: Any, **__: Any) -> object:
        """What is listed is active."""
        return self

    async def run(self, work: Callable[[ReceiptStore], Any]) -> Any:
        """At once."""
        return work(self.store)

    def now(self) -> Timestamp:
        """The time."""
        return NOW


def open_gate(folder: Path, count: int, agrees: Callable[[int], bool]) -> tuple[PersonalGate, MadeUpMembers]:
    """A gate over made-up members, and these."""
    members: Any = MadeUpMembers(count, agrees, ReceiptStore(f"sqlite:///{folder / 'receipts.sqlite'}"))
    return PersonalGate(members, members, members, members), members
