"""A disk that is full, fails, may not be written or is gone, and two nodes on one store: a clear code, and nothing lost."""

import errno
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import Code
from node.errors import NodeError
from node.node import Node
from node.store.engine import (
    STORE_FAILED,
    STORE_FOLDER,
    STORE_FULL,
    STORE_IN_USE,
    STORE_LOST,
    STORE_READ_ONLY,
)
from tests.support.crash.injection import BLOCK, UNREPORTED, Order
from tests.support.crash.kills import Starter
from tests.support.crash.life import STORE_FILE, Life, digest_of, open_node, take
from tests.support.crash.places import look_at
from tests.support.crash.syscalls import SYNCS, WRITES, run_failing, run_without_rights
from tests.support.refusal import refused

# The faults of the disk are made by filters of system calls, which only Linux has.
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it needs filters of system calls")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = open_node(tmp_path / "data")
    yield made
    made.close()


def code_of(fault: BaseException | None) -> Code | None:
    """The code of what a thread raised."""
    if fault is None:
        return None
    assert isinstance(fault, NodeError), repr(fault)
    return fault.code


@pytest.mark.parametrize(
    ("number", "calls", "code"),
    [
        (errno.ENOSPC, WRITES, STORE_FULL),
        (errno.EDQUOT, WRITES, STORE_FAILED),
        (errno.EIO, WRITES, STORE_FAILED),
        (errno.EIO, SYNCS, STORE_FAILED),
    ],
    ids=["full", "quota", "write fails", "sync fails"],
)
def test_a_disk_that_fails_takes_the_block_when_it_is_well_again(
    node: Node, life: Life, tmp_path: Path, number: int, calls: tuple[str, ...], code: Code
) -> None:
    for index, block in enumerate(life.blocks):
        failures = 2 if index % 8 == 0 or index in life.reorganising else 0
        for _ in range(failures):
            assert code_of(run_failing(number, calls, lambda block=block: take(node, block))) is code
        assert node.chain.tip.hash == life.tips[index]
        with node.reader.snapshot() as view:
            assert view.tip().hash == life.tips[index], "reading goes on"
        take(node, block)
        if failures:
            assert digest_of(tmp_path / "data") == life.digests[index + 1]


def test_a_full_disk_at_the_first_opening(tmp_path: Path) -> None:
    assert code_of(run_failing(errno.ENOSPC, WRITES, lambda: open_node(tmp_path / "data"))) is STORE_FULL
    open_node(tmp_path / "data").close()


def test_a_disk_without_room_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    def fail(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "data" / "lock"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("node.store.engine.os.open", fail)
        with refused(STORE_FULL, NodeError):
            open_node(tmp_path / "data")


# --- that may not be written ---


def protect(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)


def test_a_folder_that_may_not_be_written(tmp_path: Path, life: Life) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    protect(folder)
    assert code_of(run_without_rights(lambda: open_node(folder))) is STORE_FOLDER
    folder.chmod(0o700)
    node = open_node(folder)
    take(node, life.blocks[0])
    node.close()
    protect(folder)
    before = (folder / STORE_FILE).read_bytes()
    assert code_of(run_without_rights(lambda: open_node(folder))) is STORE_FOLDER
    folder.chmod(0o700)
    (folder / "lock").chmod(0o600)
    assert code_of(run_without_rights(lambda: open_node(folder))) is STORE_READ_ONLY
    assert (folder / STORE_FILE).read_bytes() == before
    for path in folder.iterdir():
        path.chmod(0o600)
    assert code_of(run_without_rights(lambda: open_node(folder).close())) is None
    assert look_at(folder, life) == 1


# --- that is gone ---


def test_a_folder_that_was_moved_away_takes_nothing_until_it_is_back(node: Node, life: Life, tmp_path: Path) -> None:
    folder, away = tmp_path / "data", tmp_path / "away"
    for block in life.blocks[:5]:
        take(node, block)
    with node.reader.snapshot() as view:
        assert view.tip().hash == life.tips[5]
    folder.rename(away)
    for _ in range(2):
        with refused(STORE_LOST, NodeError, path=str(folder / STORE_FILE)):
            take(node, life.blocks[5])
    with node.reader.snapshot() as view:
        assert view.tip().hash == life.tips[5], "reading goes on"
    shutil.copytree(away, folder)
    with refused(STORE_LOST, NodeError):
        take(node, life.blocks[5])  # a copy is another store: what is written goes to the file that was opened
    shutil.rmtree(folder)
    away.rename(folder)
    take(node, life.blocks[5])
    node.close()
    assert look_at(folder, life) == 6


@pytest.mark.parametrize("name", [STORE_FILE, f"{STORE_FILE}-wal"])
def test_a_file_that_was_deleted_under_the_node_is_noticed(node: Node, life: Life, tmp_path: Path, name: str) -> None:
    take(node, life.blocks[0])
    (tmp_path / "data" / name).unlink()
    with refused(STORE_LOST, NodeError):
        take(node, life.blocks[1])


# --- two processes ---


def test_a_second_process_is_refused_and_the_first_undisturbed(tmp_path: Path, life: Life) -> None:
    """The node of another process holds the store; this one is refused at every moment, and that one finishes its blocks."""
    starter = Starter(tmp_path, life)
    folder = tmp_path / "data"
    faults: list[str] = []

    def intrude() -> None:
        try:
            open_node(folder).close()
        except NodeError as fault:
            faults.append(fault.code.name)

    run = starter.run(Order(str(folder)), on_block=intrude)
    starter.close()
    assert run.is_closed
    assert len(run.took) == len(life.blocks)
    assert faults == [STORE_IN_USE.name] * len(life.blocks)
    assert look_at(folder, life) == len(life.blocks)


def test_a_killed_node_leaves_no_lock_behind(tmp_path: Path, life: Life) -> None:
    starter = Starter(tmp_path, life)
    run = starter.run(Order(str(tmp_path / "data"), phase=BLOCK, way=UNREPORTED, count=3))
    starter.close()
    assert len(run.took) == 2
    assert look_at(tmp_path / "data", life) == 3


def test_a_folder_in_place_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "data" / STORE_FILE).mkdir(parents=True)
    with refused(STORE_FAILED, NodeError, reason="unable to open database file"):
        open_node(tmp_path / "data")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [STORE_FILE, "lock"]
