"""Revocations that this node has received, kept until a block deep enough holds them.

A `consent.revoke` that its fan signed counts at once: it is noted in memory under the node's lock, written to the receipt store
before its sender is answered, and read again at the next start. While it is in no block, it is handed to the pool again after each
block. Revocations in blocks that a reorganisation takes back are noted again.

A note stands until a block holds a grant of the same consent that the fan signed after it. Which of two was signed first, their
heights say: a wallet signs what is valid from the next block on. So a grant brings the consent back if it is valid only from a
later height on than the revocation was received at, or from that very height and this node received it after the revocation. A
grant that was signed before and held back, by whomever, brings nothing back.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice
from typing import Final

import structlog

from api.http.receipt_desk import ReceiptDesk
from api.receipts.revocation_notes import Note
from ledger.domains.consent.consent_grant import ConsentGranted
from ledger.domains.consent.state import Consent, consent_key
from ledger.errors import LedgerError
from ledger.transaction import Transaction, decode_transaction
from ledger.types import Address, ChainId, Height, RecordKey, TxId
from node.mempool.withdrawal import granted_consent, revoked_consent
from node.node import Node
from node.store.reader import Position, Snapshot, TransactionPlace
from node.tip import TipChanged

log = structlog.get_logger()

TENDED_PER_BLOCK_MAX: Final = 64
"""Notes that are looked at after a block: sent again, or forgotten. The others have their turn after the next ones."""
GRANTS_PER_PAGE: Final = 200
GRANT_PAGES_MAX: Final = 50
"""Of a fan's grants that are looked through for those of one consent; each grant has cost a fee."""


class Revocations:
    """The notes of one node. `note` and `follow` are called under the node's lock, `stands` by whoever reads."""

    def __init__(self, node: Node, desk: ReceiptDesk) -> None:
        self._node = node
        self._desk = desk
        self._chain_id: ChainId = node.chain.chain_id
        self._notes: dict[RecordKey, Note] = {}  # the one that was looked at longest ago comes first
        self._writing: dict[TxId, Future[None]] = {}
        self._lock = threading.Lock()
        self._is_loaded = False
        self._is_closed = False
        self._loading: asyncio.Lock = asyncio.Lock()
        self._behind: list[TipChanged] = []
        with node.lock:
            node.mempool.follow_consents(self.note)
            node.chain.subscribe(self.follow)
            for transaction in node.mempool.transactions():
                self.note(transaction)

    # --- at the start ---

    async def load(self) -> None:
        """Read the notes, once. Raises what the store raises."""
        if self._is_loaded:
            return
        async with self._loading:
            if not self._is_loaded:
                found = await self._desk.run(lambda store: store.notes.all())
                with self._lock:
                    for note in found:
                        self._notes.setdefault(note.consent, note)
                self._is_loaded = True

    def send_waiting(self) -> None:
        """Hand revocations that are in no block to the pool, as after a restart. Takes the node's lock."""
        with self._node.lock:
            if not self._is_closed:
                self._tend()

    def close(self) -> None:
        """Take note of nothing any more: the store is closed next."""
        self._is_closed = True

    # --- taking note ---

    def note(self, transaction: Transaction) -> None:
        """Take note of a revocation that was received, or of a grant that was received after one."""
        height = self._node.chain.next_context().height
        revoked, granted = revoked_consent(transaction), granted_consent(transaction)
        if self._is_closed:
            return
        if revoked is not None:
            earlier = self._note_of(revoked)
            if earlier is None or earlier.txid != transaction.txid:
                self._keep(self._make_note(revoked, transaction, height))
        elif granted is not None:
            earlier = self._note_of(granted)
            if earlier is not None and transaction.body.valid_from >= earlier.height:
                self._keep(replace(earlier, lifted_by=transaction.txid))

    def _make_note(self, consent: RecordKey, revocation: Transaction, height: Height) -> Note:
        return Note(consent, revocation.txid, revocation.raw, height, self._node.clock.now())

    def _note_of(self, consent: RecordKey) -> Note | None:
        with self._lock:
            return self._notes.get(consent)

    def _keep(self, note: Note) -> None:
        with self._lock:
            self._notes.pop(note.consent, None)
            self._notes[note.consent] = note
            self._writing[note.txid] = self._desk.post(lambda store: store.notes.save(note))
            if note.lifted_by is not None:
                self._writing[note.lifted_by] = self._writing[note.txid]
            for txid in [txid for txid, done in self._writing.items() if done.done() and not done.exception()]:
                del self._writing[txid]

    @property
    def is_writing(self) -> bool:
        """Whether notes are on their way to the disk, or did not get there."""
        return bool(self._writing)

    async def saved(self, txid: TxId) -> None:
        """Return once the note of a transaction is on disk; if writing it failed, try again. Raises what the store raises."""
        with self._lock:
            writing = self._writing.get(txid)
            if writing is not None and writing.done() and writing.exception() is not None:
                note = next((note for note in self._notes.values() if txid in (note.txid, note.lifted_by)), None)
                if note is None:
                    del self._writing[txid]
                    return
                writing = self._writing[txid] = self._desk.post(lambda store: store.notes.save(note))
        if writing is not None:
            await asyncio.shield(asyncio.wrap_future(writing))  # a client that leaves takes nothing back

    # --- following the chain ---

    def follow(self, changed: TipChanged) -> None:
        """A new tip: what was taken back counts on, what is in no block is sent again, what is settled is forgotten.

        A change that could not be read, because the store failed, is looked at again after the next one.
        """
        if self._is_closed:
            return
        self._behind.append(changed)
        while self._behind:
            returned: set[TxId] = set()
            for block in reversed(self._behind[0].disconnected):
                for transaction in block.transactions:
                    self._note_returned(transaction, block.height, returned)
            del self._behind[0]
        self._tend()

    def _note_returned(self, transaction: Transaction, height: Height, returned: set[TxId]) -> None:
        """Take note of what stood in a block that was taken back. `returned` are the revocations that were met before it."""
        revoked, granted = revoked_consent(transaction), granted_consent(transaction)
        if revoked is not None:
            earlier = self._note_of(revoked)
            if earlier is None or (earlier.height <= height and earlier.txid != transaction.txid):
                self._keep(self._make_note(revoked, transaction, height))
            returned.add(transaction.txid)
        elif granted is not None:
            earlier = self._note_of(granted)
            if earlier is not None and earlier.txid in returned:
                self._keep(replace(earlier, lifted_by=transaction.txid))

    def _tend(self) -> None:
        with self._lock:
            notes = list(islice(self._notes.values(), TENDED_PER_BLOCK_MAX))
            for note in notes:
                self._notes[note.consent] = self._notes.pop(note.consent)
        settled = [note for note in notes if self._is_settled(note)]
        if settled:
            self.forget(settled)
            self._desk.post(lambda store: store.notes.forget(settled))
        self._send_again(note for note in notes if note not in settled)

    def _is_settled(self, note: Note) -> bool:
        """Whether the chain itself says that the consent is revoked, in a block that the window has left behind."""
        stored = self._node.chain.state.stored(note.consent)
        if stored is None or not stored.record.revoked_at:
            return False
        once_key = decode_transaction(note.raw, self._chain_id).once_key
        return once_key not in self._node.chain.window

    def _send_again(self, notes: Iterable[Note]) -> None:
        height = self._node.chain.next_context().height
        for note in notes:
            stored = self._node.chain.state.stored(note.consent)
            if note.lifted_by is not None or stored is None or stored.record.revoked_at:
                continue
            revocation = decode_transaction(note.raw, self._chain_id)
            is_late = revocation.body.valid_until < height
            if is_late or self._node.mempool.get(note.txid) is not None:
                continue
            result = self._node.mempool.submit_batch([note.raw])[0]
            if isinstance(result, LedgerError):
                log.info("revocation.waits", txid=note.txid.hex(), code=result.code.name)

    # --- asking ---

    def of_fan(self, fan: Address) -> list[Note]:
        """The notes of one fan's consents."""
        assert self._is_loaded, "whoever asks loads first"
        with self._lock:
            return [note for note in self._notes.values() if note.fan == fan]

    def stands(self, view: Snapshot, consent: RecordKey) -> bool:
        """Whether a revocation of this consent counts, whatever its record says."""
        assert self._is_loaded, "whoever asks loads first"
        with self._lock:
            note = self._notes.get(consent)
        return note is not None and not self._is_lifted(view, note)

    def ended(self, view: Snapshot, fan: Address) -> list[Note]:
        """The notes of a fan that are not needed: the chain says that the consent is revoked, or granted anew."""
        found: list[Note] = []
        for note in self.of_fan(fan):
            consent: Consent | None = view.record(note.consent)
            if consent is not None and (consent.revoked_at or self._is_lifted(view, note)):
                found.append(note)
        return found

    def forget(self, notes: Iterable[Note]) -> None:
        """Leave notes out that were deleted from the store."""
        with self._lock:
            for note in notes:
                if self._notes.get(note.consent) is note:
                    del self._notes[note.consent]

    def _is_lifted(self, view: Snapshot, note: Note) -> bool:
        if note.lifted_by is not None and view.place_of(note.lifted_by) is not None:
            return True
        return any(self._valid_from(view, place) > note.height for place in _later_grants(view, note))

    def _valid_from(self, view: Snapshot, place: TransactionPlace) -> Height:
        block_hash = view.hash_at(place.height)
        block = None if block_hash is None else view.block(block_hash)
        if block is None:
            # It was pruned. At the earliest it was signed for a window that its block ends: whoever revoked gets the benefit.
            return Height(max(place.height - self._node.chain.params.validity_blocks_max + 1, 0))
        return decode_transaction(block.transactions[place.position], self._chain_id).body.valid_from


def _later_grants(view: Snapshot, note: Note) -> Iterator[TransactionPlace]:
    """Where the grants of a note's consent stand in the active chain, from the note's height on, the last one first."""
    before: Position | None = None
    for _ in range(GRANT_PAGES_MAX):
        rows = view.history(note.fan, before, GRANTS_PER_PAGE, ConsentGranted.name)
        for row in rows:
            event = row.event
            assert isinstance(event, ConsentGranted) and row.txid is not None, "a fan signed what is named so"
            if row.height < note.height:
                return
            if event.fan == note.fan and _consent_of(event) == note.consent:
                place = view.place_of(row.txid)
                assert place is not None, "what an event names stands in the chain"
                yield place
        if len(rows) < GRANTS_PER_PAGE:
            return
        before = (rows[-1].height, rows[-1].sequence)


def _consent_of(event: ConsentGranted) -> RecordKey:
    return consent_key(event.fan, event.grantee, event.purpose, event.scope)
