"""A node of a simulation: the real chain, mempool, waiting blocks and network code, on a disk and wires that are fake.

Its disk is an SQLite database in memory, which outlives a crash as a file does: what was committed is there, and nothing else.
"""

import itertools
import random
import sqlite3
import threading
from typing import Any

from sqlalchemy import NullPool, create_engine, event

from ledger.block import Block
from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import Address, PrivateSeed, TxId
from node.chain import Chain
from node.health import Health
from node.mempool.policy import MempoolLimits
from node.mempool.pool import Mempool
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.mining.search import search_range
from node.p2p.address import PeerAddress
from node.p2p.addresses import AddressBook
from node.p2p.dialling import DialLimits
from node.p2p.effects import Effects
from node.p2p.handshake import Identity
from node.p2p.host import Host
from node.p2p.peers import Peers, PeerSettings
from node.store.tables import metadata
from node.tip import TipChanged
from node.waiting import WaitingBlocks, WaitingLimits
from tests.simulation.events import SkewedClock, Timeline
from tests.simulation.fake_network import FakeNetwork, Station, WireEnd

TICK_SECONDS = 2.0
NONCES_MAX = 100_000


class PowerCut(BaseException):
    """The machine stops here: nothing after it is done, not even what a program does when it fails."""


class FakeDisk:
    """An SQLite database in memory that is there until it is closed, whoever else opened it and was cut off."""

    numbers = itertools.count()

    def __init__(self) -> None:
        place = f"file:simulated-{next(FakeDisk.numbers)}?mode=memory&cache=shared"
        self._keeper = sqlite3.connect(place, uri=True)
        self.engine = create_engine(f"sqlite:///{place}&uri=true", poolclass=NullPool)
        metadata.create_all(self.engine)

    def close(self) -> None:
        """Throw it away."""
        self.engine.dispose()
        self._keeper.close()


class FakeTransport:
    """The wires of one node, by link."""

    def __init__(self, station: Station, network: FakeNetwork, wires: dict[int, WireEnd]) -> None:
        self._station, self._network, self._wires = station, network, wires
        self.is_live = True

    def dial(self, link: int, address: PeerAddress) -> None:
        self._network.dial(self._station, link, address, lambda: self.is_live)

    def send(self, link: int, frame: bytes, lane: int) -> None:
        wire = self._wires.get(link)
        if wire is not None:
            self._network.send(wire, frame, lane)

    def unsent_bytes(self, link: int) -> int:
        wire = self._wires.get(link)
        return 0 if wire is None else wire.unsent

    def welcome(self, link: int) -> None:
        pass

    def close(self, link: int) -> None:
        wire = self._wires.pop(link, None)
        if wire is not None:
            self._network.shut(wire)


class FakeNode:
    """One node at one address. While `is_on` is false it is nothing but its disk."""

    def __init__(
        self,
        name: str,
        address: PeerAddress,
        network: FakeNetwork,
        params: Params,
        clock: SkewedClock,
        rng: random.Random,
        *,
        payout: Address,
        limits: DialLimits,
    ) -> None:
        self.name, self.address, self.network, self.params, self.clock = name, address, network, params, clock
        self.timeline: Timeline = network.timeline
        self.side = 0
        self.payout = payout
        self._limits = limits
        self._rng = rng
        self._seed = PrivateSeed(rng.randbytes(32))
        self._book_key = rng.randbytes(32)
        self._book_rows: list[Any] = []
        self.named: list[PeerAddress] = []
        self.is_on = False
        self.crashes = 0
        self.statements_left: int | None = None
        self.seen: dict[TxId, None] = {}
        """Transactions that its chain held at some time since it was started last."""
        self._life = 0
        self._is_working = False
        self._disk = FakeDisk()
        event.listen(self._disk.engine, "before_cursor_execute", self._count_statement)

    # --- life and death ---

    def start(self) -> None:
        """Switch on: load what the disk holds, listen, dial."""
        assert not self.is_on, f"{self.name} runs already"
        self.is_on = True
        self._life += 1
        self.seen = {}
        self.wires: dict[int, WireEnd] = {}
        lock = threading.RLock()
        tie_key = TieKey(self._rng.randbytes(32))
        self.chain = Chain(self._disk.engine, self.params, self.clock, tie_key)
        self.mempool = Mempool(self.chain, MempoolLimits())
        self.waiting = WaitingBlocks(self.chain, self.clock, WaitingLimits())
        self.chain.subscribe(self._follow)
        self.host = Host(self.chain, self.mempool, self.waiting, self.clock, lock, Health())
        rng = random.Random(self._rng.randbytes(16))
        book = AddressBook(self._book_key, rng)
        book.restore(self._book_rows)
        identity = Identity(self._seed, self.chain.chain_id, self.address.port, f"sim {self.name}")
        self._transport = FakeTransport(self, self.network, self.wires)
        effects = Effects(self._transport, self.timeline, rng)
        self.peers = Peers(self.host, identity, effects, book, PeerSettings(limits=self._limits))
        self.peers.gossip.own = self.address
        for address in self.named:
            self.peers.dialler.name(address)
        self.network.join(self)
        self._tick_in(self._rng.uniform(0, TICK_SECONDS))

    def stop(self) -> None:
        """Switch off at once."""
        self.is_on = self._transport.is_live = False
        self.crashes += 1
        self.statements_left = None
        self.network.leave(self)
        self._book_rows = self.peers.book.rows()
        self.chain.close()

    def close(self) -> None:
        """At the end of the simulation."""
        if self.is_on:
            self.chain.close()
            self.is_on = False
        self._disk.close()

    def cut_power_after(self, statements: int) -> None:
        """Stop at a statement that the chain gives to its database."""
        self.statements_left = statements

    def _count_statement(self, *_: object) -> None:
        if self.statements_left is None or not self.is_on:
            return
        self.statements_left -= 1
        if self.statements_left <= 0:
            raise PowerCut

    def guarded(self, do: Any) -> Any:
        """Do something as this node; where its power is cut, it is off afterwards."""
        if not self.is_on:
            return None
        try:
            return do()
        except PowerCut:
            self.timeline.note(f"{self.name} loses its power at a write")
            self.stop()
            return None

    def _follow(self, changed: TipChanged) -> None:
        for block in changed.connected:
            self.seen.update(dict.fromkeys(transaction.txid for transaction in block.transactions))
        if changed.disconnected:
            depth = len(changed.disconnected)
            self.timeline.note(f"{self.name} takes {depth} back to height {self.chain.tip.height}")

    # --- time and work ---

    def _tick_in(self, seconds: float) -> None:
        life = self._life

        def tick() -> None:
            if self.is_on and self._life == life:
                self.guarded(self.peers.tick)
                self.guarded(self.waiting.poll)
                self.work()
                self._tick_in(TICK_SECONDS)

        self.timeline.plan(seconds, tick)

    def work(self) -> None:
        """Do all that waits."""
        while self.is_on and self.guarded(self.peers.work):
            pass

    # --- what the network tells ---

    def take(self, wire: WireEnd, address: PeerAddress) -> None:
        wire.link = self.peers.new_link()
        self.wires[wire.link] = wire
        self.guarded(lambda: self.peers.taken(wire.link, address))

    def open(self, link: int, wire: WireEnd) -> None:
        self.wires[link] = wire
        self.guarded(lambda: self.peers.opened(link))

    def fail(self, link: int) -> None:
        self.guarded(lambda: self.peers.failed(link))

    def hear(self, wire: WireEnd, frame: bytes) -> None:
        if self.is_on and wire.link in self.wires:
            self.peers.received(wire.link, frame)
            self.work()

    def lose(self, wire: WireEnd) -> None:
        if self.wires.pop(wire.link, None) is not None:
            self.guarded(lambda: self.peers.closed(wire.link))

    # --- what people and miners do ---

    def submit(self, raw: bytes) -> Any:
        """Somebody sends a transaction to this node."""
        results = self.guarded(lambda: self.host.submit([raw]))
        self.work()
        return None if results is None else results[0]

    def mine(self) -> Block | None:
        """Find a block on the tip and take it in."""
        return self.guarded(self._mine)

    def _mine(self) -> Block:
        block = self.build(self.mempool.select(self.params.block_weight_max))
        self.chain.accept_block(block)
        self.work()
        return block

    def build(self, transactions: list[Transaction]) -> Block:
        """A worked block on the tip."""
        template = self.chain.build_template(transactions, pay_all_to(self.payout), self.clock.now())
        nonce = search_range(struct_prefix(template), template.target, self._rng.randrange(2**31), NONCES_MAX)
        assert nonce is not None, "the work of a simulated chain is trivial"
        return with_nonce(template, nonce)
