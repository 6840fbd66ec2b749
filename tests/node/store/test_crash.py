"""A node is killed at chosen points and at random, and its log is torn as by a power cut: it opens, verifies, and goes on."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.crash.injection import BLOCK, REORGANISATION, STATEMENT, UNREPORTED, Order
from tests.support.crash.kills import Killing, Starter
from tests.support.crash.life import STORE_FILE, Life
from tests.support.crash.places import look_at
from tests.support.postgres import Postgres

KILLS = 20
KILLS_ON_SERVER = 5
TEARS = 5
SECTOR = 512

Tear = Callable[[bytearray, random.Random], None]


def test_twenty_kills(tmp_path: Path) -> None:
    """The seed follows from the run's; a failure names it, and the command that does the same kills again."""
    killing = Killing(tmp_path, random.randrange(2**32))
    try:
        outcomes = [killing.kill(number) for number in range(KILLS)]
        killing.finish()
    finally:
        killing.close()
    assert len({(outcome.phase, outcome.way) for outcome in outcomes}) > KILLS // 2, "at many points"


def test_kills_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    """The server commits or takes back whole what a node had sent before it died."""
    killing = Killing(tmp_path, random.randrange(2**32), postgres)
    try:
        outcomes = [killing.kill(number) for number in range(KILLS_ON_SERVER)]
        killing.finish()
    finally:
        killing.close()
    assert len({(outcome.phase, outcome.way) for outcome in outcomes}) > KILLS_ON_SERVER // 2, "at many points"


# --- torn ---


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory, life: Life) -> Iterator[Starter]:
    made = Starter(tmp_path_factory.mktemp("starter"), life)
    yield made
    made.close()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, starter: Starter) -> Path:
    """A store killed with thirty blocks in its file, and seven more, reported, in its log."""
    folder = tmp_path_factory.mktemp("killed") / "data"
    run = starter.run(Order(str(folder), phase=BLOCK, way=UNREPORTED, count=38))
    assert len(run.took) == 37
    return folder


FOLDED, LOGGED = 30, 38


def cut(log: bytearray, draw: random.Random) -> None:
    del log[draw.randrange(len(log)) :]


def empty_sectors(log: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(log) // SECTOR) * SECTOR
    log[start : start + SECTOR * draw.randint(1, 8)] = bytes(SECTOR)


def garbage(log: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(log))
    log[start:] = draw.randbytes(len(log) - start)


def one_bit(log: bytearray, draw: random.Random) -> None:
    log[draw.randrange(len(log))] ^= 1 << draw.randrange(8)


def garbage_behind(log: bytearray, draw: random.Random) -> None:
    log += draw.randbytes(draw.randrange(20_000))


@pytest.mark.parametrize("tear", [cut, empty_sectors, garbage, one_bit, garbage_behind], ids=lambda tear: tear.__name__)
def test_a_torn_log_gives_an_earlier_block_and_never_half_of_one(
    killed: Path, starter: Starter, life: Life, tmp_path: Path, tear: Tear
) -> None:
    """What SIGKILL can't do: it leaves the page cache. A power cut may take any part of what was not synced, in any order."""
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    copy, found = tmp_path / "copy", 0
    for _ in range(TEARS):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(killed, copy)
        path = copy / f"{STORE_FILE}-wal"
        log = bytearray(path.read_bytes())
        tear(log, draw)
        path.write_bytes(log)
        found = look_at(copy, life)
        assert FOLDED <= found <= LOGGED, f"seed {seed}"
        if tear is garbage_behind:
            assert found == LOGGED, f"seed {seed}"
    run = starter.run(Order(str(copy), found))
    assert run.is_closed
    assert look_at(copy, life) == len(life.blocks), "and it goes on from there"


def test_a_log_that_is_cut_further_behind_holds_no_fewer_blocks(killed: Path, life: Life, tmp_path: Path) -> None:
    log = (killed / f"{STORE_FILE}-wal").read_bytes()
    found: list[int] = []
    for share in range(0, 11, 2):
        copy = tmp_path / str(share)
        shutil.copytree(killed, copy)
        (copy / f"{STORE_FILE}-wal").write_bytes(log[: len(log) * share // 10])
        found.append(look_at(copy, life))
    assert found == sorted(found)
    assert (found[0], found[-1]) == (FOLDED, LOGGED)


def pages_in(log: bytes) -> set[int]:
    """The pages of which a log holds a newer version (SQLite's file format, 4: a header of 32 bytes, then frames)."""
    frame = 24 + 4_096
    return {int.from_bytes(log[start : start + 4], "big") for start in range(32, len(log) - frame + 1, frame)}


def test_a_torn_fold_is_done_again_from_the_log(killed: Path, life: Life, tmp_path: Path) -> None:
    """A power cut while the log is folded in leaves any mixture of old, new and torn pages in the file; the log has them all."""
    log, content = (killed / f"{STORE_FILE}-wal").read_bytes(), (killed / STORE_FILE).read_bytes()
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    for index in range(TEARS):
        copy, torn = tmp_path / str(index), bytearray(content)
        shutil.copytree(killed, copy)
        for page in sorted(pages_in(log) - {1}):  # its first sector, of which the header is part, is written whole
            start = (page - 1) * 4_096 + draw.randrange(0, 4_096, SECTOR)
            if draw.random() < 0.5 and start < len(torn):
                torn[start : page * 4_096] = draw.randbytes(page * 4_096 - start)
        (copy / STORE_FILE).write_bytes(torn)
        assert look_at(copy, life) == LOGGED, f"seed {seed}"


def test_without_its_log_a_store_is_as_it_was_when_that_was_folded_in(killed: Path, life: Life, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(killed, copy)
    (copy / f"{STORE_FILE}-wal").unlink()
    assert look_at(copy, life) == FOLDED


def test_a_reorganisation_that_is_torn_has_happened_or_not(starter: Starter, life: Life, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run = starter.run(Order(str(folder), phase=REORGANISATION, way=UNREPORTED, count=1))
    before = min(life.reorganising)
    assert len(run.took) == before
    log = (folder / f"{STORE_FILE}-wal").read_bytes()
    found: set[int] = set()
    for pages in range(12):
        copy = tmp_path / str(pages)
        shutil.copytree(folder, copy)
        (copy / f"{STORE_FILE}-wal").write_bytes(log[: len(log) - pages * 4_000])
        found.add(look_at(copy, life))
    assert {before, before + 1} <= found, "one SQL transaction: the tip of one branch or of the other"


def test_a_kill_while_recovering_from_a_kill(starter: Starter, life: Life, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run = starter.run(Order(str(folder), phase=BLOCK, way=UNREPORTED, count=26))
    done = len(run.took) + 1
    for count in range(1, 12, 2):
        again = starter.run(Order(str(folder), done, phase="opening", way=STATEMENT, count=count))
        assert again.status == -9
        assert not again.took
    assert look_at(folder, life) == done
