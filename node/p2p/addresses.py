"""Addresses of other nodes, in buckets by a secret key, so that whoever controls few networks fills few places (spec NET-12)."""

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.types import Timestamp
from node.p2p.address import PeerAddress

NEW_BUCKETS, NEW_PLACES = 256, 64
TRIED_BUCKETS, TRIED_PLACES = 64, 64
BUCKETS_PER_SOURCE = 16
"""New buckets that all who tell from one group can fill."""
BUCKETS_PER_GROUP = 8
"""Tried buckets that all addresses of one group can fill."""
TERRIBLE_SECONDS = 30 * 86_400
TERRIBLE_ATTEMPTS = 3
SHARED_PERCENT = 23
SEEN_AHEAD_SECONDS = 600
PICKS_MAX = 16
"""Draws of a place before it is said that nothing fits."""
PATIENCE, ATTEMPTS_COUNTED_MAX = 0.66, 8
"""How much less likely each attempt that failed makes an address."""

NEVER = Timestamp(0)

Place = tuple[int, int]


@dataclass(slots=True)
class KnownAddress:
    """An address with what is known of it. Times are of the clock of the day; `succeeded_at` 0: never reached."""

    address: PeerAddress
    source: bytes
    seen: Timestamp
    succeeded_at: Timestamp = NEVER
    attempts: int = 0

    def is_terrible(self, now: Timestamp) -> bool:
        """Whether its place is better given to another."""
        if now - self.seen > TERRIBLE_SECONDS:
            return True
        return not self.succeeded_at and self.attempts >= TERRIBLE_ATTEMPTS


Row = tuple[bytes, int, bytes, int, int, int, bool]


class AddressBook:
    """The table of one node. `key` is its secret, kept with it."""

    def __init__(self, key: bytes, rng: random.Random) -> None:
        self.key = key
        self._rng = rng
        self._new: dict[Place, KnownAddress] = {}
        self._tried: dict[Place, KnownAddress] = {}
        self._places: dict[PeerAddress, tuple[bool, Place]] = {}
        self._new_buckets: dict[int, dict[Place, None]] = {}
        self._tried_buckets: dict[int, dict[Place, None]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, address: PeerAddress) -> bool:
        return address in self._places

    @property
    def tried_count(self) -> int:
        """How many were reached once."""
        return len(self._tried)

    def find(self, address: PeerAddress) -> KnownAddress | None:
        """What is known of an address."""
        found = self._places.get(address)
        if found is None:
            return None
        is_tried, place = found
        return (self._tried if is_tried else self._new)[place]

    # --- places ---

    def _hash(self, *parts: bytes) -> int:
        data = b"".join(len(part).to_bytes(1, "big") + part for part in parts)
        return int.from_bytes(hashlib.blake2b(data, key=self.key, digest_size=8).digest(), "big")

    def _new_place(self, address: PeerAddress, source: bytes) -> Place:
        within = self._hash(b"new within", address.group, source) % BUCKETS_PER_SOURCE
        bucket = self._hash(b"new", source, within.to_bytes(1, "big")) % NEW_BUCKETS
        return bucket, self._place_in(b"n", bucket, address) % NEW_PLACES

    def _tried_place(self, address: PeerAddress) -> Place:
        within = self._hash(b"tried within", address.ip, address.port.to_bytes(2, "big")) % BUCKETS_PER_GROUP
        bucket = self._hash(b"tried", address.group, within.to_bytes(1, "big")) % TRIED_BUCKETS
        return bucket, self._place_in(b"t", bucket, address) % TRIED_PLACES

    def _place_in(self, table: bytes, bucket: int, address: PeerAddress) -> int:
        return self._hash(table, bucket.to_bytes(2, "big"), address.ip, address.port.to_bytes(2, "big"))

    # --- learning ---

    def learn(self, address: PeerAddress, source: PeerAddress, seen: int, now: Timestamp) -> bool:
        """Somebody told of an address; whether it was taken in as new. `seen` is what the teller says."""
        moment = Timestamp(min(seen, now))
        known = self.find(address)
        if known is not None:
            known.seen = max(known.seen, moment)
            return False
        if not address.is_dialable or now - moment > TERRIBLE_SECONDS:
            return False
        place = self._new_place(address, source.group)
        there = self._new.get(place)
        if there is not None:
            if not there.is_terrible(now):
                return False
            self.forget(there.address)
        self._put(place, KnownAddress(address, source.group, moment), is_tried=False)
        return True

    def _put(self, place: Place, known: KnownAddress, *, is_tried: bool) -> None:
        (self._tried if is_tried else self._new)[place] = known
        (self._tried_buckets if is_tried else self._new_buckets).setdefault(place[0], {})[place] = None
        self._places[known.address] = (is_tried, place)

    def forget(self, address: PeerAddress) -> None:
        """Forget an address, if it is here."""
        if address not in self._places:
            return
        is_tried, place = self._places.pop(address)
        del (self._tried if is_tried else self._new)[place]
        buckets = self._tried_buckets if is_tried else self._new_buckets
        del buckets[place[0]][place]
        if not buckets[place[0]]:
            del buckets[place[0]]

    def note_attempt(self, address: PeerAddress) -> None:
        """A connection is tried."""
        known = self.find(address)
        if known is not None:
            known.attempts += 1

    def note_success(self, address: PeerAddress, now: Timestamp) -> None:
        """A handshake was done with a node that was dialled there: the address is a tried one now."""
        known = self.find(address) or KnownAddress(address, address.group, now)
        known.seen = known.succeeded_at = now
        known.attempts = 0
        if address in self._places:
            if self._places[address][0]:
                return
            self.forget(address)
        place = self._tried_place(address)
        there = self._tried.get(place)
        if there is not None:
            self.forget(there.address)
            back = self._new_place(there.address, there.source)
            if back not in self._new:
                self._put(back, there, is_tried=False)
        self._put(place, known, is_tried=True)

    # --- choosing ---

    def pick(self, fits: Callable[[PeerAddress], bool], *, only_new: bool = False) -> PeerAddress | None:
        """An address to dial: new or tried with even chance, then any of these that fits. What failed often is drawn less often."""
        tables = [self._new] if only_new else self._rng.sample([self._new, self._tried], 2)
        for table in tables:
            for _ in range(PICKS_MAX if table else 0):
                known = table[self._draw(table)]
                if fits(known.address) and self._rng.random() < PATIENCE ** min(known.attempts, ATTEMPTS_COUNTED_MAX):
                    return known.address
        return None

    def _draw(self, table: dict[Place, KnownAddress]) -> Place:
        """A bucket that is not empty, then a place of it: so a bucket that is full is no likelier than another."""
        buckets = self._new_buckets if table is self._new else self._tried_buckets
        bucket = self._rng.choice(list(buckets))
        return self._rng.choice(list(buckets[bucket]))

    def share(self, maximum: int, now: Timestamp) -> list[KnownAddress]:
        """A random part of what is good here, for somebody who asked (spec NET-11)."""
        good = [known for known in (*self._tried.values(), *self._new.values()) if not known.is_terrible(now)]
        count = min(maximum, max(1, len(good) * SHARED_PERCENT // 100))
        return self._rng.sample(good, min(count, len(good)))

    # --- keeping ---

    def rows(self) -> list[Row]:
        """All of it, for a file."""
        return [
            (
                known.address.ip,
                known.address.port,
                known.source,
                known.seen,
                known.succeeded_at,
                known.attempts,
                self._places[known.address][0],
            )
            for known in (*self._tried.values(), *self._new.values())
        ]

    def restore(self, rows: Iterable[Row]) -> None:
        """Take up what was kept, under the same key."""
        for ip, port, source, seen, succeeded_at, attempts, is_tried in rows:
            address = PeerAddress(ip, port)
            known = KnownAddress(address, source, Timestamp(seen), Timestamp(succeeded_at), attempts)
            place = self._tried_place(address) if is_tried else self._new_place(address, source)
            table = self._tried if is_tried else self._new
            if address not in self._places and place not in table:
                self._put(place, known, is_tried=is_tried)
