"""What an attestor signs, and which two votes prove that it lied (spec FIN-2, FIN-4)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.codec import pack_shaped, unpack_shaped
from ledger.errors import Code, Malformed
from ledger.finality.attestors import SET_NUMBER
from ledger.hashing import ATTESTATION
from ledger.keys import sign, verify
from ledger.schema import Integer, Octets, Struct, identifier
from ledger.types import BlockHash, ChainId, Hash, Height, PrivateSeed, PublicKey, Signature

BAD_LINK = Code(
    "finality.link",
    "the link from height {source} to {target} is none: the target must be higher than the source",
    "Vote for a checkpoint above the justified one from which you start.",
)

HEIGHT = Integer(0, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block at a height that the interval divides, named by its hash. The first block of a chain is one."""

    height: Annotated[Height, HEIGHT]
    hash: Annotated[BlockHash, identifier()]


@dataclass(frozen=True, slots=True)
class Vote:
    """What one attestor says: from the justified `source` I follow the branch of `target`.

    `set_number` is that of the set in force at the target, also for members of the set before it.
    """

    chain_id: Annotated[ChainId, identifier()]
    set_number: Annotated[int, SET_NUMBER]
    source: Annotated[Checkpoint, Struct(Checkpoint)]
    target: Annotated[Checkpoint, Struct(Checkpoint)]

    def check(self) -> None:
        """Raise `Malformed` `finality.link` unless the target is above the source."""
        if self.target.height <= self.source.height:
            raise Malformed(BAD_LINK, source=self.source.height, target=self.target.height)

    @property
    def signing_hash(self) -> Hash:
        """What is signed: `ATTESTATION(enc(vote))`; the chain id is in it, so a vote of one chain says nothing on another."""
        return Hash(ATTESTATION(self.encode()))

    def encode(self) -> bytes:
        """Canonical bytes: [chain id, set number, [height, hash] of the source, [height, hash] of the target]."""
        return pack_shaped(VOTE.encode(self))

    @staticmethod
    def decode(data: bytes) -> "Vote":
        """Read what `encode` wrote. Raises `Malformed`."""
        vote = VOTE.decode(unpack_shaped(data, bytes_max=VOTE_BYTES_MAX), "vote")
        vote.check()
        return vote


VOTE = Struct(Vote)
VOTE_BYTES_MAX = 160


@dataclass(frozen=True, slots=True)
class SignedVote:
    """A vote with the key that signed it: what attestors tell each other."""

    vote: Annotated[Vote, Struct(Vote)]
    key: Annotated[PublicKey, Octets(32, 32)]
    signature: Annotated[Signature, Octets(64, 64)]

    def encode(self) -> bytes:
        """Canonical bytes: [vote, key, signature]."""
        return pack_shaped(SIGNED_VOTE.encode(self))

    @staticmethod
    def decode(data: bytes) -> "SignedVote":
        """Read what `encode` wrote. Raises `Malformed`; the signature is not checked."""
        signed = SIGNED_VOTE.decode(unpack_shaped(data, bytes_max=SIGNED_VOTE_BYTES_MAX), "signed_vote")
        signed.vote.check()
        return signed


SIGNED_VOTE = Struct(SignedVote)
SIGNED_VOTE_BYTES_MAX = 300


def sign_vote(seed: PrivateSeed, key: PublicKey, vote: Vote) -> SignedVote:
    """Sign a vote. Whether it may be signed is for the signing record to say: this function remembers nothing."""
    return SignedVote(vote, key, sign(seed, vote.signing_hash))


def verify_vote(signed: SignedVote) -> bool:
    """Whether the key signed the vote. That the key is an attestor's, and the vote for this chain, is checked elsewhere."""
    return verify(signed.key, signed.vote.signing_hash, signed.signature)


def conflict(one: Vote, other: Vote) -> bool:
    """Whether who signed both has lied: two links to one height, or one link around the other (spec FIN-4).

    Votes of two chains never conflict. The set number is not compared: it is no part of the link.
    """
    if one.chain_id != other.chain_id:
        return False
    if one.target.height == other.target.height:
        return (one.source, one.target) != (other.source, other.target)
    low, high = (one, other) if one.target.height < other.target.height else (other, one)
    return high.source.height < low.source.height


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two votes of one key that conflict: proof for everybody that it lied."""

    key: Annotated[PublicKey, Octets(32, 32)]
    first: Annotated[Vote, Struct(Vote)]
    first_signature: Annotated[Signature, Octets(64, 64)]
    second: Annotated[Vote, Struct(Vote)]
    second_signature: Annotated[Signature, Octets(64, 64)]

    @property
    def votes(self) -> tuple[SignedVote, SignedVote]:
        """Both votes with the key."""
        return (
            SignedVote(self.first, self.key, self.first_signature),
            SignedVote(self.second, self.key, self.second_signature),
        )

    def encode(self) -> bytes:
        """Canonical bytes: [key, vote, signature, vote, signature]."""
        return pack_shaped(EVIDENCE.encode(self))

    @staticmethod
    def decode(data: bytes) -> "Evidence":
        """Read what `encode` wrote. Raises `Malformed`; whether it proves anything, `verify_evidence` says."""
        evidence = EVIDENCE.decode(unpack_shaped(data, bytes_max=2 * SIGNED_VOTE_BYTES_MAX), "evidence")
        for signed in evidence.votes:
            signed.vote.check()
        return evidence


EVIDENCE = Struct(Evidence)


def make_evidence(one: SignedVote, other: SignedVote) -> Evidence | None:
    """The evidence that two votes give, if they are of one key and conflict; signatures are taken as checked."""
    if one.key != other.key or not conflict(one.vote, other.vote):
        return None
    return Evidence(one.key, one.vote, one.signature, other.vote, other.signature)


def verify_evidence(evidence: Evidence) -> bool:
    """Whether both votes conflict and are signed by the key."""
    return conflict(evidence.first, evidence.second) and all(verify_vote(signed) for signed in evidence.votes)
