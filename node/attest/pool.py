"""Votes that are not final yet, as a node hears them (spec NET-15): judged before they are kept, and bounded by keys and heights.

Of a key one vote for each target height is kept. A second one that conflicts makes evidence, and from then on nothing of that key is
kept beside it. Votes for one link that hold a quorum make a certificate.
"""

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

from ledger.errors import Code, Violation
from ledger.finality.attestors import AttestorSet, voters
from ledger.finality.certificates import Certificate, make_certificate
from ledger.finality.votes import Evidence, SignedVote, Vote, make_evidence, verify_evidence, verify_vote
from ledger.types import ChainId, Height, PublicKey

AHEAD_INTERVALS: Final = 2
"""How far above the tip a target may lie: others may be ahead of this node, but not by hours."""
PAST_INTERVALS: Final = 2
"""How far below the last final checkpoint: others may not know yet that it is final."""
HEIGHTS_MAX: Final = 256
"""Target heights for which one key's votes are kept: four days of checkpoints on a chain that finds no finality."""
LIARS_MAX: Final = 1_024

OTHER_CHAIN = Code(
    "finality.other_chain", "the vote is for the chain {found}, not for {expected}", "Send it to a node of its chain."
)
BAD_VOTE_SIGNATURE = Code(
    "finality.vote_signature", "the signature of the key {key} under the vote is wrong", "Sign the vote again."
)
BAD_EVIDENCE = Code(
    "finality.bad_evidence", "these two votes of the key {key} prove nothing", "Evidence is two votes that conflict, both signed well."
)


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


SetsOf = Callable[[Vote], tuple[AttestorSet, ...] | None]
"""The sets that a vote's link needs, the one at the target last; None where this node does not know them yet.

Where the source is not known to be justified, those that it would need if it were of the set at the target, or of the one before."""


class VotePool:
    """The votes, and what follows from them. Not thread-safe: its owner holds a lock."""

    def __init__(self, chain_id: ChainId, interval: int, sets_of: SetsOf) -> None:
        self._chain_id, self._interval, self._sets_of = chain_id, interval, sets_of
        self.final_height = Height(0)
        self.tip_height = Height(0)
        self._votes: dict[PublicKey, dict[Height, SignedVote]] = {}
        self._evidence: dict[PublicKey, Evidence] = {}
        self._certified: dict[Vote, None] = {}

    def __len__(self) -> int:
        return sum(len(votes) for votes in self._votes.values())

    # --- taking in ---

    def take_vote(self, signed: SignedVote) -> tuple[Verdict, Evidence | Certificate | None]:
        """Judge a vote and keep it; with what follows from it. Raises `finality.other_chain`, `.link` or `.vote_signature`."""
        vote = signed.vote
        vote.check()
        if vote.chain_id != self._chain_id:
            raise Violation(OTHER_CHAIN, found=vote.chain_id, expected=self._chain_id)
        kept = self._votes.get(signed.key, {}).get(vote.target.height)
        if kept == signed or signed.key in self._evidence:
            return Verdict.KNOWN, None
        verdict = self._judge_place(vote)
        sets = self._sets_of(vote)
        if verdict is None and sets is None:
            verdict = Verdict.LATER
        if verdict is None and signed.key not in voters(sets or ()):
            verdict = Verdict.FOREIGN
        if verdict is not Verdict.LATER and not verify_vote(signed):
            raise Violation(BAD_VOTE_SIGNATURE, key=signed.key)
        if verdict is not None:
            return verdict, None
        assert sets is not None, "where the sets are not known the verdict was given"
        return self._keep(signed, sets)

    def _judge_place(self, vote: Vote) -> Verdict | None:
        height = vote.target.height
        if height <= self.final_height:
            is_long_past = height < self.final_height - PAST_INTERVALS * self._interval
            return Verdict.PAST if is_long_past else Verdict.KNOWN
        if height > self.tip_height + AHEAD_INTERVALS * self._interval:
            return Verdict.LATER
        return None

    def _keep(
        self, signed: SignedVote, sets: tuple[AttestorSet, ...]
    ) -> tuple[Verdict, Evidence | Certificate | None]:
        own = self._votes.setdefault(signed.key, {})
        for other in own.values():
            evidence = make_evidence(other, signed)
            if evidence is not None:
                return self.take_evidence(evidence), evidence
        if signed.vote.target.height in own:
            return Verdict.KNOWN, None  # the same link with another set's number: it counts once
        own[signed.vote.target.height] = signed
        while len(own) > HEIGHTS_MAX:
            del own[min(own)]
        return Verdict.NEW, self._certify(signed.vote, sets)

    def _certify(self, vote: Vote, sets: tuple[AttestorSet, ...]) -> Certificate | None:
        if vote in self._certified:
            return None
        found = make_certificate(self.votes_for(vote), sets)
        if found is not None:
            self._certified[vote] = None
        return found

    def certify_again(self) -> Iterator[Certificate]:
        """Certificates of links whose sets are known only now."""
        for vote in list(dict.fromkeys(signed.vote for signed in self.votes())):
            sets = self._sets_of(vote)
            found = None if sets is None else self._certify(vote, sets)
            if found is not None:
                yield found

    def take_evidence(self, evidence: Evidence) -> Verdict:
        """Keep proof that a key lied. Raises `finality.bad_evidence`."""
        if evidence.key in self._evidence:
            return Verdict.KNOWN
        if evidence.first.chain_id != self._chain_id or not verify_evidence(evidence):
            raise Violation(BAD_EVIDENCE, key=evidence.key)
        sets = [self._sets_of(vote) for vote in (evidence.first, evidence.second)]
        if not any(evidence.key in voters(found) for found in sets if found is not None):
            return Verdict.LATER if None in sets else Verdict.FOREIGN
        if len(self._evidence) >= LIARS_MAX:
            return Verdict.LATER
        self._evidence[evidence.key] = evidence
        return Verdict.NEW

    def note(self, *, final: Height, tip: Height) -> None:
        """Take up what is final and how far the chain is; what is final is forgotten."""
        self.tip_height = tip
        if final <= self.final_height:
            return
        self.final_height = final
        for key, votes in list(self._votes.items()):
            left = {height: signed for height, signed in votes.items() if height > final}
            if left:
                self._votes[key] = left
            else:
                del self._votes[key]
        self._certified = {vote: None for vote in self._certified if vote.target.height > final}

    # --- reading ---

    def votes(self) -> Iterator[SignedVote]:
        """All that are kept, key by key."""
        for votes in self._votes.values():
            yield from votes.values()

    def votes_of(self, key: PublicKey) -> tuple[SignedVote, ...]:
        """Those of one key, and both that prove that it lied."""
        evidence = self._evidence.get(key)
        lies = () if evidence is None else evidence.votes
        return (*self._votes.get(key, {}).values(), *lies)

    def votes_for(self, vote: Vote) -> list[SignedVote]:
        """Those for one link and set."""
        height = vote.target.height
        kept = (votes.get(height) for votes in self._votes.values())
        return [signed for signed in kept if signed is not None and signed.vote == vote]

    def evidence(self) -> tuple[Evidence, ...]:
        """Who lied."""
        return tuple(self._evidence.values())

    def settle(self, key: PublicKey) -> None:
        """A key's lie stands in a final block: nobody needs to be told any more. Its votes stay refused by the chain."""
        self._evidence.pop(key, None)


