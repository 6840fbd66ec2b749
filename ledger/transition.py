"""The state transition: one function that applies a transaction, and a block built from it (spec BLK-2, BLK-3).

Mempool, template, validation and dry run all go through `apply_transaction`, on an overlay in which due work was done first. A
`BlockExecution` is the same for the node that builds a block and for the node that checks one: due work, transactions, reward.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.codec import pack_shaped, unpack
from ledger.domains.accounts.recovery import check_not_recovering, load_policy_hash, settle_recovery
from ledger.domains.accounts.state import load_account
from ledger.domains.finality.opening import open_finality
from ledger.due import QUEUE_START, DueItem, due_time
from ledger.errors import Code, RuleViolation
from ledger.events import Event
from ledger.evolve import replace
from ledger.fees import charge_fee, count_sponsored
from ledger.invariants import check_block, check_postings
from ledger.kinds import Call, Context
from ledger.params import FINALITY_WEIGHT_MAX
from ledger.registry import DUE_KINDS
from ledger.reward import Payee, check_payees, pay_reward
from ledger.schema import Integer, ListOf, Octets, Row
from ledger.state import Overlay, SlotAllocator, SlotContent, StateView, encode_record
from ledger.supply import BUCKETS, CHAIN_KEY, load_chain_record
from ledger.transaction import Sponsored, Transaction, check_validity_range
from ledger.types import INTEGER_MAX, Address, Amount, RecordKey, Slot, TxId, Weight

REPEATED = Code(
    "envelope.repeated",
    "this transaction is in the chain already",
    "Nothing: it was counted once and will not be twice.",
)
SALT_USED = Code(
    "envelope.salt_used",
    "another transaction of this author with the same salt is in the chain",
    "Build it again with a fresh salt, if it is still wanted.",
)
WRONG_POLICY = Code(
    "witness.wrong_policy",
    "signer {signer} is not governed by the policy that was shown",
    "Show the account's present policy; it may have been changed.",
)
NO_RESERVED_ROOM = Code(
    "block.reserved_full",
    "the room of {maximum} that a block keeps for votes and evidence would be passed",
    "Wait for the next block.",
)
BLOCK_FULL = Code("block.full", "the block's weight limit {maximum} would be passed", "Wait for the next block.")

Window = Mapping[bytes, TxId]
"""Author and salt of every transaction in the last `validity_blocks_max` blocks, and its txid (spec ENV-5)."""


def apply_transaction(view: Overlay, transaction: Transaction, context: Context, window: Window) -> tuple[str, ...]:
    """Apply one transaction, whoever calls. Returns a result code per entry; signatures are checked elsewhere.

    Raises `RuleViolation` and leaves the view as it was. Order: validity, repetition, policies, fee, the kind's own
    rule, the sponsor's totals. After the policies, what has become of the signers' recoveries is written down (spec ACC-5).
    """
    check_validity_range(transaction, context.height, context.params)
    earlier = window.get(transaction.once_key)
    if earlier is not None:
        raise RuleViolation(REPEATED if earlier == transaction.txid else SALT_USED)
    guarded = _check_policies(view, transaction, context)
    mark = view.mark()
    try:
        for signer in guarded:
            settle_recovery(view, signer, context, is_signer=True)
        if transaction.kind.waits_for_recovery and transaction.author in guarded:
            check_not_recovering(view, transaction.author)
        charge = charge_fee(view, transaction, context)
        sponsored = isinstance(transaction.body.payment, Sponsored)
        call = Call(transaction.txid, transaction.author, charge.payer, sponsored, charge.fee)
        codes = transaction.kind.apply(view, call, transaction.payload, context)
        count_sponsored(view, transaction, charge, context)
    except RuleViolation:
        view.roll_back(mark)
        raise
    check_postings(mark.postings, view.postings)
    return codes


def _check_policies(view: Overlay, transaction: Transaction, context: Context) -> list[Address]:
    """Raise `witness.wrong_policy` for the first signer who shows a policy that is not in force; returns those with guardians."""
    guarded: list[Address] = []
    for signer, witness in zip(transaction.signers, transaction.witnesses, strict=True):
        account = load_account(view, signer)
        if witness.policy.hash != load_policy_hash(view, signer, account, context):
            raise RuleViolation(WRONG_POLICY, signer=signer)
        if account.is_guarded:
            guarded.append(signer)
    return guarded


def begin_block(overlay: Overlay, context: Context) -> None:
    """What a block does before its transactions: note a checkpoint, change the set of attestors, do what is due (spec BLK-3)."""
    open_finality(overlay, context)
    run_due_work(overlay, context)


def run_due_work(overlay: Overlay, context: Context) -> int:
    """Do what is due, in the queue's order, within the block's due weight; returns the number of pieces (spec DUE-2)."""
    weight, pieces, done = 0, 0, QUEUE_START
    while True:
        key = overlay.first_key(QUEUE_START, done)
        if key is None or due_time(key) > context.time:
            return pieces
        item: DueItem = overlay.get(key)
        kind = DUE_KINDS[item.kind]
        weight += kind.weight * kind.units(overlay, item.subject, item.number)
        if weight > context.params.due_weight_max:
            return pieces
        before = dict(overlay.postings)
        overlay.delete(key)
        kind.apply(overlay, item.subject, item.number, context)
        check_postings(before, overlay.postings)
        pieces += 1
        done = key


@dataclass(frozen=True, slots=True)
class Undo:
    """What the slots held before a block: enough to take the block back (spec STA-6). None: the slot did not exist."""

    slot_count: int
    contents: tuple[tuple[Slot, SlotContent | None], ...]

    def encode(self) -> bytes:
        """Canonical bytes for the store."""
        rows = [
            (slot, 0, b"", b"", 0)
            if content is None
            else (slot, 1, content.key, content.value_bytes, content.next_free)
            for slot, content in self.contents
        ]
        return pack_shaped((self.slot_count, rows))

    @staticmethod
    def decode(data: bytes) -> "Undo":
        """Read what `encode` wrote. Raises `Malformed`."""
        array = unpack(data, bytes_max=UNDO_BYTES_MAX, items_max=UNDO_BYTES_MAX)
        slot_count, rows = UNDO_SHAPE.decode(array, "undo")
        contents = tuple(
            (Slot(slot), SlotContent(RecordKey(key), value, Slot(free)) if existed else None)
            for slot, existed, key, value, free in rows
        )
        return Undo(slot_count, contents)


UNDO_BYTES_MAX = 2**31
UNDO_ROWS = ListOf(
    Row(
        Integer(0, INTEGER_MAX),
        Integer(0, 1),
        Octets(0, 255),
        Octets(0, 2**24),
        Integer(0, INTEGER_MAX),
    ),
    0,
    2**31,
)
UNDO_SHAPE = Row(Integer(0, INTEGER_MAX), UNDO_ROWS)


@dataclass(frozen=True, slots=True)
class Transition:
    """What a block changes: slots with their new contents and records, how to undo it, what happened, and result codes.

    `events` are in order, each with its place: 0 due work, 1.. the transactions, and last the reward.
    """

    slot_count: int
    contents: tuple[tuple[Slot, SlotContent], ...]
    records: Mapping[RecordKey, Any]
    undo: Undo
    events: tuple[tuple[int, Event], ...]
    codes: tuple[tuple[str, ...], ...]


class BlockExecution:
    """One block being built or checked: `add` transactions, then `finish`."""

    def __init__(self, base: StateView, context: Context, window: Window) -> None:
        self.context = context
        self.overlay = Overlay(base)
        self.weight = Weight(0)
        self.reserved_weight = Weight(0)
        self.codes: list[tuple[str, ...]] = []
        self._base = base
        self._window = window
        self._in_block: dict[bytes, TxId] = {}
        self._event_ends: list[int] = []
        self._phases: list[tuple[list[RecordKey], list[RecordKey]]] = []
        begin_block(self.overlay, context)
        self._end_phase()

    def _end_phase(self) -> None:
        self._phases.append(self.overlay.end_phase())
        self._event_ends.append(len(self.overlay.events))

    def add(self, transaction: Transaction) -> tuple[str, ...]:
        """Apply the next transaction. Raises `RuleViolation` and leaves the block as it was."""
        is_reserved = transaction.kind.has_reserved_room
        weight = Weight((self.reserved_weight if is_reserved else self.weight) + transaction.weight)
        if is_reserved and weight > FINALITY_WEIGHT_MAX:
            raise RuleViolation(NO_RESERVED_ROOM, maximum=FINALITY_WEIGHT_MAX)
        if not is_reserved and weight > self.context.params.block_weight_max:
            raise RuleViolation(BLOCK_FULL, maximum=self.context.params.block_weight_max)
        earlier = self._in_block.get(transaction.once_key)
        if earlier is not None:
            raise RuleViolation(REPEATED if earlier == transaction.txid else SALT_USED)
        codes = apply_transaction(self.overlay, transaction, self.context, self._window)
        self._in_block[transaction.once_key] = transaction.txid
        if is_reserved:
            self.reserved_weight = weight
        else:
            self.weight = weight
        self.codes.append(codes)
        self._event_ends.append(len(self.overlay.events))
        return codes

    @property
    def reward(self) -> Amount:
        """Subsidy and fees so far."""
        subsidy = self.context.params.emission.subsidy(self.context.height)
        return Amount(subsidy + self.overlay.postings.get("fees", 0))

    def finish(self, payees: tuple[Payee, ...]) -> Transition:
        """Pay the reward, give out slots, check the invariants. Raises `block.payees`."""
        params, height = self.context.params, self.context.height
        check_payees(payees, self.reward, params.account_minimum)
        self._phases.append(self.overlay.end_phase())
        subsidy = params.emission.subsidy(height)
        self.overlay.post("fees", subsidy - self.reward)
        pay_reward(self.overlay, payees, height, params.emission.maturity_blocks)
        self._phases.append(self.overlay.end_phase())
        return self._place(subsidy)

    def _place(self, subsidy: Amount) -> Transition:
        before = load_chain_record(self._base_view())
        allocator = SlotAllocator(
            count=before.slot_count,
            head=before.free_head,
            stored=self._base.stored,
            next_free=self._base.next_free,
        )
        for deleted, created in self._phases:
            allocator.apply(deleted, created)
        self._write_chain_record(allocator, subsidy)
        contents, earlier = self._contents(allocator, before.slot_count)
        events: list[tuple[int, Event]] = []
        start = 0
        for place, end in enumerate((*self._event_ends, len(self.overlay.events))):
            events.extend((place, event) for event in self.overlay.events[start:end])
            start = end
        return Transition(
            slot_count=allocator.count,
            contents=tuple(contents),
            records=self.overlay.records,
            undo=Undo(before.slot_count, tuple(earlier)),
            events=tuple(events),
            codes=tuple(self.codes),
        )

    def _base_view(self) -> Overlay:
        return Overlay(self._base)

    def _write_chain_record(self, allocator: SlotAllocator, subsidy: Amount) -> None:
        params, height = self.context.params, self.context.height
        record = load_chain_record(self.overlay)
        posted = self.overlay.postings
        record = replace(
            record,
            slot_count=allocator.count,
            free_head=allocator.head,
            emitted=Amount(record.emitted + subsidy),
            **{bucket: Amount(getattr(record, bucket) + posted.get(bucket, 0)) for bucket in BUCKETS},
        )
        self.overlay.put(CHAIN_KEY, record)
        check_block(self.overlay, record, Amount(params.allocated + params.emission.emitted_through(height)))

    def _contents(
        self, allocator: SlotAllocator, count_before: int
    ) -> tuple[list[tuple[Slot, SlotContent]], list[tuple[Slot, SlotContent | None]]]:
        """Every slot whose content changed, in order: what it holds now, and what it held (None: it did not exist)."""
        found: dict[Slot, SlotContent] = {}
        before: dict[Slot, SlotContent] = {}
        for slot, key in allocator.placed.items():
            if key is None:
                found[slot] = SlotContent(RecordKey(b""), b"", allocator.free_next(slot))
        for key, record in self.overlay.records.items():
            stored = self._base.stored(key)
            if stored is not None:
                before[stored.slot] = SlotContent(key, stored.value_bytes, Slot(0))
            if record is None:
                continue
            slot, value_bytes = allocator.slot_of(key), encode_record(key, record)
            assert slot is not None, f"the record {key.hex()} has no slot"
            if stored is None or stored.slot != slot or stored.value_bytes != value_bytes:
                found[slot] = SlotContent(key, value_bytes, Slot(0))
        changed = sorted(found)
        earlier = [(slot, before.get(slot) or self._free_before(slot, count_before)) for slot in changed]
        return [(slot, found[slot]) for slot in changed], earlier

    def _free_before(self, slot: Slot, count_before: int) -> SlotContent | None:
        """What a slot held that had no record."""
        if slot >= count_before:
            return None
        return SlotContent(RecordKey(b""), b"", self._base.next_free(slot))


def execute(
    base: StateView,
    context: Context,
    window: Window,
    transactions: Iterable[Transaction],
    payees: tuple[Payee, ...],
) -> Transition:
    """Apply a whole block. Raises `RuleViolation` of the first bad transaction, or `block.payees`."""
    execution = BlockExecution(base, context, window)
    for transaction in transactions:
        execution.add(transaction)
    return execution.finish(payees)
