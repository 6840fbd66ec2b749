"""A chain in memory whose params name attestors: who they are, and what they sign."""

from dataclasses import replace
from typing import Any

from ledger.domains.finality.attest import Attest
from ledger.domains.finality.evidence import GiveEvidence, SignedLink
from ledger.domains.finality.replace_silent import ReplaceSilent, replacement_hash
from ledger.domains.finality.set_attestors import SetAttestors, choice_hash
from ledger.domains.finality.state import FINALITY_KEY, CheckpointVotes, Finality, checkpoint_votes_key
from ledger.finality.attestors import AttestorSet
from ledger.finality.certificates import Certificate, make_certificate
from ledger.finality.votes import Checkpoint, SignedVote, Vote, sign_vote
from ledger.keys import public_key_of, sign
from ledger.params import Attestor, Params
from ledger.transaction import Prepaid
from ledger.types import BlockHash, ChainId, Hash, Height, PrivateSeed, PublicKey, Signature
from tests.support.branching_chain import BranchingChain
from tests.support.memory_chain import Scenario, sim_params
from tests.support.shop import FAN

SEEDS: dict[PublicKey, PrivateSeed] = {
    public_key_of(seed): seed for seed in (PrivateSeed(bytes([number]) * 32) for number in range(1, 13))
}
KEYS = sorted(SEEDS)
"""Twelve keys in the order in which sets name them."""
INTERVAL = 4
SILENCE_DAYS = 2
SILENCE_BLOCKS = 10


def attestors(*places: int, weight: int = 1) -> tuple[Attestor, ...]:
    """The members of a set, by their places among `KEYS`."""
    return tuple(Attestor(KEYS[place], weight) for place in places)


def attested_params(*places: int, **changes: Any) -> Params:
    """A sim chain with these attestors, two of three recovery keys (places 9, 10 and 11), and a checkpoint every four blocks."""
    finality: dict[str, Any] = {
        "attestors": attestors(*places),
        "recovery_keys": tuple(KEYS[9:12]),
        "recovery_threshold": 2,
        "silence_days": SILENCE_DAYS,
        "silence_blocks": SILENCE_BLOCKS,
        "checkpoint_interval_blocks": INTERVAL,
    }
    return replace(sim_params(FAN.address), **{**finality, **changes})


def vote_on(
    chain_id: ChainId, source: Checkpoint, target: Checkpoint, *places: int, number: int = 0
) -> tuple[tuple[PublicKey, Signature], ...]:
    """The signatures of the keys at these places, by ascending key."""
    vote = Vote(chain_id, number, source, target)
    return tuple((KEYS[place], sign_vote(SEEDS[KEYS[place]], KEYS[place], vote).signature) for place in sorted(places))


def sign_all(message: Hash, places: tuple[int, ...]) -> tuple[tuple[PublicKey, Signature], ...]:
    """Keys at these places with their signatures of `message`."""
    return tuple((KEYS[place], sign(SEEDS[KEYS[place]], message)) for place in sorted(places))


class AttestedActs(Scenario):
    """What attestors do on a chain; everybody's transactions are sent by one fan."""

    @property
    def finality(self) -> Finality:
        """The record of the sets."""
        return self.record(FINALITY_KEY)

    @property
    def justified(self) -> list[int]:
        """Heights of what is justified on the chain, the last final one first."""
        return [found.height for found in self.finality.justified]

    def checkpoint(self, height: int) -> Checkpoint:
        """The block at `height`."""
        return Checkpoint(Height(height), self.hash_at(Height(height)))

    def votes_for(self, height: int) -> CheckpointVotes | None:
        """What the chain holds of votes for the checkpoint at `height`."""
        return self.record(checkpoint_votes_key(Height(height)))

    def mine_to(self, height: int) -> None:
        """Until the block at `height` is there."""
        while self.height <= height:
            self.mine()

    def attestation(self, source: int, target: int, *places: int, number: int = 0) -> Attest:
        """Votes of these keys for one link of this chain."""
        one, other = self.checkpoint(source), self.checkpoint(target)
        return Attest(number, one, other, vote_on(self.chain_id, one, other, *places, number=number))

    def vote(self, source: int, target: int, *places: int, number: int = 0) -> None:
        """Put votes of these keys for one link on the chain, free."""
        payload = self.attestation(source, target, *places, number=number)
        self.send("finality.attest", payload, author=FAN, payment=Prepaid())

    def evidence(
        self, place: int, one: tuple[int, int], other: tuple[int, int], branch: bytes = b"z" * 32
    ) -> GiveEvidence:
        """Two votes of one key, (source, target) each; the second target is on another branch."""
        links: list[SignedLink] = []
        for (source, target), is_other in ((one, False), (other, True)):
            start, end = self.checkpoint(source), self.checkpoint(target)
            end = replace(end, hash=branch) if is_other else end
            ((_, signature),) = vote_on(self.chain_id, start, end, place)
            links.append(SignedLink(0, start, end, signature))
        return GiveEvidence(KEYS[place], links[0], links[1])

    def choice(self, members: tuple[Attestor, ...], *places: int, number: int = 0) -> SetAttestors:
        """A change of the set that the keys at these places choose."""
        return SetAttestors(number, members, sign_all(choice_hash(self.chain_id, number, members), places))

    def replacement(
        self, members: tuple[Attestor, ...], *places: int, final: int = 0, number: int = 0
    ) -> ReplaceSilent:
        """A replacement that the keys at these places sign."""
        checkpoint = self.checkpoint(final)
        message = replacement_hash(self.chain_id, number, checkpoint, members)
        return ReplaceSilent(number, checkpoint, members, sign_all(message, places))


class Attested(AttestedActs):
    """A scenario with attestors."""

    def __init__(self, *places: int, **changes: Any) -> None:
        super().__init__(params=attested_params(*(places or (0, 1, 2, 3)), **changes))


class AttestedBranches(AttestedActs, BranchingChain):
    """The same with real blocks, and branches."""

    def __init__(self, *places: int, **changes: Any) -> None:
        super().__init__(params=attested_params(*(places or (0, 1, 2, 3)), **changes))

    def hash_at(self, height: Height) -> BlockHash:
        """The hash of the block at `height` of the branch on which this is now."""
        return self.path[height].block.hash

    def signed(self, source: int, target: int, place: int, number: int = 0) -> SignedVote:
        """A vote of one key that comes by itself."""
        vote = Vote(self.chain_id, number, self.checkpoint(source), self.checkpoint(target))
        return sign_vote(SEEDS[KEYS[place]], KEYS[place], vote)

    def certificate(self, source: int, target: int, *places: int) -> Certificate:
        """A certificate of the first set for a link of this branch."""
        signed = [self.signed(source, target, place) for place in places]
        made = make_certificate(signed, (AttestorSet(0, self.params.attestors),))
        assert made is not None, "these hold no quorum"
        return made
