"""A node of a simulation: the real chain, mempool, waiting blocks and network code, on a disk and wires that are fake."""

import random
import threading
from typing import Any

from ledger.block import Block
from ledger.errors import RuleViolation
from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.transaction import Transaction
from ledger.types import Address, PrivateSeed, TxId
from node.chain import Chain
from node.health import Health
from node.mempool.policy import MempoolLimits
from node.mempool.pool import EVICTED, NO_ROOM, Mempool
from node.mempool.returning import read_stale
from node.mining.engine import search_range
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.p2p.address import PeerAddress
from node.p2p.addresses import AddressBook
from node.p2p.connection import Purpose
from node.p2p.dialling import ANCHORS_MAX, DialLimits
from node.p2p.effects import Effects
from node.p2p.handshake import Identity
from node.p2p.host import Host
from node.p2p.memory import PeerMemory
from node.p2p.peers import Peers, PeerSettings
from node.store.blocks import KnownHeader
from node.tip import TipChanged
from node.waiting import WaitingBlocks, WaitingLimits
from tests.simulation.events import SkewedClock, Timeline
from tests.simulation.fake_disk import FakeDisk, PowerCut
from tests.simulation.fake_network import FakeNetwork, Station, WireEnd

TICK_SECONDS = 3.0
KEEP_SECONDS = 120.0
NONCES_MAX = 2_000_000
NO_FAULT_OF_ITS_OWN = (NO_ROOM.name, EVICTED.name)
"""Reasons of the pool's, for which a transaction is dropped that is valid."""


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
        self.named: list[PeerAddress] = []
        self.is_on = False
        self.crashes = 0
        self.seen: dict[TxId, None] = {}
        """Transactions that its chain held at some time of its life, through all crashes."""
        self._told: KnownHeader | None = None
        self._life = 0
        self._keep_at = 0.0
        self.disk = FakeDisk(random.Random(rng.randbytes(16)), network.faults)

    # --- life and death ---

    def start(self) -> None:
        """Switch on: load what the disk holds, listen, dial. The power may be cut within."""
        assert not self.is_on, f"{self.name} runs already"
        try:
            self._begin()
        except PowerCut:
            self.timeline.note(f"{self.name} loses its power while it starts")
            self.crashes += 1
            self.disk.lose_power()

    def _begin(self) -> None:
        memory, seed = self.disk.read_memory(), self.disk.read_key()
        tie_key = TieKey(self._rng.randbytes(32))
        self.chain = Chain(self.disk.engine, self.params, self.clock, tie_key)
        try:
            self._build(memory, seed)
        except PowerCut:
            self.chain.close()
            raise

    def _build(self, memory: PeerMemory, seed: PrivateSeed) -> None:
        self._note_chain()
        self._life += 1
        self._keep_at = self.timeline.now + self._rng.uniform(0, KEEP_SECONDS)
        self.wires: dict[int, WireEnd] = {}
        self.mempool = Mempool(self.chain, MempoolLimits())
        self.mempool.put_back(read_stale(self.chain))
        self.waiting = WaitingBlocks(self.chain, self.clock, WaitingLimits())
        self.chain.subscribe(self._follow)
        self.host = Host(self.chain, self.mempool, self.waiting, self.clock, threading.RLock(), Health())
        rng = random.Random(self._rng.randbytes(16))
        book = AddressBook(memory.book_key, rng)
        book.restore(memory.rows)
        identity = Identity(seed, self.chain.chain_id, self.address.port, f"sim {self.name}")
        self._transport = FakeTransport(self, self.network, self.wires)
        effects = Effects(self._transport, self.timeline, rng)
        self.peers = Peers(self.host, identity, effects, book, PeerSettings(limits=self._limits))
        self.peers.gossip.own = self.address
        self.peers.scores.restore(dict(memory.bans))
        self.peers.dialler.anchors = list(memory.anchors)
        for address in self.named:
            self.peers.dialler.name(address)
        self.is_on = True
        self.network.join(self)
        self._tick_in(self._rng.uniform(0, TICK_SECONDS))

    def _note_chain(self) -> None:
        """The store holds what it was told to hold. What stood in a block before counts from now on as well."""
        if self._told is not None:
            assert self.chain.blocks.header(self._told.hash) is not None, f"{self.name} lost a block that was committed"
            assert self.chain.tip.work >= self._told.work, f"{self.name} starts below where it was"
        self.seen.update(dict.fromkeys(self.chain.window.values()))

    def stop(self) -> None:
        """Switch off at once."""
        self.is_on = self._transport.is_live = False
        self.crashes += 1
        self.network.leave(self)
        self.chain.close()
        self.disk.lose_power()

    def close(self) -> None:
        """At the end of the simulation."""
        if self.is_on:
            self.chain.close()
            self.is_on = False
        self.disk.close()

    def _keep(self) -> None:
        """Write down what is known of others."""
        peers = self.peers
        anchors = [peer.address for peer in peers.ready if peer.purpose is Purpose.DIALLED][:ANCHORS_MAX]
        self.disk.keep(PeerMemory(peers.book.key, peers.book.rows(), anchors, peers.scores.bans(self.clock.now())))

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
        self._told = self.chain.tip
        for block in changed.connected:
            self.seen.update(dict.fromkeys(transaction.txid for transaction in block.transactions))
        if changed.disconnected:
            depth = len(changed.disconnected)
            self.timeline.note(f"{self.name} takes {depth} back to height {self.chain.tip.height}")
            self._check_returned(changed)

    def _check_returned(self, changed: TipChanged) -> None:
        """What was taken back is in another block now, or waits, or the node says why it does not, and that is true."""
        again = {transaction.txid for block in changed.connected for transaction in block.transactions}
        for block in changed.disconnected:
            for transaction in block.transactions:
                if transaction.txid not in again and self.mempool.get(transaction.txid) is None:
                    self._check_dropped(transaction)

    def _check_dropped(self, transaction: Transaction) -> None:
        dropped = self.mempool.dropped(transaction.txid)
        assert dropped is not None, f"{self.name} took {transaction.txid.hex()} back and does not say where it is"
        if dropped.code in NO_FAULT_OF_ITS_OWN:
            return
        try:
            self.mempool.dry_run(transaction.raw)
        except RuleViolation:
            return
        raise AssertionError(f"{self.name} dropped {transaction.txid.hex()} for {dropped.code}, and it is valid")

    # --- time and work ---

    def _tick_in(self, seconds: float) -> None:
        life = self._life

        def tick() -> None:
            if self.is_on and self._life == life:
                self.guarded(self.peers.tick)
                self.guarded(self.waiting.poll)
                if self.timeline.now >= self._keep_at:
                    self._keep_at = self.timeline.now + KEEP_SECONDS
                    self.guarded(self._keep)
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
