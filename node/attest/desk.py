"""The votes of one node between peers, attestors and the chain: judged before they are kept (spec NET-20, NET-21, ATT-4).

What is known of finality is the chain's to keep (`node.finality`); here it is decided what comes so far, and what is told to whom.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import structlog

from ledger.domains.finality.state import FINALITY_KEY, Finality, liar_key
from ledger.errors import Code, Violation
from ledger.finality.certificates import Certificate
from ledger.finality.votes import Checkpoint, Evidence, SignedVote, Vote, verify_evidence, verify_vote
from ledger.types import BlockHash, Height, PublicKey, RecordKey
from node.attest.ahead import CertifiedAhead
from node.attest.attestor import DEPTH_BLOCKS, Sight
from node.chain import Chain
from node.clock import Clock
from node.finality.book import BAD_VOTE_SIGNATURE, OTHER_CHAIN, STRANGER, TOO_MANY, Change, Taken
from node.stall import STALL_BLOCK_TIMES
from node.tip import TipChanged

log = structlog.get_logger()

GROUND: Final = Height(0)
NEWS_MAX: Final = 20_000
"""What is new and waits to be told to peers; what is more they ask for, or learn from blocks."""
AHEAD_INTERVALS: Final = 2
"""How far above the tip a target may lie: others may be ahead of this node, but not by hours."""
PAST_INTERVALS: Final = 2
"""How far below the last final checkpoint: others may not know yet that it is final."""

BAD_EVIDENCE = Code(
    "finality.bad_evidence",
    "these two votes of the key {key} prove nothing",
    "Evidence is two votes of this chain that conflict, both signed well.",
)
NOT_COUNTED = Code(
    "finality.not_counted",
    "the vote for height {height} is not taken: {reason}",
    "`fansumer attest status` says what is to be voted for.",
)

Said = SignedVote | Certificate | Evidence


class Verdict(Enum):
    """What became of something that was said."""

    NEW = auto()
    KNOWN = auto()
    PAST = auto()
    """It is about what is final long since."""
    LATER = auto()
    """This node knows too little yet: nothing is kept, and it may come again."""
    FOREIGN = auto()
    """It is signed well, by somebody whose word does not count here."""


REASONS: Final = {
    Verdict.PAST: "that is final long since",
    Verdict.LATER: "this node does not know the set, or is far below that height",
    Verdict.FOREIGN: "the key is no attestor's for this link",
}


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What is known of finality, from wherever (spec FIN-9).

    `final`: the last final checkpoint, or the one that the operator trusts; None on a chain without attestors. `justified`: it and
    those above it, on whatever branch. `active_justified`: the highest of them on the active chain.
    """

    final: Checkpoint | None = None
    justified: Mapping[BlockHash, Height] = field(default_factory=dict)
    active_justified: Height = GROUND


class VoteDesk:
    """All about votes for one node on a chain with attestors. Thread-safe: the node's lock is held within."""

    def __init__(self, chain: Chain, lock: threading.RLock, clock: Clock) -> None:
        assert chain.finality.is_active, "a desk is for a chain with attestors"
        self._chain, self._lock, self._clock = chain, lock, clock
        self._ahead = CertifiedAhead()
        self._news: deque[Said] = deque(maxlen=NEWS_MAX)
        self._listeners: list[Callable[[], None]] = []
        self._evidence_told = 0
        with lock:
            self._note()
            chain.subscribe(self._follow)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` when there is something to tell to peers."""
        self._listeners.append(listener)

    # --- votes ---

    def take_vote(self, signed: SignedVote) -> Verdict:
        """Judge a vote and keep it. Raises `LedgerError` with what is wrong with it whatever chain one follows."""
        with self._lock:
            place = self._judge_place(signed.vote)
            if place is Verdict.LATER:
                return place
            if place is Verdict.PAST:
                _check_signature(signed)
                return place
            try:
                taken, change = self._chain.take_vote(signed)
            except Violation as fault:
                if fault.code is TOO_MANY:
                    return Verdict.KNOWN  # only a liar has so many
                if fault.code is STRANGER:
                    return self._judge_stranger(signed)
                raise
            self._spread(change)
            if taken is Taken.KNOWN:
                return Verdict.KNOWN
            if not change.evidence:
                self._tell(signed)
            return Verdict.NEW

    def _judge_place(self, vote: Vote) -> Verdict | None:
        vote.check()
        interval = self._chain.params.checkpoint_interval_blocks
        if (
            vote.chain_id == self._chain.chain_id
            and vote.target.height > self._chain.tip.height + AHEAD_INTERVALS * interval
        ):
            return Verdict.LATER
        if vote.target.height < self.final_height - PAST_INTERVALS * interval:
            if vote.chain_id != self._chain.chain_id:
                raise Violation(OTHER_CHAIN)
            return Verdict.PAST
        return None

    def _judge_stranger(self, signed: SignedVote) -> Verdict:
        if signed.vote.set_number > self._record().number:
            return Verdict.LATER
        _check_signature(signed)
        return Verdict.FOREIGN

    def submit(self, signed: SignedVote) -> Verdict:
        """A vote from an attestor itself. Raises also where it does not count here: `finality.not_counted`."""
        verdict = self.take_vote(signed)
        if verdict in REASONS:
            raise Violation(NOT_COUNTED, height=signed.vote.target.height, reason=REASONS[verdict])
        return verdict

    # --- certificates ---

    def take_certificate(self, certificate: Certificate) -> Verdict:
        """Judge a certificate, and follow what it says; it is checked in full before anything of it is kept.

        Raises `LedgerError` with what is wrong with it. One whose source or set is not known here comes again.
        """
        vote = certificate.vote
        with self._lock:
            book = self._chain.finality.book
            book.check_form(vote)
            if vote.target.height <= book.final.height or book.certificate(vote.source, vote.target) is not None:
                return Verdict.KNOWN
            if not self._ahead.admits(certificate, book):
                return Verdict.LATER
            try:
                _, change = self._chain.take_certificate(certificate)
            except Violation as fault:
                if fault.code is TOO_MANY:
                    return Verdict.LATER  # the blocks of those before it are on their way
                raise
            is_new = self._ahead.add(vote, book) or bool(change.certificates)
            self._spread(change)
            self._note()
            if is_new and not change.certificates:
                self._tell(certificate)
            return Verdict.NEW if is_new else Verdict.KNOWN

    @property
    def certified_height(self) -> Height:
        """Up to which height certificates need not be asked for: of the last final checkpoint, or of what is certified above it."""
        with self._lock:
            return max((self.final_height, *self._ahead.heights().values()))

    # --- evidence ---

    def take_evidence(self, evidence: Evidence) -> Verdict:
        """Judge proof that an attestor lied, and keep it until it is in a block. Raises `finality.bad_evidence`."""
        with self._lock:
            known = self._chain.finality.evidence
            if any(found.key == evidence.key for found in known) or self._find(liar_key(evidence.key)) is not None:
                return Verdict.KNOWN
            if evidence.first.chain_id != self._chain.chain_id or not verify_evidence(evidence):
                raise Violation(BAD_EVIDENCE, key=evidence.key)
            record = self._record()
            waiting = (*record.scheduled, *record.replacement)
            members = (*record.members, *record.former, *(member for one in waiting for member in one.members))
            if all(member.key != evidence.key for member in members):
                is_later = max(evidence.first.set_number, evidence.second.set_number) > record.number
                return Verdict.LATER if is_later else Verdict.FOREIGN
            known.append(evidence)
            log.warning("finality.attestor_lied", key=evidence.key.hex())
            self._spread(Change())
            return Verdict.NEW

    # --- telling ---

    def _spread(self, change: Change) -> None:
        """Tell what followed from something."""
        for certificate in change.certificates:
            self._tell(certificate)
        evidence = self._chain.finality.evidence
        for found in evidence[self._evidence_told :]:
            self._tell(found)
        self._evidence_told = len(evidence)
        if change.justified or change.final:
            self._note()

    def _tell(self, said: Said) -> None:
        self._news.append(said)
        for listener in self._listeners:
            listener()

    def news(self) -> Iterable[Said]:
        """What is new since this was asked last."""
        while self._news:
            yield self._news.popleft()

    def certificates_above(self, height: Height, count_max: int) -> list[Certificate]:
        """Certificates of what is justified above a height, ascending by target."""
        with self._lock:
            return self._chain.finality.certificates_from(Height(height + 1), count_max)

    def standing(self) -> list[Said]:
        """Votes above the last final checkpoint, and evidence that is in no block yet."""
        with self._lock:
            lies = [found for found in self._chain.finality.evidence if self._find(liar_key(found.key)) is None]
            return [*self._chain.finality.book.votes(), *lies]

    # --- following the chain ---

    def _follow(self, _: TipChanged) -> None:
        self._note()
        self._spread(Change())

    def _note(self) -> None:
        keeper = self._chain.finality
        final = keeper.anchor
        justified = {found.hash: found.height for found in keeper.book.all_justified() if found.height >= final.height}
        self._ahead.forget(keeper.book)
        self._landmarks = Landmarks(final, {**self._ahead.heights(), **justified}, self._source().height)

    def landmarks(self) -> Landmarks:
        """What is final and justified, on whatever branch."""
        return self._landmarks

    def leaves_final(self, block: Checkpoint) -> bool:
        """Whether a block that is here is of a branch without the last final checkpoint."""
        with self._lock:
            return self._chain.finality.is_ancestor(self._chain.finality.anchor, block) is False

    def _find(self, key: RecordKey) -> object:
        stored = self._chain.state.stored(key)
        return None if stored is None else stored.record

    def _record(self) -> Finality:
        record = self._find(FINALITY_KEY)
        assert isinstance(record, Finality), "a chain with attestors has a record of them"
        return record

    @property
    def final_height(self) -> Height:
        """The height of the last final checkpoint that is known."""
        return self._chain.finality.book.final.height

    # --- for attestors ---

    def votes_of(self, key: PublicKey) -> tuple[SignedVote, ...]:
        """Votes of one key that this node knows: those above the last final checkpoint, and those that prove that it lied."""
        with self._lock:
            lies = (signed for found in self._chain.finality.evidence if found.key == key for signed in found.votes)
            return tuple(dict.fromkeys((*self._chain.finality.book.votes_of(key), *lies)))

    def sight(self, key: PublicKey) -> Sight:
        """What an attestor with this key is to see (spec ATT-4)."""
        with self._lock:
            chain, params = self._chain, self._chain.params
            interval, tip = params.checkpoint_interval_blocks, chain.tip
            height = Height(max(tip.height - DEPTH_BLOCKS, 0) // interval * interval)
            source, target = self._source(), Checkpoint(height, chain.header_at(height).hash)
            in_force = self._record().set_at(height)
            number = self._record().number if in_force is None else in_force.number
            voters = chain.finality.book.voters_of(Vote(chain.chain_id, number, source, target))
            age_s = self._clock.now() - tip.header.time
            return Sight(
                chain_id=chain.chain_id,
                interval=interval,
                tip=tip.height,
                is_fresh=age_s <= STALL_BLOCK_TIMES * params.era_at(tip.height).block_time_s,
                source=source,
                target=target,
                set_number=number,
                is_member=in_force is not None and key in voters,
                own_votes=self.votes_of(key),
            )

    def _source(self) -> Checkpoint:
        """The highest justified checkpoint of the active chain."""
        chain = self._chain
        for found in chain.finality.book.all_justified():
            if found.height <= chain.tip.height and chain.blocks.active_hash(found.height) == found.hash:
                return found.checkpoint
        return Checkpoint(Height(0), BlockHash(chain.chain_id))


def _check_signature(signed: SignedVote) -> None:
    if not verify_vote(signed):
        raise Violation(BAD_VOTE_SIGNATURE, key=signed.key)


def open_desk(chain: Chain, lock: threading.RLock, clock: Clock) -> VoteDesk | None:
    """The desk of a node; None on a chain without attestors."""
    return VoteDesk(chain, lock, clock) if chain.finality.is_active else None
