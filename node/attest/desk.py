"""The votes of one node: from peers, over HTTP and out of blocks, to peers, to attestors and into blocks (spec NET-15)."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from ledger.domains.finality.attest import Attest
from ledger.domains.finality.evidence import GiveEvidence
from ledger.domains.finality.state import FINALITY_KEY, Finality, liar_key
from ledger.errors import Code, LedgerError, Violation
from ledger.finality.attestors import AttestorSet, voters
from ledger.finality.certificates import Certificate
from ledger.finality.votes import Checkpoint, Evidence, SignedVote, Vote
from ledger.transaction import Transaction
from ledger.types import BlockHash, Height, PublicKey, RecordKey
from node.attest.attestor import DEPTH_BLOCKS, Sight
from node.attest.pool import Verdict, VotePool
from node.attest.posting import Poster
from node.chain import Chain
from node.clock import Clock
from node.mempool.pool import Mempool
from node.stall import STALL_BLOCK_TIMES
from node.tip import ConnectedBlock, TipChanged

log = structlog.get_logger()

NEWS_MAX = 20_000
"""What is new and waits to be told to peers; what is more they ask for, or learn from blocks."""

Said = SignedVote | Certificate | Evidence

NOT_COUNTED = Code(
    "finality.not_counted",
    "the vote for height {height} is not taken: {reason}",
    "Look at `GET /v1/finality/attestors/{{key}}`: it says what to vote for.",
)
REASONS = {
    Verdict.PAST: "that is final long since",
    Verdict.LATER: "this node does not know the set, or is far below that height",
    Verdict.FOREIGN: "the key is no attestor's for this link",
}


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What is known of finality, from wherever (spec FIN-9).

    `final`: the last final checkpoint; None on a chain without attestors. `justified`: it and those above it, on whatever branch.
    `active_justified`: the highest of them on the active chain.
    """

    final: Checkpoint | None = None
    justified: Mapping[BlockHash, Height] = field(default_factory=dict)
    active_justified: Height = Height(0)


class VoteDesk:
    """All about votes for one node on a chain with attestors. Thread-safe: the node's lock is held within."""

    def __init__(
        self, chain: Chain, lock: threading.RLock, clock: Clock, random_bytes: Callable[[int], bytes]
    ) -> None:
        assert chain.book is not None, "a desk is for a chain with attestors"
        self._chain, self._lock, self._clock = chain, lock, clock
        self._book = chain.book
        self._pool = VotePool(chain.chain_id, chain.params.checkpoint_interval_blocks, self._book.sets_of)
        self._poster = Poster(chain.params, chain.chain_id, random_bytes)
        self._news: deque[Said] = deque(maxlen=NEWS_MAX)
        self._listeners: list[Callable[[], None]] = []
        with lock:
            self._note()
            chain.subscribe(self._follow)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` when there is something to tell to peers."""
        self._listeners.append(listener)

    # --- taking in ---

    def take_vote(self, signed: SignedVote) -> Verdict:
        """Judge a vote and keep it. Raises what it is refused for whatever chain one follows."""
        with self._lock:
            verdict, follows = self._pool.take_vote(signed)
            if isinstance(follows, Evidence):
                self._tell(follows if verdict is Verdict.NEW else None)
                return verdict
            if verdict is Verdict.NEW:
                self._tell(signed)
            if follows is not None:
                self.take_certificate(follows)
            return verdict

    def submit(self, signed: SignedVote) -> Verdict:
        """A vote from an attestor itself. Raises also where it does not count here: `finality.not_counted`."""
        verdict = self.take_vote(signed)
        if verdict in REASONS:
            raise Violation(NOT_COUNTED, height=signed.vote.target.height, reason=REASONS[verdict])
        return verdict

    def take_certificate(self, certificate: Certificate) -> Verdict:
        """Judge a certificate, and follow what it says. Raises what it is refused for."""
        with self._lock:
            verdict = self._chain.take_certificate(certificate)
            if verdict is Verdict.NEW:
                self._note()
                self._tell(certificate)
            return verdict

    def take_evidence(self, evidence: Evidence) -> Verdict:
        """Judge proof that an attestor lied, and keep it until it is in a block. Raises what it is refused for."""
        with self._lock:
            if self._find(liar_key(evidence.key)) is not None:
                return Verdict.KNOWN
            verdict = self._pool.take_evidence(evidence)
            if verdict is Verdict.NEW:
                log.warning("finality.attestor_lied", key=evidence.key.hex())
                self._tell(evidence)
            return verdict

    def _tell(self, said: Said | None) -> None:
        if said is not None:
            self._news.append(said)
            for listener in self._listeners:
                listener()

    # --- following the chain ---

    def _follow(self, changed: TipChanged) -> None:
        self._note()
        for block in changed.connected:
            self._read(block)
        for certificate in self._pool.certify_again():
            self.take_certificate(certificate)

    def _note(self) -> None:
        self._pool.note(final=self._book.final.height, tip=self._chain.tip.height)
        self._landmarks = Landmarks(self._book.final, self._book.justified(), self._source().height)

    def _read(self, block: ConnectedBlock) -> None:
        """Votes and evidence that stand in a block: an attestor learns what it said before, and late nodes what was said."""
        for transaction in block.transactions:
            payload = transaction.payload
            if isinstance(payload, Attest):
                vote = payload.vote(self._chain.chain_id)
                for key, signature in payload.votes:
                    self._take_known(SignedVote(vote, key, signature))
            elif isinstance(payload, GiveEvidence):
                self._pool.settle(payload.key)

    def _take_known(self, signed: SignedVote) -> None:
        try:
            self.take_vote(signed)
        except LedgerError as fault:
            log.warning("finality.vote_unread", reason=str(fault))

    # --- reading ---

    def _find(self, key: RecordKey) -> object:
        stored = self._chain.state.stored(key)
        return None if stored is None else stored.record

    @property
    def final_height(self) -> Height:
        """The height of the last final checkpoint that is known."""
        return self._book.final.height

    def certificates_above(self, height: Height, count_max: int) -> list[Certificate]:
        """Certificates of what is justified above a height, ascending by target."""
        with self._lock:
            return self._book.certificates_above(height, count_max)

    def standing(self) -> list[Said]:
        """Votes above the last final checkpoint, and evidence that is in no block yet."""
        with self._lock:
            return [*self._pool.votes(), *self._pool.evidence()]

    def news(self) -> Iterable[Said]:
        """What is new since this was asked last."""
        while self._news:
            yield self._news.popleft()

    def landmarks(self) -> Landmarks:
        """What is final and justified, on whatever branch."""
        return self._landmarks

    def votes_of(self, key: PublicKey) -> tuple[SignedVote, ...]:
        """Votes of one key that this node knows and that are not final."""
        with self._lock:
            return self._pool.votes_of(key)

    def transactions(self) -> list[Transaction]:
        """What the next block is to hold of votes and evidence. In the writer's thread."""
        height = Height(self._chain.tip.height + 1)
        return self._poster.post(
            self._find, height, self._pool.votes(), self._pool.evidence(), self._book.sets_of
        )

    # --- for attestors ---

    def sight(self, key: PublicKey) -> Sight:
        """What an attestor with this key is to see."""
        with self._lock:
            chain, params = self._chain, self._chain.params
            interval, tip = params.checkpoint_interval_blocks, chain.tip
            height = Height(max(tip.height - DEPTH_BLOCKS, 0) // interval * interval)
            source = self._source()
            target = Checkpoint(height, chain.header_at(height).hash)
            number, sets = self._sets_at(source, target)
            age_s = self._clock.now() - tip.header.time
            return Sight(
                chain_id=chain.chain_id,
                interval=interval,
                tip=tip.height,
                is_fresh=age_s <= STALL_BLOCK_TIMES * params.era_at(tip.height).block_time_s,
                source=source,
                target=target,
                set_number=number,
                is_member=key in voters(sets),
                own_votes=self._pool.votes_of(key),
            )

    def _source(self) -> Checkpoint:
        """The highest justified checkpoint of the active chain."""
        chain = self._chain
        found = max(
            (
                (height, block_hash)
                for block_hash, height in self._book.justified().items()
                if height <= chain.tip.height and chain.blocks.active_hash(height) == block_hash
            ),
            default=(Height(0), BlockHash(chain.chain_id)),
        )
        return Checkpoint(*found)

    def _sets_at(self, source: Checkpoint, target: Checkpoint) -> tuple[int, tuple[AttestorSet, ...]]:
        """The number of the set in force at a target, and the sets that a link to it needs; none where it is not known any more."""
        record = self._find(FINALITY_KEY)
        assert isinstance(record, Finality), "a chain with attestors has a record of them"
        at_target = record.set_at(target.height)
        if at_target is None:
            return record.number, ()
        vote = Vote(self._chain.chain_id, at_target.number, source, target)
        return at_target.number, self._book.sets_of(vote) or ()


def open_desk(
    chain: Chain, mempool: Mempool, lock: threading.RLock, clock: Clock, random_bytes: Callable[[int], bytes]
) -> VoteDesk | None:
    """The desk of a node, whose blocks take in what it hears; None on a chain without attestors."""
    if not chain.params.attestors:
        return None
    desk = VoteDesk(chain, lock, clock, random_bytes)
    mempool.votes = desk.transactions
    return desk
