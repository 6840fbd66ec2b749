"""Replaying raw blocks: what is shown to those who count, in one go or in pieces, and where it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.types import Height, Timestamp
from node.audit import audit_source, reading_store
from node.dump import DUMP_DAMAGED
from node.errors import NodeError
from node.replay import (
    BAD_BLOCK,
    BLOCK_PREFIX,
    EMPTY_SOURCE,
    BadBlock,
    Replay,
    ReplayedBlock,
    StoreSource,
    blocks_until,
    check_genesis,
    peek_header,
)
from node.store.engine import open_engine
from node.store.migrate import migrate
from node.store.scan import read_raw_blocks
from tests.node.stored_chain import StoredChain
from tests.node.watching import nothing_left_behind
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused

COUNT = 300
"""More than are read ahead in one piece, so that another process verifies some."""
PARAMS = sim_params()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with many empty blocks."""
    path = tmp_path_factory.mktemp("long")
    store = StoredChain(path / "chain.sqlite", PARAMS)
    for _ in range(COUNT):
        store.mine()
    store.close()
    return path


@pytest.fixture(scope="module")
def raws(folder: Path) -> list[bytes]:
    with reading_store(folder) as connection:
        return list(read_raw_blocks(connection, Height(1)))


def test_every_block_is_shown_once_and_in_order(raws: list[bytes]) -> None:
    seen: list[ReplayedBlock] = []
    heard: list[tuple[int, int]] = []
    with nothing_left_behind(), Replay(PARAMS, seen.append, progress=lambda *done: heard.append(done)) as replay:
        replay.total = COUNT
        replay.feed(raws[:10])
        assert len(seen) == 10
        replay.feed(raws[10:])
        assert replay.chain.tip.height == COUNT
    assert [shown.height for shown in seen] == list(range(1, COUNT + 1))
    assert [shown.block.encode() for shown in seen] == raws
    times = [PARAMS.genesis_time, *(shown.block.header.time for shown in seen)]
    assert [shown.clock for shown in seen] == times[:-1]
    assert heard == [(height, COUNT) for height in range(1, COUNT + 1)]


@pytest.mark.parametrize("height", [1, 200, 257, COUNT])
def test_a_bad_block_is_named_and_all_before_it_were_shown(raws: list[bytes], height: int) -> None:
    seen: list[ReplayedBlock] = []
    wrong = raws[height - 1][:-1] + b"\x00"
    with Replay(PARAMS, seen.append) as replay, refused(BAD_BLOCK, BadBlock, height=height):
        replay.feed([*raws[: height - 1], wrong, *raws[height:]])
    assert len(seen) == height - 1


def test_a_source_that_breaks_off_is_heard_of_after_its_blocks(raws: list[bytes]) -> None:
    def broken() -> Iterator[bytes]:
        yield from raws[:270]
        raise NodeError(DUMP_DAMAGED, height=270, reason="a test")

    seen: list[ReplayedBlock] = []
    with Replay(PARAMS, seen.append) as replay:
        with refused(DUMP_DAMAGED, NodeError):
            replay.feed(broken())
        assert replay.chain.tip.height == len(seen) == 270


def test_blocks_are_taken_up_to_a_time_and_no_further(raws: list[bytes]) -> None:
    stream = iter(raws)
    first = list(blocks_until(stream, PARAMS.genesis_time, PARAMS.genesis_time + 60 * 4))
    assert first == raws[:5]
    assert list(blocks_until(stream, Timestamp(PARAMS.genesis_time + 300), PARAMS.genesis_time + 60 * 4)) == []
    assert next(stream) == raws[5]
    assert list(blocks_until(iter(raws), PARAMS.genesis_time, 2**40)) == raws


def test_a_header_is_seen_where_there_is_one(raws: list[bytes]) -> None:
    header = peek_header(raws[0])
    with Replay(PARAMS) as replay:
        assert header is not None and header.previous == replay.chain.chain_id
    for data in (b"", BLOCK_PREFIX, BLOCK_PREFIX + bytes(79), raws[0][1:]):
        assert peek_header(data) is None


def test_a_store_without_any_block_is_empty(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'chain.sqlite'}")
    migrate(engine)
    engine.dispose()
    with reading_store(tmp_path) as connection, Replay(PARAMS) as replay:
        with refused(EMPTY_SOURCE, NodeError):
            check_genesis(StoreSource(connection), replay)
        with refused(EMPTY_SOURCE, NodeError):
            audit_source(StoreSource(connection), PARAMS)
