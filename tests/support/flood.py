"""Strangers who flood a node: each does one bad thing, again and again, from addresses of loopback, in threads of its own."""

import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from ledger.block import Block
from ledger.types import BlockHash, ChainId, PrivateSeed, WtxId
from node.errors import NodeError
from node.p2p.handshake import Handshake, Identity
from node.p2p.messages import (
    Addresses,
    BlockBody,
    GetBlocks,
    GetHeaders,
    Headers,
    Inventory,
    Message,
    Ping,
    Transactions,
    decode_message,
    encode_message,
)

GIANT = bytes(16_000_000)
Attack = Callable[["Stranger"], None]


class Stranger:
    """Whoever attacks: a thread that dials again whenever it is thrown out."""

    def __init__(self, number: int, port: int, chain_id: ChainId, genesis_header: bytes, block: Block) -> None:
        self.rng = random.Random(number)
        self.host = f"127.0.0.{2 + number % 60}"
        self.port, self.chain_id, self.genesis_header, self.block = port, chain_id, genesis_header, block
        self.end = threading.Event()
        self.done: Counter[str] = Counter()

    def dial(self) -> ClientConnection:
        """A connection, nothing said on it."""
        return connect(
            f"ws://127.0.0.1:{self.port}/",
            source_address=(self.host, 0),
            proxy=None,
            compression=None,
            user_agent_header=None,
            max_size=None,
            open_timeout=10,
            close_timeout=0.2,
            ping_interval=None,
        )

    def shake(self, socket_: ClientConnection, chain_id: ChainId | None = None) -> None:
        """Do the handshake, as a new node each time."""
        identity = Identity(PrivateSeed(self.rng.randbytes(32)), chain_id or self.chain_id, 0, "stranger")
        handshake = Handshake(identity, self.rng.randbytes(32), is_dialled=True)
        socket_.send(encode_message(handshake.hello()))
        while not handshake.is_done:
            frame = socket_.recv(10)
            assert isinstance(frame, bytes)
            answer = handshake.receive(decode_message(frame))
            if answer is not None:
                socket_.send(encode_message(answer))

    def say(self, socket_: ClientConnection, message: Message) -> None:
        """Send a message."""
        socket_.send(encode_message(message))
        self.done[type(message).__name__] += 1

    def run(self, attack: Attack) -> None:
        """Attack until the end."""
        while not self.end.is_set():
            try:
                attack(self)
            except (WebSocketException, OSError, TimeoutError, NodeError, EOFError, AssertionError):
                self.done["thrown out"] += 1
                self.end.wait(0.05)

    def repeat(self, make: Callable[[], Message], *, reads: bool = True, pause: float = 0.0) -> None:
        """After the handshake, one message after the other; `reads` False: and never take an answer."""
        with self.dial() as socket_:
            self.shake(socket_)
            while not self.end.is_set():
                self.say(socket_, make())
                if reads:
                    with suppress(TimeoutError):
                        while True:
                            socket_.recv(0)
                self.end.wait(pause)


# --- what strangers do ---


def handshakes(one: Stranger) -> None:
    """Come, say who one is, go."""
    with one.dial() as socket_:
        one.shake(socket_)
        one.done["handshakes"] += 1


def wrong_chain(one: Stranger) -> None:
    """Come from another chain."""
    with one.dial() as socket_:
        one.done["wrong chain"] += 1
        one.shake(socket_, ChainId(one.rng.randbytes(32)))


def silence(one: Stranger) -> None:
    """Open many lines and say nothing on any."""
    lines: list[socket.socket] = []
    try:
        while not one.end.is_set():
            with suppress(OSError):
                lines.append(socket.create_connection(("127.0.0.1", one.port), 5, (one.host, 0)))
                one.done["silent lines"] += 1
            for line in lines[:-100]:
                line.close()
            del lines[:-100]
            one.end.wait(0.02)
    finally:
        for line in lines:
            line.close()


def giants(one: Stranger) -> None:
    """Send frames of 16 MB, before the handshake and after it."""
    with one.dial() as socket_:
        if one.rng.random() < 0.5:
            one.shake(socket_)
        one.done["giant frames"] += 1
        socket_.send(GIANT)
        socket_.recv(5)


def headers(one: Stranger) -> None:
    """Announce headers without work."""

    def make() -> Message:
        return Headers(False, one.genesis_header[:4] + one.rng.randbytes(76))

    one.repeat(make, pause=0.002)


def transactions(one: Stranger) -> None:
    """Tell of transactions that nobody has, and send what was never asked for."""

    def make() -> Message:
        if one.rng.random() < 0.01:
            return Transactions((one.rng.randbytes(2_000),))
        return Inventory(tuple(WtxId(one.rng.randbytes(32)) for _ in range(1_000)))

    one.repeat(make, pause=0.2)


def addresses(one: Stranger) -> None:
    """Tell of nodes that do not exist."""

    def make() -> Message:
        now = int(time.time())
        rows = [(bytes([one.rng.randrange(1, 224), *one.rng.randbytes(3)]), 8_790, now) for _ in range(10)]
        return Addresses(tuple(rows))

    one.repeat(make, pause=0.5)


def blocks(one: Stranger) -> None:
    """Send bodies that nobody asked for."""

    raw = one.block.encode()
    one.repeat(lambda: BlockBody(raw if one.rng.random() < 0.9 else one.rng.randbytes(100_000)), pause=0.05)


def slow_reader(one: Stranger) -> None:
    """Ask for much and take nothing of it."""

    def make() -> Message:
        if one.rng.random() < 0.2:
            return GetHeaders((BlockHash(one.chain_id),))
        return GetBlocks((one.block.hash,) * 16)

    one.repeat(make, reads=False, pause=0.02)


def pings(one: Stranger) -> None:
    """Ask whether it is there, without end."""
    one.repeat(lambda: Ping(os.urandom(8)), pause=0.001)


ATTACKS: tuple[Attack, ...] = (
    handshakes,
    wrong_chain,
    silence,
    giants,
    headers,
    transactions,
    addresses,
    blocks,
    slow_reader,
    pings,
)


class Flood:
    """All attacks at once, some strangers for each."""

    def __init__(
        self,
        port: int,
        chain_id: ChainId,
        genesis_header: bytes,
        block: Block,
        attacks: tuple[Attack, ...],
        each: int,
    ) -> None:
        self.strangers = [
            (attack, Stranger(index, port, chain_id, genesis_header, block))
            for index, attack in enumerate([kind for kind in attacks for _ in range(each)])
        ]
        self._threads = [
            threading.Thread(target=stranger.run, args=(attack,), name=attack.__name__, daemon=True)
            for attack, stranger in self.strangers
        ]

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        for _, stranger in self.strangers:
            stranger.end.set()
        for thread in self._threads:
            thread.join(30)

    def done(self) -> Counter[str]:
        """What was sent, in all."""
        found: Counter[str] = Counter()
        for attack, stranger in self.strangers:
            found.update({f"{attack.__name__}: {what}": count for what, count in stranger.done.items()})
        return found
