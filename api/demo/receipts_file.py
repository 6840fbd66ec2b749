"""The receipts of a replay in one file: what its tills gave to the fans, and the openings of what the brand settled.

An SQLite file beside the chain, not part of it: purchase lines are personal and never enter a block. `check_fan` is what a fan does
at home with its part of the file: no network, no node.

    fans      household -> member (the demo's own directory)
    receipts  member, period, sequence, the canonical signed receipt, its lines in clear (canonical)
    openings  member, period, the canonical opening of the entry
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from api.demo.brand import PERIODS, PROGRAM, TERMS
from api.wallet.errors import WalletError
from api.wallet.sealing import NOTHING_CARRIED, Carried, Opening
from ledger.codec import pack, unpack
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.receipts import (
    SignedReceipt,
    decode_receipt,
    line_leaf,
    receipt_hash,
    receipt_is_signed,
    seal_sum,
    sum_leaf,
    sum_root,
)
from ledger.errors import Code
from ledger.merkle import root
from ledger.types import Address, ChainId, Hash, Points, ProgramId, PublicKey, ReceiptHash

RECEIPTS_FILE: Final = "demo-receipts.sqlite"
"""Not the name of the file in which the node that goes on with this chain keeps what tills hand over."""
LINES_BYTES_MAX: Final = 2**20

Line = tuple[int, ...]
"""Product id, quantity, sales, shop discount and coupon discount, money in cents."""

BAD_RECEIPTS = Code(
    "receipts.wrong",
    "the receipts of {member} do not hold: {reason}",
    "Show them to the shop: it signed them, or it did not.",
)

SCHEMA: Final = """
CREATE TABLE fans (household INTEGER PRIMARY KEY, member BLOB NOT NULL);
CREATE TABLE receipts (sequence INTEGER PRIMARY KEY, member BLOB NOT NULL, period INTEGER NOT NULL, receipt BLOB NOT NULL,
                       lines BLOB NOT NULL);
CREATE TABLE openings (member BLOB NOT NULL, period INTEGER NOT NULL, opening BLOB NOT NULL);
"""
INDEXES: Final = """
CREATE INDEX receipts_by_member ON receipts (member, period);
CREATE INDEX openings_by_member ON openings (member, period);
"""

FanRow = tuple[int, Address]
ReceiptRow = tuple[int, Address, int, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Settled:
    """What the chain must show for one entry: period, points and R."""

    period: int
    points: Points
    receipts: Hash


class ReceiptsFile:
    """The file, opened for writing by the replay or for reading by a fan."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty file; one that a broken-off replay left is replaced."""
        path.unlink(missing_ok=True)
        made = cls(path)
        made._connection.executescript(SCHEMA)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a week that was written is kept."""
        self._connection.close()

    def write_week(self, fans: Iterable[FanRow], receipts: Iterable[ReceiptRow], openings: Iterable[Opening]) -> None:
        """Add a settled week, all of it or nothing."""
        with self._connection:
            self._connection.executemany("INSERT INTO fans VALUES (?, ?)", fans)
            self._connection.executemany("INSERT INTO receipts VALUES (?, ?, ?, ?, ?)", receipts)
            rows = [(opening.member, opening.period, pack_opening(opening)) for opening in openings]
            self._connection.executemany("INSERT INTO openings VALUES (?, ?, ?)", rows)

    def finish(self) -> None:
        """Make it quick to find one fan's part."""
        with self._connection:
            self._connection.executescript(INDEXES)

    def find_fan(self, household: int) -> Address | None:
        """The account of a household."""
        row = self._connection.execute("SELECT member FROM fans WHERE household = ?", (household,)).fetchone()
        return None if row is None else Address(row[0])

    def fans(self) -> list[Address]:
        """The account of every household."""
        return [Address(row[0]) for row in self._connection.execute("SELECT member FROM fans ORDER BY household")]

    def read_receipts(self, member: Address) -> list[tuple[SignedReceipt, tuple[Line, ...]]]:
        """A fan's receipts with their lines, in the till's order. Raises `Malformed`."""
        query = "SELECT receipt, lines FROM receipts WHERE member = ? ORDER BY sequence"
        found: list[tuple[SignedReceipt, tuple[Line, ...]]] = []
        for receipt, packed in self._connection.execute(query, (member,)):
            lines: Any = unpack(packed, bytes_max=LINES_BYTES_MAX)
            found.append((decode_receipt(receipt), lines))
        return found

    def read_openings(self, member: Address) -> list[Opening]:
        """The openings of a fan's entries, in the order of settlement. Raises `Malformed`."""
        query = "SELECT opening FROM openings WHERE member = ? ORDER BY rowid"
        return [unpack_opening(member, row[0]) for row in self._connection.execute(query, (member,))]


def pack_opening(opening: Opening) -> bytes:
    """The canonical bytes of an opening; its member is the row's."""
    carried = [(side.remainder, side.salt) for side in (opening.before, opening.after)]
    return pack((opening.period, opening.points, opening.receipts, opening.salt, *carried))


def unpack_opening(member: Address, data: bytes) -> Opening:
    """Read what `pack_opening` wrote. Raises `Malformed`."""
    array: Any = unpack(data, bytes_max=LINES_BYTES_MAX)
    period, points, receipts, salt, before, after = array
    return Opening(member, period, points, receipts, salt, _carried(before), _carried(after))


def _carried(pair: tuple[int, bytes]) -> Carried:
    return Carried(Points(pair[0]), pair[1])


def check_fan(
    file: ReceiptsFile, member: Address, chain_id: ChainId, program: ProgramId, till: PublicKey
) -> list[Settled]:
    """Everything that a fan can check at home; returns what the chain must show.

    Each receipt is signed by the till for this chain, program and member, gives the points of the published rule, and its lines are
    those that it commits to; each entry's opening holds exactly the receipts of its period, and its remainders join up and end at
    nothing. Raises `receipts.wrong`.
    """

    def refuse_unless(holds: bool, reason: str) -> None:
        if not holds:
            raise WalletError(BAD_RECEIPTS, member=member, reason=reason)

    by_period: dict[int, set[tuple[ReceiptHash, Points]]] = {}
    for signed, lines in file.read_receipts(member):
        receipt = signed.receipt
        name = f"receipt {receipt.sequence}"
        refuse_unless(
            (receipt.member, receipt.program, receipt.till) == (member, program, till), f"{name} is another's"
        )
        refuse_unless(receipt_is_signed(signed, chain_id), f"{name} has a wrong signature")
        given = points_for(TERMS.rules, receipt.purchase(), offset_minutes=PROGRAM.offset_minutes)
        refuse_unless(receipt.points == given, f"{name} gives {receipt.points} points, not {given}")
        refuse_unless(hash_lines(signed.salt, lines) == receipt.lines_root, f"{name} has other lines")
        refuse_unless(sum(line[2] for line in lines) == receipt.net_cents, f"the lines of {name} have another sum")
        item = (receipt_hash(receipt, signed.salt), receipt.points)
        by_period.setdefault(PERIODS.period_of(receipt.time), set()).add(item)
    settled: list[Settled] = []
    before = NOTHING_CARRIED
    for opening in file.read_openings(member):
        node = sum_root([sum_leaf(receipt, points) for receipt, points in opening.receipts])
        refuse_unless(opening.before == before, f"the remainder before period {opening.period} does not join up")
        refuse_unless(
            set(opening.receipts) == by_period.pop(opening.period, set()), f"period {opening.period} has other receipts"
        )
        refuse_unless(
            opening.points == node.points + opening.before.remainder - opening.after.remainder,
            f"the points of period {opening.period} do not add up",
        )
        settled.append(Settled(opening.period, opening.points, seal_sum(opening.salt, node)))
        before = opening.after
    refuse_unless(not by_period, "a period was not settled")
    refuse_unless(before == NOTHING_CARRIED, "a remainder is still carried")
    return settled


def hash_lines(salt: bytes, lines: Sequence[Line]) -> Hash:
    """The root over a receipt's salted lines (spec RCP-3)."""
    return root([line_leaf(salt, index, line) for index, line in enumerate(lines)])
