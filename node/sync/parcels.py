"""Things that are fetched from several peers at once, each from one peer at a time: pieces of a snapshot, or old blocks.

Who stalls or lacks something is passed over for it; the next one is asked.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from node.p2p.connection import Connection

STALL_SECONDS = 20
LACKING_SECONDS = 60

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Bearer(Generic[Key]):
    """A peer that is asked. `lacking`: what it did not send, and until when it is not asked for that again."""

    asked: dict[Key, None] = field(default_factory=dict)
    lacking: dict[Key, float] = field(default_factory=dict)
    heard_at: float = 0.0


class Parcels(Generic[Key]):
    """What is wanted, in its order, and who was asked for it. At most `per_peer_max` of each peer at once."""

    def __init__(self, seconds: Callable[[], float], per_peer_max: int) -> None:
        self._seconds, self._per_peer_max = seconds, per_peer_max
        self._wanted: dict[Key, None] = {}
        self._owner: dict[Key, Connection] = {}
        self._bearers: dict[Connection, Bearer[Key]] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, key: Key) -> bool:
        return key in self._wanted

    @property
    def bearers(self) -> list[Connection]:
        """Who can be asked."""
        return list(self._bearers)

    def want(self, keys: Iterable[Key]) -> None:
        """Fetch these after what is wanted already."""
        self._wanted.update(dict.fromkeys(keys))

    def clear(self) -> None:
        """Want nothing, and ask nobody."""
        self._wanted.clear()
        self._owner.clear()
        self._bearers.clear()

    def add(self, peer: Connection) -> None:
        """A peer has what is wanted, as far as it said."""
        if peer not in self._bearers:
            self._bearers[peer] = Bearer(heard_at=self._seconds())

    def remove(self, peer: Connection) -> None:
        """A peer is gone: what was asked of it is asked of others."""
        found = self._bearers.pop(peer, None)
        for key in () if found is None else found.asked:
            del self._owner[key]

    def choose(self, window: int) -> dict[Connection, list[Key]]:
        """What to ask of whom now, of the first `window` things that are wanted; it counts as asked."""
        chosen: dict[Connection, list[Key]] = {}
        if all(len(bearer.asked) >= self._per_peer_max for bearer in self._bearers.values()):
            return chosen
        now = self._seconds()
        for number, key in enumerate(self._wanted):
            if number >= window:
                break
            peer = None if key in self._owner else self._choose_peer(key, now)
            if peer is not None:
                self._note_asked(peer, key, now)
                chosen.setdefault(peer, []).append(key)
        return chosen

    def _choose_peer(self, key: Key, now: float) -> Connection | None:
        found, least = None, self._per_peer_max
        for peer, bearer in self._bearers.items():
            if len(bearer.asked) < least and bearer.lacking.get(key, 0.0) <= now:
                found, least = peer, len(bearer.asked)
        return found

    def _note_asked(self, peer: Connection, key: Key, now: float) -> None:
        bearer = self._bearers[peer]
        if not bearer.asked:
            bearer.heard_at = now
        bearer.asked[key] = None
        self._owner[key] = peer

    def is_asked_of(self, peer: Connection, key: Key) -> bool:
        """Whether a peer has this to send."""
        return self._owner.get(key) is peer

    def settle(self, peer: Connection, key: Key) -> None:
        """It came, and is good."""
        self._release(key)
        self._wanted.pop(key, None)
        self._bearers[peer].heard_at = self._seconds()

    def note_lacking(self, peer: Connection, key: Key) -> None:
        """A peer said, or showed, that it does not have this."""
        bearer = self._bearers.get(peer)
        if bearer is not None and self.is_asked_of(peer, key):
            bearer.lacking[key] = self._seconds() + LACKING_SECONDS
            self._release(key)

    def _release(self, key: Key) -> None:
        owner = self._owner.pop(key, None)
        if owner is not None:
            self._bearers[owner].asked.pop(key, None)

    def pass_over_late(self) -> list[Connection]:
        """Ask others for what does not come; who was late."""
        now = self._seconds()
        late: list[Connection] = []
        for peer, bearer in self._bearers.items():
            bearer.lacking = {key: until for key, until in bearer.lacking.items() if until > now}
            if bearer.asked and now - bearer.heard_at > STALL_SECONDS:
                late.append(peer)
                for key in tuple(bearer.asked):
                    self.note_lacking(peer, key)
        return late
