from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.wallet.builder import (
    ChainFacts,
    Signer,
    build,
    draft_body,
    join_witnesses,
    new_salt,
    sign_body,
)
from api.wallet.errors import WalletError
from ledger import keys
from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.errors import LedgerError, Malformed
from ledger.genesis import make_genesis
from ledger.networks import NETWORKS
from ledger.params import WEIGHT_PER_RECORD, WEIGHT_PER_SIGNATURE, WEIGHT_PER_SLOT
from ledger.policy import Policy, address_of_key
from ledger.transaction import OwnFee, Prepaid, Sponsored, Transaction, decode_transaction, signature_checks
from ledger.types import INTEGER_MAX, Address, Amount, Height, PrivateSeed, ProgramId, PublicKey

SIM = NETWORKS["sim"]
FACTS = ChainFacts.of_params(SIM, make_genesis(SIM).chain_id)
SALT = bytes(range(8))
PROGRAM = ProgramId(bytes([7]) * 32)


def seed_of(number: int) -> PrivateSeed:
    return PrivateSeed(bytes([number]) * 32)


ANN, BEN, TILL = (Signer.of_seed(seed_of(number)) for number in (1, 2, 3))
PAYMENT = Transfer(ToAccount(BEN.address), Amount(1_000))


def build_transfer(**changes: object) -> Transaction:
    arguments: dict = {"valid_from": Height(5), "salt": SALT} | changes
    return decode_transaction(build(FACTS, "transfer", PAYMENT, ANN, **arguments), FACTS.chain_id)


def assert_signed(transaction: Transaction) -> None:
    checks = signature_checks(transaction, FACTS.chain_id)
    assert checks
    assert all(keys.verify(*check) for check in checks)


def policy_of(threshold: int, *numbers: int) -> Policy:
    return Policy(threshold, tuple(sorted(keys.public_key_of(seed_of(number)) for number in numbers)))


def code_of(fault: pytest.ExceptionInfo[LedgerError]) -> str:
    return fault.value.code.name


def test_transfer_is_signed_and_pays_exactly_its_weight() -> None:
    transaction = build_transfer()
    assert_signed(transaction)
    assert transaction.author == ANN.address
    assert transaction.body.payment == OwnFee(Amount(transaction.weight * SIM.fee_rate_min))
    assert transaction.weight == (len(transaction.raw) + WEIGHT_PER_SIGNATURE + 3 * WEIGHT_PER_RECORD + WEIGHT_PER_SLOT)


@given(rate=st.integers(0, 10**15))
def test_fee_is_the_least_that_pays_at_any_rate(rate: int) -> None:
    transaction = build_transfer(fee_rate=Amount(rate))
    payment = transaction.body.payment
    assert isinstance(payment, OwnFee)
    assert payment.fee == transaction.weight * rate
    if payment.fee:
        smaller = build_transfer(payment=OwnFee(Amount(payment.fee - 1)))
        assert payment.fee - 1 < smaller.weight * rate


@pytest.mark.parametrize("boundary", [127, 255, 65_535, 2**32 - 1])
def test_fee_is_exact_where_its_own_encoding_grows(boundary: int) -> None:
    weight = build_transfer().weight
    for rate in range(max(boundary // weight - 2, 0), boundary // weight + 3):
        transaction = build_transfer(fee_rate=Amount(rate))
        assert transaction.body.payment == OwnFee(Amount(transaction.weight * rate))


def test_fee_beyond_the_limits_is_refused() -> None:
    with pytest.raises(WalletError) as fault:
        build_transfer(fee_rate=Amount(INTEGER_MAX // 100))
    assert code_of(fault) == "builder.fee_too_large"


def test_heights_follow_the_chain() -> None:
    assert build_transfer().body.valid_until == 104
    short = replace(FACTS, validity_blocks_max=10)
    assert short.valid_until(Height(5)) == 14
    assert short.valid_until(Height(5), 3) == 7
    assert build_transfer(valid_until=Height(6)).body.valid_until == 6


def test_salts_differ_unless_given() -> None:
    assert len({new_salt() for _ in range(100)}) == 100
    assert build_transfer(salt=None).txid != build_transfer(salt=None).txid
    assert build_transfer().raw == build_transfer().raw


def test_facts_come_from_the_answer_as_from_params() -> None:
    answer = {
        "name": SIM.name,
        "chain_id": FACTS.chain_id.hex(),
        "address_prefix": SIM.address_prefix,
        "fee_rate_min": SIM.fee_rate_min,
        "record_deposit": SIM.record_deposit,
        "account_minimum": SIM.account_minimum,
        "validity_blocks_max": SIM.validity_blocks_max,
        "height": 3,
    }
    assert ChainFacts.of_answer(answer) == FACTS


def test_cosigner_signs_after_the_author() -> None:
    payload = MemberJoin(PROGRAM, TILL.address)
    arguments: dict = {"valid_from": Height(1), "payment": Sponsored(PROGRAM)}
    raw = build(FACTS, "member.join", payload, ANN, cosigners=(TILL,), **arguments)
    transaction = decode_transaction(raw, FACTS.chain_id)
    assert transaction.signers == (ANN.address, TILL.address)
    assert_signed(transaction)
    for cosigners in ((), (BEN,), (TILL, BEN)):
        with pytest.raises(WalletError) as fault:
            build(FACTS, "member.join", payload, ANN, cosigners=cosigners, **arguments)
        assert code_of(fault) == "builder.wrong_cosigners"
    with pytest.raises(WalletError):
        build(FACTS, "transfer", PAYMENT, ANN, cosigners=(TILL,), valid_from=Height(1))


def test_own_fee_of_a_counter_signed_join_counts_both_signatures() -> None:
    raw = build(FACTS, "member.join", MemberJoin(PROGRAM, TILL.address), ANN, cosigners=(TILL,), valid_from=Height(1))
    transaction = decode_transaction(raw, FACTS.chain_id)
    assert transaction.body.payment == OwnFee(Amount(transaction.weight * FACTS.fee_rate_min))


def test_two_of_three_sign_in_any_order_with_ascending_indexes() -> None:
    policy = policy_of(2, 11, 12, 13)
    for numbers in ((11, 13), (13, 11), (12, 13)):
        board = Signer.of_policy(policy, [seed_of(number) for number in numbers])
        assert board.address == Address(policy.hash)
        transaction = decode_transaction(build(FACTS, "transfer", PAYMENT, board, valid_from=Height(1)), FACTS.chain_id)
        assert_signed(transaction)
        assert len(transaction.witnesses[0].signatures) == 2
        assert transaction.body.payment == OwnFee(Amount(transaction.weight))


def test_changed_policy_signs_for_the_old_address() -> None:
    board = Signer.of_policy(policy_of(1, 11, 12), [seed_of(12)], ANN.address)
    transaction = decode_transaction(build(FACTS, "transfer", PAYMENT, board, valid_from=Height(1)), FACTS.chain_id)
    assert transaction.author == ANN.address
    assert_signed(transaction)


@pytest.mark.parametrize("numbers", [(), (11,), (11, 11), (11, 12, 13), (11, 99)])
def test_wrong_seeds_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(WalletError) as fault:
        Signer.of_policy(policy_of(2, 11, 12, 13), [seed_of(number) for number in numbers])
    assert code_of(fault) == "builder.wrong_seeds"


def test_bad_policy_is_refused() -> None:
    first, second = sorted(keys.public_key_of(seed_of(number)) for number in (1, 2))
    with pytest.raises(Malformed) as fault:
        Signer.of_policy(Policy(1, (PublicKey(second), PublicKey(first))), [seed_of(1)])
    assert code_of(fault) == "witness.policy"


def test_plain_signer_is_seed_and_address() -> None:
    assert Signer(seed_of(1), address_of_key(keys.public_key_of(seed_of(1)))) == ANN
    assert seed_of(1).hex() not in repr(ANN)
    assert repr(bytes(seed_of(1))) not in repr(ANN)


def test_several_people_sign_in_several_places() -> None:
    payload = MemberJoin(PROGRAM, TILL.address)
    body = draft_body(
        FACTS,
        "member.join",
        payload,
        ANN.address,
        policies=(),
        valid_from=Height(1),
        valid_until=Height(9),
        payment=Sponsored(PROGRAM),
        salt=SALT,
    )
    raw = join_witnesses(FACTS, body, [sign_body(FACTS, body, ANN), sign_body(FACTS, body, TILL)])
    assert_signed(decode_transaction(raw, FACTS.chain_id))
    with pytest.raises(Malformed) as fault:
        join_witnesses(FACTS, body, [sign_body(FACTS, body, ANN)])
    assert code_of(fault) == "witness.count"


def test_what_the_ledger_would_refuse_is_not_signed() -> None:
    with pytest.raises(WalletError) as unknown:
        build(FACTS, "no.such", PAYMENT, ANN, valid_from=Height(1))
    assert code_of(unknown) == "builder.unknown_kind"
    for amount in (0, -1, INTEGER_MAX + 1, 2**70):
        with pytest.raises(Malformed) as malformed:
            build(FACTS, "transfer", Transfer(ToPool(PROGRAM), Amount(amount)), ANN, valid_from=Height(1))
        assert code_of(malformed) == "shape.range"
    with pytest.raises(LedgerError) as prepaid:
        build(FACTS, "transfer", PAYMENT, ANN, valid_from=Height(1), payment=Prepaid())
    assert code_of(prepaid) == "envelope.not_prepaid"
    build(FACTS, "member.leave", MemberLeave(PROGRAM), ANN, valid_from=Height(1), payment=Prepaid())
