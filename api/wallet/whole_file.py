"""Files that are written whole or not at all: whenever the process or the machine stops, the old content or the new one is there.

The bytes reach the disk (fsync) under another name before the name is taken, and the folder is synced after: a rename that is not
synced may be undone by a power cut.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""Readable by its owner only."""
PUBLIC: Final = 0o666
"""Readable by whom the user's umask allows."""


def write_whole(
    path: Path, data: bytes | Sequence[bytes | memoryview], *, replace: bool = True, mode: int = PRIVATE
) -> None:
    """Let `path` hold exactly these bytes, or these pieces one behind the other.

    Raises FileExistsError where there is one and `replace` is false, or OSError.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        _write_new_file(temporary, data, mode)
        if replace:
            temporary.replace(path)
        else:
            _link_or_rename(temporary, path)
        _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):  # it is gone, or the fault that is being reported hides it
            temporary.unlink()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Within: no other process is within for the same folder; waits for it. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_new_file(path: Path, data: bytes | Sequence[bytes | memoryview], mode: int) -> None:
    """Make a file that did not exist, and see its bytes onto the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with open(descriptor, "wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)
        file.flush()
        os.fsync(file.fileno())


def _link_or_rename(temporary: Path, path: Path) -> None:
    """Take the name `path` only if it is free. Raises FileExistsError.

    A hard link does that in one step; where a file system has none, a look and a rename come close.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        if path.exists():
            raise FileExistsError from None
        temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    """See the new name onto the disk, where a folder can be opened for that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
