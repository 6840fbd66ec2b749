"""Challenges, the receipts that reach them, and what completes, contests and reverses them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ledger.domains.challenges.challenge_complete import ChallengeComplete, CompletionEntry
from ledger.domains.challenges.challenge_contest import CODES_FIELD, OPENED, ChallengeContest, ShownReceipt
from ledger.domains.challenges.challenge_create import ChallengeCreate
from ledger.domains.challenges.challenge_reverse import ChallengeReverse
from ledger.domains.challenges.goals import evidence_leaves, evidence_of
from ledger.domains.challenges.state import (
    Achievement,
    Challenge,
    Codes,
    Visits,
    achievement_id_of,
    achievement_key,
    challenge_key,
)
from ledger.domains.loyalty.receipts import SignedReceipt, blind_fields, receipt_hash
from ledger.domains.loyalty.returns import SignedReturn
from ledger.hashing import object_id
from ledger.merkle import inclusion_path
from ledger.transaction import Payment
from ledger.types import ChallengeId, Hash, Points, ReceiptHash
from tests.support.contests import PREPAID
from tests.support.memory_chain import Signer
from tests.support.shop import FAN, OWNER, TILL, Shop


def challenge_payload(shop: Shop, **changes: Any) -> ChallengeCreate:
    """Two visits of 10.00 within a week from today on, for four weeks, each member twice; 100 points each, 1,000 in all."""
    payload = ChallengeCreate(
        program=shop.program,
        name="Come twice",
        goal=Visits(2),
        basket_min_cents=1_000,
        from_day=shop.today,
        days=7,
        occurrences=4,
        times_max=2,
        grace_days=3,
        reward=Points(100),
        budget=Points(1_000),
    )
    return replace(payload, **changes)


def create_challenge(
    shop: Shop, *, author: Signer = OWNER, payment: Payment | None = None, **changes: Any
) -> ChallengeId:
    """Publish a challenge."""
    shop.chain.send("challenge.create", challenge_payload(shop, **changes), author=author, payment=payment)
    return ChallengeId(object_id("challenge", shop.chain.last_txid, 0))


def challenge_of(shop: Shop, challenge: ChallengeId) -> Challenge:
    """A challenge's record."""
    return shop.chain.record(challenge_key(challenge))


def achievement_of(shop: Shop, challenge: ChallengeId, fan: Signer = FAN) -> Achievement | None:
    """What a fan has reached."""
    return shop.chain.record(achievement_key(achievement_id_of(challenge, fan.address)))


def hash_of(signed: SignedReceipt) -> ReceiptHash:
    """A receipt's hash."""
    return receipt_hash(signed.receipt, signed.salt)


def entry_of(
    challenge: ChallengeId, receipts: Sequence[SignedReceipt], *, fan: Signer = FAN, occurrence: int = 0
) -> CompletionEntry:
    """The entry that says that these receipts reach the goal."""
    evidence = evidence_of(hash_of(signed) for signed in receipts)
    return CompletionEntry(fan.address, challenge, occurrence, evidence, len(receipts))


def complete(shop: Shop, *entries: CompletionEntry, author: Signer = TILL, **options: Any) -> tuple[str, ...]:
    """Complete a batch; the codes of its entries."""
    return shop.chain.send("challenge.complete", ChallengeComplete(shop.program, entries), author=author, **options)


def show(signed: SignedReceipt, *, with_codes: bool = False) -> ShownReceipt:
    """A receipt, opened as a contest needs it."""
    receipt = signed.receipt
    return ShownReceipt(
        till=receipt.till,
        sequence=receipt.sequence,
        time=receipt.time,
        net_cents=receipt.net_cents,
        paid_with_points_cents=receipt.paid_with_points_cents,
        codes=receipt.codes if with_codes else (),
        blinding=blind_fields(signed, (*OPENED, CODES_FIELD) if with_codes else OPENED),
        signature=signed.signature,
    )


def contest_payload(
    shop: Shop, challenge: ChallengeId, receipts: Sequence[SignedReceipt], *, occurrence: int = 0
) -> ChallengeContest:
    """The contest that shows these receipts, their codes where the goal asks for them."""
    with_codes = isinstance(challenge_of(shop, challenge).goal, Codes)
    shown = [show(signed, with_codes=with_codes) for signed in receipts]
    ordered = tuple(sorted(shown, key=lambda found: (found.till, found.sequence)))
    return ChallengeContest(shop.program, challenge, occurrence, ordered)


def contest_challenge(
    shop: Shop,
    challenge: ChallengeId,
    receipts: Sequence[SignedReceipt],
    *,
    fan: Signer = FAN,
    occurrence: int = 0,
    payment: Payment | None = PREPAID,
    spoiled: Mapping[str, Any] | None = None,
) -> None:
    """Contest, paid for by the challenge unless told otherwise; `spoiled` are other fields of the payload."""
    payload = replace(contest_payload(shop, challenge, receipts, occurrence=occurrence), **(spoiled or {}))
    shop.chain.send("challenge.contest", payload, author=fan, payment=payment)


def reversal_of(
    challenge: ChallengeId,
    receipts: Sequence[SignedReceipt],
    back: SignedReturn,
    *,
    occurrence: int = 0,
    **changes: Any,
) -> ChallengeReverse:
    """The reversal of a completion with these receipts, in their order, of which one went back."""
    hashes = [hash_of(signed) for signed in receipts]
    index = hashes.index(back.returned.receipt) if back.returned.receipt in hashes else 0
    payload = ChallengeReverse(
        challenge=challenge,
        occurrence=occurrence,
        index=index,
        path=tuple(Hash(node) for node in inclusion_path(evidence_leaves(hashes), index)),
        returned=back.returned,
        signature=back.signature,
        consent=back.consent,
    )
    return replace(payload, **changes)


def reverse_challenge(
    shop: Shop,
    challenge: ChallengeId,
    receipts: Sequence[SignedReceipt],
    back: SignedReturn,
    *,
    author: Signer = OWNER,
    **options: Any,
) -> None:
    """Take a reward back."""
    shop.chain.send("challenge.reverse", reversal_of(challenge, receipts, back, **options), author=author)
