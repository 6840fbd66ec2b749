"""One connection: the handshake, limits, whether the other side is alive, and what is known of it.

It reads frames and says what they mean; what follows from a message is for others (`node.p2p.peers`). A frame that breaks the
protocol raises `Offence`, one after which only closing is left `NodeError`.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Generic, TypeVar

from ledger.errors import Code, Malformed
from ledger.types import BlockHash, PublicKey, WtxId
from node.errors import NodeError
from node.p2p.address import PeerAddress
from node.p2p.buckets import TokenBucket
from node.p2p.effects import Effects
from node.p2p.handshake import OUT_OF_PLACE, Handshake, Identity
from node.p2p.messages import (
    HANDSHAKE_BYTES_MAX,
    LIMITS,
    Goodbye,
    Hello,
    Message,
    Ping,
    Pong,
    Proof,
    decode_message,
    encode_message,
)
from node.p2p.scores import GRAVE, LATE, UNASKED, Offence

HANDSHAKE_SECONDS = 15
QUIET_SECONDS = 60
"""After so long without a word the other side is asked whether it is there."""
DEAD_SECONDS = 180
UNSENT_BYTES_MAX = 8_388_608
SLOW_SECONDS = 60
KNOWN_BLOCKS_MAX = 1_024
KNOWN_TRANSACTIONS_MAX = 20_000

SILENT = Code("p2p.silent", "it said nothing for {seconds} s", "Nothing: the connection was dead.")
SLOW = Code(
    "p2p.slow", "it did not take what was sent for {seconds} s", "Nothing: its line or its machine is too slow."
)
HANDSHAKE_LATE = Code(
    "p2p.handshake_late", "it did not say who it is within {seconds} s", "Is that the port of a node?"
)


class Purpose(Enum):
    """Why there is a connection."""

    TAKEN = auto()
    """The other side dialled."""
    DIALLED = auto()
    NAMED = auto()
    """The operator named it."""
    FEELER = auto()
    """Only to see whether somebody is there."""


Item = TypeVar("Item", bound=bytes)


class Remembered(Generic[Item]):
    """The last so many of some ids."""

    __slots__ = ("_items", "_maximum")

    def __init__(self, maximum: int) -> None:
        self._items: dict[Item, None] = {}
        self._maximum = maximum

    def __contains__(self, item: Item) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> None:
        """Remember; the oldest is forgotten where there is no room."""
        self._items.pop(item, None)
        self._items[item] = None
        if len(self._items) > self._maximum:
            del self._items[next(iter(self._items))]

    def update(self, items: Iterable[Item]) -> None:
        """Remember all."""
        for item in items:
            self.add(item)

    def discard(self, item: Item) -> None:
        """Forget one."""
        self._items.pop(item, None)

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()


class Connection:
    """One peer from the moment its connection opens."""

    def __init__(
        self,
        link: int,
        address: PeerAddress,
        purpose: Purpose,
        identity: Identity,
        effects: Effects,
        channel: bytes = b"",
    ) -> None:
        self.link = link
        self.address = address
        self.purpose = purpose
        self._effects = effects
        challenge = effects.rng.randbytes(32)
        self.is_encrypted = bool(channel)
        self._handshake = Handshake(identity, challenge, is_dialled=purpose is not Purpose.TAKEN, channel=channel)
        self.opened_at = self._heard_at = effects.stopwatch.seconds()
        self._buckets: dict[int, TokenBucket] = {}
        self._ping: tuple[bytes, float] | None = None
        self._blocked_since: float | None = None
        self.ping_seconds: float | None = None
        self.is_ready = False
        self.wants_compact = False
        self.gave_block_at = 0.0
        self.frames_received = self.frames_sent = self.bytes_received = self.bytes_sent = 0
        self.known_blocks: Remembered[BlockHash] = Remembered(KNOWN_BLOCKS_MAX)
        self.known_transactions: Remembered[WtxId] = Remembered(KNOWN_TRANSACTIONS_MAX)

    @property
    def is_dialled(self) -> bool:
        """Whether this node dialled."""
        return self.purpose is not Purpose.TAKEN

    @property
    def hello(self) -> Hello:
        """What the other side said of itself."""
        assert self._handshake.theirs is not None, "asked before it said who it is"
        return self._handshake.theirs

    @property
    def listens_at(self) -> PeerAddress:
        """Where the other side takes connections, as far as it said so."""
        theirs = self._handshake.theirs
        if self.is_dialled or theirs is None or not theirs.listen_port:
            return self.address
        return PeerAddress(self.address.ip, theirs.listen_port)

    @property
    def key(self) -> PublicKey | None:
        """The other side's key, once it was named."""
        return None if self._handshake.theirs is None else self._handshake.theirs.node_key

    def start(self) -> None:
        """Say hello."""
        self.send(self._handshake.hello())

    def send(self, message: Message) -> None:
        """Send a message."""
        frame = encode_message(message)
        self.frames_sent += 1
        self.bytes_sent += len(frame)
        self._effects.transport.send(self.link, frame, LIMITS[message.tag].lane)

    def close(self, code: Code | None = None) -> None:
        """Say why, and close."""
        if code is not None:
            self.send(Goodbye(code.name))
        self._effects.transport.close(self.link)

    @property
    def is_blocked(self) -> bool:
        """Whether so much waits to be sent that nothing large should be added."""
        return self._effects.transport.unsent_bytes(self.link) >= UNSENT_BYTES_MAX

    # --- reading ---

    def receive(self, frame: bytes) -> Message | None:
        """The message in a frame, if somebody must act on it. Raises `Offence` and `NodeError`."""
        self._heard_at = self._effects.stopwatch.seconds()
        self.frames_received += 1
        self.bytes_received += len(frame)
        if not self.is_ready and len(frame) > HANDSHAKE_BYTES_MAX:
            raise Offence(GRAVE, "a large frame before the handshake")
        try:
            message = decode_message(frame)
        except Malformed as fault:
            raise Offence(GRAVE, str(fault)) from fault
        if isinstance(message, Goodbye):
            return message
        if not self.is_ready:
            return self._shake_hands(message)
        if isinstance(message, Hello | Proof):
            raise Offence(UNASKED, f"{type(message).__name__} after the handshake")
        self._check_frequency(message)
        if isinstance(message, Ping):
            self.send(Pong(message.nonce))
            return None
        if isinstance(message, Pong):
            self._note_pong(message)
            return None
        return message

    def _shake_hands(self, message: Message) -> Message | None:
        """Hand on Hello and the Proof that is good."""
        try:
            answer = self._handshake.receive(message)
        except NodeError as fault:
            if fault.code is OUT_OF_PLACE:
                raise Offence(UNASKED, str(fault)) from fault
            raise
        if answer is not None:
            self.send(answer)
        self.is_ready = self._handshake.is_done
        return message

    def _check_frequency(self, message: Message) -> None:
        limit = LIMITS[message.tag]
        if limit.per_minute is None:
            return
        seconds = self._effects.stopwatch.seconds()
        bucket = self._buckets.get(message.tag)
        if bucket is None:
            bucket = self._buckets[message.tag] = TokenBucket.of(limit, seconds)
        if not bucket.take(seconds):
            raise Offence(LATE, f"{type(message).__name__} too often")

    def _note_pong(self, pong: Pong) -> None:
        if self._ping is not None and pong.nonce == self._ping[0]:
            self.ping_seconds = self._effects.stopwatch.seconds() - self._ping[1]
            self._ping = None

    # --- time ---

    def tick(self) -> None:
        """Ask a quiet peer whether it is there. Raises `NodeError` with why to close."""
        now = self._effects.stopwatch.seconds()
        if not self.is_ready:
            if now - self.opened_at > HANDSHAKE_SECONDS:
                raise NodeError(HANDSHAKE_LATE, seconds=HANDSHAKE_SECONDS)
            return
        quiet_seconds = now - self._heard_at
        if quiet_seconds > DEAD_SECONDS:
            raise NodeError(SILENT, seconds=DEAD_SECONDS)
        if quiet_seconds > QUIET_SECONDS and self._ping is None:
            self._ping = (self._effects.rng.randbytes(8), now)
            self.send(Ping(self._ping[0]))
        if not self.is_blocked:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = now
        elif now - self._blocked_since > SLOW_SECONDS:
            raise NodeError(SLOW, seconds=SLOW_SECONDS)
