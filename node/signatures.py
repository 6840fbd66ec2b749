"""One phase for a block's signatures, in threads, while the ledger waits: beside a busy thread they would starve.

A result is remembered by (key, message, signature), so that what the mempool verified is not verified again in a block.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from ledger import keys
from ledger.errors import RuleViolation
from ledger.transaction import BAD_ATTESTATION, BAD_SIGNATURE, Transaction, signature_checks
from ledger.types import ChainId, PublicKey, Signature

Check = tuple[PublicKey, bytes, Signature]

VERIFIED_REMEMBERED = 200_000
"""Good signatures kept in mind: two full blocks' worth, about 60 MB."""
CHUNK_MIN = 64
"""Below this many checks a second thread costs more than it saves."""


class SignatureVerifier:
    """Verifies many signatures at once and remembers the good ones."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or max(1, min(os.cpu_count() or 1, 8))
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="signatures")
        self._good: dict[Check, None] = {}

    def first_bad(self, checks: Sequence[Check]) -> int | None:
        """Index of the first wrong signature, or None if all are good."""
        wanted = [(index, check) for index, check in enumerate(checks) if check not in self._good]
        if len(wanted) < CHUNK_MIN or self._workers == 1:
            bad = _verify(wanted)
        else:
            size = -(-len(wanted) // self._workers)
            parts = [wanted[start : start + size] for start in range(0, len(wanted), size)]
            bad = min((found for found in self._pool.map(_verify, parts) if found is not None), default=None)
        if bad is None:
            self._remember([check for _, check in wanted])
        return bad

    def first_bad_transaction(self, transactions: Sequence[Transaction], chain_id: ChainId) -> int | None:
        """Position of the first transaction with a wrong signature, or None if all are good."""
        checks = [
            (position, check) for position, tx in enumerate(transactions) for check in signature_checks(tx, chain_id)
        ]
        bad = self.first_bad([check for _, check in checks])
        return None if bad is None else checks[bad][0]

    def judge(self, transactions: Sequence[Transaction], chain_id: ChainId) -> list[RuleViolation | None]:
        """One verdict for each transaction: None, or `witness.signature` naming its first wrong signature."""
        if self.first_bad_transaction(transactions, chain_id) is None:
            return [None] * len(transactions)
        verdicts: list[RuleViolation | None] = []
        for transaction in transactions:
            bad = self.first_bad(signature_checks(transaction, chain_id))
            verdicts.append(None if bad is None else _blame(transaction, bad))
        return verdicts

    def _remember(self, checks: Sequence[Check]) -> None:
        if len(self._good) + len(checks) > VERIFIED_REMEMBERED:
            for old in list(self._good)[: VERIFIED_REMEMBERED // 2]:
                del self._good[old]
        self._good.update(dict.fromkeys(checks))

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=True)


def _blame(transaction: Transaction, bad: int) -> RuleViolation:
    """Whose signature the transaction's check number `bad` was, and which of theirs."""
    places = [
        (signer, index)
        for signer, witness in zip(transaction.signers, transaction.witnesses, strict=True)
        for index in range(len(witness.signatures))
    ]
    if bad >= len(places):
        return RuleViolation(BAD_ATTESTATION)
    signer, index = places[bad]
    return RuleViolation(BAD_SIGNATURE, index=index, signer=signer)


def verify_quickly(key: PublicKey, message: bytes, signature: Signature) -> bool:
    """The same verdict as `ledger.keys.verify`, by libsodium: half the time, behind the same strict filter."""
    if not keys.is_admitted(key, signature):
        return False
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


def _verify(wanted: Sequence[tuple[int, Check]]) -> int | None:
    for index, (key, message, signature) in wanted:
        if not verify_quickly(key, message, signature):
            return index
    return None
