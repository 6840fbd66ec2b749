"""Tagged SHA-256: one hash function per purpose, so that bytes hashed for one can never pass for another (spec HASH-1).

    HASH(tag, data) = SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ data)

as in BIP-340. The two digests of the tag fill exactly one block of SHA-256, whose state is computed once and copied. Every tag
that the ledger uses is declared here and nowhere else. SHA-256 is FIPS 180-4.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Final, TypeAlias

from ledger.types import Hash, TxId

Hasher: TypeAlias = Callable[[bytes], Hash]
"""Takes the data, gives 32 bytes."""


def tagged_hash(tag: str) -> Hasher:
    """The hash function of one tag, which is ASCII text."""
    tag_digest = sha256(tag.encode("ascii")).digest()
    copy_midstate = sha256(tag_digest + tag_digest).copy

    def hash_tagged(data: bytes) -> Hash:
        state = copy_midstate()
        state.update(data)
        return Hash(state.digest())

    return hash_tagged


TX: Final = tagged_hash("fansumer/tx")
WTX: Final = tagged_hash("fansumer/wtx")
SIGHASH: Final = tagged_hash("fansumer/sighash")
POLICY: Final = tagged_hash("fansumer/policy")
COMMITMENT: Final = tagged_hash("fansumer/commitment")
OBJECT: Final = tagged_hash("fansumer/object")
PARAMS: Final = tagged_hash("fansumer/params")
RESULTS: Final = tagged_hash("fansumer/results")
FREE_SLOT: Final = tagged_hash("fansumer/free-slot")
RECEIPT_FIELD_SALT: Final = tagged_hash("fansumer/receipt-field-salt")
RECEIPT_SIGNATURE: Final = tagged_hash("fansumer/receipt-signature")
LINE_SALT: Final = tagged_hash("fansumer/line-salt")
SUM_LEAF: Final = tagged_hash("fansumer/sum-leaf")
SUM_NODE: Final = tagged_hash("fansumer/sum-node")
EARN_SUM: Final = tagged_hash("fansumer/earn-sum")
EARN_REMAINDER: Final = tagged_hash("fansumer/earn-remainder")
CONTEST: Final = tagged_hash("fansumer/contest")
RETURN: Final = tagged_hash("fansumer/return")
RETURN_SIGNATURE: Final = tagged_hash("fansumer/return-signature")
RETURN_CONSENT: Final = tagged_hash("fansumer/return-consent")
REFERRAL: Final = tagged_hash("fansumer/referral")
COUNT: Final = tagged_hash("fansumer/count")
VOUCHER_CODE: Final = tagged_hash("fansumer/voucher-code")
ACCEPTANCE: Final = tagged_hash("fansumer/acceptance")
BALLOT: Final = tagged_hash("fansumer/ballot")
ACHIEVEMENT: Final = tagged_hash("fansumer/achievement")
OFFER_TERMS: Final = tagged_hash("fansumer/offer-terms")
OFFER: Final = tagged_hash("fansumer/offer")
JOIN_VOUCHER: Final = tagged_hash("fansumer/join-voucher")
JOIN_VOUCHER_SIGNATURE: Final = tagged_hash("fansumer/join-voucher-signature")
JOIN_VOUCHER_PROOF: Final = tagged_hash("fansumer/join-voucher-proof")
TEXT: Final = tagged_hash("fansumer/text")
CONTRIBUTION: Final = tagged_hash("fansumer/contribution")
CONTRIBUTION_SIGNATURE: Final = tagged_hash("fansumer/contribution-signature")
ATTESTATION: Final = tagged_hash("fansumer/attestation")
ATTESTOR_SET: Final = tagged_hash("fansumer/attestor-set")
REPLACEMENT: Final = tagged_hash("fansumer/attestor-replacement")


def object_id(noun: str, txid: TxId, index: int) -> Hash:
    """The id of an object that a transaction makes: OBJECT(noun ‖ txid ‖ index).

    `noun` is the object's kind in ASCII ("program", "reward"), `txid` 32 bytes, `index` counts the objects of the transaction
    and is four bytes, the highest first. Both end parts have a fixed width, so no two inputs meet. Never a slot number.
    """
    assert noun and len(txid) == 32, "an id needs a noun and a txid of 32 bytes"
    return OBJECT(noun.encode("ascii") + txid + index.to_bytes(4, "big"))


def sha256d(data: bytes) -> Hash:
    """SHA-256 of SHA-256, as Bitcoin hashes headers and transactions. Not tagged: miners compute it."""
    return Hash(sha256(sha256(data).digest()).digest())
