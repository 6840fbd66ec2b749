"""Addresses from node to node (spec NET-11)."""

from collections.abc import Container

from ledger.types import Timestamp
from node.p2p.address import PeerAddress
from node.p2p.addresses import AddressBook
from node.p2p.connection import Connection, Purpose
from node.p2p.effects import Effects
from node.p2p.handshake import Identity
from node.p2p.host import Host
from node.p2p.messages import ADDRESSES_PER_MESSAGE, ADDRESSES_TOLD_MAX, Addresses, GetAddresses
from node.p2p.scores import UNASKED, Offence

FRESH_SECONDS = 600
PASSED_ON_TO = 2
UNSENT_MAX = 100


class AddressGossip:
    """Asks, answers, and passes fresh addresses on to a few."""

    def __init__(
        self,
        host: Host,
        effects: Effects,
        book: AddressBook,
        identity: Identity,
        own_addresses: Container[PeerAddress],
    ) -> None:
        self._host, self._effects, self._book = host, effects, book
        self._identity = identity
        self._peers: dict[Connection, list[tuple[bytes, int, int]]] = {}
        self._asked: dict[Connection, None] = {}
        self.own: PeerAddress | None = None
        self._own = own_addresses

    def greet(self, peer: Connection) -> None:
        """A peer is ready: learn where it takes connections, ask whom it knows, say where this node is."""
        self._peers[peer] = []
        port = peer.hello.listen_port
        if not peer.is_dialled:
            if port:
                self._learn(peer, PeerAddress(peer.address.ip, port), self._host.clock.now())
            return
        self._asked[peer] = None
        peer.send(GetAddresses())
        if self.own is not None and self._identity.listen_port:
            own = PeerAddress(self.own.ip, self._identity.listen_port)
            peer.send(Addresses(((own.ip, own.port, self._host.clock.now()),)))

    def remove(self, peer: Connection) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)
        self._asked.pop(peer, None)

    def serve(self, peer: Connection, _: GetAddresses) -> None:
        """Tell a part of what is known here; only to who dialled, so that nobody reads the table from all sides."""
        if peer.purpose is not Purpose.TAKEN:
            return
        shared = self._book.share(ADDRESSES_PER_MESSAGE, self._host.clock.now())
        peer.send(Addresses(tuple((known.address.ip, known.address.port, known.seen) for known in shared)))

    def receive(self, peer: Connection, message: Addresses) -> None:
        """Addresses came. Raises `Offence`."""
        is_answer = self._asked.pop(peer, peer) is None
        if not is_answer and len(message.addresses) > ADDRESSES_TOLD_MAX:
            raise Offence(UNASKED, "many addresses that nobody asked for")
        for ip, port, seen in message.addresses:
            self._learn(peer, PeerAddress(ip, port), Timestamp(seen), is_passed_on=not is_answer)

    def _learn(self, peer: Connection, address: PeerAddress, seen: Timestamp, *, is_passed_on: bool = True) -> None:
        now = self._host.clock.now()
        if address in self._own or not address.is_dialable or (peer.address.is_public and not address.is_public):
            return
        is_new = self._book.learn(address, peer.address, seen, now)
        if not (is_new and is_passed_on) or now - seen > FRESH_SECONDS:
            return
        others = [other for other in self._peers if other is not peer]
        for other in self._effects.rng.sample(others, min(PASSED_ON_TO, len(others))):
            if len(self._peers[other]) < UNSENT_MAX:
                self._peers[other].append((address.ip, address.port, seen))

    def tick(self) -> None:
        """Pass on what is to be passed on."""
        for peer, waiting in self._peers.items():
            if waiting and not peer.is_blocked:
                peer.send(Addresses(tuple(waiting[:ADDRESSES_TOLD_MAX])))
                del waiting[:ADDRESSES_TOLD_MAX]
