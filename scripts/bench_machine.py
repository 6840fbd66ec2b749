"""What a figure was measured on: without it a figure says little."""

import os
import platform
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import cryptography
from cryptography.hazmat.backends.openssl import backend

FSYNCS = 50
PAGE = bytes(4_096)
VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}


def describe_machine(folder: Path) -> dict[str, Any]:
    """Processor, memory, versions, and how long the disk of `folder` takes to make a page safe."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "cryptography": f"{cryptography.__version__}, {backend.openssl_version_text()}",
        "fsync_ms": round(_fsync_seconds(folder) * 1e3, 2),
    }


def _cpu_model() -> str:
    """The processor's name, with the instruction sets that hashing, signatures and the miner's kernel depend on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = facts.get("flags", facts.get("Features", "")).split()
    sha = "with" if "sha_ni" in flags or "sha2" in flags else "without"
    widest = next((name for flag, name in VECTORS.items() if flag in flags), "no AVX2")
    return f"{facts.get('model name', platform.machine())}, {sha} SHA instructions, {widest}"


def _memory_gib() -> float | None:
    if sys.platform == "win32":
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _fsync_seconds(folder: Path) -> float:
    """The median of several synced writes of a page."""
    path = folder / "fsync.probe"
    taken: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            started = time.perf_counter()
            file.write(PAGE)
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
    path.unlink()
    return statistics.median(taken)
