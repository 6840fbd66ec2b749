"""Finding nonces in worker processes, and letting go of the work in time."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.types import Target
from node.mining.engine import NONCES, SECOND_VERSION_BIT, search_range
from node.mining.search import INLINE_HASHES, NonceSearch
from tests.node.watching import is_gone, wait_until
from tests.support.processes import SECONDS_MAX, child

PREFIX = bytes(range(76))
EASY = Target(2**256 // 3_000)
IMPOSSIBLE = Target(1)
CANCEL_SECONDS_MAX = 1.0
"""The issue's limit from a new tip to dropped work."""


def hash_of_header(header: bytes) -> int:
    """The plain definition: sha256d of the header, little-endian."""
    return int.from_bytes(sha256(sha256(header).digest()).digest(), "little")


def hash_of(nonce: int) -> int:
    """The same of the prefix with a nonce."""
    return hash_of_header(PREFIX + nonce.to_bytes(4, "little"))


@pytest.fixture(scope="module")
def search() -> Iterator[NonceSearch]:
    made = NonceSearch(2)
    yield made
    made.close()


@pytest.mark.parametrize("divisor", [2, 50, 700])
def test_a_range_gives_what_hashing_each_nonce_gives(divisor: int) -> None:
    target = Target(2**256 // divisor)
    good = [nonce for nonce in range(4_000) if hash_of(nonce) <= target]
    assert search_range(PREFIX, target, 0, 4_000) == (good[0] if good else None)
    after = good[len(good) // 2] + 1
    assert search_range(PREFIX, target, after, 4_000 - after) == next((n for n in good if n >= after), None)


def test_a_target_is_met_by_equality() -> None:
    exact = Target(hash_of(7))
    assert search_range(PREFIX, exact, 7, 1) == 7
    assert search_range(PREFIX, Target(exact - 1), 7, 1) is None


def test_a_range_ends_at_the_last_nonce() -> None:
    assert search_range(PREFIX, IMPOSSIBLE, NONCES - 3, 10) is None
    assert search_range(PREFIX, Target(2**256 - 1), NONCES - 1, 10) == NONCES - 1
    assert search_range(PREFIX, Target(2**256 - 1), NONCES, 10) is None
    assert search_range(PREFIX, Target(2**256 - 1), 0, 0) is None


def test_easy_work_needs_no_worker() -> None:
    search = NonceSearch(0)
    expected = search_range(PREFIX, Target(2**256 // 100), 0, INLINE_HASHES)
    assert expected is not None
    assert search.search(PREFIX, Target(2**256 // 100), search.present_job()) == PREFIX + expected.to_bytes(4, "little")
    assert search.search(PREFIX, IMPOSSIBLE, search.present_job()) is None
    search.close()


def test_workers_find_what_hashing_finds(search: NonceSearch) -> None:
    for round_number in range(2):
        target = Target(2**256 // (60_000 + round_number))
        header = search.search(PREFIX, target, search.present_job())
        assert header is not None
        assert header[4:76] == PREFIX[4:]
        assert int.from_bytes(header[:4], "little") ^ int.from_bytes(PREFIX[:4], "little") in (0, SECOND_VERSION_BIT)
        assert hash_of_header(header) <= target


def cancel_after(search: NonceSearch, seconds: float) -> tuple[bytes | None, float]:
    """Search for ever, cancel from another thread; what was found, and how long dropping took."""
    found: list[bytes | None] = []
    job_id = search.present_job()
    thread = threading.Thread(target=lambda: found.append(search.search(PREFIX, IMPOSSIBLE, job_id)))
    thread.start()
    time.sleep(seconds)
    assert thread.is_alive(), "it searches"
    began = time.monotonic()
    search.cancel()
    thread.join(timeout=30)
    return found[0], time.monotonic() - began


def test_a_cancelled_search_ends_within_a_second(search: NonceSearch) -> None:
    for seconds in (0.0, 0.3):
        found, took = cancel_after(search, seconds)
        assert found is None
        assert took < CANCEL_SECONDS_MAX
    assert search.search(PREFIX, EASY, search.present_job()) is not None, "and the workers take the next job"


def test_a_cancel_between_making_and_searching_is_not_lost(search: NonceSearch) -> None:
    job_id = search.present_job()
    search.cancel()
    began = time.monotonic()
    assert search.search(PREFIX, IMPOSSIBLE, job_id) is None
    assert time.monotonic() - began < CANCEL_SECONDS_MAX


def test_a_worker_that_was_killed_is_started_again(search: NonceSearch) -> None:
    victim = next(iter(search._processes.values()))[1]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(timeout=10)
    assert search.search(PREFIX, Target(2**256 // 50_000), search.present_job()) is not None
    processes = [process for _, process in search._processes.values()]
    wait_until(lambda: all(process.is_alive() for process in processes))
    assert sorted(number for number, _ in search._processes.values()) == [0, 1]


def test_a_worker_killed_in_the_middle_of_a_search_does_not_end_it(search: NonceSearch) -> None:
    found: list[bytes | None] = []
    job_id = search.present_job()
    thread = threading.Thread(target=lambda: found.append(search.search(PREFIX, IMPOSSIBLE, job_id)))
    thread.start()
    wait_until(lambda: len(search._processes) == 2)
    time.sleep(0.2)
    victim = next(iter(search._processes.values()))[1]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: victim not in [process for _, process in search._processes.values()])
    assert thread.is_alive()
    search.cancel()
    thread.join(timeout=10)
    assert found == [None]


def test_a_search_ends_when_its_time_is_up(search: NonceSearch) -> None:
    began = time.monotonic()
    assert search.search(PREFIX, IMPOSSIBLE, search.present_job(), seconds_max=0.3) is None
    assert 0.3 <= time.monotonic() - began < 0.3 + CANCEL_SECONDS_MAX
    assert search.search(PREFIX, EASY, search.present_job(), seconds_max=30) is not None, "and the next one goes on"


def test_hashes_are_counted(search: NonceSearch) -> None:
    wanted = search.figures.hashes + INLINE_HASHES + 2 * 5_000
    deadline = time.monotonic() + 60  # workers of a busy machine take their time to begin
    while search.figures.hashes < wanted:
        assert time.monotonic() < deadline, "a slice of each worker, at least"
        assert search.search(PREFIX, IMPOSSIBLE, search.present_job(), seconds_max=0.3) is None


def test_from_a_crash_on_workers_do_without_the_kernel() -> None:
    search = NonceSearch(1)
    try:
        wait_until(lambda: search.is_settled, seconds=60)
        assert search.figures.engines == ("kernel",)
        for number, engine in ((signal.SIGKILL, "kernel"), (signal.SIGSEGV, "hashlib"), (signal.SIGKILL, "hashlib")):
            ((_, victim),) = search._processes.values()
            assert victim.pid is not None
            os.kill(victim.pid, number)
            victim.join(timeout=10)
            assert search.search(PREFIX, IMPOSSIBLE, search.present_job(), seconds_max=1) is None
            wait_until(lambda: search.is_settled, seconds=60)
            assert search.figures.engines == (engine,)
    finally:
        search.close()


def test_no_lock_is_shared_with_workers_that_may_be_killed_while_they_hold_it(search: NonceSearch) -> None:
    shared = search._shared
    assert not any(hasattr(memory, "get_lock") for memory in (shared.job_now, shared.hashes, shared.engines))


def test_closing_ends_every_worker_and_is_harmless_twice() -> None:
    search = NonceSearch(1)
    processes = [process for _, process in search._processes.values()]
    pids = [process.pid for process in processes]
    search.close()
    search.close()
    assert not any(process.is_alive() for process in processes)
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


ORPHAN = """
import sys
from node.mining.search import NonceSearch
if __name__ == "__main__":
    search = NonceSearch(1)
    (number, process), = search._processes.values()
    print(process.pid, flush=True)
    search.search(bytes(76), 1, search.present_job())
"""


def test_workers_end_with_a_node_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    with child([sys.executable, str(script)], "the number of a worker's process, and its node's end") as node:
        assert node.stdout is not None
        worker = int(node.stdout.readline())
        time.sleep(0.5)
        node.kill()
        node.wait(SECONDS_MAX)
        wait_until(lambda: is_gone(worker), seconds=20)
