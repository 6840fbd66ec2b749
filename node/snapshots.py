"""The state as it was at a proposal's snapshot: what a voter's power rests on, with its path (spec VOI-9).

Nothing is written. A snapshot is made when somebody asks for it: a copy of the present tree's levels (64 bytes a slot), taken back
to the snapshot's root with what the store keeps for undoing blocks, and what the slots held that were changed since. It lives in
memory while its proposal is voted on, and only learns of later blocks what they overwrote. So a kill, a restart or a
reorganisation can leave nothing stale: what is not there is made again, and what is there is a fact about one root.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from ledger.domains.voice.state import Proposal
from ledger.errors import Code
from ledger.merkle import IncrementalTree
from ledger.state import SlotContent
from ledger.types import BlockHash, Hash, Height, RecordKey, Slot
from node.chain import Chain
from node.errors import NodeError
from node.store.extent import read_extent
from node.store.scan import begin_snapshot, former_contents
from node.store.tables import active, records
from node.tip import TipChanged

NOT_MY_SNAPSHOT = Code(
    "proposal.no_snapshot",
    "the state after block {height} is not the proposal's snapshot any more",
    "The chain was reorganised: ask for the proposal again.",
)
PRUNED_PAST = Code(
    "proposal.pruned",
    "this node does not keep what leads back to the state after block {height}, on which the proposal's ballots rest",
    "Ask a node that keeps all blocks, or more of them, for the way to your ballot.",
)
SYNCING = Code(
    "proposal.syncing",
    "this node is taking in many blocks, and can't go back to a snapshot meanwhile",
    "Ask again in a moment, or ask another node.",
)

SNAPSHOTS_HELD_MAX: Final = 4
"""Snapshots in memory, each of 64 bytes a slot and what was changed since: 64 MiB and more at a million records."""


@dataclass(frozen=True, slots=True)
class ShownSlot:
    """A record as it stood at a snapshot: its slot, its encoding, and the path to the snapshot's root."""

    slot: Slot
    value_bytes: bytes
    path: tuple[Hash, ...]


@dataclass(slots=True)
class _Held:
    """One snapshot: its tree, what later blocks overwrote, and the block up to which that is known."""

    height: Height
    tree: IncrementalTree
    voting_until: int
    voting_height: int
    seen_height: Height
    seen_hash: BlockHash
    former: dict[Slot, SlotContent] = field(default_factory=dict[Slot, SlotContent])
    slot_of: dict[RecordKey, Slot] = field(default_factory=dict[RecordKey, Slot])

    def note(self, contents: Iterable[tuple[Slot, SlotContent]]) -> None:
        """Learn what slots held at the snapshot; what is known of a slot stays."""
        for slot, content in contents:
            if slot < len(self.tree) and slot not in self.former:
                self.former[slot] = content
                if content.key:
                    self.slot_of[content.key] = slot


class Snapshots:
    """The snapshots of one node. `lock` is the node's, `engine` one that only reads."""

    def __init__(self, chain: Chain, lock: AbstractContextManager[Any], engine: Engine) -> None:
        self._chain = chain
        self._node_lock = lock
        self._engine = engine
        self._lock = threading.Lock()
        self._held: OrderedDict[Hash, _Held] = OrderedDict()
        chain.subscribe(self._drop_ended)

    def __len__(self) -> int:
        return len(self._held)

    def _drop_ended(self, _: TipChanged) -> None:
        """After each change of the tip: forget the snapshots of proposals that nobody can vote on any more."""
        tip = self._chain.tip
        for root, held in list(self._held.items()):
            if tip.header.time >= held.voting_until and tip.height + 1 >= held.voting_height:
                self._held.pop(root, None)

    def show(self, proposal: Proposal, keys: Iterable[RecordKey]) -> list[ShownSlot | None]:
        """The records under `keys` at the proposal's snapshot; None where there was none. Takes the node's lock for a moment.

        Raises `proposal.no_snapshot`, `proposal.syncing`.
        """
        with self._lock, self._engine.connect() as connection:
            held = self._held.get(proposal.snapshot_root)
            with self._node_lock:  # the store as it is read now belongs to this tip
                begin_snapshot(connection)
                tip = self._chain.tip
                present = _hash_at(connection, tip.height)
                tree = self._chain.state_tree.tree.copy() if held is None else None
            if present != tip.hash:
                raise NodeError(SYNCING)
            if held is None:
                assert tree is not None, "a copy was taken"
                held = _make(connection, proposal, tree, tip.height, tip.hash)
            else:
                _advance(connection, held, tip.height, tip.hash)
            self._held[proposal.snapshot_root] = held
            self._held.move_to_end(proposal.snapshot_root)
            while len(self._held) > SNAPSHOTS_HELD_MAX:
                self._held.popitem(last=False)
            found = [_find(connection, held, key) for key in keys]
            connection.rollback()
        return found

    def close(self) -> None:
        """Close the connections; harmless a second time."""
        self._engine.dispose()


def _hash_at(connection: Connection, height: Height) -> BlockHash | None:
    found = connection.execute(select(active.c.hash).where(active.c.height == height)).scalar()
    return None if found is None else BlockHash(bytes(found))


def _make(connection: Connection, proposal: Proposal, tree: IncrementalTree, height: Height, tip: BlockHash) -> _Held:
    """Take a copy of the present tree back to the snapshot's root. Raises `proposal.pruned`, `proposal.no_snapshot`."""
    if proposal.snapshot_height < read_extent(connection).floor:
        raise NodeError(PRUNED_PAST, height=proposal.snapshot_height)
    former = former_contents(connection, Height(proposal.snapshot_height + 1))
    former = {slot: content for slot, content in former.items() if slot < proposal.snapshot_slots}
    if len(tree) >= proposal.snapshot_slots:
        tree.truncate(proposal.snapshot_slots)
        tree.update((slot, content.leaf()) for slot, content in former.items())
    if len(tree) != proposal.snapshot_slots or tree.root() != proposal.snapshot_root:
        raise NodeError(NOT_MY_SNAPSHOT, height=proposal.snapshot_height)
    held = _Held(proposal.snapshot_height, tree, proposal.voting_until, proposal.voting_height, height, tip)
    held.note(former.items())
    return held


def _advance(connection: Connection, held: _Held, height: Height, tip: BlockHash) -> None:
    """Learn what the blocks since then overwrote; after a reorganisation, all since the snapshot. What is known stays true."""
    if (held.seen_height, held.seen_hash) == (height, tip):
        return
    follows = _hash_at(connection, held.seen_height) == held.seen_hash
    held.note(former_contents(connection, Height((held.seen_height if follows else held.height) + 1)).items())
    held.seen_height, held.seen_hash = height, tip


def _find(connection: Connection, held: _Held, key: RecordKey) -> ShownSlot | None:
    """The record under `key` at the snapshot: in a slot that was overwritten since, or where it stands now."""
    slot = held.slot_of.get(key)
    if slot is not None:
        return ShownSlot(slot, held.former[slot].value_bytes, held.tree.inclusion_path(slot))
    row = connection.execute(select(records.c.slot, records.c.value).where(records.c.key == key)).first()
    if row is None or row.slot >= len(held.tree) or row.slot in held.former:
        return None
    return ShownSlot(Slot(row.slot), bytes(row.value), held.tree.inclusion_path(row.slot))
