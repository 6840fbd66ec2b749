"""One phase for many signatures: which is the first wrong one, and what is remembered."""

from collections.abc import Iterator
from hashlib import sha256

import pytest

from ledger import keys
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.transaction import (
    BAD_SIGNATURE,
    Transaction,
    Witness,
    decode_transaction,
    encode_transaction,
    signature_checks,
)
from ledger.types import Amount, PrivateSeed, PublicKey, Signature
from node import signatures
from node.signatures import CHUNK_MIN, Check, SignatureVerifier
from tests.support.memory_chain import Scenario, Signer
from tests.support.shop import FAN, FRIEND, TILL, Shop

SEED = PrivateSeed(bytes(range(32)))
KEY = keys.public_key_of(SEED)


def check_number(number: int) -> Check:
    message = sha256(str(number).encode()).digest()
    return KEY, message, keys.sign(SEED, message)


CHECKS = [check_number(number) for number in range(3 * CHUNK_MIN)]


def spoil(check: Check) -> Check:
    key, message, signature = check
    return key, message, Signature(signature[:-1] + bytes((signature[-1] ^ 1,)))


@pytest.fixture(params=[1, 2, 3])
def verifier(request: pytest.FixtureRequest) -> Iterator[SignatureVerifier]:
    made = SignatureVerifier(request.param)
    yield made
    made.close()


@pytest.mark.parametrize("size", [0, 1, 2, CHUNK_MIN - 1, CHUNK_MIN, CHUNK_MIN + 1, len(CHECKS)])
def test_the_first_wrong_signature_is_named_at_any_size(verifier: SignatureVerifier, size: int) -> None:
    for bad in sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size))):
        checks = [
            spoil(check) if index >= bad and index % 2 == bad % 2 else check
            for index, check in enumerate(CHECKS[:size])
        ]
        assert verifier.first_bad(checks) == bad
    assert verifier.first_bad(CHECKS[:size]) is None
    assert verifier.first_bad(CHECKS[:size]) is None, "and remembered ones are as good"
    if size:
        assert verifier.first_bad([*CHECKS[:size], spoil(CHECKS[0])]) == size


def test_a_result_is_remembered_for_exactly_its_key_message_and_signature(
    verifier: SignatureVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[Check] = []
    real = keys.verify

    def watched(key: PublicKey, message: bytes, signature: Signature) -> bool:
        verified.append((key, message, signature))
        return real(key, message, signature)

    monkeypatch.setattr(signatures.keys, "verify", watched)
    key, message, signature = good = CHECKS[0]
    assert verifier.first_bad([good]) is None
    assert verifier.first_bad([good, good]) is None
    assert verified == [good]
    other = keys.public_key_of(PrivateSeed(bytes(32)))
    for changed in ((other, message, signature), (key, CHECKS[1][1], signature), (key, message, CHECKS[1][2])):
        for _ in range(2):
            assert verifier.first_bad([changed]) == 0, "a wrong one is never remembered as good"
    assert len(verified) == 7


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "VERIFIED_REMEMBERED", 10)
    verifier = SignatureVerifier(1)
    for check in CHECKS[:100]:
        assert verifier.first_bad([check]) is None
        assert len(verifier._good) <= 10
    assert CHECKS[99] in verifier._good, "the newest stay"
    verifier.close()


def resigned(transaction: Transaction, place: int, scenario: Scenario) -> Transaction:
    """The transaction with the signature of its signer number `place` made wrong."""
    witnesses = list(transaction.witnesses)
    (index, signature) = witnesses[place].signatures[-1]
    wrong = (*witnesses[place].signatures[:-1], (index, Signature(bytes(64))))
    assert signature != bytes(64)
    witnesses[place] = Witness(witnesses[place].policy, wrong)
    return decode_transaction(encode_transaction(transaction.body_bytes, tuple(witnesses)), scenario.chain_id)


def test_each_transaction_gets_its_own_verdict(verifier: SignatureVerifier) -> None:
    shop = Shop()
    board = Signer.named("board", threshold=2, keys_count=3)
    chain = shop.chain
    transfer = chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=FAN)
    by_board = chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=board)
    join = chain.sign(
        "member.join", MemberJoin(shop.program, TILL.address), author=FAN, payment=shop.sponsored, cosigners=(TILL,)
    )
    assert [len(signature_checks(tx, chain.chain_id)) for tx in (transfer, by_board, join)] == [1, 2, 2]
    batch = [
        transfer,
        resigned(transfer, 0, chain),
        by_board,
        resigned(by_board, 0, chain),
        join,
        resigned(join, 0, chain),
        resigned(join, 1, chain),
    ]
    verdicts = verifier.judge(batch, chain.chain_id)
    assert [verdict is None for verdict in verdicts] == [True, False, True, False, True, False, False]
    faults = [verdict for verdict in verdicts if verdict is not None]
    assert {fault.code for fault in faults} == {BAD_SIGNATURE}
    assert [(fault.fields["signer"], fault.fields["index"]) for fault in faults] == [
        (FAN.address, 0),
        (board.address, 1),
        (FAN.address, 0),
        (TILL.address, 0),
    ]
    assert verifier.first_bad_transaction(batch, chain.chain_id) == 1
    assert verifier.first_bad_transaction(batch[2:3], chain.chain_id) is None
    assert verifier.judge([], chain.chain_id) == []
