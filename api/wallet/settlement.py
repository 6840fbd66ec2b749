"""Settling receipts batch by batch, so that a crash at any moment loses no salt and settles nothing twice.

The book is one JSON document of a settlement key, in a file or in a till's store: what each member carries, which receipts are
settled, which receipt has which number of its till, and the batch that is on its way. A batch is written to the book before it is
sent; only when it stands in a block do its members' remainders move on. One that was refused or came too late is signed again with
the same entries and the same salt: of one author and salt a chain takes at most one transaction, so whichever version counts, it
counts once and the same openings prove it.

A batch holds at most one entry for each member: an entry that the chain skips leaves the member's remainder as it was, and a
second one would have started from the wrong one.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from api.wallet.brand import Brand
from api.wallet.builder import build, new_salt
from api.wallet.client import Answer, ClientProblem
from api.wallet.errors import WalletError
from api.wallet.grants import ever_held_scope, held_scope_at
from api.wallet.sealing import (
    NOTHING_CARRIED,
    Carried,
    Opening,
    PeriodRule,
    carried_from_mapping,
    carried_to_mapping,
    choose_covers,
    group_receipts,
    opening_from_mapping,
    opening_to_mapping,
    placed,
    seal_entry,
)
from api.wallet.whole_file import write_whole
from ledger.domains.loyalty.earn import CREDITED, Earn, SealedEntry
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash, receipt_is_signed
from ledger.errors import Code
from ledger.kinds import APPLIED
from ledger.params import EARN_ENTRIES_MAX
from ledger.policy import address_of_key
from ledger.transaction import decode_transaction
from ledger.types import Address, Points, ProgramId, PublicKey, ReceiptHash, Timestamp, TxId

FORMAT: Final = "fansumer-settlement-book"
VERSION: Final = 2
VERSIONS_READ: Final = (1, 2)
"""Version 1 did not remember the numbers of tills."""
VERSIONS_MAX: Final = 16
"""Signed versions of one batch that are remembered; all but the latest have long expired then."""
APPLIED_SHOWN: Final = "applied"
"""How the API shows the ledger's empty result code."""

BAD_BOOK = Code(
    "settlement.bad_book",
    "the settlement book {path} cannot be used: {reason}",
    "Take a copy from a backup; without its salts a contest cannot be answered.",
)
BOOK_MOVED = Code(
    "settlement.book_moved",
    "the settlement book of this key is kept by `fansumer till serve`, in {place}",
    "Settle there, with --settle: two books of one key would settle a receipt twice, and lose what members carry.",
)
FOREIGN_RECEIPT = Code(
    "settlement.foreign_receipt",
    "the receipt {receipt} is {reason}",
    "Take it out of the folder: only this program's receipts, signed by its tills, are settled.",
)
NUMBER_USED = Code(
    "settlement.number_used",
    "the receipt {receipt} is not the only one with its till's number: {other}",
    "Ask at the till which of them counts. A receipt that was seen in an earlier run keeps its number; of new ones leave one.",
)

Group = tuple[Address, int, tuple[tuple[ReceiptHash, Points], ...]]

Keep = Callable[[Sequence[Opening]], None]
"""Takes the openings of a settled batch: they must be kept as long as an entry can be contested, and given to the fans."""

Write = Callable[[bytes], None]
"""Makes a book durable, whole or not at all."""

Number = tuple[PublicKey, int]
"""A till's key and one of its numbers."""


@dataclass(slots=True)
class Pending:
    """A batch on its way: every version that was signed, the latest last, and its openings by entry."""

    versions: list[bytes]
    openings: tuple[Opening, ...]


@dataclass(slots=True)
class SettlementBook:
    """What a settlement key must remember, saved whole at every step: in the file `path`, or by `write` where it is given."""

    path: Path
    program: ProgramId
    carried: dict[Address, Carried] = field(default_factory=dict)
    settled: set[ReceiptHash] = field(default_factory=set)
    pending: Pending | None = None
    numbers: dict[Number, ReceiptHash] = field(default_factory=dict)
    write: Write | None = None

    @staticmethod
    def load(path: Path, program: ProgramId) -> "SettlementBook":
        """The book at `path`, or a new one. Raises WalletError settlement.bad_book."""
        if not path.exists():
            return SettlementBook(path, program)
        try:
            data = path.read_bytes()
        except OSError as fault:
            raise WalletError(BAD_BOOK, path=str(path), reason=fault.strerror or "it cannot be read") from None
        return SettlementBook.read(data, path, program)

    @staticmethod
    def read(data: bytes, path: Path, program: ProgramId) -> "SettlementBook":
        """The book in these bytes, which lay at `path`. Raises WalletError settlement.bad_book."""
        try:
            document = json.loads(data)
            if document["format"] != FORMAT or document["version"] not in VERSIONS_READ:
                raise WalletError(BAD_BOOK, path=str(path), reason="its format or version is unknown")
            if document["program"] != program.hex():
                raise WalletError(BAD_BOOK, path=str(path), reason="it belongs to another program")
            if "moved_to" in document:
                raise WalletError(BOOK_MOVED, place=str(document["moved_to"]))
            return _book_of_mapping(path, program, document)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise WalletError(BAD_BOOK, path=str(path), reason="a field is missing or malformed") from None

    @staticmethod
    def mark_moved(path: Path, program: ProgramId, place: str) -> None:
        """Leave at `path` the word that the book is kept elsewhere. Raises WalletError settlement.bad_book."""
        word = {"format": FORMAT, "version": VERSION, "program": program.hex(), "moved_to": place}
        SettlementBook(path, program)._write_file(json.dumps(word).encode())

    def save(self) -> None:
        """Write the book, whole or not at all, readable by its owner only. Raises WalletError settlement.bad_book."""
        data = json.dumps(self._to_mapping()).encode()
        (self.write or self._write_file)(data)

    def _write_file(self, data: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, data)
        except OSError as fault:
            raise WalletError(BAD_BOOK, path=str(self.path), reason=fault.strerror or "it cannot be written") from None

    def finish(self, shown_codes: Iterable[str], keep: "Keep", txid: TxId) -> "Outcome":
        """The pending batch stands in a block with these result codes: remainders move on, its receipts are settled.

        `keep` gets the openings before the book lets go of them; after a crash between the two it gets them again.
        """
        assert self.pending is not None, "there is a batch to finish"
        outcome = Outcome()
        codes = [APPLIED if code == APPLIED_SHOWN else code for code in shown_codes]
        for opening, code in zip(placed(self.pending.openings, codes, txid), codes, strict=True):
            if code in CREDITED:
                outcome.openings.append(opening)
            else:
                outcome.skipped.append((opening, code))
        keep(outcome.openings)
        for opening in outcome.openings:
            self.carried[opening.member] = opening.after
            self.settled.update(receipt for receipt, _ in opening.receipts)
        self.pending = None
        self.save()
        return outcome

    def learn_numbers(self, receipts: Iterable[SignedReceipt]) -> None:
        """Remember which receipt has which number of its till, so that another one is noticed whenever it comes."""
        count = len(self.numbers)
        for signed in receipts:
            self.numbers.setdefault(_number_of(signed), receipt_hash(signed.receipt, signed.salt))
        if len(self.numbers) > count:
            self.save()

    @property
    def is_new(self) -> bool:
        """Whether it has settled nothing, and nothing is on its way. A member who was settled stays in `carried`, be it at zero."""
        return not self.settled and not self.carried and self.pending is None

    def carrying(self) -> list[Address]:
        """Members for whom something is carried on."""
        return [member for member, carried in self.carried.items() if carried.salt]

    def forget(self, receipts: Iterable[ReceiptHash]) -> None:
        """Drop receipts that nobody can bring again: their till no longer has them. Raises WalletError settlement.bad_book."""
        gone = frozenset(receipts)
        self.settled -= gone
        self.numbers = {number: receipt for number, receipt in self.numbers.items() if receipt not in gone}
        self.save()

    def _to_mapping(self) -> dict[str, Any]:
        pending, numbers = self.pending, dict[str, dict[str, str]]()
        for (till, number), receipt in self.numbers.items():
            numbers.setdefault(till.hex(), {})[str(number)] = receipt.hex()
        return {
            "format": FORMAT,
            "version": VERSION,
            "program": self.program.hex(),
            "carried": {member.hex(): carried_to_mapping(carried) for member, carried in self.carried.items()},
            "settled": sorted(receipt.hex() for receipt in self.settled),
            "numbers": numbers,
            "pending": None
            if pending is None
            else {
                "versions": [base64.b64encode(raw).decode() for raw in pending.versions],
                "openings": [opening_to_mapping(opening) for opening in pending.openings],
            },
        }


def _book_of_mapping(path: Path, program: ProgramId, document: Mapping[str, Any]) -> SettlementBook:
    """Raises ValueError, KeyError, TypeError or AttributeError for a mapping that `save` did not write."""
    pending = document["pending"]
    return SettlementBook(
        path=path,
        program=program,
        carried={
            Address(bytes.fromhex(member)): carried_from_mapping(carried)
            for member, carried in document["carried"].items()
        },
        settled={ReceiptHash(bytes.fromhex(receipt)) for receipt in document["settled"]},
        pending=None
        if pending is None
        else Pending(
            versions=[base64.b64decode(raw, validate=True) for raw in pending["versions"]],
            openings=tuple(opening_from_mapping(opening) for opening in pending["openings"]),
        ),
        numbers={
            (PublicKey(bytes.fromhex(till)), int(number)): ReceiptHash(bytes.fromhex(receipt))
            for till, numbers in document.get("numbers", {}).items()
            for number, receipt in numbers.items()
        },
    )


def _number_of(signed: SignedReceipt) -> Number:
    return signed.receipt.till, signed.receipt.sequence


@dataclass(slots=True)
class Outcome:
    """What became of entries: openings of those that were applied, and the others with the ledger's code."""

    openings: list[Opening] = field(default_factory=list)
    skipped: list[tuple[Opening, str]] = field(default_factory=list)

    @property
    def points(self) -> int:
        """Points that were settled."""
        return sum(opening.points for opening in self.openings)

    def add(self, other: "Outcome") -> None:
        """Count another batch in."""
        self.openings.extend(other.openings)
        self.skipped.extend(other.skipped)


@dataclass(frozen=True, slots=True)
class SettlementTerms:
    """What settling needs of a program's terms in force."""

    periods: PeriodRule
    remainder_max: Points


class Settler:
    """Settles receipts of one program with the brand's settlement key, batch after batch; `keep` gets every opening."""

    def __init__(
        self,
        brand: Brand,
        book: SettlementBook,
        terms: SettlementTerms,
        *,
        confirmations: int = 1,
        seconds_max: float = 300.0,
        random: Random | None = None,
        keep: Keep = lambda openings: None,
    ) -> None:
        self._brand = brand
        self._book = book
        self._terms = terms
        self._confirmations = confirmations
        self._seconds_max = seconds_max
        self._random = random
        self._keep = keep

    def settle(self, receipts: Iterable[SignedReceipt], *, until: Timestamp, is_last: bool = False) -> Outcome:
        """Settle all receipts whose period ended by `until`, or has begun where the program settles on demand.

        Finishes first what an earlier run left. `is_last` carries nothing on. Raises WalletError settlement.foreign_receipt or
        settlement.number_used, before anything is settled: `examine` says which receipts to leave out.
        """
        found = list(receipts)
        for fault in self.examine(found).values():
            raise fault
        self._book.learn_numbers(found)
        total = self.resume()
        tried: set[tuple[Address, int]] = set()
        while True:
            batch = self._next_batch(found, until, tried)
            if not batch:
                return total
            tried.update((member, period) for member, period, _ in batch)
            if not is_last:
                batch.extend(self._covers(batch))
            total.add(self._settle_batch(batch, is_last=is_last))

    def examine(self, receipts: Sequence[SignedReceipt]) -> dict[int, WalletError]:
        """What speaks against settling receipts, by their place in the list; nothing is settled.

        A receipt that a till's key did not sign says nothing about that till's numbers. Of receipts that share a number, all are
        named, but for the one that the book knows from an earlier run.
        """
        faults: dict[int, WalletError] = {}
        tills: dict[str, Answer] | None = None
        by_number: dict[Number, dict[ReceiptHash, list[int]]] = {}
        for index, signed in enumerate(receipts):
            try:
                self._check(signed)
                tills = self._read_tills() if tills is None else tills
                self._check_till(signed, tills)
            except WalletError as fault:
                faults[index] = fault
                continue
            same = by_number.setdefault(_number_of(signed), {})
            same.setdefault(receipt_hash(signed.receipt, signed.salt), []).append(index)
        for number, same in by_number.items():
            known = self._book.numbers.get(number)
            for found, places in same.items():
                other = known or next((other for other in same if other != found), found)
                if other != found:
                    faults |= {place: self._number_used(receipts[place], other) for place in places}
        return faults

    def flush(self, at: Timestamp, members: Iterable[Address] | None = None) -> Outcome:
        """Bring every carried remainder to zero, or those of `members`, in the period that holds `at`: an end, or a leaving."""
        total = self.resume()
        period = self._terms.periods.period_of(at)
        if members is None:
            members = self._book.carrying()
        members = sorted(members)
        for start in range(0, len(members), EARN_ENTRIES_MAX):
            batch: list[Group] = [(member, period, ()) for member in members[start : start + EARN_ENTRIES_MAX]]
            total.add(self._settle_batch(batch, is_last=True))
        return total

    def resume(self) -> Outcome:
        """Finish the batch that an earlier run left on its way: wait for it, or sign it again if the node does not have it."""
        pending = self._book.pending
        if pending is None:
            return Outcome()
        for raw in pending.versions:
            if self._is_under_way(raw):
                return self._await(raw)
        earlier = decode_transaction(pending.versions[-1], self._brand.wallet.facts.chain_id)
        again = self._sign(earlier.payload, earlier.body.salt)
        pending.versions = [*pending.versions[-VERSIONS_MAX + 1 :], again]
        self._book.save()
        return self._deliver(again)

    def _read_tills(self) -> dict[str, Answer]:
        """The program's issuers that may sign receipts, or once could, by their address."""
        client = self._brand.wallet.client
        issuers = client.every(client.issuers, self._book.program)
        return {issuer["address"]: issuer for issuer in issuers if ever_held_scope(issuer, "till")}

    def _check(self, signed: SignedReceipt) -> None:
        receipt, name = signed.receipt, self._name(signed)
        if receipt.program != self._book.program:
            raise WalletError(FOREIGN_RECEIPT, receipt=name, reason="of another program")
        if not receipt_is_signed(signed, self._brand.wallet.facts.chain_id):
            raise WalletError(FOREIGN_RECEIPT, receipt=name, reason="not signed by the till that it names")

    def _check_till(self, signed: SignedReceipt, tills: Mapping[str, Answer]) -> None:
        """A receipt that anybody could have signed is worth nothing: its till must have held the scope at its time."""
        receipt, name = signed.receipt, self._name(signed)
        till = tills.get(self._brand.wallet.address_text(address_of_key(receipt.till)))
        if till is None:
            raise WalletError(FOREIGN_RECEIPT, receipt=name, reason="signed by a key without the scope of a till")
        if not held_scope_at(till, "till", receipt.time):
            raise WalletError(FOREIGN_RECEIPT, receipt=name, reason="signed when its till held no grant")

    def _number_used(self, signed: SignedReceipt, other: ReceiptHash) -> WalletError:
        """A till signs one receipt under each of its numbers; a second one would be settled, too, and no audit would hold."""
        return WalletError(NUMBER_USED, receipt=self._name(signed), other=other.hex())

    def _name(self, signed: SignedReceipt) -> str:
        """A receipt as a message names it: its till and its number there."""
        return f"{self._brand.wallet.address_text(address_of_key(signed.receipt.till))}/{signed.receipt.sequence}"

    def _next_batch(
        self, receipts: Iterable[SignedReceipt], until: Timestamp, tried: set[tuple[Address, int]]
    ) -> list[Group]:
        """Each member's earliest period that is unsettled and was not tried in this run; at most one batch of them."""
        rule = self._terms.periods
        batch: dict[Address, Group] = {}
        for (member, period), hashes in group_receipts(receipts, rule).items():
            fresh = tuple(item for item in hashes if item[0] not in self._book.settled)
            is_due = rule.period_days == 0 or rule.ends(period) <= until
            if fresh and is_due and member not in batch and (member, period) not in tried:
                batch[member] = (member, period, fresh)
        return list(batch.values())[:EARN_ENTRIES_MAX]

    def _covers(self, batch: Sequence[Group]) -> list[Group]:
        """Entries without a receipt for the batch's last period, so that an entry does not say who was in the shop."""
        period = max(period for _, period, _ in batch)
        if self._terms.periods.period_days == 0:
            return []  # settled on demand: an entry's moment says it anyway
        busy = {member for member, _, _ in batch}
        chosen = choose_covers(self._book.carried, busy, self._random)
        return [(member, period, ()) for member in sorted(chosen)][: EARN_ENTRIES_MAX - len(batch)]

    def _settle_batch(self, batch: list[Group], *, is_last: bool) -> Outcome:
        """Seal, sign and write down a batch before anybody sees it; then send it and wait for its block."""
        sealed: list[tuple[SealedEntry, Opening]] = [
            seal_entry(
                member,
                period,
                hashes,
                before=self._book.carried.get(member, NOTHING_CARRIED),
                remainder_max=self._terms.remainder_max,
                is_last=is_last,
                random=self._random,
            )
            for member, period, hashes in batch
        ]
        raw = self._sign(Earn(self._book.program, tuple(entry for entry, _ in sealed)), new_salt())
        self._book.pending = Pending([raw], tuple(opening for _, opening in sealed))
        self._book.save()
        return self._deliver(raw)

    def _sign(self, payload: Earn, salt: bytes) -> bytes:
        wallet = self._brand.wallet
        return build(
            wallet.facts,
            "earn",
            payload,
            wallet.main,
            valid_from=wallet.next_height(),
            payment=self._brand.pay(self._book.program),
            salt=salt,
        )

    def _deliver(self, raw: bytes) -> Outcome:
        self._brand.wallet.send_raw(raw)
        return self._await(raw)

    def _await(self, raw: bytes) -> Outcome:
        """Wait for a version's block, and write down what became of the batch."""
        client = self._brand.wallet.client
        status = client.wait_for(self._txid(raw), confirmations=self._confirmations, seconds_max=self._seconds_max)
        return self._book.finish(status["codes"], self._keep, self._txid(raw))

    def _is_under_way(self, raw: bytes) -> bool:
        """Whether the node holds this version, in a block or waiting for one."""
        try:
            status = self._brand.wallet.client.transaction(self._txid(raw))
        except ClientProblem as problem:
            if problem.status == 404:
                return False
            raise
        return status["status"] != "dropped"

    def _txid(self, raw: bytes) -> TxId:
        return decode_transaction(raw, self._brand.wallet.facts.chain_id).txid
