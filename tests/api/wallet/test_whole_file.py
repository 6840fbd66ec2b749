"""Files that are the old or the new ones, whenever the writer dies."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from api.cli.session import write_file
from api.wallet.sequence import take_sequence
from api.wallet.whole_file import PUBLIC, write_whole
from ledger.types import Address, ProgramId
from tests.support.crash.files import WRITERS
from tests.support.processes import SECONDS_MAX, environment_of_child, join_all

POINTS_MIN = 15


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_that_is_killed_anywhere_leaves_the_old_file_or_the_new_one(name: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.crash.files", name, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment_of_child(),
        timeout=SECONDS_MAX,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > POINTS_MIN


@pytest.mark.parametrize("replace", [True, False])
def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    replace: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill can't show and a power cut would: the order in which things reach the disk."""
    done: list[str] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def call(first: Any, *rest: Any, **named: Any) -> Any:
            is_folder = isinstance(first, int) and stat.S_ISDIR(os.fstat(first).st_mode)
            done.append("folder" if is_folder else name)
            return real(first, *rest, **named)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "replace", "link", "rename"):
        watch(name)
    write_whole(tmp_path / "file", b"content", replace=replace)
    assert done == ["fsync", "replace" if replace else "link", "folder"]


def test_modes(tmp_path: Path) -> None:
    write_whole(tmp_path / "secret", b"1")
    write_whole(tmp_path / "open", b"2", mode=PUBLIC)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) & 0o600 == 0o600
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "open", b"3", replace=False)
    assert (tmp_path / "open").read_bytes() == b"2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["open", "secret"]


def test_a_named_file_may_be_a_link_or_no_file_at_all(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_file(pipe, b"through")
    join_all([reader], "who reads the pipe")
    assert read == [b"through"]
    assert pipe.is_fifo()


def test_two_tills_at_once_are_given_different_numbers(tmp_path: Path) -> None:
    program, till = ProgramId(b"p" * 32), Address(b"t" * 32)
    given: list[int] = []

    def take() -> None:
        given.extend(take_sequence(tmp_path, program, till) for _ in range(20))

    threads = [threading.Thread(target=take, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    join_all(threads, "the numbers of two tills")
    assert sorted(given) == list(range(80))
