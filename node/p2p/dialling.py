"""Whom a node connects to, and whom it lets go when all places are taken (spec NET-13)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from node.p2p.address import PeerAddress
from node.p2p.addresses import AddressBook
from node.p2p.connection import Connection, Purpose

DIALLED_MAX = 8
TAKEN_MAX = 64
TAKEN_PER_HOST_MAX = 8
ANCHORS_MAX = 2
FEELER_SECONDS = 120
RETRY_NAMED_SECONDS = 10
"""After which a named peer that could not be reached is dialled again; it doubles up to a minute."""
RETRY_NAMED_SECONDS_MAX = 60
REDIAL_SECONDS = 120
"""No address is dialled more often than that, but those that the operator named."""
DIALLED_REMEMBERED = 10_000
PICK_SECONDS = 5
"""How long to wait after nobody was found to dial."""
DIALS_AT_ONCE = 4
PROTECTED_GIVERS = 4
PROTECTED_OLDEST = 4


@dataclass(frozen=True, slots=True)
class DialLimits:
    """How many connections there are. Simulated networks are smaller."""

    dialled_max: int = DIALLED_MAX
    taken_max: int = TAKEN_MAX
    taken_per_host_max: int = TAKEN_PER_HOST_MAX
    has_feelers: bool = True


USUAL_LIMITS = DialLimits()
KEPT = (Purpose.DIALLED, Purpose.NAMED)


@dataclass(slots=True)
class NamedPeer:
    """A peer that the operator named: the key it must have, when it is dialled next, how long the next pause is."""

    address: PeerAddress
    key: bytes | None = None
    dial_at: float = 0.0
    pause_seconds: float = RETRY_NAMED_SECONDS

    def note_failure(self, now: float) -> None:
        """It could not be reached, or was lost."""
        self.dial_at = now + self.pause_seconds
        self.pause_seconds = min(2 * self.pause_seconds, RETRY_NAMED_SECONDS_MAX)

    def note_success(self) -> None:
        """It was reached."""
        self.pause_seconds = RETRY_NAMED_SECONDS


@dataclass(slots=True)
class Dialler:
    """Decides whom to dial. It knows the address table and the peers that were named; connections are passed in."""

    book: AddressBook
    limits: DialLimits
    named: dict[PeerAddress, NamedPeer] = field(default_factory=dict)
    anchors: list[PeerAddress] = field(default_factory=list)
    own: dict[PeerAddress, None] = field(default_factory=dict)
    feeler_at: float = 0.0
    pick_at: float = 0.0
    dialled_at: dict[PeerAddress, float] = field(default_factory=dict)

    def name(self, address: PeerAddress, key: bytes | None = None) -> None:
        """The operator wants a connection to this peer."""
        self.named.setdefault(address, NamedPeer(address, key))

    def note_self(self, address: PeerAddress) -> None:
        """This node itself answers there."""
        self.own[address] = None
        self.named.pop(address, None)
        self.book.forget(address)

    def choose(
        self, connections: Iterable[Connection], dialling: Iterable[tuple[PeerAddress, Purpose]], now: float
    ) -> list[tuple[PeerAddress, Purpose]]:
        """Whom to dial now, and why."""
        under_way = [*dialling, *((peer.address, peer.purpose) for peer in connections)]
        addresses = {address for address, _ in under_way} | {peer.listens_at for peer in connections}
        found: list[tuple[PeerAddress, Purpose]] = []
        for named in self.named.values():
            if named.address not in addresses and now >= named.dial_at:
                found.append((named.address, Purpose.NAMED))
        found.extend(self._choose_free(addresses, under_way, now))
        for address, _ in found:
            self._note_dialled(address, now)
        return found

    def _choose_free(
        self, addresses: set[PeerAddress], under_way: Sequence[tuple[PeerAddress, Purpose]], now: float
    ) -> list[tuple[PeerAddress, Purpose]]:
        """Fill the places of dialled connections, no two in one group, anchors first; and now and then a feeler."""
        if now < self.pick_at:
            return []
        count = sum(1 for _, purpose in under_way if purpose is Purpose.DIALLED)
        groups = {address.group for address, purpose in under_way if purpose in KEPT}
        found: list[tuple[PeerAddress, Purpose]] = []

        def is_free(address: PeerAddress) -> bool:
            is_rested = now - self.dialled_at.get(address, -REDIAL_SECONDS) >= REDIAL_SECONDS
            return is_rested and address not in addresses and address not in self.named and address not in self.own

        def fits(address: PeerAddress) -> bool:
            return address.group not in groups and is_free(address)

        while count + len(found) < self.limits.dialled_max and len(found) < DIALS_AT_ONCE:
            anchor = self.anchors.pop(0) if self.anchors else None
            address = anchor if anchor is not None and fits(anchor) else self.book.pick(fits)
            if address is None:
                self.pick_at = now + PICK_SECONDS
                break
            groups.add(address.group)
            addresses.add(address)
            found.append((address, Purpose.DIALLED))
        if self.limits.has_feelers and now >= self.feeler_at:
            self.feeler_at = now + FEELER_SECONDS
            feeler = self.book.pick(is_free, only_new=True)
            if feeler is not None:
                found.append((feeler, Purpose.FEELER))
        return found

    def _note_dialled(self, address: PeerAddress, now: float) -> None:
        self.dialled_at.pop(address, None)
        self.dialled_at[address] = now
        if len(self.dialled_at) > DIALLED_REMEMBERED:
            del self.dialled_at[next(iter(self.dialled_at))]


def choose_leaving(connections: Iterable[Connection]) -> Connection | None:
    """Which of the connections that were taken makes room for a new one: the youngest of the most frequent group.

    Those that last gave a block and the oldest are safe, so that nobody can push all others out by connecting often.
    """
    taken = [peer for peer in connections if not peer.is_dialled]
    givers = sorted(taken, key=lambda peer: -peer.gave_block_at)[:PROTECTED_GIVERS]
    oldest = sorted(taken, key=lambda peer: peer.opened_at)[:PROTECTED_OLDEST]
    safe = {peer.link for peer in (*givers, *oldest)}
    left = [peer for peer in taken if peer.link not in safe]
    if not left:
        return None
    counts: dict[bytes, int] = {}
    for peer in taken:
        counts[peer.address.group] = counts.get(peer.address.group, 0) + 1
    return max(left, key=lambda peer: (counts[peer.address.group], peer.opened_at, peer.link))
