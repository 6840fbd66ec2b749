"""The compiled kernel beside hashlib, and which of the two is chosen."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.header import HEADER_BYTES, Header
from ledger.pow import target_from_compact
from ledger.types import Target
from node.mining import engine as choosing
from node.mining.engine import (
    HASHLIB,
    KERNEL,
    KNOWN_HEADER,
    NONCES,
    PREFIX_BYTES,
    SECOND_VERSION_BIT,
    Engine,
    HashlibEngine,
    KernelEngine,
    build_kernel,
    check_engine,
    choose_engine,
    flip_version,
)
from node.mining.search import NonceSearch
from tests.node.watching import wait_until
from tests.support.processes import ROOT, SECONDS_MAX, environment_of_child

FOLDER = Path(__file__).parents[2] / "vectors" / "bitcoin"
EVERY = Target(2**256 - 1)
LAST = NONCES - 1


@pytest.fixture(scope="module")
def kernel() -> Engine:
    return build_kernel()


def hash_of(header: bytes) -> int:
    """The plain definition."""
    return int.from_bytes(sha256(sha256(header).digest()).digest(), "little")


def hash_all(prefix: bytes, target: int, start: int, count: int, version_bit: int) -> list[bytes]:
    """Every solution, by nonce and then by version, as hashing one after the other finds them."""
    versions = dict.fromkeys([prefix, flip_version(prefix, version_bit)])
    headers = [one + nonce.to_bytes(4, "little") for nonce in range(start, start + count) for one in versions]
    return [header for header in headers if hash_of(header) <= target]


def scan_all(engine: Engine, prefix: bytes, target: int, start: int, count: int, version_bit: int) -> list[bytes]:
    """Every solution that an engine finds; it must go on without gaps, and count what it tried."""
    found: list[bytes] = []
    end = min(start + count, NONCES)
    versions = len({prefix, flip_version(prefix, version_bit)})
    while start < end:
        scanned = engine.scan(prefix, Target(target), start, end - start, version_bit)
        assert start < scanned.next <= end
        assert scanned.headers or scanned.next == end
        assert scanned.hashes == (scanned.next - start) * versions
        found += scanned.headers
        start = scanned.next
    return found


@given(
    prefix=st.binary(min_size=PREFIX_BYTES, max_size=PREFIX_BYTES),
    start=st.integers(0, 300) | st.integers(LAST - 300, LAST) | st.integers(0, LAST),
    count=st.integers(0, 150),
    divisor=st.integers(1, 400),
    version_bit=st.sampled_from([0, SECOND_VERSION_BIT, 0x10000000]),
)
def test_the_kernel_finds_what_hashing_finds(
    kernel: Engine, prefix: bytes, start: int, count: int, divisor: int, version_bit: int
) -> None:
    target, count = 2**256 // divisor - 1, min(count, NONCES - start)
    expected = hash_all(prefix, target, start, count, version_bit)
    assert scan_all(kernel, prefix, target, start, count, version_bit) == expected


@given(prefix=st.binary(min_size=PREFIX_BYTES, max_size=PREFIX_BYTES), place=st.integers(0, 63), rank=st.integers(0, 7))
def test_a_target_is_met_by_equality_and_by_nothing_above(kernel: Engine, prefix: bytes, place: int, rank: int) -> None:
    """Also where only the last of 32 bytes says which of the two it is."""
    headers = hash_all(prefix, EVERY, 0, 64, 0)
    exact = sorted(hash_of(header) for header in headers)[rank]
    assert len(scan_all(kernel, prefix, exact, 0, 64, 0)) == rank + 1
    assert len(scan_all(kernel, prefix, exact - 1, 0, 64, 0)) == rank
    one = headers[place]
    assert kernel.scan(prefix, Target(hash_of(one)), place, 1, 0).headers == (one,)
    assert kernel.scan(prefix, Target(hash_of(one) - 1), place, 1, 0).headers == ()


def published_headers() -> list[bytes]:
    """All headers of the vectors that came with work done."""
    compact = json.loads((FOLDER / "compact_pow_headers.json").read_text(encoding="utf-8"))
    rows = json.loads((FOLDER / "bip158_testnet19_blocks.json").read_text(encoding="utf-8"))[1:]
    found = [bytes.fromhex(case["header"]) for name in ("headers", "single_tx_blocks") for case in compact[name]]
    found += [bytes.fromhex(row[2])[:HEADER_BYTES] for row in rows]
    found += [path.read_bytes()[:HEADER_BYTES] for path in sorted(FOLDER.glob("bcoin_*.raw"))]
    return sorted({header for header in found if hash_of(header) <= target_from_compact(Header.decode(header).bits)})


def test_the_work_of_published_headers_is_found_again(kernel: Engine) -> None:
    headers = published_headers()
    assert len(headers) == 14
    for header in headers:
        target = target_from_compact(Header.decode(header).bits)
        nonce = int.from_bytes(header[PREFIX_BYTES:], "little")
        for start, count in ((max(nonce - 70, 0), 140), (nonce, 1), (nonce, NONCES)):
            assert kernel.scan(header[:PREFIX_BYTES], target, start, count, SECOND_VERSION_BIT).headers == (header,)
        flipped = flip_version(header[:PREFIX_BYTES], SECOND_VERSION_BIT)
        assert kernel.scan(flipped, target, nonce, 1, SECOND_VERSION_BIT).headers == (header,)
        assert kernel.scan(flipped, target, nonce, 1, 0).headers == ()


@pytest.mark.parametrize("engine", [HashlibEngine(), None], ids=["hashlib", "kernel"])
def test_the_edges_of_the_nonces(engine: Engine | None, kernel: Engine) -> None:
    engine, prefix = engine or kernel, bytes(range(76))
    assert engine.scan(prefix, EVERY, 0, 1, 0).headers == (prefix + bytes(4),)
    assert engine.scan(prefix, EVERY, LAST, 10, 0).headers == (prefix + b"\xff\xff\xff\xff",)
    assert engine.scan(prefix, EVERY, LAST, 10, 0).next == NONCES
    for start in (LAST - 20, LAST - 1, LAST):
        found = scan_all(engine, prefix, EVERY, start, NONCES, 0)
        assert [int.from_bytes(header[76:], "little") for header in found] == list(range(start, NONCES))
    assert engine.scan(prefix, EVERY, NONCES, 10, 0) == choosing.Scanned((), NONCES, 0)
    assert engine.scan(prefix, EVERY, 5, 0, 0) == choosing.Scanned((), 5, 0)
    assert engine.scan(prefix, Target(0), 0, 100, 0) == choosing.Scanned((), 100, 100)


def test_a_range_is_cut_anywhere(kernel: Engine) -> None:
    prefix, target = bytes(76), 2**256 // 30
    expected = hash_all(prefix, target, 0, 400, SECOND_VERSION_BIT)
    for step in (1, 7, 16, 33):
        edges = [*range(0, 400, step), 400]
        parts = [scan_all(kernel, prefix, target, a, b - a, SECOND_VERSION_BIT) for a, b in pairwise(edges)]
        assert [header for part in parts for header in part] == expected


def test_the_kernel_is_chosen_where_numba_is() -> None:
    engine, reason = choose_engine()
    assert (engine.name, reason) == (KERNEL, "")


@pytest.mark.parametrize("name", ["numba", "llvmlite", "numpy"])
def test_hashlib_is_chosen_where_something_is_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    engine, reason = choose_engine()
    assert engine.name == HASHLIB
    assert "not installed" in reason
    assert scan_all(engine, bytes(76), 2**256 // 20, 0, 200, 0) == hash_all(bytes(76), 2**256 // 20, 0, 200, 0)


def test_a_kernel_that_hashes_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch, kernel: Engine) -> None:
    assert isinstance(kernel, KernelEngine)
    blind = KernelEngine(kernel._kernel, lambda words, start, groups: (groups, np.uint64(0)))
    with pytest.raises(ArithmeticError):
        check_engine(blind)
    monkeypatch.setattr(choosing, "build_kernel", lambda: check_engine(blind))
    engine, reason = choose_engine()
    assert engine.name == HASHLIB
    assert "does not find a block" in reason


def test_a_cache_that_fails_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    fake = ModuleType("node.mining.kernel")

    def compile_scan(*, is_cached: bool) -> object:
        asked.append(is_cached)
        if is_cached:
            raise RuntimeError("cannot cache function '_scan': no locator available")
        return len

    vars(fake)["compile_scan"] = compile_scan
    monkeypatch.setitem(sys.modules, "node.mining.kernel", fake)
    monkeypatch.setattr("node.mining.kernel", fake)
    monkeypatch.setattr(choosing, "check_engine", lambda engine: None)
    assert build_kernel().name == KERNEL
    assert asked == [True, False]


TRIAL = """
import sys
from node.mining.engine import KNOWN_HEADER, KNOWN_TARGET, choose_engine
engine, reason = choose_engine()
kernel = sys.modules.get("node.mining.kernel")
nonce = int.from_bytes(KNOWN_HEADER[76:], "little")
assert engine.scan(KNOWN_HEADER[:76], KNOWN_TARGET, nonce - 5_000, 10_000, 0).headers == (KNOWN_HEADER,)
print(engine.name, kernel and kernel.LANES, kernel and kernel.__file__, reason)
"""


def begin_trial(**variables: str) -> "subprocess.Popen[str]":
    """A process that chooses an engine and lets it work, with these variables in its environment."""
    environment = {**environment_of_child(), **variables}
    return subprocess.Popen([sys.executable, "-P", "-c", TRIAL], env=environment, stdout=subprocess.PIPE, text=True)


def end_trial(process: "subprocess.Popen[str]") -> list[str]:
    """What it said: engine, lanes, the kernel's file, the reason."""
    said, _ = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0
    return said.split(maxsplit=3)


@pytest.mark.slow
def test_two_processes_compile_at_once_and_later_ones_find_it_done(tmp_path: Path) -> None:
    """For a processor without AVX-512, so that both forms of the kernel are tried wherever this runs."""
    variables = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2"}
    both = [begin_trial(**variables) for _ in range(2)]
    assert [end_trial(process)[:2] for process in both] == [[KERNEL, "8"]] * 2
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.nb*")}
    assert kept
    assert end_trial(begin_trial(**variables))[:2] == [KERNEL, "8"]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.nb*")} == kept, "it was found, not made again"
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])  # the disk was full, say
    assert end_trial(begin_trial(**variables))[:2] == [KERNEL, "8"]


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the cache's folder should be stops root too."""
    for name in ("node", "ledger"):
        for path in (ROOT / name).rglob("*.py"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / "node" / "mining" / "__pycache__").touch()
    home = tmp_path / "home"
    places = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME")}
    here = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", **places}
    assert end_trial(begin_trial(**here))[::2][:1] == [KERNEL]
    assert any(home.rglob("*.nbi")), "the user's own cache is taken instead"
    home.rename(tmp_path / "old")
    home.touch()
    name, _, file, *reason = end_trial(begin_trial(**here))
    assert (name, reason) == (KERNEL, [])
    assert Path(file).is_relative_to(tmp_path)


def test_workers_say_what_they_hash_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = NonceSearch(1)
    try:
        wait_until(lambda: search.is_settled, seconds=60)
        assert search.figures.engines == (KERNEL,)
    finally:
        search.close()
    (tmp_path / "numba.py").write_text('raise ImportError("numba is broken here")\n')
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(tmp_path))
    search = NonceSearch(1)
    try:
        wait_until(lambda: search.is_settled, seconds=60)
        assert search.figures.engines == (HASHLIB,)
        before = search.figures.hashes
        header = search.search(KNOWN_HEADER[:PREFIX_BYTES], Target(2**256 // 30_000), search.present_job())
        assert header is not None
        assert hash_of(header) <= 2**256 // 30_000
        assert search.figures.hashes > before
    finally:
        search.close()


def test_hashing_with_hashlib_can_be_asked_for() -> None:
    search = NonceSearch(1, wants_kernel=False)
    try:
        wait_until(lambda: search.is_settled, seconds=30)
        assert search.figures.engines == (HASHLIB,)
    finally:
        search.close()
