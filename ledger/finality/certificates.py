"""A quorum of votes for one link, small enough to travel alone (spec FIN-5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from ledger.codec import pack_shaped, unpack_shaped
from ledger.errors import Code, Violation
from ledger.finality.attestors import AttestorSet, all_hold_quorum, voters
from ledger.finality.votes import VOTE_BYTES_MAX, SignedVote, Vote, verify_vote
from ledger.params import ATTESTORS_MAX
from ledger.schema import ListOf, Octets, Struct
from ledger.types import PublicKey, Signature

WRONG_SIGNERS = Code(
    "finality.signers",
    "the certificate's marks of who signed do not fit the set: {reason}",
    "Take the set with the number that the certificate names, and the certificate as it was made.",
)
NO_QUORUM = Code(
    "finality.quorum",
    "those who signed hold {found} of the weight {total} of set {number}; more than two thirds are needed",
    "Wait for more votes.",
)
BAD_CERTIFICATE_SIGNATURE = Code(
    "finality.certificate_signature",
    "the signature of attestor {key} in the certificate is wrong",
    "Take the certificate from another node.",
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A quorum's votes for one link. Bit i of `signers` (byte i // 8, lowest bit first) stands for the i-th of `voters(sets)`.

    `signatures` are those of the marked voters, in their order.
    """

    vote: Annotated[Vote, Struct(Vote)]
    signers: Annotated[bytes, Octets(1, 2 * ATTESTORS_MAX // 8)]
    signatures: Annotated[tuple[Signature, ...], ListOf(Octets(64, 64), 1, 2 * ATTESTORS_MAX)]

    def encode(self) -> bytes:
        """Canonical bytes: [vote, signers, signatures]."""
        return pack_shaped(CERTIFICATE.encode(self))

    @staticmethod
    def decode(data: bytes) -> "Certificate":
        """Read what `encode` wrote. Raises `Malformed`; whether it certifies anything, `verify_certificate` says."""
        certificate = CERTIFICATE.decode(unpack_shaped(data, bytes_max=CERTIFICATE_BYTES_MAX), "certificate")
        certificate.vote.check()
        return certificate


CERTIFICATE = Struct(Certificate)
CERTIFICATE_BYTES_MAX = VOTE_BYTES_MAX + 64 + 2 * ATTESTORS_MAX * 66


def make_certificate(signed: Iterable[SignedVote], sets: tuple[AttestorSet, ...]) -> Certificate | None:
    """The certificate of one link from votes whose signatures were checked, or None while a quorum is missing.

    `sets` are those that the link needs (`sets_needed`). All votes must be for the same link and set; strangers are left out. No
    more signatures are taken than a quorum needs, the heaviest voters first.
    """
    by_key = {vote.key: vote for vote in signed}
    assert len({vote.vote for vote in by_key.values()}) <= 1, "a certificate is of one link"
    order = voters(sets)
    weights = {key: sum(attestors.weight_of((key,)) for attestors in sets) for key in order}
    chosen: set[PublicKey] = set()
    for key in sorted((key for key in order if key in by_key), key=lambda key: (-weights[key], key)):
        chosen.add(key)
        if all_hold_quorum(sets, chosen):
            bits = sum(1 << index for index, key in enumerate(order) if key in chosen)
            return Certificate(
                by_key[key].vote,
                bits.to_bytes((len(order) + 7) // 8, "little"),
                tuple(by_key[key].signature for key in order if key in chosen),
            )
    return None


def open_certificate(certificate: Certificate, sets: tuple[AttestorSet, ...]) -> tuple[SignedVote, ...]:
    """The votes that a certificate holds, unchecked. Raises `Violation` `finality.signers` where its marks don't fit the sets."""
    order = voters(sets)
    if certificate.vote.set_number != sets[-1].number:
        raise Violation(WRONG_SIGNERS, reason=f"it names set {certificate.vote.set_number}, not {sets[-1].number}")
    if len(certificate.signers) != (len(order) + 7) // 8:
        raise Violation(WRONG_SIGNERS, reason=f"{len(order)} voters need {(len(order) + 7) // 8} bytes")
    bits = int.from_bytes(certificate.signers, "little")
    if bits >> len(order) or bits.bit_count() != len(certificate.signatures):
        raise Violation(
            WRONG_SIGNERS, reason="there must be one signature for each mark, and no mark beyond the voters"
        )
    marked = [key for index, key in enumerate(order) if bits >> index & 1]
    return tuple(
        SignedVote(certificate.vote, key, signature)
        for key, signature in zip(marked, certificate.signatures, strict=True)
    )


def verify_certificate(certificate: Certificate, sets: tuple[AttestorSet, ...]) -> None:
    """Check marks, quorum and signatures, the cheapest first. `sets` are those that the link needs (`sets_needed`).

    Raises `Violation`: `finality.signers`, `finality.quorum`, `finality.certificate_signature`. That the source is justified, that
    the target descends from it, and that the vote is for this chain, is for whoever knows the chain to check.
    """
    signed = open_certificate(certificate, sets)
    keys = {vote.key for vote in signed}
    for attestors in sets:
        if not attestors.is_quorum(keys):
            raise Violation(NO_QUORUM, found=attestors.weight_of(keys), total=attestors.weight, number=attestors.number)
    for vote in signed:
        if not verify_vote(vote):
            raise Violation(BAD_CERTIFICATE_SIGNATURE, key=vote.key)
