"""Hashes per second and core: the compiled kernel beside hashlib, in turns within one run, so that both meet the same machine.

Counted is this process's own time, and of several rounds the best: others that work on the machine then spoil the ratio least. The
kernel's figure is of whole headers tried, two versions for each nonce. No other miner is measured: cpuminer is in no package index.
"""

import time
from typing import Any, Final

from ledger.types import Target
from node.mining.engine import SECOND_VERSION_BIT, Engine, HashlibEngine, choose_engine

ROUNDS: Final = 8
KERNEL_FACTOR: Final = 40
"""So many times as many hashes are tried with the kernel, to take about as long."""
IMPOSSIBLE: Final = Target(0)
PREFIX: Final = bytes(range(76))


def measure_mining(hashes: int) -> dict[str, Any]:
    """Hashes a second of both; of the kernel None where it is not to be had, and why."""
    began = time.perf_counter()
    engine, reason = choose_engine()
    ready_s = time.perf_counter() - began
    plain = HashlibEngine()
    rates: dict[str, list[float]] = {plain.name: [], engine.name: []}
    for _ in range(ROUNDS):
        rates[plain.name].append(_rate(plain, hashes // ROUNDS))
        if engine.name != plain.name:
            rates[engine.name].append(_rate(engine, hashes * KERNEL_FACTOR // ROUNDS // 2))
    best = {name: max(found) for name, found in rates.items()}
    return {"hashlib": best[plain.name], "kernel": best.get("kernel"), "reason": reason, "ready_s": ready_s}


def _rate(engine: Engine, nonces: int) -> float:
    """Hashes a second, in slices as a worker searches them."""
    began, reached, tried = time.process_time(), 0, 0
    while reached < nonces:
        scanned = engine.scan(PREFIX, IMPOSSIBLE, reached, engine.slice_nonces, SECOND_VERSION_BIT)
        assert not scanned.headers, "no hash is zero"
        reached, tried = scanned.next, tried + scanned.hashes
    return tried / (time.process_time() - began)
