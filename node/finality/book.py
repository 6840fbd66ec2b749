"""Votes and certificates, and what follows from them: justified and final checkpoints, lies, and conflicts (spec FIN-9).

Sans I/O: whoever uses it says which blocks descend from which (`Ancestry`) and stores what it is told (`Change`). The order in
which votes and certificates come makes no difference to what is justified and final in the end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from ledger.domains.finality.state import Justified
from ledger.errors import Code, Violation
from ledger.finality.attestors import AttestorSet, sets_needed, voters
from ledger.finality.certificates import Certificate, make_certificate, open_certificate, verify_certificate
from ledger.finality.votes import Checkpoint, Evidence, SignedVote, Vote, make_evidence, verify_vote
from ledger.types import BlockHash, ChainId, Height, PublicKey

OTHER_CHAIN = Code(
    "finality.other_chain",
    "the vote is for another chain",
    "Point the attestor at the node of the chain that it attests.",
)
NO_CHECKPOINT_HEIGHT = Code(
    "finality.no_checkpoint_height",
    "heights {source} and {target} are not both checkpoints: the interval is {interval} blocks",
    "Vote for checkpoints only.",
)
BAD_VOTE_SIGNATURE = Code(
    "finality.vote_signature", "the signature of the vote of {key} is wrong", "Sign the vote with the attestor's key."
)
STRANGER = Code(
    "finality.stranger",
    "the key {key} is in no set {number} that this node knows",
    "`fansumer chain finality` names the set in force.",
)
TOO_MANY = Code(
    "finality.too_many",
    "this node holds {count} votes and certificates that it can't use yet, and takes no more",
    "Send it again when its chain has gone on.",
)

WAITING_CERTIFICATES_MAX: Final = 1_024
"""Certificates whose blocks or sets are not known yet: a fortnight on the main network, 10 MB at most."""
VOTES_A_KEY_MAX: Final = 256
"""Votes of one attestor above the last final checkpoint that are kept: it has one for each checkpoint."""

EVIDENCE_CHECKPOINTS: Final = 64
"""Votes for so many checkpoints below the last final one are kept: a second vote for one of them is evidence."""

Ancestry = Callable[[Checkpoint, Checkpoint], bool | None]
"""Whether the first is the second or an ancestor of it; None where the second is not known here."""


Link = tuple[Checkpoint, Checkpoint]
"""Source and target."""


class Taken(Enum):
    """What became of a vote or a certificate."""

    KNOWN = "known"
    KEPT = "kept"
    JUSTIFIED = "justified"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two checkpoints that are both final, on different branches: more than a third of the weight has lied."""

    known: Checkpoint
    other: Checkpoint


@dataclass(slots=True)
class Change:
    """What a call changed: to be stored and told on, in this order."""

    certificates: list[Certificate] = field(default_factory=list)
    justified: list[Justified] = field(default_factory=list)
    final: list[Justified] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    conflict: Conflict | None = None

    @property
    def taken(self) -> Taken:
        """The most that it did."""
        if self.final:
            return Taken.FINAL
        return Taken.JUSTIFIED if self.justified else Taken.KEPT


class FinalityBook:
    """What is known, of one chain. Begins with a checkpoint that is justified and final: the first block, or a trusted one."""

    def __init__(self, chain_id: ChainId, interval: int, start: Justified, ancestry: Ancestry) -> None:
        self._chain_id, self._interval, self._ancestry = chain_id, interval, ancestry
        self._sets: dict[int, list[AttestorSet]] = {}
        self._justified: dict[BlockHash, Justified] = {start.hash: start}
        self._certified: dict[Link, Certificate] = {}
        self._linked: set[Link] = set()
        self._votes: dict[PublicKey, dict[Vote, SignedVote]] = {}
        self._links: dict[Vote, dict[PublicKey, SignedVote]] = {}
        self._waiting: dict[bytes, Certificate] = {}
        self._accused: set[PublicKey] = set()
        self.final = start
        self.conflict: Conflict | None = None
        self.pinned: Checkpoint | None = None

    # --- asking ---

    @property
    def justified(self) -> Justified:
        """The highest justified checkpoint; of several at one height, which only liars can bring about, the last one found."""
        return max(self._justified.values(), key=lambda found: found.height)

    def all_justified(self) -> list[Justified]:
        """Every justified checkpoint, the highest first."""
        return sorted(self._justified.values(), key=lambda found: -found.height)

    def is_justified(self, block_hash: BlockHash) -> bool:
        """Whether a checkpoint is justified."""
        return block_hash in self._justified

    def certificate(self, source: Checkpoint, target: Checkpoint) -> Certificate | None:
        """The certificate of a link, if one is known."""
        return self._certified.get((source, target))

    def certificates(self) -> list[Certificate]:
        """Those of the links above the last final checkpoint and of that which made it final, lowest target first."""
        return sorted(self._certified.values(), key=lambda found: found.vote.target.height)

    def votes_for(self, target: Checkpoint) -> list[SignedVote]:
        """The votes that are known for a checkpoint."""
        return [signed for vote, by_key in self._links.items() if vote.target == target for signed in by_key.values()]

    @property
    def _lowest(self) -> int:
        """Votes for checkpoints at or below this height are no longer taken."""
        return self.final.height - EVIDENCE_CHECKPOINTS * self._interval

    def votes(self) -> list[SignedVote]:
        """All votes above the last final checkpoint; those below are kept, but nobody needs to be told of them any more."""
        links = (by_key for vote, by_key in self._links.items() if vote.target.height > self.final.height)
        return [signed for by_key in links for signed in by_key.values()]

    def votes_of(self, key: PublicKey) -> list[SignedVote]:
        """Those of one key."""
        return list(self._votes.get(key, {}).values())

    def sets_numbered(self, number: int) -> list[AttestorSet]:
        """Every set with that number that is known: branches may differ in it until it is final."""
        return list(self._sets.get(number, ()))

    @property
    def waiting(self) -> int:
        """Certificates that wait for blocks, sources or sets."""
        return len(self._waiting)

    def waiting_certificates(self) -> list[Certificate]:
        """Those themselves."""
        return list(self._waiting.values())

    # --- learning ---

    def learn_sets(self, sets: Iterable[AttestorSet]) -> Change:
        """Sets that the followed branch has or had in force, or that are to come on it."""
        is_new = False
        for attestors in sets:
            known = self._sets.setdefault(attestors.number, [])
            if attestors not in known:
                known.append(attestors)
                is_new = True
        return self._settle(Change()) if is_new else Change()

    def trust(self, found: Justified) -> None:
        """Take a checkpoint as justified and final on somebody's word, or as it was stored."""
        self._justified[found.hash] = found
        if found.height > self.final.height:
            self.final = found

    def restore(self, certificates: Iterable[Certificate], justified: Iterable[Justified]) -> None:
        """What was stored, and was checked before that."""
        for found in justified:
            self._justified[found.hash] = found
        for certificate in certificates:
            self._certified[certificate.vote.source, certificate.vote.target] = certificate
            self._linked.add((certificate.vote.source, certificate.vote.target))

    def take_vote(self, signed: SignedVote, *, is_verified: bool = False) -> tuple[Taken, Change]:
        """Take in a vote. Raises `Malformed` `finality.link`; `Violation` `finality.other_chain`, `.no_checkpoint_height`,
        `.stranger`, `.vote_signature`, `.too_many`.
        """
        vote = signed.vote
        self.check_form(vote)
        if signed in self._votes.get(signed.key, {}).values() or vote.target.height <= self._lowest:
            return Taken.KNOWN, Change()
        if not self._is_member(signed.key, vote.set_number):
            raise Violation(STRANGER, key=signed.key, number=vote.set_number)
        if not is_verified and not verify_vote(signed):
            raise Violation(BAD_VOTE_SIGNATURE, key=signed.key)
        change = Change()
        self._keep_vote(signed, change)
        return self._concluded(change)

    def take_certificate(self, certificate: Certificate) -> tuple[Taken, Change]:
        """Take in a certificate. One that can't be used yet waits. Raises what is wrong with it whatever comes.

        `Malformed` `finality.link`; `Violation` `finality.other_chain`, `.no_checkpoint_height`, `.too_many`, and what
        `verify_certificate` raises.
        """
        vote = certificate.vote
        self.check_form(vote)
        if (vote.source, vote.target) in self._linked or certificate.encode() in self._waiting:
            return Taken.KNOWN, Change()
        change = Change()
        if not self._use(certificate, change):
            if len(self._waiting) >= WAITING_CERTIFICATES_MAX:
                raise Violation(TOO_MANY, count=len(self._waiting))
            self._waiting[certificate.encode()] = certificate
            return Taken.KEPT, change
        return self._concluded(self._settle(change))

    def look_again(self) -> Change:
        """After blocks have come: use what waited for them."""
        return self._settle(Change())

    def check_form(self, vote: Vote) -> None:
        """Raise what is wrong with a vote by itself: `finality.link`, `finality.other_chain`, `finality.no_checkpoint_height`."""
        vote.check()
        if vote.chain_id != self._chain_id:
            raise Violation(OTHER_CHAIN)
        if vote.source.height % self._interval or vote.target.height % self._interval:
            source, target = vote.source.height, vote.target.height
            raise Violation(NO_CHECKPOINT_HEIGHT, source=source, target=target, interval=self._interval)

    def _is_member(self, key: PublicKey, number: int) -> bool:
        """Whether the key may vote under that number: members of the set before it vote at the first link across."""
        candidates = (*self._sets.get(number, ()), *self._sets.get(number - 1, ()))
        return any(member.key == key for attestors in candidates for member in attestors.members)

    def _keep_vote(self, signed: SignedVote, change: Change) -> None:
        own = self._votes.setdefault(signed.key, {})
        if len(own) >= VOTES_A_KEY_MAX:
            raise Violation(TOO_MANY, count=len(own))
        if signed.key not in self._accused:
            evidence = next((found for other in own.values() if (found := make_evidence(other, signed))), None)
            if evidence is not None:
                self._accused.add(signed.key)
                change.evidence.append(evidence)
        own[signed.vote] = signed
        self._links.setdefault(signed.vote, {})[signed.key] = signed

    def _concluded(self, change: Change) -> tuple[Taken, Change]:
        self._settle(change)
        return change.taken, change

    # --- concluding ---

    def _settle(self, change: Change) -> Change:
        """Draw every conclusion that can be drawn, until there is none left."""
        goes_on = True
        while goes_on and self.conflict is None:
            goes_on = False
            for vote in sorted(self._links, key=lambda found: found.target.height):
                goes_on = self._count(vote, change) or goes_on
            for data, certificate in sorted(self._waiting.items(), key=lambda pair: pair[1].vote.target.height):
                try:
                    is_used = self._use(certificate, change)
                except Violation:
                    is_used = True
                if is_used:
                    self._waiting.pop(data, None)
                    goes_on = True
            self._forget()
        return change

    def _count(self, vote: Vote, change: Change) -> bool:
        """Make the certificate of a link, if its votes hold a quorum by now. Whether that was new."""
        if (vote.source, vote.target) in self._linked:
            return False
        for sets in self._sets_of(vote):
            certificate = make_certificate(self._links[vote].values(), sets)
            admitted = certificate is not None and self._is_admitted(vote.target)
            if certificate is not None and admitted and self._ancestry(vote.source, vote.target):
                self._conclude(certificate, change)
                return True
        return False

    def _sets_of(self, vote: Vote) -> list[tuple[AttestorSet, ...]]:
        """What may be needed for the link, as far as it is known: nothing unless its source is justified."""
        source = self._justified.get(vote.source.hash)
        if source is None or source.checkpoint != vote.source or vote.set_number < source.set_number:
            return []
        found: list[tuple[AttestorSet, ...]] = []
        for target_set in self._sets.get(vote.set_number, ()):
            for source_set in self._sets.get(source.set_number, ()):
                if target_set.replaces_silent or target_set.number - source_set.number <= 1:
                    is_same = target_set.number == source_set.number
                    found.append((target_set,) if is_same else sets_needed(source_set, target_set))
        return list(dict.fromkeys(found))

    def _use(self, certificate: Certificate, change: Change) -> bool:
        """Conclude from a certificate, if all that it speaks of is known. Raises what is wrong with it under every set."""
        vote = certificate.vote
        if (vote.source, vote.target) in self._linked:
            return True
        if vote.target.height <= self.final.height and self._ancestry(vote.target, self.final.checkpoint):
            return True  # final already: it can say nothing new
        candidates = self._sets_of(vote)
        is_ancestor = self._ancestry(vote.source, vote.target)
        if not candidates or is_ancestor is None:
            return False
        fault: Violation | None = None
        for sets in candidates:
            try:
                verify_certificate(certificate, sets)
            except Violation as found:
                fault = found
                continue
            for signed in open_certificate(certificate, sets):
                if signed.vote not in self._votes.get(signed.key, {}):
                    try:
                        self._keep_vote(signed, change)
                    except Violation:
                        break
            if is_ancestor and self._is_admitted(vote.target):
                self._conclude(certificate, change)
            return True
        assert fault is not None, "there was a candidate"
        raise fault

    def _is_admitted(self, target: Checkpoint) -> bool:
        """Whether the operator's word leaves room for the target: what lacks the trusted checkpoint is ignored."""
        low = self.pinned
        return low is None or target.height < low.height or self._ancestry(low, target) is not False

    def _conclude(self, certificate: Certificate, change: Change) -> None:
        """A quorum links a justified source to its descendant."""
        vote = certificate.vote
        self._certified[vote.source, vote.target] = certificate
        self._linked.add((vote.source, vote.target))
        change.certificates.append(certificate)
        if vote.target.hash not in self._justified:
            target = Justified(vote.target.height, vote.target.hash, vote.set_number)
            self._justified[target.hash] = target
            change.justified.append(target)
        if vote.target.height == vote.source.height + self._interval:
            self._finalise(self._justified[vote.source.hash], change)

    def _finalise(self, found: Justified, change: Change) -> None:
        one, other = sorted((self.final.checkpoint, found.checkpoint), key=lambda checkpoint: checkpoint.height)
        if self._ancestry(one, other) is False:
            self.conflict = change.conflict = Conflict(self.final.checkpoint, found.checkpoint)
        elif found.height > self.final.height:
            self.final = found
            change.final.append(found)

    def _forget(self) -> None:
        """Certificates below the last final checkpoint are in the store, and votes far below it decide nothing any more.

        What is justified is never forgotten: only from that it can be seen that another branch has a final checkpoint too.
        """
        low = self.final.height
        self._certified = {ends: found for ends, found in self._certified.items() if ends[1].height >= low}
        for vote in [vote for vote in self._links if vote.target.height <= self._lowest]:
            for key in self._links.pop(vote):
                self._votes[key].pop(vote, None)

    def missing(self, counted: Callable[[Height], Iterable[PublicKey]], justified: Iterable[Checkpoint]) -> list[Vote]:
        """Links of which votes are known that a branch does not hold yet, where it holds their sources as justified."""
        sources = set(justified)
        return [
            vote
            for vote in sorted(self._links, key=lambda found: found.target.height)
            if vote.source in sources and set(self._links[vote]) - set(counted(vote.target.height))
        ]

    def signed(self, vote: Vote) -> list[SignedVote]:
        """The votes for one link, by ascending key."""
        return [signed for _, signed in sorted(self._links.get(vote, {}).items())]

    def voters_of(self, vote: Vote) -> tuple[PublicKey, ...]:
        """Whose votes count for a link, as far as it is known."""
        return tuple(sorted({key for sets in self._sets_of(vote) for key in voters(sets)}))
