"""What hashes for the miner: the compiled kernel, or hashlib where that is not to be had; the one place that chooses (MINE-10)."""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ledger.hashing import sha256d
from ledger.header import VERSION_ROLLING_MASK
from ledger.types import Target

NONCES: Final = 2**32
VERSION_BYTES: Final = 4
PREFIX_BYTES: Final = 76
"""A header without its nonce."""
SECOND_VERSION_BIT: Final = 0x2000
"""The lowest version bit that is free for miners: the kernel searches each header with it and without."""
assert SECOND_VERSION_BIT & VERSION_ROLLING_MASK, "other bits are fixed"

HASHLIB: Final = "hashlib"
KERNEL: Final = "kernel"

KNOWN_HEADER: Final = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e"
    "67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
"""Bitcoin's first block, with which a kernel shows that it hashes right."""
KNOWN_TARGET: Final = Target(0xFFFF << 208)
KNOWN_MARGIN: Final = 100


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a range gave. `headers` are all solutions of `start..next - 1`, whole headers of 80 bytes, none for most ranges.

    `next` is where to go on: after the first solutions, or at the range's end. `hashes` is what was tried.
    """

    headers: tuple[bytes, ...]
    next: int
    hashes: int


class Engine(Protocol):
    """Searches nonces start..start + count - 1 of a header, up to the first that does.

    `slice_nonces` take about a hundredth of a second.
    """

    name: str
    slice_nonces: int

    def scan(self, prefix: bytes, target: Target, start: int, count: int, version_bit: int) -> Scanned:
        """`version_bit` may be flipped too, if it is not 0."""
        ...


def hash_of(header: bytes) -> int:
    """A header's hash as a number (POW-4)."""
    return int.from_bytes(sha256d(header), "little")


def search_range(prefix: bytes, target: Target, start: int, count: int) -> int | None:
    """The first nonce of start..start + count - 1 that meets `target`, by hashlib; `prefix` is the header's first 76 bytes."""
    sha256 = hashlib.sha256
    half = sha256(prefix)
    limit = target.to_bytes(32, "big")
    for nonce in range(start, min(start + count, NONCES)):
        one = half.copy()
        one.update(nonce.to_bytes(4, "little"))
        if sha256(one.digest()).digest()[::-1] <= limit:
            return nonce
    return None


class HashlibEngine:
    """Python's own hash, one nonce after the other; it leaves the version alone."""

    name = HASHLIB
    slice_nonces = 5_000

    def scan(self, prefix: bytes, target: Target, start: int, count: int, version_bit: int) -> Scanned:
        """See `Engine`."""
        end = min(start + count, NONCES)
        nonce = search_range(prefix, target, start, end - start)
        if nonce is None:
            return Scanned((), end, max(end - start, 0))
        return Scanned((prefix + nonce.to_bytes(4, "little"),), nonce + 1, nonce + 1 - start)


class KernelEngine:
    """The compiled kernel. Its candidates are hashed again here, so that only what meets the target exactly is a solution."""

    name = KERNEL
    slice_nonces = 2**17

    def __init__(self, kernel: Any, scan: Callable[..., tuple[Any, Any]]) -> None:
        self._kernel, self._scan = kernel, scan

    def scan(self, prefix: bytes, target: Target, start: int, count: int, version_bit: int) -> Scanned:
        """See `Engine`."""
        end = min(start + count, NONCES)
        prefixes = prefix, flip_version(prefix, version_bit)
        lanes: int = self._kernel.LANES
        words = self._kernel.prepare_words(prefixes, target)
        versions = len(set(prefixes))
        reached, found = start, list[bytes]()
        while reached < end and not found:
            groups = -((reached - end) // lanes)
            group, candidates = self._scan(words, reached, groups)
            first = reached + int(group) * lanes
            reached = min(first + lanes, end)
            found = [
                header
                for nonce in range(first, reached)
                for version in range(versions)
                if int(candidates) >> (nonce - first + 32 * version) & 1
                and hash_of(header := prefixes[version] + nonce.to_bytes(4, "little")) <= target
            ]
        return Scanned(tuple(found), reached, max(reached - start, 0) * versions)


def flip_version(prefix: bytes, version_bit: int) -> bytes:
    """The header's start with some bits of its version flipped."""
    version = int.from_bytes(prefix[:VERSION_BYTES], "little") ^ version_bit
    return version.to_bytes(VERSION_BYTES, "little") + prefix[VERSION_BYTES:]


def is_kernel_installed() -> bool:
    """Whether numba is there, without importing it: that takes a second."""
    return all(importlib.util.find_spec(name) is not None for name in ("numba", "llvmlite", "numpy"))


def build_kernel() -> KernelEngine:
    """The kernel, compiled or from the cache; takes up to some ten seconds. Raises whatever speaks against it."""
    from node.mining import kernel

    try:
        engine = KernelEngine(kernel, kernel.compile_scan(is_cached=True))
    except Exception:  # noqa: BLE001 - a cache that can't be written, or holds half a file, must not keep anybody from mining
        engine = KernelEngine(kernel, kernel.compile_scan(is_cached=False))
    check_engine(engine)
    return engine


def check_engine(engine: Engine) -> None:
    """Let it find a known block. Raises ArithmeticError where it does not: a compiler's fault, or a damaged cache."""
    prefix, nonce = KNOWN_HEADER[:PREFIX_BYTES], int.from_bytes(KNOWN_HEADER[PREFIX_BYTES:], "little")
    found = engine.scan(prefix, KNOWN_TARGET, nonce - KNOWN_MARGIN, 2 * KNOWN_MARGIN, SECOND_VERSION_BIT)
    if found.headers != (KNOWN_HEADER,):
        raise ArithmeticError("the kernel does not find a block that is known")


def choose_engine() -> tuple[Engine, str]:
    """The fastest engine that works here, and why it is not the kernel where it is not."""
    if not is_kernel_installed():
        return HashlibEngine(), "numba is not installed (the extra `miner`)"
    try:
        return build_kernel(), ""
    except Exception as fault:  # noqa: BLE001 - whatever a compiler says, mining goes on with hashlib
        return HashlibEngine(), f"the kernel does not work here: {fault!r}"
