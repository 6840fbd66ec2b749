"""Frames that came and wait to be worked on: connections take turns, blocks go before transactions, and each has its limit.

The transport puts frames in, from whatever thread, and stops reading from a connection that `is_full`: what it does not read waits
in the other side's buffers, and at last with the other side. Nothing is ever dropped here.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from node.p2p.messages import LANES, lane_of

LINK_BYTES_MAX = 33_685_504
"""Of one connection: two frames of the largest block. One more frame may be added to what is just below."""
LINK_FRAMES_MAX = 1_024
TOTAL_BYTES_MAX = 268_435_456
"""Of all together. Above it nothing is read from whoever has anything waiting here."""


@dataclass(slots=True)
class _Waiting:
    lanes: tuple[deque[bytes], ...] = field(default_factory=lambda: tuple(deque[bytes]() for _ in LANES))
    bytes: int = 0
    frames: int = 0


class FairInbox:
    """Thread-safe."""

    def __init__(self, bytes_max: int = TOTAL_BYTES_MAX) -> None:
        self._lock = threading.Lock()
        self._bytes_max = bytes_max
        self._links: dict[int, _Waiting] = {}
        self._turns: tuple[deque[int], ...] = tuple(deque[int]() for _ in LANES)
        self.bytes = self.frames = 0

    def put(self, link: int, frame: bytes) -> None:
        """Add a frame."""
        with self._lock:
            waiting = self._links.setdefault(link, _Waiting())
            lane = lane_of(frame)
            if not waiting.lanes[lane]:
                self._turns[lane].append(link)
            waiting.lanes[lane].append(frame)
            waiting.bytes += len(frame)
            waiting.frames += 1
            self.bytes += len(frame)
            self.frames += 1

    def is_full(self, link: int) -> bool:
        """Whether nothing more should be read from this connection now."""
        with self._lock:
            waiting = self._links.get(link)
            if waiting is None or not waiting.frames:
                return False
            is_over = waiting.bytes >= LINK_BYTES_MAX or waiting.frames >= LINK_FRAMES_MAX
            return is_over or self.bytes >= self._bytes_max

    def take(self, may_speak: Callable[[int], bool] = lambda _: True) -> tuple[int, bytes] | None:
        """The next frame, of a connection that may speak, and whose it is; None if there is none."""
        with self._lock:
            for lane, turns in enumerate(self._turns):
                for _ in range(len(turns)):
                    link = turns.popleft()
                    if may_speak(link):
                        return self._take_from(link, lane)
                    turns.append(link)
        return None

    def _take_from(self, link: int, lane: int) -> tuple[int, bytes]:
        waiting = self._links[link]
        frame = waiting.lanes[lane].popleft()
        waiting.bytes -= len(frame)
        waiting.frames -= 1
        self.bytes -= len(frame)
        self.frames -= 1
        if waiting.lanes[lane]:
            self._turns[lane].append(link)
        return link, frame

    def forget(self, link: int) -> None:
        """Drop what a connection that has ended left."""
        with self._lock:
            waiting = self._links.pop(link, None)
            if waiting is None:
                return
            self.bytes -= waiting.bytes
            self.frames -= waiting.frames
            for turns in self._turns:
                if link in turns:
                    turns.remove(link)
