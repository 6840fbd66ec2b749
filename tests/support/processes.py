"""Processes and threads that a test waits for, never without end: whatever does not come in time is named and ended."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SECONDS_MAX = 120.0
"""How long a test waits for another process: the slowest of them is ready after ten seconds on a loaded machine."""
ROOT = Path(__file__).resolve().parents[2]


def environment_of_child() -> dict[str, str]:
    """This process's environment, in which the child finds the checkout's packages."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "COLUMNS": "200"}


def end_group(process: "subprocess.Popen[str]", asked: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process and to all that it started; it leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, asked)


@contextmanager
def child(
    command: Sequence[str],
    what: str,
    *,
    environment: Mapping[str, str] | None = None,
    seconds_max: float = SECONDS_MAX,
    errors: IO[bytes] | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """A process whose output is read, gone at the end with all that it started.

    `errors`: where its standard error goes, instead of to this process's. After `seconds_max` it is killed, so that whoever reads
    or waits gets the end of its output; then the test fails and says that it waited for `what`.
    """
    late = threading.Event()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=environment_of_child() if environment is None else dict(environment),
        start_new_session=True,
    ) as process:

        def give_up() -> None:
            late.set()
            end_group(process)

        timer = threading.Timer(seconds_max, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield process
        except Exception as fault:
            if late.is_set():
                raise AssertionError(f"waited {seconds_max:.0f} s in vain for {what}") from fault
            raise
        finally:
            timer.cancel()
            end_group(process)
    assert not late.is_set(), f"waited {seconds_max:.0f} s in vain for {what}"


def join_all(threads: Sequence[threading.Thread], what: str, seconds_max: float = SECONDS_MAX) -> None:
    """Wait until all have ended; fails and says that it waited for `what`."""
    for thread in threads:
        thread.join(seconds_max)
        assert not thread.is_alive(), f"waited {seconds_max:.0f} s in vain for {what}"
