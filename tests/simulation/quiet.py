"""A few nodes in good weather that a test drives by hand, and a puppet that says to them what the test wants."""

import random
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from ledger.block import Block
from ledger.header import Header
from ledger.pow import meets_target, target_from_compact
from ledger.types import Address, PrivateSeed
from node.errors import NodeError
from node.p2p.address import PeerAddress, make_address
from node.p2p.connection import Connection
from node.p2p.dialling import DialLimits
from node.p2p.handshake import Handshake, Identity
from node.p2p.messages import LIMITS, Goodbye, Hello, Message, Proof, decode_message, encode_message
from tests.simulation.events import SkewedClock, Timeline
from tests.simulation.fake_network import FakeNetwork, Weather, WireEnd
from tests.simulation.fake_node import FakeNode
from tests.simulation.people import EVERYBODY, People
from tests.support.memory_chain import Signer, sim_params

Sent = TypeVar("Sent", bound=Message)


class Puppet:
    """A station that shakes hands and then says what it is told to; `heard` is what it was told."""

    def __init__(
        self,
        network: FakeNetwork,
        node: FakeNode,
        address: PeerAddress,
        *,
        seed: bytes = b"p" * 32,
        opening: bytes | None = None,
    ) -> None:
        """`opening`: what it says instead of a handshake."""
        self.address, self.side = address, 0
        self._opening = opening
        self.network = network
        self.heard: list[Message] = []
        self.is_lost = False
        self._identity = Identity(PrivateSeed(seed), node.chain.chain_id, 0, "puppet")
        self._shake: Handshake | None = None
        self._wire: WireEnd | None = None
        network.join(self)

    def take(self, wire: WireEnd, address: PeerAddress) -> None:
        self._begin(wire, is_dialled=False)

    def open(self, link: int, wire: WireEnd) -> None:
        self._begin(wire, is_dialled=True)

    def _begin(self, wire: WireEnd, *, is_dialled: bool) -> None:
        self.is_lost = False
        if self._opening is not None:
            self.network.send(wire, self._opening, 0)
            return
        self._wire, self._shake = wire, Handshake(self._identity, b"c" * 32, is_dialled=is_dialled)
        self.say(self._shake.hello())

    def fail(self, link: int) -> None:
        self.is_lost = True

    def lose(self, wire: WireEnd) -> None:
        self.is_lost = True

    def hear(self, wire: WireEnd, frame: bytes) -> None:
        message = decode_message(frame)
        if not isinstance(message, Hello | Proof):
            self.heard.append(message)
        elif self._shake is not None:
            with suppress(NodeError):
                answer = self._shake.receive(message)
                if answer is not None:
                    self.say(answer)

    def say(self, message: Message) -> None:
        """Send a message."""
        self.say_bytes(encode_message(message), LIMITS[message.tag].lane)

    def say_bytes(self, frame: bytes, lane: int = 0) -> None:
        """Send whatever bytes."""
        assert self._wire is not None
        self.network.send(self._wire, frame, lane)

    def all_heard(self, kind: type[Sent]) -> list[Sent]:
        """What it was told of one kind."""
        return [message for message in self.heard if isinstance(message, kind)]

    @property
    def goodbye(self) -> str | None:
        """Why it was left."""
        found = self.all_heard(Goodbye)
        return found[-1].code if found else None


class Quiet:
    """Nodes with trivial work and a fast network; nobody does anything that the test did not ask for."""

    def __init__(self, count: int, *, weather: Weather | None = None, limits: DialLimits | None = None) -> None:
        self.timeline = Timeline()
        self.rng = random.Random(7)
        self.network = FakeNetwork(self.timeline, random.Random(1), weather or Weather(delay_max=0.05))
        self.params = sim_params(*(person.address for person in EVERYBODY))
        self.people = People(self.params, random.Random(2))
        self.limits = limits or DialLimits(dialled_max=0, has_feelers=False)
        self.nodes = [self._make(number) for number in range(count)]
        self._puppets = 0

    def _make(self, number: int) -> FakeNode:
        clock = SkewedClock(self.timeline, self.params.genesis_time + 100_000, 0)
        payout = Address(Signer.named(f"miner {number}").address)
        address = make_address(f"{20 + number}.1.0.1", 8_790)
        return FakeNode(
            f"node {number}",
            address,
            self.network,
            self.params,
            clock,
            random.Random(number),
            payout=payout,
            limits=self.limits,
        )

    def start(self, *edges: tuple[int, int]) -> None:
        """Switch all nodes on; of each edge the first one dials."""
        for dialling, dialled in edges:
            self.nodes[dialling].named.append(self.nodes[dialled].address)
        for node in self.nodes:
            node.start()
        self.wait(5)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.timeline.run(self.timeline.now + seconds)

    def puppet(self, node: FakeNode, *, seed: bytes | None = None) -> Puppet:
        """A puppet that dialled a node and is welcome."""
        self._puppets += 1
        address = make_address(f"{120 + self._puppets}.1.0.1", 8_790)
        made = Puppet(self.network, node, address, seed=seed or bytes([self._puppets]) * 32)
        self.network.dial(made, 1, node.address, lambda: True)
        self.wait(1)
        assert made._shake is not None
        return made

    def connection(self, node: FakeNode, address: PeerAddress) -> Connection:
        """A node's connection to an address."""
        return next(peer for peer in node.peers.connections.values() if peer.address == address)

    def mine(self, node: FakeNode, blocks: int = 1) -> list[Block]:
        """Mine blocks, and let nobody hear of them before the last one is done."""
        made: list[Block] = []
        for _ in range(blocks):
            block = node.build(node.mempool.select(self.params.block_weight_max))
            node.chain.accept_block(block)
            made.append(block)
        node.work()
        return made

    def close(self) -> None:
        """Throw all of it away."""
        for node in self.nodes:
            node.close()


def work_on(header: Header, **changes: Any) -> Header:
    """The header with these changes and enough work."""
    found = replace(header, **changes)
    target = target_from_compact(found.bits)
    while not meets_target(found.hash, target):
        found = replace(found, nonce=(found.nonce + 1) % 2**32)
    return found
