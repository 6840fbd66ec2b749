"""A program with as many made-up members as a test wants, without a chain: what `PersonalGate` reads of members and consents.

Members are numbered from 0 in the order of joining; `agrees` says who lets the program personalise. What they bought and were told
stands in a real receipt store.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from api.personalization.consent_gate import PersonalGate
from api.receipts.store import KeptReceipt, ReceiptStore
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt
from ledger.domains.voice.reviews import CRITICISE
from ledger.types import Address, Hash, Points, ProgramId, PublicKey, ReceiptHash, Signature, Timestamp
from node.store.reader import ListedRow, Position

PROGRAM = ProgramId(b"P" * 32)
NOW = Timestamp(1_800_000_000)
ALL_OF_ITS = frozenset({""})
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
    scopes: dict[int, frozenset[str]] = field(default_factory=dict)
    critics: set[int] = field(default_factory=set)

    # --- as Reader and Snapshot ---

    @contextmanager
    def snapshot(self) -> Iterator["MadeUpMembers"]:
        """The view itself."""
        yield self

    def tip(self) -> Any:
        """A block of now."""
        return SimpleNamespace(hash=b"tip", header=SimpleNamespace(time=NOW))

    def listed(self, parent: bytes, kind: str, after: Position | None, limit: int) -> list[ListedRow]:
        """Members of the program."""
        if kind == "member":
            self.pages += 1
            first = 0 if after is None else after[0] * JOINED_PER_BLOCK + after[1] + 1
            return [
                ListedRow(member_address(number), divmod(number, JOINED_PER_BLOCK))
                for number in range(first, min(first + limit, self.count))
            ]
        return []

    def listed_last(self, parent: bytes, kind: str, limit: int) -> list[ListedRow]:
        """The program's review by a member, of those in `critics`."""
        is_critic = kind == "account_review" and int.from_bytes(parent, "big") in self.critics
        return [ListedRow(PROGRAM, (1, 0))][:limit] if is_critic else []

    def record(self, key: bytes) -> Any:
        """A program, members that never left, and what critics say."""
        said = {"stance": CRITICISE, "score": 1, "latest_at": NOW}
        return SimpleNamespace(left_at=0, joined_at=NOW - 400 * 86_400, owner=b"O" * 32, **said)

    # --- as ConsentGate, ReceiptDesk and Clock ---

    async def ready(self) -> None:
        """Nothing is to be loaded."""

    def active_scopes(self, view: Any, fan: Address, grantee: bytes, purpose: int) -> frozenset[str]:
        """All of it, of those who agree, or what `scopes` names."""
        assert view is self and grantee == PROGRAM and purpose == PERSONALISE, "nothing else is asked"
        number = int.from_bytes(fan, "big")
        return self.scopes.get(number, ALL_OF_ITS) if self.agrees(number) else frozenset()

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


@dataclass(slots=True)
class Till:
    """Hands over receipts of purchases, each with a number of its own."""

    store: ReceiptStore
    sequence: int = 0

    def sell(self, fan: Address, at: int, *lines: tuple[Any, ...], program: ProgramId = PROGRAM) -> ReceiptHash:
        """Keep a receipt of lines [item, quantity, cents, discount]; its id."""
        self.sequence += 1
        net = sum(line[2] for line in lines)
        receipt = Receipt(
            version=1,
            program=program,
            terms_version=1,
            member=fan,
            till=PublicKey(b"t" * 32),
            sequence=self.sequence,
            time=Timestamp(at),
            net_cents=net,
            paid_with_points_cents=0,
            codes=(),
            lines_root=Hash(b"r" * 32),
            points=Points(net // 100),
        )
        salt = sha256(self.sequence.to_bytes(8, "big")).digest()
        kept = KeptReceipt(SignedReceipt(receipt, salt, Signature(bytes(64))), lines, 0, Timestamp(at))
        assert self.store.add(kept)
        return kept.id
