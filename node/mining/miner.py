"""The embedded miner: builds on the tip, searches, publishes; for dev chains not before the parent's time + T.

It waits while the node is behind its peers.
"""

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from ledger.block import Block
from ledger.errors import LedgerError
from ledger.header import Header
from ledger.reward import Payee
from ledger.types import Address, Amount, Timestamp
from node.behind import Behind
from node.chain import Chain
from node.clock import Clock
from node.errors import NodeError
from node.health import Health
from node.mempool.pool import Mempool
from node.mining.search import NonceSearch
from node.tip import AcceptedBlock, Template, TipChanged

log = structlog.get_logger()

POLL_SECONDS = 0.2
"""How often a waiting miner looks at the clock."""
REFRESH_SECONDS = 10
"""After so long a search goes on with a new block: with the present time and what has come to wait. Nothing is lost by that."""


def pay_all_to(address: Address) -> Callable[[Amount], tuple[Payee, ...]]:
    """One payee for the whole reward; none where there is nothing to pay."""
    return lambda reward: ((address, reward),) if reward else ()


def with_nonce(template: Template, nonce: int) -> Block:
    """The template's block with the nonce that was found."""
    return replace(template.block, header=replace(template.block.header, nonce=nonce))


def with_header(template: Template, header: bytes) -> Block:
    """The template's block with the header that was found: another nonce, and perhaps other version bits."""
    return replace(template.block, header=Header.decode(header))


@dataclass(frozen=True, slots=True)
class MinerFigures:
    """Hashes and blocks since the start; what each worker hashes with, and whether that is settled."""

    hashes: int
    blocks: int
    engines: tuple[str, ...]
    is_settled: bool


class Miner:
    """Mines in a thread of its own with the node's lock held only to build and to publish."""

    def __init__(
        self,
        *,
        chain: Chain,
        mempool: Mempool,
        clock: Clock,
        lock: threading.RLock,
        health: Health,
        behind: Behind | None = None,
        payout: Address,
        workers: int,
    ) -> None:
        self._chain, self._mempool, self._clock, self._lock = chain, mempool, clock, lock
        self._health = health
        self._behind = behind or Behind()
        self._payout = payout
        self._search = NonceSearch(workers)
        self._blocks = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        chain.subscribe(self._follow, first=True)

    def _follow(self, changed: TipChanged) -> None:
        self._search.cancel()

    def build(self, time: Timestamp) -> Template:
        """A template on the tip with what waits; the node's lock must be held."""
        transactions = self._mempool.select(self._chain.params.block_weight_max)
        return self._chain.build_template(transactions, pay_all_to(self._payout), time)

    def mine_one(self, time: Timestamp) -> AcceptedBlock | None:
        """Build, search and publish a block with the given time; None if the tip changed, it took long, or the miner was closed."""
        with self._lock, self._health.writing():
            job_id = self._search.present_job()
            if self._stop.is_set():
                return None
            template = self.build(time)
        prefix = struct_prefix(template)
        header = self._search.search(prefix, template.target, job_id, seconds_max=REFRESH_SECONDS)
        if header is None:
            return None
        with self._lock, self._health.writing():
            accepted = self._chain.accept_block(with_header(template, header))
        self._blocks += 1
        return accepted

    @property
    def figures(self) -> MinerFigures:
        """What was done so far; from any thread."""
        search = self._search.figures
        return MinerFigures(search.hashes, self._blocks, search.engines, self._search.is_settled)

    def earliest_time(self) -> Timestamp:
        """When the next block may be published: the parent's time + T."""
        with self._lock:
            height = self._chain.tip.height
            era = self._chain.params.era_at(self._chain.next_context().height)
            return Timestamp(self._chain.tip.header.time + (era.block_time_s if height else 1))

    def start(self) -> None:
        """Begin to mine."""
        self._thread = threading.Thread(target=self._run, name="miner", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._health.watching("miner"):
            self._mine_until_stopped()

    def _mine_until_stopped(self) -> None:
        is_told = False
        while not (self._stop.is_set() or self._health.is_broken.is_set()):
            now = self._clock.now()
            behind = self._behind.find()
            if behind is not None and not is_told:
                log.info("miner.waits", code=behind.code.name, reason=str(behind))
            is_told = behind is not None
            if is_told or now < self.earliest_time():
                self._stop.wait(POLL_SECONDS)
                continue
            try:
                self.mine_one(now)
                self._health.note_store(None)
            except LedgerError as fault:
                log.warning("miner.refused", code=fault.code.name, reason=str(fault))
                self._health.note_store(fault if isinstance(fault, NodeError) else None)
                self._stop.wait(1)

    def close(self) -> None:
        """Stop mining; a search under way is dropped."""
        self._stop.set()
        self._search.cancel()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._search.close()


def struct_prefix(template: Template) -> bytes:
    """The header's first 76 bytes: all but the nonce."""
    return template.block.header.encode()[: -struct.calcsize("<I")]
