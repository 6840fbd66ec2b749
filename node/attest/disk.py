"""The disk under a signing record: one file that is replaced whole, and a lock. Passed in: tests cut the power (ATT-2)."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Final, Protocol

from ledger.errors import Code
from node.errors import NodeError

PRIVATE: Final = 0o600
FRESH_SUFFIX: Final = ".new"
LOCK_SUFFIX: Final = ".lock"

IN_USE = Code(
    "attest.in_use",
    "another process attests with {path}",
    "Let one process alone use a key. Stop the other one first.",
)
RECORD_FAILED = Code(
    "attest.record_failed",
    "the signing record {path} can't be used: {reason}",
    "Nothing was signed. Look at the rights and the room of its folder.",
)


class Disk(Protocol):
    """One file. What `replace` was given is there whole once it returned, whatever happens then."""

    path: Path

    def read(self) -> bytes | None:
        """What the file holds; None if there is no file. Raises OSError."""
        ...

    def write_fresh(self, data: bytes) -> None:
        """Write a file beside it and see its bytes onto the disk. Raises OSError."""
        ...

    def rename_fresh(self) -> None:
        """Let the fresh file take the name. Raises OSError."""
        ...

    def sync_folder(self) -> None:
        """See the name onto the disk. Raises OSError."""
        ...


class FileDisk:
    """A file of the operating system."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fresh = path.with_name(path.name + FRESH_SUFFIX)

    def read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def write_fresh(self, data: bytes) -> None:
        descriptor = os.open(self._fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def rename_fresh(self) -> None:
        self._fresh.replace(self.path)

    def sync_folder(self) -> None:
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class FileLock:
    """Exclusive use of a file by one process, given back when the process ends, however it ends.

    The lock is a file of its own beside it, since the file itself is replaced.
    """

    def __init__(self, path: Path) -> None:
        """Raises `attest.in_use` or `attest.record_failed`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file: int | None = os.open(
                path.with_name(f".{path.name}{LOCK_SUFFIX}"), os.O_RDWR | os.O_CREAT, PRIVATE
            )
        except OSError as fault:
            raise NodeError(RECORD_FAILED, path=str(path), reason=fault.strerror or str(fault)) from fault
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            self.release()
            if fault.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise NodeError(IN_USE, path=str(path)) from fault
            raise NodeError(RECORD_FAILED, path=str(path), reason=fault.strerror or str(fault)) from fault

    def release(self) -> None:
        """Let another process use it; harmless a second time."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
