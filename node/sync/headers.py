"""Headers first: a peer's chain is measured before any of it is kept, then fetched again and held against the measure (NET-8).

One `HeaderSync` serves all peers. What a peer's chain is worth is known only from headers that were checked here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.errors import HeaderViolation, Malformed
from ledger.header import HEADER_BYTES, Header
from ledger.header_chain import CheckedHeaders, check_headers
from ledger.types import BlockHash, Height, Work
from node.p2p.connection import Connection
from node.p2p.host import Host, header_count
from node.p2p.messages import HEADERS_ANNOUNCED_MAX, HEADERS_PER_ANSWER, GetHeaders, Headers
from node.p2p.scores import GRAVE, UNASKED, Offence
from node.store.blocks import KnownHeader
from node.sync.header_tree import NO_WORK, HeaderTree

ANSWER_SECONDS = 30
AHEAD_SECONDS_MAX = 7_200
"""As far ahead of the clock as a block may wait here (`WaitingLimits`); a chain that goes further is not followed now."""
ASK_AGAIN_SECONDS = 90
"""So often one peer is asked for news, whatever happens: an announcement may have been lost."""


@dataclass(slots=True)
class Measure:
    """A chain that is fetched twice. `ends`: the last hash of each measured answer. `at`: how far this pass has come."""

    base: KnownHeader
    at: KnownHeader
    ends: list[BlockHash] = field(default_factory=list)
    worth: Work = NO_WORK
    is_fetching: bool = False
    position: int = 0


@dataclass(slots=True)
class PeerHeaders:
    """What is known of one peer's chain. `best`: the last header that it showed and that is known here."""

    best: KnownHeader | None = None
    asked_at: float | None = None
    measure: Measure | None = None
    has_more: bool = False


class HeaderSync:
    """Asks peers for headers, checks them, and keeps those of chains with enough work."""

    def __init__(self, host: Host, tree: HeaderTree, minimum_work: Work, seconds: Callable[[], float]) -> None:
        self._host = host
        self._tree = tree
        self._minimum_work = minimum_work
        self._seconds = seconds
        self._peers: dict[Connection, PeerHeaders] = {}
        self._asked_at = seconds()

    def add(self, peer: Connection) -> None:
        """A peer is ready: ask for its chain."""
        self._peers[peer] = PeerHeaders()
        self.ask(peer)

    def remove(self, peer: Connection) -> None:
        """A peer is gone, and with it what nobody else has."""
        if self._peers.pop(peer, None) is not None:
            self._tree.keep_leading_to(state.best.hash for state in self._peers.values() if state.best is not None)

    def best_of(self, peer: Connection) -> KnownHeader | None:
        """The last header that a peer is known to have."""
        found = self._peers.get(peer)
        return None if found is None else found.best

    def note_best(self, peer: Connection, known: KnownHeader) -> None:
        """A peer showed in another way that it has a block."""
        found = self._peers.get(peer)
        if found is not None and (found.best is None or known.work > found.best.work):
            found.best = known

    @property
    def is_busy(self) -> bool:
        """Whether some peer's chain is not known to its end yet."""
        return any(state.asked_at is not None or state.measure or state.has_more for state in self._peers.values())

    @property
    def is_seeking(self) -> bool:
        """Whether some peer that this node dialled is about to show its chain, and none has shown its own to the end."""
        dialled = [state for peer, state in self._peers.items() if peer.is_dialled]
        is_open = [
            state.measure is not None or (state.best is None and state.asked_at is not None) for state in dialled
        ]
        return any(is_open) and not any(
            state.best is not None and not more for state, more in zip(dialled, is_open, strict=True)
        )

    @property
    def required_work(self) -> Work:
        """What a chain must have for any of it to be kept."""
        return Work(max(self._minimum_work, self._host.tip.work))

    # --- asking ---

    def ask(self, peer: Connection) -> None:
        """Ask a peer for what follows the best chain of headers known here, unless it was asked already."""
        state = self._peers[peer]
        if state.asked_at is not None or state.measure is not None:
            return
        best = self._tree.best()
        branch = [] if best is None else self._tree.branch(best.hash)
        base = self._host.tip.height
        if branch:
            base = min(base, Height(branch[0].height - 1))
        self._send(peer, state, self._host.locator([known.hash for known in branch], base))

    def _send(self, peer: Connection, state: PeerHeaders, locator: tuple[BlockHash, ...]) -> None:
        state.asked_at = self._seconds()
        state.has_more = False
        peer.send(GetHeaders(locator))

    def _ask_on(self, peer: Connection, state: PeerHeaders, after: KnownHeader) -> None:
        """Ask for what follows a header; later, where there is no room for it."""
        if self._tree.room < HEADERS_PER_ANSWER and (state.measure is None or state.measure.is_fetching):
            state.has_more = True
            return
        self._send(peer, state, (after.hash,))

    def tick(self) -> list[Connection]:
        """Go on where there is room again; those that did not answer in time."""
        now = self._seconds()
        late: list[Connection] = []
        for peer, state in self._peers.items():
            if state.asked_at is not None and now - state.asked_at > ANSWER_SECONDS:
                state.asked_at, state.measure = None, None
                late.append(peer)
            elif state.has_more and self._tree.room >= HEADERS_PER_ANSWER:
                state.has_more = False
                self._go_on(peer, state)
        return late

    def _go_on(self, peer: Connection, state: PeerHeaders) -> None:
        after = state.best if state.measure is None else state.measure.at
        if after is None or self._tree.find(after.hash) is None:
            state.measure = None  # the branch was left meanwhile
            self.ask(peer)
        else:
            self._send(peer, state, (after.hash,))

    def is_time_to_ask(self) -> bool:
        """Whether somebody should be asked for news; true once each time."""
        now = self._seconds()
        if now - self._asked_at < ASK_AGAIN_SECONDS:
            return False
        self._asked_at = now
        return True

    def note_certified(self) -> bool:
        """Take up which checkpoints are known to be justified; whether that is news."""
        return self._tree.certified.note(self._host.landmarks().justified)

    def lacks(self, block_hash: BlockHash) -> bool:
        """Whether a block is neither here nor on its way."""
        return self._tree.find(block_hash) is None

    # --- hearing ---

    def receive(self, peer: Connection, message: Headers) -> None:
        """Headers came. Raises `Offence`."""
        state = self._peers[peer]
        count, rest = divmod(len(message.raw), HEADER_BYTES)
        if rest:
            raise Offence(GRAVE, "half a header")
        if not message.is_answer:
            if not 1 <= count <= HEADERS_ANNOUNCED_MAX:
                raise Offence(GRAVE, f"{count} headers unasked")
            self._hear_news(peer, state, message.raw)
            return
        if state.asked_at is None:
            raise Offence(UNASKED, "headers that nobody asked for")
        state.asked_at = None
        if not count or self._is_far_ahead(message.raw) or self._leaves_final(message.raw):
            state.measure = None
        elif state.measure is None:
            self._take_answer(peer, state, message.raw)
        else:
            self._take_measured(peer, state, state.measure, message.raw)

    def _hear_news(self, peer: Connection, state: PeerHeaders, raw: bytes) -> None:
        parent = self._tree.find(_parent_of(raw))
        if self._is_far_ahead(raw) or self._leaves_final(raw):
            return
        if parent is None:
            self.ask(peer)
        else:
            self._keep(peer, state, parent, raw, self._check(parent, raw))

    def _take_answer(self, peer: Connection, state: PeerHeaders, raw: bytes) -> None:
        parent = self._tree.find(_parent_of(raw))
        if parent is None:
            raise Offence(UNASKED, "headers that follow from nothing known")
        checked = self._check(parent, raw)
        end = self._keep(peer, state, parent, raw, checked)
        if len(checked.hashes) < HEADERS_PER_ANSWER or end is parent:
            return
        if self._is_enough(end, checked):
            self._ask_on(peer, state, end)
        else:
            state.measure = Measure(base=parent, at=end, ends=[end.hash])
            self._ask_on(peer, state, end)

    def _take_measured(self, peer: Connection, state: PeerHeaders, measure: Measure, raw: bytes) -> None:
        if _parent_of(raw) != measure.at.hash:
            raise Offence(GRAVE, "another chain while one was measured or fetched")
        checked = self._check(measure.at, raw)
        end = _end_of(measure.at, raw, checked)
        is_full = len(checked.hashes) == HEADERS_PER_ANSWER
        if not measure.is_fetching:
            measure.ends.append(end.hash)
            if self._is_enough(end, checked):
                measure.is_fetching, measure.at, measure.worth = True, measure.base, end.work
                self._ask_on(peer, state, measure.base)
            elif is_full:
                measure.at = end
                self._ask_on(peer, state, end)
            else:
                state.measure = None  # too little work: no offence, and nothing of it is kept
            return
        self._take_fetched(peer, state, measure, raw, checked, is_full=is_full)

    def _take_fetched(
        self,
        peer: Connection,
        state: PeerHeaders,
        measure: Measure,
        raw: bytes,
        checked: CheckedHeaders,
        *,
        is_full: bool,
    ) -> None:
        """Second pass: hold an answer against the measure, and keep it whatever its own work: the whole has enough."""
        if measure.ends[measure.position] not in checked.hashes:
            raise Offence(GRAVE, "another chain than was measured")
        parent = measure.at
        self._tree.add(parent, raw, checked, measure.worth)
        measure.at = state.best = _end_of(parent, raw, checked)
        measure.position += 1
        if measure.position == len(measure.ends):
            state.measure = None
        if is_full:
            self._ask_on(peer, state, state.best)
        else:
            state.measure = None

    def _find_refused(self, parent: KnownHeader, checked: CheckedHeaders) -> KnownHeader | None:
        """The first of some headers that is known to be of a block that this node refused; what is in the store comes first."""
        if parent.invalid_code:
            return parent
        for block_hash in checked.hashes:
            known = self._host.header(block_hash)
            if known is None or known.invalid_code:
                return known
        return None

    def _is_far_ahead(self, raw: bytes) -> bool:
        """Whether a chain has times to which it can't have come honestly; this clock may be the wrong one, so nobody is blamed."""
        return Header.decode(raw[-HEADER_BYTES:]).time > self._host.clock.now() + AHEAD_SECONDS_MAX

    def _is_enough(self, end: KnownHeader, checked: CheckedHeaders) -> bool:
        """Whether headers are to be kept: their chain has the work, or holds a higher justified checkpoint than the active one."""
        if end.work >= self.required_work:
            return True
        parent = self._tree.rank_of(end.header.previous)
        return max(parent, self._certified_in(checked)) > self._host.landmarks().active_justified

    def _certified_in(self, checked: CheckedHeaders) -> Height:
        """The highest checkpoint among some headers that is known to be justified."""
        heights = self._tree.certified.heights
        if not heights:
            return Height(0)
        return max((heights.get(block_hash, Height(0)) for block_hash in checked.hashes), default=Height(0))

    def _leaves_final(self, raw: bytes) -> bool:
        """Whether headers are of a branch without the last final checkpoint (spec FIN-9); who sends them may not know of it."""
        final = self._host.landmarks().final
        if final is None:
            return False
        parent = self._tree.find(_parent_of(raw))
        if parent is None:
            return False
        if parent.height < final.height:
            place = final.height - parent.height - 1
            if place < header_count(raw):
                return Header.decode(raw[place * HEADER_BYTES : (place + 1) * HEADER_BYTES]).hash != final.hash
            return False
        return parent.hash not in self._tree and self._host.leaves_final(parent)

    def _check(self, parent: KnownHeader, raw: bytes) -> CheckedHeaders:
        """Check headers by POW-5. Raises `Offence`."""
        try:
            return check_headers(self._host.params.difficulty_eras, parent.difficulty, parent.hash, raw)
        except (Malformed, HeaderViolation) as fault:
            raise Offence(GRAVE, str(fault)) from fault

    def _keep(
        self, peer: Connection, state: PeerHeaders, parent: KnownHeader, raw: bytes, checked: CheckedHeaders
    ) -> KnownHeader:
        """Keep headers if their chain has enough work; the last of them, or the parent where this node refuses what follows it."""
        end = _end_of(parent, raw, checked)
        refused = self._find_refused(parent, checked)
        if refused is not None:
            count = end.height - refused.height + 1
            self._host.other_law.note(refused.height, refused.invalid_code, end.work, count)
            return parent
        if self._is_enough(end, checked):
            self._tree.make_room(self._certified_in(checked), end.work)
            if self._tree.room >= header_count(raw):
                self._tree.add(parent, raw, checked)
                state.best = end
        elif self._host.header(end.hash) is not None:
            state.best = end
        return end


def _parent_of(raw: bytes) -> BlockHash:
    return Header.decode(raw[:HEADER_BYTES]).previous


def _end_of(parent: KnownHeader, raw: bytes, checked: CheckedHeaders) -> KnownHeader:
    """The last of some checked headers."""
    header = Header.decode(raw[-HEADER_BYTES:])
    return KnownHeader(checked.hashes[-1], header, checked.state_after(-1), Work(parent.work + sum(checked.works)), "")
