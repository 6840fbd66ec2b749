"""The real ledger, driven from outside: transactions as bytes, blocks, and blocks that are taken back.

A lean stand-in of `tests.support.memory_chain`: no checks of roots and no replay, which other tests look at, so that a million
steps can be done in an afternoon. Signatures are dummies of the right size, as the ledger checks them apart from the rules; what
is checked are the attestations in payloads.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from typing import Any

from ledger import keys
from ledger.codec import pack, unpack
from ledger.errors import LedgerError, RuleViolation
from ledger.genesis import make_genesis
from ledger.kinds import Context
from ledger.params import Params
from ledger.state import SlotContent, Stored, decode_record
from ledger.transaction import BAD_ATTESTATION, decode_transaction
from ledger.transition import BlockExecution, Transition, Undo
from ledger.types import Address, Amount, BlockHash, Hash, Height, RecordKey, Slot, Timestamp, TxId
from tests.model.snapshots import Snapshot, leaf_of_free_slot, leaf_of_record, root_of

CHAIN_KEY = b"0"
SHOWN_TO_VOTE = b"MP"
"""Members and pledges."""


class SlotDictionary:
    """A `StateView` over dictionaries. `values` holds each record as the array of its canonical bytes."""

    def __init__(self, contents: Iterable[tuple[Slot, SlotContent]]) -> None:
        self.slots: dict[Slot, SlotContent] = {}
        self.values: dict[RecordKey, Any] = {}
        self._stored: dict[RecordKey, Stored] = {}
        self._leaves: dict[Slot, bytes] = {}
        self._ordered: list[RecordKey] = []
        for slot, content in contents:
            self._set(slot, content)

    def stored(self, key: RecordKey) -> Stored | None:
        return self._stored.get(key)

    def next_free(self, slot: Slot) -> Slot:
        return self.slots[slot].next_free

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        place = bisect_right(self._ordered, after)
        found = self._ordered[place] if place < len(self._ordered) else None
        return found if found is not None and found.startswith(prefix) else None

    def change(self, contents: Iterable[tuple[Slot, SlotContent | None]]) -> None:
        """Take over what a block, or its undo, says of some slots."""
        changes = list(contents)
        for slot, _ in changes:
            before = self.slots.pop(slot, None)
            self._leaves.pop(slot, None)
            if before is not None and before.key:
                del self._stored[before.key], self.values[before.key]
                self._ordered.pop(bisect_right(self._ordered, before.key) - 1)
        for slot, content in changes:
            if content is not None:
                self._set(slot, content)

    def _set(self, slot: Slot, content: SlotContent) -> None:
        self.slots[slot] = content
        if not content.key:
            self._leaves[slot] = leaf_of_free_slot(content.next_free)
        else:
            self._leaves[slot] = leaf_of_record(content.key, content.value_bytes)
            assert content.key not in self._stored, f"{content.key.hex()} lives in two slots"
            value = unpack(content.value_bytes)
            record = decode_record(content.key, value)
            self._stored[content.key] = Stored(slot, content.value_bytes, record)
            self.values[content.key] = value
            insort(self._ordered, content.key)

    def snapshot(self) -> Snapshot:
        """The tree of slots."""
        leaves = tuple(self._leaves[Slot(number)] for number in range(len(self._leaves)))
        shown = {
            bytes(key): (int(stored.slot), stored.value_bytes)
            for key, stored in self._stored.items()
            if key[:1] in SHOWN_TO_VOTE
        }
        return Snapshot(root_of(leaves), leaves, shown)


class LedgerChain:
    """The ledger's rules on a `SlotDictionary`, one block after another."""

    def __init__(self, params: Params) -> None:
        self.params = params
        genesis = make_genesis(params)
        self.chain_id = genesis.chain_id
        self.state = SlotDictionary(genesis.contents)
        self._execution: BlockExecution | None = None

    @property
    def execution(self) -> BlockExecution:
        """The block being built."""
        assert self._execution is not None, "no block was begun"
        return self._execution

    def begin_block(self, height: int, now: int, window: Mapping[bytes, TxId], parent_root: bytes) -> None:
        """The next block, with its due work done."""
        context = Context(self.params, Height(height), Timestamp(now), Hash(parent_root), BlockHash(bytes(32)))
        self._execution = BlockExecution(self.state, context, window)

    def offer(self, raw: bytes) -> tuple[str, tuple[str, ...]]:
        """The code with which a transaction was refused ("" if it was not), and its result codes."""
        try:
            transaction = decode_transaction(raw, self.chain_id)
            kind = transaction.kind
            for check in kind.attestations(transaction.author, transaction.payload, self.chain_id):
                if not keys.verify(*check):
                    raise RuleViolation(BAD_ATTESTATION)
            return "", self.execution.add(transaction)
        except LedgerError as refused:
            return refused.code.name, ()

    @property
    def reward(self) -> int:
        """Of the block being built."""
        return self.execution.reward

    def finish_block(self, payees: tuple[tuple[bytes, int], ...]) -> Transition:
        """Take the block over."""
        transition = self.execution.finish(tuple((Address(address), Amount(amount)) for address, amount in payees))
        self._execution = None
        self.state.change(transition.contents)
        return transition

    def undo(self, undo: Undo) -> None:
        """Take a block back."""
        self.state.change(undo.contents)

    def chain_record(self) -> tuple[int, ...]:
        """The chain record without the fields about slots."""
        return self.state.values[RecordKey(CHAIN_KEY)][2:]

    def records(self) -> dict[bytes, Any]:
        """Every other record, as its array."""
        return {key: value for key, value in self.state.values.items() if key != CHAIN_KEY}


def encode(body: tuple[Any, ...], shown: tuple[tuple[int, tuple[bytes, ...]], ...]) -> tuple[bytes, bytes]:
    """A transaction with dummy signatures, and its body (ENV-1)."""
    body_bytes = pack(body)
    witnesses = tuple((policy, tuple((index, bytes(64)) for index in range(policy[0]))) for policy in shown)
    return pack((body_bytes, witnesses)), body_bytes
