"""All peers of one node: connections come and go here, and every message is handed to whom it concerns.

It is a machine without clock, socket or thread: the transport tells it what happened (`opened`, `failed`, `received`, `closed`),
somebody calls `tick` about once a second and `work` while there is any, all in one thread. Given the same calls, the same
randomness and the same node it does the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from ledger.block import Block
from ledger.errors import Code, Malformed
from ledger.types import BlockHash, Timestamp, Work, WtxId
from node.errors import NodeError
from node.p2p.address import PeerAddress
from node.p2p.addresses import AddressBook
from node.p2p.blocks import BlockRelay
from node.p2p.connection import Connection, Purpose
from node.p2p.counts import PeerCounts
from node.p2p.dialling import USUAL_LIMITS, Dialler, DialLimits, choose_leaving
from node.p2p.duplicates import choose_leaving_duplicate, find_other
from node.p2p.effects import Effects
from node.p2p.gossip import AddressGossip
from node.p2p.handshake import OTHER_KEY, SELF, Identity
from node.p2p.host import Host
from node.p2p.inbox import TOTAL_BYTES_MAX, FairInbox
from node.p2p.messages import (
    BLOCKS,
    COMPACT,
    SNAPSHOTS,
    Addresses,
    BlockBody,
    BlockTransactions,
    Certificates,
    CompactBlock,
    GetAddresses,
    GetBlocks,
    GetBlockTransactions,
    GetCertificates,
    GetCompact,
    GetHeaders,
    GetTransactions,
    Goodbye,
    Headers,
    Hello,
    Inventory,
    Lies,
    Message,
    Missing,
    Proof,
    Transactions,
    Votes,
    WantCompact,
)
from node.p2p.own_faults import log_own_fault, own_faults_logged
from node.p2p.relay import TransactionRelay
from node.p2p.scores import BAN_SECONDS, BANNED, GRAVE, LATE, Offence, Scores
from node.p2p.state_desk import SnapshotSettings, StateDesk
from node.p2p.votes import VoteGossip
from node.sync.bodies import BodySync
from node.sync.header_tree import NO_WORK, HeaderTree
from node.sync.headers import HeaderSync
from node.sync.verify_ahead import VerifyAhead

log = structlog.get_logger()

DUPLICATE = Code(
    "p2p.duplicate",
    "there is a connection to this node already",
    "Nothing: one connection between two nodes is enough.",
)
FULL = Code("p2p.full", "all places for connections are taken", "Try again later, or name another peer.")


ABOUT_BLOCKS = (Headers, BlockBody, Missing, CompactBlock, BlockTransactions)
"""After these there may be other blocks to ask for."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What the operator chooses. `minimum_work`: less than any honest chain has by now (spec NET-8)."""

    minimum_work: Work = NO_WORK
    limits: DialLimits = USUAL_LIMITS
    snapshots: SnapshotSettings | None = None
    ahead: VerifyAhead | None = None
    inbox_bytes: int = TOTAL_BYTES_MAX


class Peers:
    """The network code of one node."""

    def __init__(
        self, host: Host, identity: Identity, effects: Effects, book: AddressBook, settings: PeerSettings
    ) -> None:
        self._host, self._identity, self._effects = host, identity, effects
        self._settings = settings
        self.book = book
        self.scores = Scores()
        self.counts = PeerCounts()
        self.dialler = Dialler(book, settings.limits)
        self.inbox = FairInbox(settings.inbox_bytes)
        self.connections: dict[int, Connection] = {}
        self._dialling: dict[int, tuple[PeerAddress, Purpose]] = {}
        self._next_link = 1
        seconds = effects.stopwatch.seconds
        self.tree = HeaderTree(lambda block_hash: self.states.fetching.find(block_hash) or host.header(block_hash))
        self.headers = HeaderSync(host, self.tree, settings.minimum_work, seconds)
        self.bodies = BodySync(host, self.tree, self.headers, seconds, self._blame, settings.ahead)
        self.blocks = BlockRelay(host, effects, self.headers, self.bodies)
        self.relay = TransactionRelay(host, effects, lambda: self.bodies.is_syncing)
        self.gossip = AddressGossip(host, effects, book, identity, self.dialler.own)
        self.states = StateDesk(host, self.tree, self.headers, settings.snapshots, seconds, self._blame)
        self.bodies.is_held = self.states.is_beginning
        self.votes = VoteGossip(host.finality, effects)
        self._handlers = self._make_handlers()

    def _make_handlers(self) -> dict[type, Callable[[Connection, object], None]]:
        handlers: dict[type, Callable[..., None]] = {
            GetAddresses: self.gossip.serve,
            Addresses: self.gossip.receive,
            GetHeaders: self.blocks.serve_headers,
            Headers: self._receive_headers,
            GetBlocks: self.blocks.serve_blocks,
            BlockBody: self._receive_body,
            Missing: self._receive_missing,
            WantCompact: self._receive_wish,
            GetCompact: self.blocks.serve_compact,
            CompactBlock: self.blocks.receive_compact,
            GetBlockTransactions: self.blocks.serve_transactions,
            BlockTransactions: self.blocks.receive_transactions,
            Inventory: self.relay.receive_inventory,
            GetTransactions: self.relay.serve,
            Transactions: self.relay.receive_transactions,
            **self.states.handlers,
            Votes: self.votes.receive_votes,
            GetCertificates: self.votes.serve,
            Certificates: self._receive_certificates,
            Lies: self.votes.receive_lies,
        }
        return handlers

    @property
    def ready(self) -> list[Connection]:
        """The connections whose handshake is done, the feelers left out."""
        return [peer for peer in self.connections.values() if peer.is_ready and peer.purpose is not Purpose.FEELER]

    # --- what the transport tells ---

    def new_link(self) -> int:
        """A number for a connection that is taken."""
        link, self._next_link = self._next_link, self._next_link + 1
        return link

    def taken(self, link: int, address: PeerAddress, channel: bytes = b"") -> None:
        """Somebody dialled this node."""
        refusal = self._refusal(address)
        peer = Connection(link, address, Purpose.TAKEN, self._identity_now(), self._effects, channel)
        if refusal is not None:
            self.counts.refused += 1
            peer.close(refusal)
            return
        self.connections[link] = peer
        peer.start()

    def _identity_now(self) -> Identity:
        """Who this node is, and which blocks it has."""
        return replace(self._identity, blocks_from=self._host.extent.bodies_from)

    def _refusal(self, address: PeerAddress) -> Code | None:
        if self.scores.ban_of(address, self._host.clock.now()) is not None:
            return BANNED
        taken = [peer for peer in self.connections.values() if not peer.is_dialled]
        limits = self._settings.limits
        if sum(1 for peer in taken if peer.address.host == address.host) >= limits.taken_per_host_max:
            return FULL
        if len(taken) >= limits.taken_max:
            leaving = choose_leaving(taken)
            if leaving is None:
                return FULL
            self._leave(leaving, FULL)
        return None

    def opened(self, link: int, channel: bytes = b"") -> None:
        """A connection that was dialled is open."""
        address, purpose = self._dialling.pop(link)
        peer = Connection(link, address, purpose, self._identity_now(), self._effects, channel)
        self.connections[link] = peer
        peer.start()

    def failed(self, link: int) -> None:
        """A connection that was dialled did not come about."""
        address, _ = self._dialling.pop(link)
        self._note_lost(address)

    def closed(self, link: int, offence: str = "") -> None:
        """The other side, or the line between, ended a connection; or the transport did, because of an offence."""
        peer = self.connections.get(link)
        if peer is None:
            return
        if offence:
            self._blame(peer, GRAVE, offence)
        if link in self.connections:
            log.info("p2p.lost", peer=str(peer.address))
            self._forget(peer)

    def received(self, link: int, frame: bytes) -> None:
        """A frame came; it is worked on by `work`. To be called from any thread."""
        self.inbox.put(link, frame)

    # --- working ---

    def work(self) -> bool:
        """Do one piece of work: blocks that have their turn, or one frame. False if there was nothing to do."""
        if self.bodies.is_ready:
            self._advance()
            return True
        if self.states.fetching.is_ready:
            self._begin_with_snapshot()
            return True
        found = self.inbox.take(self._is_listened_to)
        if found is None:
            return self._follow_node() or self._do_history()
        link, frame = found
        peer = self.connections.get(link)
        if peer is not None:
            self._handle(peer, frame)
        else:
            self.inbox.forget(link)  # it was left, and something was on its way still
        self._follow_node()
        return True

    def _is_listened_to(self, link: int) -> bool:
        """Whoever does not take what it is sent asks for nothing more meanwhile (spec NET-6)."""
        peer = self.connections.get(link)
        return peer is None or not peer.is_blocked

    def _handle(self, peer: Connection, frame: bytes) -> None:
        try:
            message = peer.receive(frame)
            if message is not None:
                self._dispatch(peer, message)
        except Offence as offence:
            self._blame(peer, offence.points, offence.reason)
        except NodeError as fault:
            if peer.is_ready:
                log_own_fault(fault)
            else:
                self._refuse(peer, fault.code)

    def _refuse(self, peer: Connection, code: Code) -> None:
        """A handshake that can't be done."""
        if code is SELF and peer.is_dialled:
            self.dialler.note_self(peer.address)
        self.counts.failed_handshakes += 1
        self._leave(peer, code)

    def _dispatch(self, peer: Connection, message: Message) -> None:
        if isinstance(message, Goodbye):
            log.info("p2p.goodbye", peer=str(peer.address), code=message.code)
            self._close(peer)
            return
        if isinstance(message, Hello):
            return
        if isinstance(message, Proof):
            self._welcome(peer)
            return
        if peer.purpose is Purpose.FEELER:
            return
        self._handlers[type(message)](peer, message)
        if isinstance(message, ABOUT_BLOCKS):
            self.bodies.plan()

    def _advance(self) -> None:
        with own_faults_logged():
            self.bodies.advance()
        self._follow_node()
        self.bodies.plan()

    def _begin_with_snapshot(self) -> None:
        with own_faults_logged():
            self.states.fetching.finish()
        self._go_on_in_full()

    def _go_on_in_full(self) -> None:
        """Fetch bodies, once the chain has begun with a snapshot, or is not going to."""
        if self.bodies.is_held and not self.states.is_beginning:
            self.bodies.is_held = False
            log.info("snapshot.ended", outcome=self.states.fetching.outcome)
            self._follow_node()
            self.bodies.plan()

    def _do_history(self) -> bool:
        """Some of the history behind a snapshot, when nothing else is to be done."""
        with own_faults_logged():
            return self.states.work(is_syncing=self.bodies.is_syncing)
        return False

    def _follow_node(self) -> bool:
        """Take up what happened to the node, here or in other threads; whether anything did."""
        has_new_tip = False
        for news in self._host.news():
            has_new_tip = True
            for block_hash in news.connected:
                self.bodies.settle(block_hash)
            self.relay.note_tip(news)
        if has_new_tip:
            self.tree.drop_below(self._host.landmarks().active_justified, self._host.tip.work)
            self.bodies.plan()
        arrivals = list(self._host.arrivals())
        self.relay.note_arrivals(arrivals)
        self.blocks.announce()
        has_votes = self.votes.note_news()
        if self.headers.note_certified():
            self._seek_certified()
        return has_new_tip or bool(arrivals) or has_votes

    def _seek_certified(self) -> None:
        """A checkpoint is known to be justified: where its block is not here, ask who may have it."""
        if any(self.headers.lacks(block_hash) for block_hash in self.tree.certified.heights):
            for peer in self.ready:
                self.headers.ask(peer)
        self.bodies.plan()

    # --- messages that concern more than one ---

    def _receive_body(self, peer: Connection, message: BlockBody) -> None:
        """A block: for the history, for a snapshot's window, or for the branch. Raises `Offence`."""
        try:
            block = Block.decode(message.block)
        except Malformed as fault:
            raise Offence(GRAVE, str(fault)) from fault
        if not self.states.take_block(peer, block, message.block):
            self.bodies.receive_block(peer, block, len(message.block), raw=message.block)

    def _receive_headers(self, peer: Connection, message: Headers) -> None:
        self.states.fetching.make_room()
        self.headers.receive(peer, message)
        best = self.headers.best_of(peer)
        if best is not None:
            peer.known_blocks.add(best.hash)

    def _receive_missing(self, peer: Connection, message: Missing) -> None:
        if message.of in (BLOCKS, COMPACT):
            hashes = [BlockHash(found) for found in message.ids]
            self.bodies.receive_missing(peer, hashes)
            self.states.receive_missing(peer, hashes)
        elif message.of == SNAPSHOTS:
            self.states.fetching.receive_no_snapshot(peer, BlockHash(message.ids[0]))
        else:
            self.relay.receive_missing(peer, [WtxId(found) for found in message.ids])

    def _receive_certificates(self, peer: Connection, message: Certificates) -> None:
        self.votes.receive_certificates(peer, message)
        if self.headers.note_certified():
            self._seek_certified()

    def _receive_wish(self, peer: Connection, message: WantCompact) -> None:
        peer.wants_compact = message.is_wanted

    # --- coming and going ---

    def _welcome(self, peer: Connection) -> None:
        """A handshake is done."""
        other = find_other(self.connections.values(), peer)
        if other is not None:
            leaving = choose_leaving_duplicate(self._identity.key, peer, other)
            self._leave(leaving, DUPLICATE)
            if leaving is peer:
                return
        named = self.dialler.named.get(peer.address) if peer.is_dialled else None
        if named is not None and named.key not in (None, peer.key):
            log.warning("p2p.other_key", peer=str(peer.address), key="" if peer.key is None else peer.key.hex())
            self._refuse(peer, OTHER_KEY)
            return
        self._effects.transport.welcome(peer.link)
        if peer.is_dialled:
            self.book.note_success(peer.address, self._host.clock.now())
        if named is not None:
            named.note_success()
        if peer.purpose is Purpose.FEELER:
            self._close(peer)
            return
        log.info(
            "p2p.connected",
            peer=str(peer.address),
            purpose=peer.purpose.name.lower(),
            agent=peer.hello.agent,
            encrypted=peer.is_encrypted,
        )
        self.bodies.add(peer)
        self.blocks.add(peer)
        self.relay.add(peer)
        self.gossip.greet(peer)
        self.states.add(peer)
        self.votes.add(peer)
        self.headers.add(peer)

    def _leave(self, peer: Connection, code: Code) -> None:
        log.info("p2p.left", peer=str(peer.address), code=code.name)
        peer.close(code)
        self._forget(peer)

    def _close(self, peer: Connection) -> None:
        peer.close()
        self._forget(peer)

    def _forget(self, peer: Connection) -> None:
        del self.connections[peer.link]
        self.counts.add(peer)
        self.inbox.forget(peer.link)
        if peer.is_dialled:
            self._note_lost(peer.address)
        self.states.remove(peer)
        self.headers.remove(peer)
        self.bodies.remove(peer)
        self.blocks.remove(peer)
        self.relay.remove(peer)
        self.gossip.remove(peer)
        self.votes.remove(peer)

    def _note_lost(self, address: PeerAddress) -> None:
        named = self.dialler.named.get(address)
        if named is not None:
            named.note_failure(self._effects.stopwatch.seconds())

    def _blame(self, peer: Connection, points: int, reason: str) -> None:
        """Count points against a peer's host; at the end of patience leave it, and ban it unless it was named."""
        self.counts.offences += 1
        log.info("p2p.offence", peer=str(peer.address), points=points, reason=reason)
        if not self.scores.blame(peer.address, points, self._effects.stopwatch.seconds()):
            return
        if peer.purpose is not Purpose.NAMED and not peer.address.is_loopback:
            self.ban(peer.address, BAN_SECONDS, reason)
        if peer.link in self.connections:
            self._leave(peer, BANNED)

    def ban(self, address: PeerAddress, seconds: int, reason: str) -> None:
        """Ban a host, and leave all its connections."""
        self.counts.bans += 1
        self.scores.ban(address, Timestamp(self._host.clock.now() + seconds), reason)
        log.warning("p2p.ban", host=str(address), seconds=seconds, reason=reason)
        for peer in [found for found in self.connections.values() if found.address.host == address.host]:
            self._leave(peer, BANNED)

    # --- time ---

    def tick(self) -> None:
        """What time brings. To be called about once a second."""
        for peer in list(self.connections.values()):
            try:
                peer.tick()
            except NodeError as fault:
                self._leave(peer, fault.code)
        for peer in self.headers.tick():
            self._blame(peer, LATE, "no headers in time")
        for peer in self.votes.tick():
            self._blame(peer, LATE, "no certificates in time")
        stalled = self.bodies.tick()
        with own_faults_logged():
            stalled += self.states.tick(is_syncing=self.bodies.is_syncing)
        for peer in dict.fromkeys(stalled):
            self._leave(peer, STALLED)
        self._go_on_in_full()
        self._ask_for_news()
        self._follow_node()
        self.bodies.plan()
        self.blocks.tick()
        self.relay.tick()
        self.gossip.tick()
        self._dial()

    def _ask_for_news(self) -> None:
        ready = self.ready
        if ready and self.headers.is_time_to_ask():
            self.headers.ask(self._effects.rng.choice(ready))

    def _dial(self) -> None:
        now = self._effects.stopwatch.seconds()
        for address, purpose in self.dialler.choose(self.connections.values(), self._dialling.values(), now):
            if purpose is not Purpose.NAMED and self.scores.ban_of(address, self._host.clock.now()) is not None:
                continue
            self.book.note_attempt(address)
            link = self.new_link()
            self._dialling[link] = (address, purpose)
            self._effects.transport.dial(link, address)


STALLED = Code(
    "p2p.stalled", "it did not send blocks that others have", "Nothing: its line or its machine is too slow."
)
"""Why a peer is left for others (spec NET-9)."""
