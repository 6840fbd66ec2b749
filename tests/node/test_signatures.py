"""One phase for many signatures: which is the first wrong one, and what is remembered."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from node.signatures import CHUNK_MIN, Check, SignatureVerifier, verify_quickly
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
    real = signatures.verify_quickly

    def watched(key: PublicKey, message: bytes, signature: Signature) -> bool:
        verified.append((key, message, signature))
        return real(key, message, signature)

    monkeypatch.setattr(signatures, "verify_quickly", watched)
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


# --- the quick verifier against the law's own --------------------------------------------------------------------------

VECTORS = Path(__file__).parents[1] / "vectors" / "ed25519"


def published_cases() -> list[tuple[bytes, bytes, bytes]]:
    """(key, message, signature) of Wycheproof and speccheck."""
    groups: Any = json.loads((VECTORS / "wycheproof_ed25519_test.json").read_text(encoding="utf-8"))["testGroups"]
    found = [(group["publicKey"]["pk"], case["msg"], case["sig"]) for group in groups for case in group["tests"]]
    edges: Any = json.loads((VECTORS / "speccheck_cases.json").read_text(encoding="utf-8"))
    found += [(case["pub_key"], case["message"], case["signature"]) for case in edges]
    return [(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(sig)) for key, message, sig in found]


def agree(key: bytes, message: bytes, signature: bytes) -> bool:
    law = keys.verify(PublicKey(key), message, Signature(signature))
    assert verify_quickly(PublicKey(key), message, Signature(signature)) == law, (key, message, signature)
    return law


def test_libsodium_agrees_with_the_law_on_every_published_case() -> None:
    verdicts = [agree(*case) for case in published_cases()]
    assert (len(verdicts), sum(verdicts)) == (163, 89)


def test_libsodium_agrees_on_every_pair_of_refused_and_crafted_points() -> None:
    points = [*sorted(keys.REFUSED_ENCODINGS), KEY, bytes([0x58] + [0x66] * 31)]
    scalars = [0, 1, keys.GROUP_ORDER - 1, keys.GROUP_ORDER, 2**256 - 1]
    verdicts = [
        agree(key, b"any", point + scalar.to_bytes(32, "little"))
        for key in points
        for point in points
        for scalar in scalars
    ]
    assert (len(verdicts), sum(verdicts)) == (50 * 50 * 5, 0)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64), st.integers(0, 511), st.integers(0, 255))
def test_libsodium_agrees_on_signatures_with_one_bit_changed(
    seed: bytes, message: bytes, bit: int, key_bit: int
) -> None:
    key, signature = keys.public_key_of(PrivateSeed(seed)), keys.sign(PrivateSeed(seed), message)
    assert agree(key, message, signature)
    agree(key, message, (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little"))
    agree((int.from_bytes(key, "little") ^ 1 << key_bit).to_bytes(32, "little"), message, signature)


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=130))
def test_libsodium_agrees_on_bytes_of_any_length(key: bytes, message: bytes, signature: bytes) -> None:
    agree(key, message, signature)
