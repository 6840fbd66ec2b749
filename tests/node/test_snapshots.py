"""The state at a proposal's snapshot, as a node shows it later: whatever changed since, after restarts and reorganisations."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.state import member_key
from ledger.domains.voice.state import ballot_key
from ledger.merkle import verify_inclusion
from ledger.state import record_leaf
from ledger.transaction import Prepaid
from ledger.types import Hash, ProposalId, RecordKey
from node.errors import NodeError
from node.snapshots import NOT_MY_SNAPSHOT, SNAPSHOTS_HELD_MAX, SYNCING, Snapshots
from node.store.engine import open_engine
from tests.node.stored_chain import StoredShop
from tests.support.assembly import Assembly
from tests.support.memory_chain import MemoryState, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER

pytestmark = pytest.mark.usefixtures("database")


def _open(shop: StoredShop) -> Snapshots:
    return Snapshots(shop.store.chain, threading.RLock(), open_engine(shop.store.url, read_only=True))


def _keys(state: MemoryState) -> list[RecordKey]:
    return sorted(state.records)


def _check_everything(shown: Snapshots, assembly: Assembly, proposal: ProposalId) -> None:
    """Every record of the snapshot is shown as it was, and what was made later is not."""
    record, state = assembly.proposal(proposal), assembly.snapshots[proposal]
    keys, later = _keys(state), sorted(set(assembly.chain.state.records) - set(state.records))
    for key, found in zip(keys, shown.show(record, keys), strict=True):
        assert found is not None
        stored = state.records[key]
        assert (found.slot, found.value_bytes) == (stored.slot, stored.value_bytes)
        leaf = record_leaf(key, found.value_bytes)
        assert verify_inclusion(record.snapshot_root, leaf, found.slot, record.snapshot_slots, found.path)
    assert shown.show(record, later) == [None] * len(later)


def _live_on(assembly: Assembly) -> None:
    """Points, joins, a leaving, a redemption and a cancelled consent: slots change, are freed and taken again."""
    shop = assembly.shop
    shop.earn(FAN, 300)
    shop.join(Signer.named("late"))
    hold = shop.redeem(FAN, shop.list_reward(price=50))
    shop.fulfil(hold)
    assembly.chain.send("member.leave", MemberLeave(shop.program), author=STRANGER, payment=Prepaid())
    shop.pass_days(1)


def test_the_past_is_shown_whatever_changed_since(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN, FRIEND, STRANGER)
    assembly = Assembly(shop)
    first = assembly.propose(days=30)
    shown = _open(shop)
    _check_everything(shown, assembly, first)
    _live_on(assembly)
    _check_everything(shown, assembly, first)
    second = assembly.propose(days=30)
    assembly.cast(second, FAN, 1)
    _live_on_again(assembly)
    for proposal in (second, first):
        _check_everything(shown, assembly, proposal)
    assert len(shown) == 2
    shown.close()
    shop.store.restart()
    anew = _open(shop)
    for proposal in (first, second):
        _check_everything(anew, assembly, proposal)
    key = member_key(shop.program, FAN.address)
    assert anew.show(assembly.proposal(first), [key, ballot_key(second, FAN.address)])[1] is None
    anew.close()
    shop.store.close()


def _live_on_again(assembly: Assembly) -> None:
    assembly.shop.join(STRANGER)
    assembly.shop.earn(FRIEND, 20)


def test_a_reorganisation_changes_nothing_that_was(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN, FRIEND)
    assembly = Assembly(shop)
    proposal = assembly.propose(days=30)
    record, state = assembly.proposal(proposal), assembly.snapshots[proposal]
    shop.earn(FAN, 100)
    shown = _open(shop)
    key = member_key(shop.program, FAN.address)
    before = shown.show(record, [key])
    other = shop.fork(tmp_path / "other.sqlite", below=1)
    shop.earn(FAN, 200)
    left = shop.store.chain.tip
    assert shown.show(record, [key]) == before
    other.earn(FRIEND, 40)
    other.earn(FAN, 5)
    other.earn(FAN, 6)
    shop.store.take_all(other.chain.blocks[-3:])
    assert shop.store.chain.tip.height > left.height
    assert shown.show(record, [key]) == before
    assert before[0] is not None
    assert before[0].value_bytes == state.records[key].value_bytes
    shown.close()
    shop.store.close()
    other.store.close()


def test_snapshots_of_ended_proposals_are_forgotten(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN)
    assembly = Assembly(shop)
    shown = _open(shop)
    proposals = [assembly.propose(days=2 + number) for number in range(SNAPSHOTS_HELD_MAX + 1)]
    for proposal in proposals:
        shown.show(assembly.proposal(proposal), [])
    assert len(shown) == SNAPSHOTS_HELD_MAX
    shop.pass_days(5)
    assert len(shown) == 1
    shop.pass_days(5)
    assert len(shown) == 0
    shown.close()
    shop.store.close()


def test_what_is_no_snapshot_of_this_chain_is_refused(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN)
    assembly = Assembly(shop)
    record = assembly.proposal(assembly.propose())
    shown = _open(shop)
    for other in (
        replace(record, snapshot_root=Hash(bytes(32))),
        replace(record, snapshot_slots=record.snapshot_slots + 1_000),
    ):
        with refused(NOT_MY_SNAPSHOT, NodeError, height=record.snapshot_height):
            shown.show(other, [])
    with shop.store.chain.syncing():
        shop.earn(FAN, 5)
        with refused(SYNCING, NodeError):
            shown.show(record, [])
    assert shown.show(record, [member_key(shop.program, OWNER.address)]) == [None]
    shown.close()
    shop.store.close()
