"""What a certificate costs that 100 attestors signed: its size, and checking it on one core."""

import time
from typing import Any

from ledger.finality.attestors import AttestorSet
from ledger.finality.certificates import Certificate, make_certificate, verify_certificate
from ledger.finality.votes import Checkpoint, Vote, sign_vote
from ledger.keys import public_key_of
from ledger.params import Attestor
from ledger.types import BlockHash, ChainId, Height, PrivateSeed

ATTESTORS = 100
ROUNDS = 30


def make_full_certificate() -> tuple[Certificate, AttestorSet]:
    """The certificate of a set of which nobody weighs more than the others: 67 of 100 sign."""
    seeds = {public_key_of(seed): seed for seed in (PrivateSeed(bytes([number]) * 32) for number in range(ATTESTORS))}
    attestors = AttestorSet(0, tuple(Attestor(key, 1) for key in sorted(seeds)))
    source = Checkpoint(Height(20), BlockHash(b"s" * 32))
    vote = Vote(ChainId(b"c" * 32), 0, source, Checkpoint(Height(40), BlockHash(b"t" * 32)))
    made = make_certificate([sign_vote(seed, key, vote) for key, seed in seeds.items()], (attestors,))
    assert made is not None, "all signed"
    return made, attestors


def measure_finality() -> dict[str, Any]:
    """Size, signatures, and the time of the processor for one check."""
    certificate, attestors = make_full_certificate()
    verify_certificate(certificate, (attestors,))
    started = time.process_time()
    for _ in range(ROUNDS):
        verify_certificate(certificate, (attestors,))
    spent = time.process_time() - started
    return {
        "attestors": ATTESTORS,
        "bytes": len(certificate.encode()),
        "signatures": len(certificate.signatures),
        "check_ms": spent / ROUNDS * 1e3,
    }
