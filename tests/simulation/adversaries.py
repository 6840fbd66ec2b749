"""Those who do not follow the rules: miners who keep blocks or bodies to themselves, and stations that lie."""

import random
from collections.abc import Callable
from dataclasses import replace

from ledger.block import Block
from ledger.errors import LedgerError
from ledger.hashing import sha256d
from ledger.pow import meets_target, target_from_compact
from ledger.transaction import Transaction
from ledger.types import BlockHash, Hash, PrivateSeed, WtxId
from node.errors import NodeError
from node.p2p.address import PeerAddress, make_address
from node.p2p.handshake import Handshake, Identity
from node.p2p.memory import PeerMemory
from node.p2p.messages import (
    BLOCKS,
    LIMITS,
    Addresses,
    BlockBody,
    GetAddresses,
    GetBlocks,
    GetCompact,
    GetHeaders,
    GetTransactions,
    Headers,
    Hello,
    Inventory,
    Message,
    Missing,
    Ping,
    Pong,
    Transactions,
    decode_message,
    encode_message,
)
from tests.simulation.fake_network import FakeNetwork, WireEnd
from tests.simulation.fake_node import FakeNode
from tests.simulation.faults import (
    BAD_BLOCK,
    FED,
    GARBAGE,
    NO_BODY,
    NOTHING,
    POISON,
    RELEASED,
    SELFISH,
    UNASKED,
    UNWORKED,
    WITHHELD,
)

LEAD_KEPT_MAX = 3
WITHHELD_SECONDS_MAX = 300.0
FALSE_ADDRESSES = 10


class SelfishNode(FakeNode):
    """Mines in secret: tells nobody of its blocks while it is ahead, and all at once when others come close."""

    def _build(self, memory: PeerMemory, seed: PrivateSeed) -> None:
        super()._build(memory, seed)
        self._is_open, self._is_reformed = True, False
        announce, answer = self.peers.blocks.announce, self.host.headers_after

        def announce_if_open() -> None:
            if self._is_open:
                announce()

        self.peers.blocks.announce = announce_if_open
        self.host.headers_after = lambda locator: answer(locator) if self._is_open else b""

    def weigh(self, best_height: int, *, is_own: bool) -> None:
        """A block was found, and it sees how far the others are (it has spies everywhere): keep the secret, or release it.

        It keeps what it finds, and shows it when the others come within one block, or when it is far enough ahead.
        """
        if not self.is_on or self._is_reformed:
            return
        lead = self.chain.tip.height - best_height
        if lead > LEAD_KEPT_MAX or (not is_own and lead <= 1):
            self._open()
        elif is_own and lead > 0 and self._is_open:
            self._is_open = False
            self.network.faults.note(SELFISH)

    def _open(self) -> None:
        if not self._is_open:
            self.network.faults.note(RELEASED)
        self._is_open = True
        self.work()

    def give_up(self) -> None:
        """Be honest from now on."""
        self._is_reformed = True
        self._open()


class WithholdingNode(FakeNode):
    """Tells of its blocks and keeps their bodies back for minutes, so that others see work that they can't build on."""

    def _build(self, memory: PeerMemory, seed: PrivateSeed) -> None:
        self.withheld: dict[BlockHash, float] = {}
        super()._build(memory, seed)
        answer = self.host.raw_block

        def answer_late(block_hash: BlockHash) -> bytes | None:
            if self.withheld.get(block_hash, 0.0) > self.timeline.now:
                self.network.faults.note(WITHHELD)
                return None
            return answer(block_hash)

        self.host.raw_block = answer_late

    def build(self, transactions: list[Transaction]) -> Block:
        made = super().build(transactions)
        if self._rng.random() < 0.5:
            self.withheld[made.hash] = self.timeline.now + self._rng.uniform(30, WITHHELD_SECONDS_MAX)
        return made

    def give_up(self) -> None:
        """Be honest from now on."""
        self.withheld.clear()


class Liar:
    """A station of its own at an address, connected to victims, that shakes hands well and lies afterwards."""

    def __init__(self, address: PeerAddress, network: FakeNetwork, source: FakeNode, rng: random.Random) -> None:
        self.address, self.network, self.source, self._rng = address, network, source, rng
        self.side = 0
        self.named: list[PeerAddress] = []
        self._identity = Identity(PrivateSeed(rng.randbytes(32)), source.chain.chain_id, 0, "liar")
        self._shakes: dict[WireEnd, Handshake] = {}
        self._next_link = 1
        self._blocks: dict[BlockHash, Block] = {}
        self._tricks: dict[str, Callable[[WireEnd], None]] = {
            GARBAGE: self._send_garbage,
            UNWORKED: self._send_unworked_headers,
            NO_BODY: self._announce_withheld,
            BAD_BLOCK: self._announce_bad_block,
            NOTHING: self._tell_of_nothing,
            UNASKED: self._send_unasked,
            POISON: self._send_addresses,
        }
        network.join(self)

    def dial(self, victim: PeerAddress) -> None:
        """Connect to somebody."""
        self._next_link += 1
        self.network.dial(self, self._next_link, victim, lambda: True)

    def lie(self) -> None:
        """Do something bad to somebody."""
        ready = [wire for wire, shake in self._shakes.items() if shake.is_done]
        if ready and self.source.is_on:
            name = self._rng.choice(tuple(self._tricks))
            self._tricks[name](self._rng.choice(ready))
            self.network.faults.note(name)

    def feed(self, victim: FakeNode) -> None:
        """Mine on a victim's tip, with what waits there, and tell nobody else of it."""
        for wire, shake in self._shakes.items():
            if shake.is_done and wire.other is not None and wire.other.owner is victim:
                made = victim.build(victim.mempool.select(victim.params.block_weight_max))
                self._blocks[made.hash] = made
                self._send(wire, Headers(False, made.header.encode()))
                self.network.faults.note(FED)
                return

    def _send(self, wire: WireEnd, message: Message) -> None:
        self.network.send(wire, encode_message(message), LIMITS[message.tag].lane)

    # --- tricks ---

    def _send_garbage(self, wire: WireEnd) -> None:
        self.network.send(wire, self._rng.randbytes(self._rng.randrange(1, 300)), 0)

    def _send_unworked_headers(self, wire: WireEnd) -> None:
        header = replace(self.source.chain.tip.header, previous=self.source.chain.tip.hash)
        target = target_from_compact(header.bits)
        while meets_target(header.hash, target):
            header = replace(header, nonce=self._rng.randrange(2**32), time=header.time)
        self._send(wire, Headers(False, header.encode()))

    def _announce_withheld(self, wire: WireEnd) -> None:
        """A header with work, of a block that nobody will ever send."""
        block = self.source.build([])
        header = replace(block.header, merkle_root=Hash(self._rng.randbytes(32)))
        target = target_from_compact(header.bits)
        while not meets_target(header.hash, target):
            header = replace(header, nonce=(header.nonce + 1) % 2**32)
        self._send(wire, Headers(False, header.encode()))

    def _announce_bad_block(self, wire: WireEnd) -> None:
        """A block with work whose commitment is wrong, or whose body is another's."""
        good = self.source.build([])
        spoiled = bytearray(good.commitment_bytes)
        spoiled[-1] ^= 1
        bad = replace(good, commitment_bytes=bytes(spoiled))
        if self._rng.random() < 0.5:
            bad = self._rework(good)
        self._blocks[bad.hash] = bad
        self._send(wire, Headers(False, bad.header.encode()))

    def _rework(self, good: Block) -> Block:
        """A block that is well-formed and commits to a wrong height in its coinbase."""
        coinbase = bytearray(good.coinbase)
        coinbase[43] ^= 1
        header = replace(good.header, merkle_root=Hash(sha256d(bytes(coinbase))))
        target = target_from_compact(header.bits)
        while not meets_target(header.hash, target):
            header = replace(header, nonce=(header.nonce + 1) % 2**32)
        return replace(good, header=header, coinbase=bytes(coinbase))

    def _tell_of_nothing(self, wire: WireEnd) -> None:
        self._send(wire, Inventory(tuple(WtxId(self._rng.randbytes(32)) for _ in range(self._rng.randrange(1, 200)))))

    def _send_unasked(self, wire: WireEnd) -> None:
        self._send(wire, self._rng.choice((Transactions((b"x",)), BlockBody(self.source.build([]).encode()))))

    def _send_addresses(self, wire: WireEnd, count: int = FALSE_ADDRESSES) -> None:
        """Where nobody is."""
        found: list[tuple[bytes, int, int]] = []
        for _ in range(count):
            ip = ".".join(str(self._rng.randrange(130, 200)) for _ in range(4))
            address = make_address(ip, self._rng.randrange(1_024, 65_536))
            found.append((address.ip, address.port, int(self.source.clock.now())))
        self._send(wire, Addresses(tuple(found)))

    # --- the station ---

    def take(self, wire: WireEnd, address: PeerAddress) -> None:
        self._begin(wire, is_dialled=False)

    def open(self, link: int, wire: WireEnd) -> None:
        self._begin(wire, is_dialled=True)

    def _begin(self, wire: WireEnd, *, is_dialled: bool) -> None:
        self._shakes[wire] = Handshake(self._identity, self._rng.randbytes(32), is_dialled=is_dialled)
        self._send(wire, self._shakes[wire].hello())

    def fail(self, link: int) -> None:
        pass

    def lose(self, wire: WireEnd) -> None:
        self._shakes.pop(wire, None)

    def hear(self, wire: WireEnd, frame: bytes) -> None:
        shake = self._shakes.get(wire)
        if shake is None:
            return
        message = decode_message(frame)
        if (not shake.is_done and isinstance(message, Hello)) or (shake.theirs is not None and not shake.is_done):
            try:
                answer = shake.receive(message)
            except (NodeError, LedgerError):
                return
            if answer is not None:
                self._send(wire, answer)
            return
        self._answer(wire, message)

    def _answer(self, wire: WireEnd, message: Message) -> None:
        """Answer some things, and others not."""
        if isinstance(message, Ping):
            self._send(wire, Pong(message.nonce))
        elif isinstance(message, GetAddresses):
            self._send_addresses(wire, 10 * FALSE_ADDRESSES)
        elif isinstance(message, GetHeaders):
            self._send(wire, Headers(True, b""))
        elif isinstance(message, GetBlocks | GetCompact):
            hashes = message.hashes if isinstance(message, GetBlocks) else (message.hash,)
            for block_hash in hashes:
                made = self._blocks.get(block_hash)
                if made is not None:
                    self._send(wire, BlockBody(made.encode()))
                elif self._rng.random() < 0.5:
                    self._send(wire, Missing(BLOCKS, (block_hash,)))
        elif isinstance(message, GetTransactions) and self._rng.random() < 0.3:
            self._send(wire, Transactions(tuple(self._rng.randbytes(64) for _ in message.wtxids[:4])))
