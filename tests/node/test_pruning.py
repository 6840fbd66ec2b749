"""Nodes that keep only some of the past: what goes, what stays, and what is said about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from ledger.block import Block
from ledger.types import Height
from node.audit import audit_store
from node.chain import Chain
from node.check import check_store
from node.errors import NodeError
from node.replay import PRUNED
from node.store.extent import FORK_TOO_DEEP, Extent, read_extent
from node.store.tables import active, bodies, headers, undo
from tests.node.stored_chain import StoredChain, read_tables
from tests.simulation.state_nodes import FULL, WINDOW, QuietStates, StateNode
from tests.simulation.state_nodes import PRUNED as PRUNED_KIND

KEEP = 12


@pytest.fixture
def two() -> Iterator[QuietStates]:
    made = QuietStates(FULL, PRUNED_KIND)
    made.nodes[1].named.append(made.nodes[0].address)
    yield made
    made.close()


def mine(made: QuietStates, blocks: int) -> None:
    """Mine as slowly as a network does."""
    for _ in range(blocks):
        made.nodes[0].submit(made.people.next(made.nodes[0].chain.tip.height + 1, 20_500).raw)
        made.mine(made.nodes[0])
        made.wait(2)


def heights(node: StateNode, table: object) -> list[int]:
    with node.engine.connect() as connection:
        query = select(headers.c.height).select_from(headers.join(bodies, bodies.c.hash == headers.c.hash))
        query = query if table is bodies else select(undo.c.height)
        return sorted(row[0] for row in connection.execute(query))


def test_what_leads_back_further_goes_and_everything_else_stays(two: QuietStates) -> None:
    two.start()
    mine(two, 60)
    whole, pruned = two.nodes
    assert pruned.chain.tip.hash == whole.chain.tip.hash and pruned.chain.state_root == whole.chain.state_root
    extent = pruned.chain.extent
    assert 60 - KEEP - 16 < extent.floor <= 60 - KEEP and extent.bodies_from == extent.floor - WINDOW
    assert heights(pruned, undo) == list(range(extent.floor + 1, 61))
    assert heights(pruned, bodies) == [0, *range(extent.bodies_from, 61)]
    ours, theirs = read_tables(pruned.engine), read_tables(whole.engine)
    assert {name for name in ours if ours[name] != theirs[name]} == {"undo"}
    pruned.stop()
    pruned.start()
    assert pruned.chain.extent == extent
    mine(two, 5)
    assert pruned.chain.tip.hash == whole.chain.tip.hash


def test_a_reorganisation_as_deep_as_the_floor_is_followed(two: QuietStates) -> None:
    two.start()
    mine(two, 45)
    whole, pruned = two.nodes
    floor = pruned.chain.extent.floor
    depth = 45 - floor
    assert depth >= KEEP
    whole.stop()
    other = branch(two, whole, Height(floor), depth + 3)
    for block in other:
        pruned.chain.accept_block(block)
    assert pruned.chain.tip.hash == other[-1].hash
    assert pruned.chain.reach.find_missed(pruned.chain.tip) is None


def test_a_branch_from_below_the_floor_is_not_followed_and_said(two: QuietStates) -> None:
    two.start()
    mine(two, 45)
    whole, pruned = two.nodes
    tip, floor = pruned.chain.tip, pruned.chain.extent.floor
    whole.stop()
    other = branch(two, whole, Height(floor - 1), 45 - floor + 4)
    for block in other:
        pruned.chain.accept_block(block)
    assert pruned.chain.tip.hash == tip.hash
    fault = pruned.chain.reach.find_missed(pruned.chain.tip)
    assert fault is not None and fault.code is FORK_TOO_DEEP and fault.fields == {"fork": floor - 1, "floor": floor}
    pruned.stop()
    pruned.start()
    assert pruned.chain.tip.hash == tip.hash


def branch(made: QuietStates, node: StateNode, fork: Height, blocks: int) -> list[Block]:
    """Blocks on the active block at `fork`, on a node that knows only what is below."""
    other = made.add(FULL)
    other.start()
    node.start()
    for height in range(1, fork + 1):
        block = node.chain.block_at(Height(height))
        assert block is not None
        other.chain.accept_block(block)
    node.stop()
    return made.mine(other, blocks)


def test_bodies_of_branches_that_were_left_long_ago_go_too(two: QuietStates) -> None:
    made = two
    made.start()
    mine(made, 20)
    whole, pruned = made.nodes[:2]
    whole.stop()
    other = branch(made, whole, Height(18), 1)
    pruned.chain.accept_block(other[0])
    assert other[0].hash != pruned.chain.header_at(Height(19)).hash
    assert pruned.chain.block(other[0].hash) is not None
    whole.start()
    mine(made, 40)
    assert pruned.chain.tip.height == 60
    assert pruned.chain.block(other[0].hash) is None and pruned.chain.blocks.header(other[0].hash) is not None


@pytest.mark.parametrize("statements", [5, 40, 77, 140, 300])
def test_a_power_cut_at_any_write_leaves_a_sound_store(two: QuietStates, statements: int) -> None:
    two.start()
    mine(two, 28)
    whole, pruned = two.nodes
    pruned.cut_power_after(statements)
    mine(two, 14)
    if not pruned.is_on:
        pruned.start()
    for _ in range(40):
        if pruned.chain.tip.hash == whole.chain.tip.hash:
            break
        two.wait(2)
    assert pruned.chain.tip.hash == whole.chain.tip.hash
    extent = pruned.chain.extent
    assert extent.floor > 0
    assert heights(pruned, undo) == list(range(extent.floor + 1, 43))
    assert heights(pruned, bodies) == [0, *range(max(extent.bodies_from, 1), 43)]


def test_check_and_audit_say_what_they_can_not_say(tmp_path: Path, two: QuietStates) -> None:
    two.start()
    mine(two, 60)
    whole = two.nodes[0]
    chain = StoredChain(tmp_path / "chain.sqlite", two.params)
    try:
        chain.chain.close()
        chain.clock.set(whole.clock.now())
        chain.chain = Chain(chain.engine, two.params, chain.clock, chain.tie_key, KEEP)
        for height in range(1, 61):
            block = whole.chain.block_at(Height(height))
            assert block is not None
            chain.chain.accept_block(block)
        extent = chain.chain.extent
        assert extent.bodies_from > 1
        report = check_store(chain.url, two.params)
        assert report.is_good and f"blocks 1 to {extent.bodies_from - 1} are not here" in " ".join(report.notes)
        with pytest.raises(NodeError) as caught:
            audit_store(None, two.params, database_url=chain.url)
        assert caught.value.code is PRUNED and caught.value.fields == {"last": extent.bodies_from - 1}
        with chain.engine.begin() as connection:
            gone = select(active.c.hash).where(active.c.height == extent.bodies_from + 1)
            connection.execute(bodies.delete().where(bodies.c.hash.in_(gone)))
        report = check_store(chain.url, two.params)
        assert [line.name for line in report.lines if not line.is_good] == ["bodies"]
    finally:
        chain.close()


def test_a_store_that_says_nonsense_of_its_extent_is_damaged(tmp_path: Path, two: QuietStates) -> None:
    chain = StoredChain(tmp_path / "chain.sqlite", two.params)
    try:
        with chain.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO meta (name, value) VALUES ('extent', X'C0')")
        with chain.engine.connect() as connection, pytest.raises(NodeError) as caught:
            read_extent(connection)
        assert caught.value.code.name == "store.corrupt"
        assert Extent().has_all
    finally:
        chain.close()
