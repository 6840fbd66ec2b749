"""Votes and evidence as transactions for the next block, signed by an account of nobody's: they are free (spec FIN-6, FIN-10)."""

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Any

from ledger.domains.finality.attest import Attest
from ledger.domains.finality.evidence import GiveEvidence, SignedLink
from ledger.domains.finality.state import Finality, liar_key
from ledger.finality.votes import Evidence, SignedVote
from ledger.keys import public_key_of, sign
from ledger.policy import address_of_key, single_key_policy
from ledger.state import StateView
from ledger.transaction import (
    Body,
    Prepaid,
    Transaction,
    Witness,
    decode_transaction,
    encode_body,
    encode_transaction,
    signing_hash,
)
from ledger.types import ChainId, Height, PrivateSeed, PublicKey
from node.finality.book import FinalityBook


def compose_votes(
    book: FinalityBook,
    finality: Finality,
    counted: Callable[[Height], Collection[PublicKey]],
    *,
    chain_id: ChainId,
    height: Height,
    seed: bytes,
) -> list[Transaction]:
    """One transaction for each link of which the chain lacks votes, those that justify a source before those that start there."""
    found: list[Transaction] = []
    justified = {entry.checkpoint for entry in (*finality.justified, *book.all_justified())}
    final = finality.final.height if finality.justified else 0
    for vote in book.missing(counted, justified):
        if vote.target.height <= final or vote.target.height >= height:
            continue
        known = set(counted(vote.target.height))
        allowed = set(book.voters_of(vote))
        votes = tuple(
            (signed.key, signed.signature)
            for signed in book.signed(vote)
            if signed.key in allowed and signed.key not in known
        )
        if votes:
            payload = Attest(vote.set_number, vote.source, vote.target, votes)
            found.append(_sign("finality.attest", payload, chain_id, height, seed))
    return found


def compose_evidence(
    evidence: Iterable[Evidence], state: StateView, *, chain_id: ChainId, height: Height, seed: bytes
) -> list[Transaction]:
    """A transaction for each lie that is not on the chain yet."""
    return [
        _sign("finality.evidence", _payload(found), chain_id, height, seed)
        for found in evidence
        if state.stored(liar_key(found.key)) is None
    ]


def _payload(evidence: Evidence) -> GiveEvidence:
    first, second = evidence.votes
    return GiveEvidence(evidence.key, _link(first), _link(second))


def _link(signed: SignedVote) -> SignedLink:
    vote = signed.vote
    return SignedLink(vote.set_number, vote.source, vote.target, signed.signature)


def _sign(kind: str, payload: Any, chain_id: ChainId, height: Height, seed: bytes) -> Transaction:
    private = PrivateSeed(seed)
    key = public_key_of(private)
    body = Body(
        version=1,
        chain_tag=chain_id[:4],
        kind=kind,
        salt=hashlib.sha256(seed + height.to_bytes(4, "big") + repr(payload).encode()).digest()[:8],
        author=address_of_key(key),
        valid_from=height,
        valid_until=height,
        payment=Prepaid(),
    )
    body_bytes = encode_body(body, payload)
    signature = sign(private, signing_hash(chain_id, body_bytes))
    return decode_transaction(
        encode_transaction(body_bytes, (Witness(single_key_policy(key), ((0, signature),)),)), chain_id
    )
