"""Waiting for what another thread or process does, and counting what a node must not leave behind."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def wait_until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Return as soon as `holds` does; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """After the block there are no more threads and worker processes than before."""
    threads, processes = set(threading.enumerate()), set(multiprocessing.active_children())
    yield
    assert set(threading.enumerate()) <= threads
    assert set(multiprocessing.active_children()) <= processes


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody waited for yet counts as ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state == "Z"
