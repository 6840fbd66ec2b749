"""Faults of the kernel for the calling thread only: a call that fails, or that ends the process. Linux, without any rights.

A filter of seccomp (kernel documentation, userspace-api/seccomp_filter) answers the named calls; it can't be taken off again, so a
fault that is to pass is given to a thread that ends.
"""

import ctypes
import errno
import platform
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from tests.support.processes import join_all

NUMBERS: Final[dict[str, dict[str, int]]] = {
    "x86_64": {"pwrite64": 18, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "fallocate": 285},
    "aarch64": {"pwrite64": 68, "fsync": 82, "fdatasync": 83, "ftruncate": 46, "fallocate": 47},
}
WRITES: Final = ("pwrite64", "fallocate")
SYNCS: Final = ("fsync", "fdatasync")

KILL_PROCESS: Final = 0x80000000
FAIL: Final = 0x00050000
ALLOW: Final = 0x7FFF0000
LOAD_CALL: Final = 0x20
JUMP_IF_EQUAL: Final = 0x15
RETURN: Final = 0x06
NO_NEW_PRIVILEGES: Final = 38
SET_SECCOMP: Final = 22
FILTER: Final = 2


class Unsupported(Exception):
    """This system has no such filters."""


def kill_at(*names: str) -> None:
    """From now on the first of these calls ends the process, before it does anything. Raises `Unsupported`."""
    _answer(names, KILL_PROCESS)


def fail_at(number: int, *names: str) -> None:
    """From now on these calls of this thread do nothing and report the error `number`. Raises `Unsupported`."""
    _answer(names, FAIL | number)


def _answer(names: tuple[str, ...], answer: int) -> None:
    numbers = NUMBERS.get(platform.machine())
    if not sys.platform.startswith("linux") or numbers is None:
        raise Unsupported(f"{sys.platform} on {platform.machine()}")
    program = [(LOAD_CALL, 0, 0, 0)]
    for name in names:
        program += [(JUMP_IF_EQUAL, 0, 1, numbers[name]), (RETURN, 0, 0, answer)]
    program.append((RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, FILTER, head, 0, 0):
        raise Unsupported(errno.errorcode.get(ctypes.get_errno(), "prctl"))


def run_failing(number: int, names: tuple[str, ...], action: Callable[[], Any]) -> BaseException | None:
    """Do something in a thread whose calls `names` fail with `number`; what it raised. Raises `Unsupported`."""
    found: list[BaseException] = []

    def run() -> None:
        try:
            fail_at(number, *names)
            action()
        except BaseException as fault:  # noqa: BLE001  # it is handed to the caller, who looks at it
            found.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    join_all([thread], "an action whose system calls fail")
    if found and isinstance(found[0], Unsupported):
        raise found[0]
    return found[0] if found else None


CAPABILITY_VERSION: Final = 0x20080522


def run_without_rights(action: Callable[[], Any]) -> BaseException | None:
    """Do something in a thread for which the permissions of files hold, even if it is root's; what it raised."""
    found: list[BaseException] = []

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        head = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION, 0))
        assert libc.capset(head, ctypes.create_string_buffer(24)) == 0, "giving rights up is always allowed"
        try:
            action()
        except BaseException as fault:  # noqa: BLE001  # it is handed to the caller, who looks at it
            found.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    join_all([thread], "an action whose system calls fail")
    return found[0] if found else None
