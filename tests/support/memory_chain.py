"""A whole chain in memory: the ledger's rules on a dictionary, driven transaction by transaction, with every block taken back once.

`MemoryState` is the state under a root; `Scenario` makes, signs and applies transactions on it. Each block is applied, undone,
compared byte for byte with what was before, and applied again; `replay` does all blocks once more from genesis. There is no proof
of work here: headers are the node's business.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from ledger import keys
from ledger.codec import unpack
from ledger.errors import RuleViolation
from ledger.events import Event
from ledger.genesis import Genesis, make_genesis
from ledger.kinds import Context
from ledger.merkle import IncrementalTree
from ledger.params import Allocation, Params
from ledger.policy import Policy
from ledger.registry import KINDS
from ledger.reward import Payee
from ledger.state import Overlay, SlotContent, Stored, decode_record
from ledger.supply import CHAIN_KEY, ChainRecord
from ledger.transaction import (
    BAD_ATTESTATION,
    Body,
    OwnFee,
    Payment,
    Transaction,
    Witness,
    decode_transaction,
    encode_body,
    encode_transaction,
    signature_checks,
    signing_hash,
)
from ledger.transition import BlockExecution, Transition, Undo, execute
from ledger.types import (
    Address,
    Amount,
    BlockHash,
    Hash,
    Height,
    PrivateSeed,
    PublicKey,
    RecordKey,
    Slot,
    Timestamp,
    TxId,
)

GENESIS_TIME = Timestamp(1_767_225_600)
"""2026-01-01T00:00:00Z, the first second of day 20454."""
GENESIS_DAY = 20_454
DAY_SECONDS = 86_400
BLOCK_SECONDS = 60
FUNDS = Amount(1_000_000_000_000)
"""What each account that a scenario funds has at genesis."""


class MemoryState:
    """A `StateView` over dictionaries, with its root."""

    def __init__(self, contents: Iterable[tuple[Slot, SlotContent]] = ()) -> None:
        self.contents: dict[Slot, SlotContent] = {}
        self.records: dict[RecordKey, Stored] = {}
        self.tree = IncrementalTree()
        self._ordered: list[RecordKey] = []
        for slot, content in contents:
            self._set(slot, content)

    def stored(self, key: RecordKey) -> Stored | None:
        return self.records.get(key)

    def next_free(self, slot: Slot) -> Slot:
        content = self.contents[slot]
        assert not content.key, f"slot {slot} is not free"
        return content.next_free

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        place = bisect_right(self._ordered, after)
        found = self._ordered[place] if place < len(self._ordered) else None
        return found if found is not None and found.startswith(prefix) else None

    def record(self, key: RecordKey) -> Any:
        """The record under `key`, or None."""
        stored = self.records.get(key)
        return None if stored is None else stored.record

    def table(self, prefix: bytes) -> dict[RecordKey, Any]:
        """All records of one table by key."""
        return {key: stored.record for key, stored in sorted(self.records.items()) if key[:1] == prefix}

    @property
    def chain(self) -> ChainRecord:
        """The chain record."""
        return self.record(CHAIN_KEY)

    def root(self) -> Hash:
        """The state root."""
        return self.tree.root()

    def apply(self, transition: Transition) -> None:
        """Take over what a block changed."""
        for slot, _ in transition.contents:
            self._forget(slot)
        for slot, content in transition.contents:
            self._set(slot, content)
        assert len(self.contents) == transition.slot_count, "slots have gaps"

    def undo(self, undo: Undo) -> None:
        """Take a block back."""
        for slot, _ in undo.contents:
            self._forget(slot)
        for slot, content in undo.contents:
            if content is None:
                del self.contents[slot]
            else:
                self._set(slot, content)
        self.tree.truncate(undo.slot_count)
        assert len(self.contents) == undo.slot_count, "undo left slots behind"

    def _forget(self, slot: Slot) -> None:
        content = self.contents.get(slot)
        if content is not None and content.key:
            del self.records[content.key]
            self._ordered.pop(bisect_right(self._ordered, content.key) - 1)

    def _set(self, slot: Slot, content: SlotContent) -> None:
        if slot == len(self.tree):
            self.tree.extend([content.leaf()])
        else:
            self.tree.update([(slot, content.leaf())])
        self.contents[slot] = content
        if content.key:
            assert content.key not in self.records, f"{content.key.hex()} lives in two slots"
            record = decode_record(content.key, unpack(content.value_bytes))
            self.records[content.key] = Stored(slot, content.value_bytes, record)
            insort(self._ordered, content.key)

    def free_list(self) -> list[Slot]:
        """The free slots in their order, newest first."""
        found: list[Slot] = []
        slot = self.chain.free_head
        while slot:
            assert slot not in found, "the free list has a loop"
            found.append(slot)
            slot = self.next_free(slot)
        return found


@dataclass(frozen=True)
class Signer:
    """An account that can sign: `threshold` of the keys made from `seeds`. `address` stays when the policy was changed."""

    policy: Policy
    seeds: tuple[PrivateSeed, ...]
    address: Address

    @staticmethod
    def named(name: str, *, threshold: int = 1, keys_count: int = 1) -> "Signer":
        """The signer that everybody knows under this name."""
        made = [PrivateSeed(sha256(f"{name}/{index}".encode()).digest()) for index in range(keys_count)]
        seeds = tuple(sorted(made, key=keys.public_key_of))
        policy = Policy(threshold, tuple(keys.public_key_of(seed) for seed in seeds))
        return Signer(policy, seeds, Address(policy.hash))

    @property
    def key(self) -> PublicKey:
        """The first public key."""
        return self.policy.keys[0]

    def governed_by(self, other: "Signer") -> "Signer":
        """This account, with the keys of `other`."""
        return replace(other, address=self.address)

    def sign(self, message: bytes) -> Witness:
        """The policy and its first `threshold` signatures."""
        seeds = self.seeds[: self.policy.threshold]
        return Witness(self.policy, tuple((index, keys.sign(seed, message)) for index, seed in enumerate(seeds)))


def sim_params(*funded: Address, **changes: Any) -> Params:
    """Rules of a simulated chain: trivial work, a fee rate and deposits that are not zero, every kind active from genesis."""
    allocations = tuple(Allocation(address, FUNDS) for address in sorted(set(funded)))
    base: dict[str, Any] = {
        "name": "test-sim",
        "address_prefix": "fsim",
        "magic": b"fsim",
        "genesis_time": GENESIS_TIME,
        "eras": ((0, BLOCK_SECONDS, 7_200, 0x207FFFFF, 0x207FFFFF, 0),),
        "subsidy_initial": Amount(5_000_000),
        "halving_interval_blocks": 1_000,
        "maturity_blocks": 10,
        "block_weight_max": 4_000_000,
        "due_weight_max": 1_000_000,
        "fee_rate_min": Amount(2),
        "record_deposit": Amount(10_000),
        "account_minimum": Amount(1_000),
        "validity_blocks_max": 100,
        "allocations": allocations,
        "kinds": tuple(sorted(KINDS)),
    }
    return Params(**{**base, **changes})


@dataclass(frozen=True)
class MinedBlock:
    """What is needed to do a block again, and what came of it."""

    context: Context
    time: Timestamp
    transactions: tuple[Transaction, ...]
    payees: tuple[Payee, ...]
    transition: Transition
    root: Hash


class Scenario:
    """A chain that a test drives. `time` is the chain's clock: what rules of the next block will see."""

    def __init__(self, *funded: Signer, params: Params | None = None) -> None:
        self.params = params or sim_params(*(signer.address for signer in funded))
        self.genesis: Genesis = make_genesis(self.params)
        self.chain_id = self.genesis.chain_id
        self.state = MemoryState(self.genesis.contents)
        self.time = self.params.genesis_time
        self.miner = Signer.named("miner")
        self.mined: list[MinedBlock] = []
        self._salt = 0

    @property
    def height(self) -> Height:
        """The height of the next block."""
        return Height(len(self.mined) + 1)

    @property
    def context(self) -> Context:
        """What the next block's rules will see."""
        return Context(self.params, self.height, self.time, self.state.root(), self.hash_at(Height(self.height - 1)))

    def hash_at(self, height: Height) -> BlockHash:
        """The hash of the block at `height`. Blocks here have no headers, so it stands for one."""
        return BlockHash(sha256(self.chain_id + height.to_bytes(4, "big")).digest() if height else self.chain_id)

    @property
    def window(self) -> dict[bytes, TxId]:
        """Author and salt of what stands in the last blocks."""
        recent = self.mined[-self.params.validity_blocks_max :]
        return {tx.once_key: tx.txid for block in recent for tx in block.transactions}

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened in the last block, in order."""
        return tuple(event for _, event in self.mined[-1].transition.events)

    def record(self, key: RecordKey) -> Any:
        """The record under `key` at the tip, or None."""
        return self.state.record(key)

    def sign(
        self,
        kind: str,
        payload: Any,
        *,
        author: Signer,
        payment: Payment | None = None,
        cosigners: Iterable[Signer] = (),
        **body: Any,
    ) -> Transaction:
        """A signed and decoded transaction; pays its exact fee unless told otherwise. `body` replaces envelope fields."""
        self._salt += 1
        fields: dict[str, Any] = {
            "version": 1,
            "chain_tag": self.chain_id[:4],
            "kind": kind,
            "salt": self._salt.to_bytes(8, "big"),
            "author": author.address,
            "valid_from": self.height,
            "valid_until": self.height + self.params.validity_blocks_max - 1,
            "payment": payment or OwnFee(Amount(0)),
        }
        signers = (author, *cosigners)
        transaction = self._seal(Body(**{**fields, **body}), payload, signers)
        while payment is None and transaction.body.payment != (exact := self.exact_fee(transaction)):
            transaction = self._seal(Body(**{**fields, "payment": exact, **body}), payload, signers)
        return transaction

    def exact_fee(self, transaction: Transaction) -> OwnFee:
        """The least fee for a transaction of this weight."""
        return OwnFee(Amount(transaction.weight * self.params.fee_rate_min))

    def _seal(self, body: Body, payload: Any, signers: tuple[Signer, ...]) -> Transaction:
        body_bytes = encode_body(body, payload)
        message = signing_hash(self.chain_id, body_bytes)
        raw = encode_transaction(body_bytes, tuple(signer.sign(message) for signer in signers))
        return decode_transaction(raw, self.chain_id)

    def send(self, kind: str, payload: Any, *, author: Signer, **options: Any) -> tuple[str, ...]:
        """Sign, put alone into a block, and return its result codes. Raises `RuleViolation`; then no block was made."""
        block = self.block(self.sign(kind, payload, author=author, **options))
        return block.transition.codes[0]

    @property
    def last_txid(self) -> TxId:
        """The id of the last transaction of the last block."""
        return self.mined[-1].transactions[-1].txid

    def execute(self, *transactions: Transaction) -> BlockExecution:
        """The next block with these transactions, not yet finished. Raises `RuleViolation` of the first bad one."""
        execution = BlockExecution(self.state, self.context, self.window)
        for transaction in transactions:
            witnessed = sum(len(witness.signatures) for witness in transaction.witnesses)
            for number, check in enumerate(signature_checks(transaction, self.chain_id)):
                if not keys.verify(*check):
                    assert number >= witnessed, "a test signed wrongly"
                    raise RuleViolation(BAD_ATTESTATION)
            before = describe_overlay(execution.overlay)
            try:
                execution.add(transaction)
            except RuleViolation:
                assert describe_overlay(execution.overlay) == before, "a rejected transaction left something behind"
                raise
        return execution

    def block(self, *transactions: Transaction, time: int | None = None) -> MinedBlock:
        """Mine a block with these transactions and the header time `time`, which the next block's rules will see."""
        execution = self.execute(*transactions)
        reward = execution.reward
        payees: tuple[Payee, ...] = ((self.miner.address, reward),) if reward else ()
        transition = execution.finish(payees)
        header_time = Timestamp(self.time + BLOCK_SECONDS if time is None else time)
        assert header_time > self.time, "header times rise strictly"
        self._connect(transition)
        block = MinedBlock(execution.context, header_time, transactions, payees, transition, self.state.root())
        self.mined.append(block)
        self.time = header_time
        return block

    def _connect(self, transition: Transition) -> None:
        for _, content in transition.contents:
            if content.key:  # what a rule wrote has the types of its shape, and no others
                record = decode_record(content.key, unpack(content.value_bytes))
                assert record == transition.records[content.key], (
                    f"record {content.key.hex()} does not survive its bytes"
                )
        root, contents = self.state.root(), dict(self.state.contents)
        self.state.apply(transition)
        applied = self.state.root()
        self.state.undo(Undo.decode(transition.undo.encode()))
        assert self.state.contents == contents, "undo changed the bytes of a slot"
        assert self.state.root() == root, "undo changed the root"
        self.state.apply(transition)
        assert self.state.root() == applied, "applying again gave another root"

    def unwind(self, blocks: int) -> None:
        """Take the last `blocks` blocks back."""
        for _ in range(blocks):
            block = self.mined.pop()
            self.state.undo(block.transition.undo)
            self.time = block.context.time
            assert self.state.root() == (
                self.mined[-1].root if self.mined else MemoryState(self.genesis.contents).root()
            )

    def advance(self, *, days: int = 0, seconds: int = 0, blocks: int = 1) -> None:
        """Move the chain's clock on by empty blocks. What falls due by then is done in the block after these."""
        target = self.time + days * DAY_SECONDS + seconds
        for _ in range(blocks - 1):
            self.block(time=self.time + 1)
        self.block(time=max(self.time + 1, target))

    def mine(self, blocks: int = 1) -> None:
        """Mine empty blocks a minute apart."""
        for _ in range(blocks):
            self.block()

    def replay(self) -> None:
        """Do every block again from genesis, from raw bytes, and find the same root after each."""
        state, window = MemoryState(self.genesis.contents), dict[bytes, TxId]()
        for index, block in enumerate(self.mined):
            transactions = [decode_transaction(tx.raw, self.chain_id) for tx in block.transactions]
            transition = execute(state, block.context, window, transactions, block.payees)
            state.apply(transition)
            assert state.root() == block.root, f"replay of block {index + 1} gave another root"
            assert transition.codes == block.transition.codes
            assert transition.events == block.transition.events
            window.update({tx.once_key: tx.txid for tx in transactions})
            if index >= self.params.validity_blocks_max:
                for tx in self.mined[index - self.params.validity_blocks_max].transactions:
                    del window[tx.once_key]


def describe_overlay(overlay: Overlay) -> tuple[Any, ...]:
    """Everything that a rejected transaction must leave as it was."""
    live_postings = {bucket: amount for bucket, amount in overlay.postings.items() if amount}
    return dict(overlay.records), list(overlay.events), live_postings
