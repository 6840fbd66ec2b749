"""Transactions from node to node: told by wtxid, fetched from one peer at a time, checked in full before others hear (NET-10)."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ledger.errors import LedgerError, Malformed
from ledger.hashing import WTX
from ledger.transaction import BAD_SIGNATURE, Transaction
from ledger.types import TxId, WtxId
from node.p2p.connection import Connection, Remembered
from node.p2p.effects import Effects
from node.p2p.host import Host, TipNews
from node.p2p.messages import (
    INVENTORY_MAX,
    TRANSACTIONS,
    TRANSACTIONS_BYTES_MAX,
    TRANSACTIONS_PER_REQUEST,
    GetTransactions,
    Inventory,
    Missing,
    Transactions,
)
from node.p2p.scores import GRAVE, UNASKED, Offence

TELL_SECONDS = 2.0
"""Mean time between two inventories to one peer: nobody can tell from the time who told first."""
ANSWER_SECONDS = 15
ASKED_MAX = 128
WANTED_MAX = 5_000
"""Transactions of one peer that it told of and that were not fetched."""
TELLERS_MAX = 8
"""Peers of which it is remembered that they have a wanted transaction."""
CONFIRMED_REMEMBERED = 100_000
REFUSED_REMEMBERED = 50_000
UNSENT_TELLINGS_MAX = 20_000
HELD_MAX, HELD_BYTES_MAX = 1_000, 8_388_608
HELD_TRIES_MAX = 3
"""A transaction may come before another that it lives off: what is refused is tried again when something else came."""
NOT_TRANSACTIONS = (BAD_SIGNATURE,)
"""What is wrong on any tip: who passes such a thing on did not check it."""


@dataclass(slots=True)
class PeerRelay:
    """What is to be told to a peer, what it offered and was not asked for, and what was asked of it."""

    to_tell: dict[WtxId, None] = field(default_factory=dict)
    tell_at: float = 0.0
    offered: dict[WtxId, None] = field(default_factory=dict)
    asked: dict[WtxId, float] = field(default_factory=dict)


@dataclass(slots=True)
class Wanted:
    """A transaction that is not here: who has it, and who was asked."""

    tellers: deque[Connection]
    asked: Connection | None = None


@dataclass(slots=True)
class Held:
    """A transaction that was refused on this tip, and how often."""

    raw: bytes
    tries: int


class TransactionRelay:
    """Tells, asks, takes in and serves."""

    def __init__(self, host: Host, effects: Effects, is_syncing: Callable[[], bool]) -> None:
        self._host = host
        self._effects = effects
        self._is_syncing = is_syncing
        self._peers: dict[Connection, PeerRelay] = {}
        self._wanted: dict[WtxId, Wanted] = {}
        self._waiting: dict[WtxId, TxId] = {}
        self._confirmed: Remembered[WtxId] = Remembered(CONFIRMED_REMEMBERED)
        self._refused: Remembered[WtxId] = Remembered(REFUSED_REMEMBERED)
        self._held: dict[WtxId, Held] = {}
        self._held_bytes = 0
        self._is_time_to_retry = False
        self._read_pool()

    @property
    def wanted(self) -> int:
        """How many transactions others told of that are not here."""
        return len(self._wanted)

    def add(self, peer: Connection) -> None:
        """A peer is ready: it is told of all that waits here."""
        state = self._peers[peer] = PeerRelay(tell_at=self._next_time())
        for transaction in self._host.waiting_transactions():
            self._plan_telling(peer, state, transaction.wtxid)

    def remove(self, peer: Connection) -> None:
        """A peer is gone: what was asked of it is asked of others."""
        state = self._peers.pop(peer, None)
        if state is None:
            return
        for wtxid in state.offered:
            self._wanted[wtxid].tellers.remove(peer)
        for wtxid in (*state.offered, *state.asked):
            wanted = self._wanted.get(wtxid)
            if wanted is not None and wanted.asked is peer:
                wanted.asked = None
            if wanted is not None and wanted.asked is None and not wanted.tellers:
                del self._wanted[wtxid]

    def _next_time(self) -> float:
        return self._effects.stopwatch.seconds() + self._effects.rng.expovariate(1 / TELL_SECONDS)

    def _plan_telling(self, peer: Connection, state: PeerRelay, wtxid: WtxId) -> None:
        if wtxid not in peer.known_transactions and len(state.to_tell) < UNSENT_TELLINGS_MAX:
            state.to_tell[wtxid] = None

    # --- the node's own news ---

    def note_arrivals(self, transactions: Iterable[Transaction]) -> None:
        """The pool took these in, from whomever: others are to be told."""
        for transaction in transactions:
            self._waiting[transaction.wtxid] = transaction.txid
            self._forget_wanted(transaction.wtxid)
            self._is_time_to_retry = True
            for peer, state in self._peers.items():
                self._plan_telling(peer, state, transaction.wtxid)

    def note_tip(self, news: TipNews) -> None:
        """A new tip: what was refused may be good now, and what is confirmed is not asked for."""
        self._refused.clear()
        self._is_time_to_retry = True
        for wtxid in news.taken_back:
            self._confirmed.discard(wtxid)
        for wtxid in news.confirmed:
            self._confirmed.add(wtxid)
            self._forget_wanted(wtxid)
        self._read_pool()
        for wtxid in news.taken_back:
            if wtxid in self._waiting:  # it waits again, and perhaps only here
                for peer, state in self._peers.items():
                    self._plan_telling(peer, state, wtxid)

    def _read_pool(self) -> None:
        self._waiting = {transaction.wtxid: transaction.txid for transaction in self._host.waiting_transactions()}

    def _forget_wanted(self, wtxid: WtxId) -> None:
        wanted = self._wanted.pop(wtxid, None)
        for peer in () if wanted is None else wanted.tellers:
            del self._peers[peer].offered[wtxid]
        if wanted is not None and wanted.asked is not None:
            state = self._peers.get(wanted.asked)
            if state is not None:
                state.asked.pop(wtxid, None)

    # --- hearing ---

    def receive_inventory(self, peer: Connection, message: Inventory) -> None:
        """A peer has these."""
        peer.known_transactions.update(message.wtxids)
        offered = self._peers[peer].offered
        for wtxid in message.wtxids:
            if wtxid in self._waiting or wtxid in self._confirmed or wtxid in self._refused:
                continue
            wanted = self._wanted.get(wtxid)
            if wanted is None:
                if len(offered) >= WANTED_MAX:
                    break
                self._wanted[wtxid] = Wanted(deque([peer]))
                offered[wtxid] = None
            elif peer is not wanted.asked and wtxid not in offered and len(wanted.tellers) < TELLERS_MAX:
                wanted.tellers.append(peer)
                offered[wtxid] = None
        self._request(message.wtxids)

    def receive_transactions(self, peer: Connection, message: Transactions) -> None:
        """Transactions came. Raises `Offence`."""
        state = self._peers[peer]
        wtxids = [WtxId(WTX(raw)) for raw in message.transactions]
        unasked = [wtxid for wtxid in wtxids if wtxid not in state.asked and wtxid not in peer.known_transactions]
        if unasked:
            raise Offence(UNASKED, "a transaction that nobody asked for")
        for wtxid in wtxids:
            self._forget_wanted(wtxid)
        results = self._host.submit(message.transactions)
        for wtxid, raw, result in zip(wtxids, message.transactions, results, strict=True):
            if isinstance(result, LedgerError):
                self._refused.add(wtxid)
                if not _is_nonsense(result):
                    self._hold(wtxid, Held(raw, 1))
        for result in results:
            if isinstance(result, LedgerError) and _is_nonsense(result):
                raise Offence(GRAVE, str(result))

    def _hold(self, wtxid: WtxId, held: Held) -> None:
        """Keep a refused transaction for another try, within limits."""
        if wtxid in self._held or held.tries >= HELD_TRIES_MAX:
            return
        self._held[wtxid] = held
        self._held_bytes += len(held.raw)
        while len(self._held) > HELD_MAX or self._held_bytes > HELD_BYTES_MAX:
            self._held_bytes -= len(self._held.pop(next(iter(self._held))).raw)

    def _retry_held(self) -> None:
        """Something new is here: perhaps what was refused lives off it."""
        held, self._held, self._held_bytes = self._held, {}, 0
        self._is_time_to_retry = False
        results = self._host.submit([one.raw for one in held.values()])
        for (wtxid, one), result in zip(held.items(), results, strict=True):
            if isinstance(result, LedgerError) and wtxid not in self._confirmed:
                self._hold(wtxid, Held(one.raw, one.tries + 1))

    def receive_missing(self, peer: Connection, ids: Sequence[WtxId]) -> None:
        """A peer does not have them any more."""
        state = self._peers[peer]
        for wtxid in ids:
            if state.asked.pop(wtxid, None) is not None:
                self._ask_another(wtxid)
        self._request((*ids, *islice(state.offered, ASKED_MAX)))

    def serve(self, peer: Connection, message: GetTransactions) -> None:
        """Send what was asked for and waits here."""
        part: list[bytes] = []
        size = 0
        missing: list[bytes] = []
        for wtxid in message.wtxids:
            transaction = self._find(wtxid)
            if transaction is None:
                missing.append(wtxid)
                continue
            if part and size + len(transaction.raw) > TRANSACTIONS_BYTES_MAX:
                peer.send(Transactions(tuple(part)))
                part, size = [], 0
            part.append(transaction.raw)
            size += len(transaction.raw)
            peer.known_transactions.add(wtxid)
        if part:
            peer.send(Transactions(tuple(part)))
        if missing:
            peer.send(Missing(TRANSACTIONS, tuple(missing)))

    def _find(self, wtxid: WtxId) -> Transaction | None:
        txid = self._waiting.get(wtxid)
        found = None if txid is None else self._host.waiting_transaction(txid)
        return found if found is not None and found.wtxid == wtxid else None

    # --- asking and telling ---

    def _ask_another(self, wtxid: WtxId) -> None:
        wanted = self._wanted.get(wtxid)
        if wanted is None:
            return
        wanted.asked = None
        if not wanted.tellers:
            del self._wanted[wtxid]

    def _request(self, wtxids: Iterable[WtxId]) -> None:
        """Ask for those of these that are wanted, each of one peer. Not while blocks are missing."""
        if self._is_syncing():
            return
        now = self._effects.stopwatch.seconds()
        asking: dict[Connection, list[WtxId]] = {}
        for wtxid in wtxids:
            wanted = self._wanted.get(wtxid)
            peer = None if wanted is None or wanted.asked is not None else self._next_teller(wtxid, wanted)
            if wanted is None or peer is None:
                continue
            wanted.asked = peer
            self._peers[peer].asked[wtxid] = now
            asking.setdefault(peer, []).append(wtxid)
        for peer, asked in asking.items():
            for start in range(0, len(asked), TRANSACTIONS_PER_REQUEST):
                peer.send(GetTransactions(tuple(asked[start : start + TRANSACTIONS_PER_REQUEST])))

    def _next_teller(self, wtxid: WtxId, wanted: Wanted) -> Connection | None:
        for _ in range(len(wanted.tellers)):
            state = self._peers[wanted.tellers[0]]
            if len(state.asked) < ASKED_MAX:
                del state.offered[wtxid]
                return wanted.tellers.popleft()
            wanted.tellers.rotate(-1)
        return None

    def tick(self) -> None:
        """Pass over who did not answer, and tell peers what is new when their time has come."""
        now = self._effects.stopwatch.seconds()
        for state in self._peers.values():
            for wtxid in [wtxid for wtxid, since in state.asked.items() if now - since > ANSWER_SECONDS]:
                del state.asked[wtxid]
                self._ask_another(wtxid)
        for state in tuple(self._peers.values()):
            self._request(tuple(islice(state.offered, ASKED_MAX)))
        if self._is_syncing():
            return
        if self._is_time_to_retry and self._held:
            self._retry_held()
        for peer, state in self._peers.items():
            if state.to_tell and now >= state.tell_at and not peer.is_blocked:
                self._tell(peer, state)
                state.tell_at = self._next_time()

    def _tell(self, peer: Connection, state: PeerRelay) -> None:
        wtxids = [wtxid for wtxid in state.to_tell if wtxid in self._waiting and wtxid not in peer.known_transactions]
        state.to_tell = dict.fromkeys(wtxids[INVENTORY_MAX:])
        told: Sequence[WtxId] = wtxids[:INVENTORY_MAX]
        if told:
            peer.known_transactions.update(told)
            peer.send(Inventory(tuple(told)))


def _is_nonsense(fault: LedgerError) -> bool:
    """Whether it is a fault on any tip."""
    return isinstance(fault, Malformed) or fault.code in NOT_TRANSACTIONS
