"""Votes, certificates and evidence from node to node (spec NET-20, NET-21). A chain without attestors has none of it.

What a peer says is judged before anything of it is kept or told to others: whoever floods this with what others made up pays for it
with points, and takes no memory. What is kept is bounded by keys and checkpoints, not by peers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from ledger.errors import LedgerError
from ledger.finality.certificates import Certificate
from ledger.finality.votes import Evidence, SignedVote
from ledger.types import Height
from node.attest.desk import GROUND, Said, Verdict
from node.errors import NodeError
from node.p2p.connection import Connection, Remembered
from node.p2p.effects import Effects
from node.p2p.messages import (
    CERTIFICATES_PER_MESSAGE,
    EVIDENCE_PER_MESSAGE,
    VOTES_PER_MESSAGE,
    Certificates,
    GetCertificates,
    Lies,
    Votes,
)
from node.p2p.scores import GRAVE, LATE, TRIFLE, UNASKED, Offence

KNOWN_MAX: Final = 8_192
"""Votes, certificates and pieces of evidence of which it is remembered that a peer has them."""
UNTOLD_MAX: Final = 4_096
"""Of one kind, for one peer; what is more it asks for, or learns from the chain."""
ANSWER_SECONDS: Final = 30
ASK_AGAIN_SECONDS: Final = 30
"""After an answer of which something could not be judged yet."""

Item = TypeVar("Item", SignedVote, Certificate, Evidence)


POINTS: Final = {Verdict.FOREIGN: UNASKED, Verdict.PAST: TRIFLE}


class FinalityDesk(Protocol):
    """What the gossip asks of whoever keeps the votes of one node. All is thread-safe.

    `take_*` raise `LedgerError` where something is wrong by itself, whatever chain one follows: who passes it on did not check it.
    """

    @property
    def final_height(self) -> Height:
        """The height of the last final checkpoint that is known."""
        ...

    @property
    def certified_height(self) -> Height:
        """Up to which height certificates are known here, whether their blocks are or not."""
        ...

    def take_vote(self, signed: SignedVote) -> Verdict: ...

    def take_certificate(self, certificate: Certificate) -> Verdict: ...

    def take_evidence(self, evidence: Evidence) -> Verdict: ...

    def certificates_above(self, height: Height, count_max: int) -> list[Certificate]:
        """Certificates of what is justified above a height, ascending by target, each after that of its source."""
        ...

    def standing(self) -> list[Said]:
        """Votes above the last final checkpoint, and evidence that is in no block yet."""
        ...

    def news(self) -> Iterable[Said]:
        """What is new since this was asked last, from wherever it came."""
        ...


@dataclass(slots=True)
class PeerVotes:
    """What a peer has, what of that it said itself, what is to be told to it, and when it was asked for certificates."""

    known: Remembered[bytes] = field(default_factory=lambda: Remembered(KNOWN_MAX))
    heard: Remembered[bytes] = field(default_factory=lambda: Remembered(KNOWN_MAX))
    votes: dict[bytes, bytes] = field(default_factory=dict)
    certificates: dict[bytes, bytes] = field(default_factory=dict)
    evidence: dict[bytes, bytes] = field(default_factory=dict)
    asked_at: float | None = None
    asked_above: Height = GROUND
    is_behind: bool = False
    heard_at: float = 0.0


class VoteGossip:
    """Tells what is new, judges what comes, and asks for the certificates that this node lacks. `desk` None: no attestors here."""

    def __init__(self, desk: FinalityDesk | None, effects: Effects) -> None:
        self._desk, self._effects = desk, effects
        self._peers: dict[Connection, PeerVotes] = {}

    def add(self, peer: Connection) -> None:
        """A peer is ready: ask what is final, and tell what is open."""
        if self._desk is None:
            return
        state = self._peers[peer] = PeerVotes()
        self._ask(peer, state, self._desk.final_height)
        for said in self._desk.standing():
            _plan_telling(state, said)

    def remove(self, peer: Connection) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)

    def _ask(self, peer: Connection, state: PeerVotes, above: Height) -> None:
        state.asked_at, state.asked_above = self._effects.stopwatch.seconds(), above
        peer.send(GetCertificates(above))

    def _state(self, peer: Connection) -> tuple[FinalityDesk, PeerVotes]:
        """Raises `Offence` on a chain without attestors."""
        if self._desk is None:
            raise Offence(GRAVE, "votes on a chain without attestors")
        return self._desk, self._peers[peer]

    # --- hearing ---

    def receive_votes(self, peer: Connection, message: Votes) -> None:
        """Votes came. Raises `Offence`."""
        desk, state = self._state(peer)
        self._take(state, message.votes, SignedVote.decode, desk.take_vote)

    def receive_lies(self, peer: Connection, message: Lies) -> None:
        """Evidence came. Raises `Offence`."""
        desk, state = self._state(peer)
        self._take(state, message.evidence, Evidence.decode, desk.take_evidence)

    def receive_certificates(self, peer: Connection, message: Certificates) -> None:
        """Certificates came. Raises `Offence`."""
        desk, state = self._state(peer)
        if message.is_answer:
            if state.asked_at is None:
                raise Offence(UNASKED, "certificates that nobody asked for")
            state.asked_at = None
        elif not message.certificates:
            raise Offence(LATE, "no certificates")
        was_behind, state.is_behind = state.is_behind, False
        found = self._take(
            state, message.certificates, Certificate.decode, desk.take_certificate, is_answer=message.is_answer
        )
        is_judged, state.is_behind = not state.is_behind, state.is_behind or was_behind
        if not message.is_answer or len(found) < CERTIFICATES_PER_MESSAGE:
            return
        above = found[-1].vote.target.height
        if above <= state.asked_above:
            raise Offence(GRAVE, "certificates that do not ascend")
        if is_judged:  # else what follows builds on what this node can't judge yet
            self._ask(peer, state, above)

    def _take(
        self,
        state: PeerVotes,
        raws: Iterable[bytes],
        decode: Callable[[bytes], Item],
        take: Callable[[Item], Verdict],
        *,
        is_answer: bool = False,
    ) -> list[Item]:
        """Judge what a peer said. Raises `Offence`: at once where something is wrong, else at the end."""
        state.heard_at = self._effects.stopwatch.seconds()
        found: list[Item] = []
        complaint: Offence | None = None
        for raw in raws:
            try:
                said = decode(raw)
                name = _name(said)
                is_again = name in state.heard and not is_answer
                verdict = Verdict.KNOWN if is_again else take(said)
            except NodeError:
                raise  # its own store, no fault of a peer
            except LedgerError as fault:
                raise Offence(GRAVE, str(fault)) from fault
            found.append(said)
            if verdict is Verdict.LATER:
                state.is_behind = True
                continue
            state.known.add(name)
            state.heard.add(name)
            points = LATE if is_again else 0 if is_answer else POINTS.get(verdict, 0)
            if points and (complaint is None or points > complaint.points):
                complaint = Offence(
                    points, f"a {type(said).__name__} that is {'known' if is_again else verdict.name.lower()}"
                )
        if complaint is not None:
            raise complaint
        return found

    # --- telling ---

    def serve(self, peer: Connection, message: GetCertificates) -> None:
        """Send certificates of what is justified above a height. Raises `Offence`."""
        desk, state = self._state(peer)
        found = desk.certificates_above(message.above, CERTIFICATES_PER_MESSAGE)
        for certificate in found:
            state.known.add(_name(certificate))
        peer.send(Certificates(True, tuple(certificate.encode() for certificate in found)))

    def note_news(self) -> bool:
        """Plan to tell what is new here, from whomever; whether anything is."""
        if self._desk is None:
            return False
        news = list(self._desk.news())
        for said in news:
            for state in self._peers.values():
                _plan_telling(state, said)
        if news:
            self._tell()
        return bool(news)

    def _tell(self) -> None:
        for peer, state in self._peers.items():
            if peer.is_blocked:
                continue
            for part in _parts(state.certificates, CERTIFICATES_PER_MESSAGE):
                peer.send(Certificates(False, part))
            for part in _parts(state.votes, VOTES_PER_MESSAGE):
                peer.send(Votes(part))
            for part in _parts(state.evidence, EVIDENCE_PER_MESSAGE):
                peer.send(Lies(part))

    def tick(self) -> list[Connection]:
        """Tell what waits, ask again where this node knew too little; those that did not answer in time."""
        if self._desk is None:
            return []
        self._tell()
        now = self._effects.stopwatch.seconds()
        late: list[Connection] = []
        for peer, state in self._peers.items():
            if state.asked_at is not None and now - state.asked_at > ANSWER_SECONDS:
                state.asked_at, state.is_behind, state.heard_at = None, True, now
                late.append(peer)
            elif state.is_behind and state.asked_at is None and now - state.heard_at > ASK_AGAIN_SECONDS:
                state.is_behind = False
                self._ask(peer, state, self._desk.certified_height)
        return late


def _name(said: Said) -> bytes:
    """What something is remembered by: a link is certified once, whoever signed."""
    if isinstance(said, SignedVote):
        return bytes(said.signature)
    if isinstance(said, Certificate):
        return bytes(said.vote.signing_hash)
    return bytes(said.first_signature + said.second_signature)


def _plan_telling(state: PeerVotes, said: Said) -> None:
    name = _name(said)
    if name in state.known:
        return
    if isinstance(said, SignedVote):
        waiting = state.votes
    else:
        waiting = state.certificates if isinstance(said, Certificate) else state.evidence
    if len(waiting) < UNTOLD_MAX:
        waiting[name] = said.encode()
        state.known.add(name)


def _parts(waiting: dict[bytes, bytes], count_max: int) -> Iterable[tuple[bytes, ...]]:
    """All that waits, in parts of one message each; nothing waits afterwards."""
    raws = tuple(waiting.values())
    waiting.clear()
    return [raws[start : start + count_max] for start in range(0, len(raws), count_max)]
