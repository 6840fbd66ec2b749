"""The measurements themselves. `bench.py` starts each in a process of its own; its answer is one line of JSON.

    python scripts/bench_measure.py NAME FOLDER full|quick

Nothing that is measured was run in the process before: module caches, prepared statements and remembered records are cold.
"""

import gc
import hashlib
import importlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from bench_ballots import measure_ballots
from bench_chain import opened_chain
from bench_finality import measure_finality
from bench_groups import measure_groups
from bench_growth import measure_growth
from bench_http import measure_reads
from bench_messages import measure_messages
from bench_mining import measure_mining
from bench_network import measure_relay, measure_sync
from bench_personal import judge_fans, measure_personal, serve_fans, train_fans
from bench_refunds import measure_refunds
from bench_rules import measure_blocks, measure_kinds
from bench_stratum import measure_stratum
from bench_world import (
    FULL,
    GROWTH,
    GROWTH_QUICK,
    QUICK,
    World,
    copy_store,
    header_eras,
    header_start,
    read_blocks,
    signed_messages,
)
from ledger.header import HEADER_BYTES
from ledger.header_chain import check_headers
from ledger.merkle import IncrementalTree
from ledger.state import Overlay
from ledger.supply import load_chain_record
from ledger.types import Hash
from node.intake import take_in
from node.signatures import SignatureVerifier

Answer = dict[str, Any]

HEADERS_AT_ONCE = 2_000
FANS_AND_ROUNDS = ((10, 2), (200, 10))
"""How many fans are answered, how often each: in the quick bench, in the whole one."""
"""Headers in one call: what a peer sends in one message."""
ROUNDS = 10
POSTGRES_VARIABLE = "FANSUMER_BENCH_POSTGRES_URL"
"""Where `bench.py --postgres` hands on the server's URL: a command line would show its password to everybody."""


@contextmanager
def scratch_store(source: Path) -> Iterator[Path]:
    """A copy of a prepared store, gone afterwards. It lies beside the source: on the disk that is to be measured."""
    with tempfile.TemporaryDirectory(dir=source.parent, prefix="scratch-") as name:
        copy_store(source, Path(name))
        yield Path(name)


# --- blocks --------------------------------------------------------------------------------------------------------------


class Stopwatch:
    """Seconds spent in each phase, a phase within another counted once, as its own."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def wrap(self, place: str, phase: str) -> bool:
        """Count every call of `module:Class.method` or `module:function` to `phase`; False if there is no such thing any more."""
        module, _, path = place.partition(":")
        *parents, name = path.split(".")
        owner: Any = importlib.import_module(module)
        for parent in parents:
            owner = getattr(owner, parent, None)
        inner = getattr(owner, name, None)
        if inner is None:
            return False

        def timed(*arguments: Any, **named: Any) -> Any:
            self._switch()
            self._open.append(phase)
            try:
                return inner(*arguments, **named)
            finally:
                self._switch()
                self._open.pop()

        setattr(owner, name, timed)
        return True

    def watch_collector(self) -> None:
        """Count what Python's garbage collector takes to a phase of its own."""

        def note(stage: str, _facts: dict[str, int]) -> None:
            self._switch()
            if stage == "start":
                self._open.append("garbage collector")
            else:
                self._open.pop()

        gc.callbacks.append(note)


PHASES = (
    ("ledger.block:Block.decode", "decode block"),
    ("node.chain:Chain.accept_block", "the rest"),
    ("node.chain:check_body_belongs", "transaction root"),
    ("node.chain:Chain._decode", "decode transactions"),
    ("node.signatures:SignatureVerifier.first_bad", "signatures"),
    ("node.store.state:StoreState.prefetch", "SQL: read records"),
    ("ledger.transition:BlockExecution.add", "apply"),
    ("ledger.transition:BlockExecution.finish", "slots, undo, invariants"),
    ("node.store.state:StateTree.apply", "state root"),
    ("node.store.state:StoreState.write", "SQL: write records"),
    ("node.store.index:Index.write", "SQL: read model"),
    ("node.store.blocks:BlockStore.activate", "SQL: block and undo"),
    ("node.store.blocks:BlockStore.add", "SQL: block and undo"),
    ("ledger.block:Block.encode", "SQL: block and undo"),
    ("sqlalchemy:Connection.commit", "SQL: commit"),
)
"""Where a block's time goes. Methods that are not public are named on purpose: the parts are what is measured."""


def replay(store: Path, blocks: Path, units: int, watched: bool) -> Answer:
    """Take in prepared blocks: decode, signatures, rules, root, undo, events, read model, commit. `units` are in all of them."""
    with scratch_store(store) as folder:
        raws = read_blocks(blocks)
        started = time.perf_counter()
        with opened_chain(folder) as chain:
            opened_s = time.perf_counter() - started
            records = load_chain_record(Overlay(chain.state)).slot_count
            watch = Stopwatch()
            missing = [place for place, phase in PHASES if not watch.wrap(place, phase)] if watched else []
            if watched:
                watch.watch_collector()
            started = time.perf_counter()
            for _ in take_in(chain, raws):
                pass
            seconds = time.perf_counter() - started
    return {
        "units": units,
        "seconds": seconds,
        "blocks": len(raws),
        "bytes": sum(map(len, raws)),
        "records_before": records,
        "opening_seconds": opened_s,
        "not_found": missing,
        "us_per_unit": {phase: spent / units * 1e6 for phase, spent in watch.seconds.items()},
    }


def measure_transfers(world: World, watched: bool = False) -> Answer:
    """Blocks of single-signature transfers between random accounts."""
    sizes = world.sizes
    return replay(world.base, world.transfers, sizes.transfer_blocks * sizes.transfers_per_block, watched)


def measure_earn(world: World, watched: bool = False) -> Answer:
    """Blocks of batches of sealed entries."""
    sizes = world.sizes
    batches = sizes.earn_blocks * sizes.batches_per_block
    return replay(world.base, world.earn, batches * sizes.entries_per_batch, watched)


# --- parts -------------------------------------------------------------------------------------------------------------------


def measure_root(world: World) -> Answer:
    """Random changes of a large tree, and appends to it: microseconds a record, the root included, medians of several blocks."""
    sizes, chance = world.sizes, random.Random("root")
    tree = IncrementalTree(Hash(hashlib.sha256(i.to_bytes(8, "big")).digest()) for i in range(sizes.leaves))
    tree.root()

    def time_each(change: Callable[[], None]) -> float:
        started = time.perf_counter()
        change()
        tree.root()
        return (time.perf_counter() - started) / sizes.changes * 1e6

    changes, appends = [], []
    for _ in range(ROUNDS):
        places = chance.sample(range(sizes.leaves), sizes.changes)
        leaves = [Hash(chance.randbytes(32)) for _ in places]
        changed = list(zip(places, leaves, strict=True))
        changes.append(time_each(lambda changed=changed: tree.update(changed)))
    for _ in range(ROUNDS):
        leaves = [Hash(chance.randbytes(32)) for _ in range(sizes.changes)]
        appends.append(time_each(lambda leaves=leaves: tree.extend(leaves)))
    return {"leaves": sizes.leaves, "change_us": statistics.median(changes), "append_us": statistics.median(appends)}


def measure_headers(world: World) -> Answer:
    """A long row of headers, in the portions of a first sync."""
    raw = (world.headers / "headers.bin").read_bytes()
    eras, (state, parent) = header_eras(), header_start()
    size = HEADERS_AT_ONCE * HEADER_BYTES
    started = time.perf_counter()
    for start in range(0, len(raw), size):
        checked = check_headers(eras, state, parent, raw[start : start + size])
        state, parent = checked.state_after(-1), checked.hashes[-1]
    seconds = time.perf_counter() - started
    count = len(raw) // HEADER_BYTES
    assert state.height == count, "each header was checked"
    return {"headers": count, "seconds": seconds}


def measure_signatures(world: World) -> Answer:
    """The verification phase of a block, on one thread and on two, each signature by a key that was not seen before."""
    checks = signed_messages(world.sizes.signatures * 2)
    rates: list[float] = []
    for threads, part in ((1, checks[::2]), (2, checks[1::2])):
        verifier = SignatureVerifier(threads)
        started = time.perf_counter()
        assert verifier.first_bad(part) is None, "they are good"
        rates.append(len(part) / (time.perf_counter() - started))
        verifier.close()
    return {"one_thread": rates[0], "two_threads": rates[1]}


def measure_http(world: World) -> Answer:
    """Reading accounts; this process reads, one that it starts serves."""
    with scratch_store(world.settled) as folder:
        return measure_reads(folder, world.sizes)


def measure_fans(world: World) -> Answer:
    """Messages of fans; this process asks, one that it starts answers. What is prepared goes with it: it is changed meanwhile."""
    with tempfile.TemporaryDirectory(prefix="fansumer-bench-", dir=world.folder) as name:
        return measure_messages(Path(name), *FANS_AND_ROUNDS[world.sizes is FULL])


MEASUREMENTS: dict[str, Callable[[World], Answer]] = {
    "transfers": measure_transfers,
    "transfers-breakdown": lambda world: measure_transfers(world, watched=True),
    "earn": measure_earn,
    "earn-breakdown": lambda world: measure_earn(world, watched=True),
    "root": measure_root,
    "headers": measure_headers,
    "http": measure_http,
    "signatures": measure_signatures,
    "finality": lambda _: measure_finality(),
    "hashing": lambda world: measure_mining(world.sizes.hashes),
    "ballots": lambda world: measure_ballots(world.sizes.accounts),
    "personal": lambda world: measure_personal(with_models=world.sizes is FULL),
    "groups": lambda world: measure_groups(world.folder, world.sizes.group_members),
    "messages": measure_fans,
    "refunds": lambda world: measure_refunds(world.sizes.refunds),
    "sync": measure_sync,
    "relay": lambda world: measure_relay(2 * world.sizes.refunds),
    "kinds": measure_kinds,
    "blocks": measure_blocks,
    "stratum": lambda world: measure_stratum(is_full=world.sizes is FULL),
    "fans-training": lambda world: train_fans(world.folder),
    "fans-serving": lambda world: serve_fans(world.folder),
    "fans-judging": lambda world: judge_fans(world.folder),
    "growth": lambda world: measure_growth(world, None),
    "growth-postgres": lambda world: measure_growth(world, os.environ[POSTGRES_VARIABLE]),
}


SILENT_LEVEL = 50
"""Only what is critical is logged: standard output is for the figures."""


def main(arguments: list[str]) -> None:
    """Measure one thing and say it in JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(SILENT_LEVEL))
    name, folder, size = arguments
    sizes = {known.name: known for known in (FULL, QUICK, *GROWTH, *GROWTH_QUICK)}[size]
    world = World(Path(folder), sizes, lambda text: print(text, file=sys.stderr, flush=True))
    print(json.dumps(MEASUREMENTS[name](world)))


if __name__ == "__main__":
    main(sys.argv[1:])
