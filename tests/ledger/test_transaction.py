"""The envelope: every structural fault has its code, in the order in which they are checked."""

from dataclasses import replace
from typing import Any

import pytest

from ledger import registry
from ledger.codec import TOO_LONG, TRAILING, TRUNCATED, pack, unpack
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.errors import Code, Malformed
from ledger.hashing import SIGHASH, TX, WTX
from ledger.keys import verify
from ledger.kinds import no_cosigners, nothing_more_to_check
from ledger.params import (
    TRANSACTION_BYTES_MAX,
    WEIGHT_PER_DUE,
    WEIGHT_PER_RECORD,
    WEIGHT_PER_SIGNATURE,
    WEIGHT_PER_SLOT,
)
from ledger.policy import BAD_POLICY, Policy
from ledger.schema import OUT_OF_RANGE, UNKNOWN_TAG, WRONG_COUNT, WRONG_LENGTH, WRONG_TYPE
from ledger.transaction import (
    BAD_RANGE,
    EARLY,
    EXPIRED,
    INACTIVE_KIND,
    NO_PREPAID_EXIT,
    NOT_A_TRANSACTION,
    SIGNATURE_COUNT,
    UNKNOWN_KIND,
    UNKNOWN_VERSION,
    WITNESS_COUNT,
    WRONG_CHAIN,
    Prepaid,
    Witness,
    check_validity_range,
    decode_transaction,
    encode_transaction,
    read_identity,
    signature_checks,
    signing_hash,
)
from ledger.types import Amount, Height, ProgramId, PublicKey, Signature
from tests.support.memory_chain import Scenario, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, TILL, Shop

BOARD = Signer.named("board", threshold=2, keys_count=3)
PAYMENT = Transfer(ToAccount(FRIEND.address), Amount(5))

# Places in the body.
VERSION, CHAIN_TAG, KIND, SALT, AUTHOR, VALID_FROM, VALID_UNTIL, FEE, PAYLOAD = range(9)


def decode_with(chain: Scenario, changes: dict[int, Any], witnesses: tuple[Any, ...] | None = None) -> None:
    """Decode a good transfer with some of its body's places changed."""
    transaction = chain.sign("transfer", PAYMENT, author=FAN)
    body: Any = unpack(transaction.body_bytes)
    good: Any = unpack(transaction.raw)
    changed = [changes.get(place, value) for place, value in enumerate(body)]
    decode_transaction(pack((pack(changed), good[1] if witnesses is None else witnesses)), chain.chain_id)


def test_a_transaction_keeps_the_bytes_that_were_signed(chain: Scenario) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN)
    assert transaction.payload == PAYMENT
    assert transaction.txid == TX(transaction.body_bytes)
    assert transaction.wtxid == WTX(transaction.raw)
    assert transaction.author == FAN.address
    assert transaction.once_key == FAN.address + transaction.body.salt
    assert transaction.signers == (FAN.address,)
    assert encode_transaction(transaction.body_bytes, transaction.witnesses) == transaction.raw


def test_its_identity_is_read_without_the_rest(chain: Scenario) -> None:
    for author in (FAN, BOARD):
        transaction = chain.sign("transfer", PAYMENT, author=author)
        assert read_identity(transaction.raw) == (transaction.once_key, transaction.txid)


@pytest.mark.parametrize(
    "value",
    [
        5,
        (),
        (5, ()),
        (pack(5), ()),
        (pack((5,) * 9), ()),
        (pack((b"", b"", b"", bytes(8), b"short", b"", b"", b"", b"")), ()),
    ],
)
def test_bytes_without_an_identity(value: Any) -> None:
    with refused(NOT_A_TRANSACTION, Malformed):
        read_identity(pack(value))


def test_two_equal_transfers_are_two(chain: Scenario) -> None:
    first, second = (chain.sign("transfer", PAYMENT, author=FAN) for _ in range(2))
    assert first.txid != second.txid


def test_signatures_are_over_the_body_and_the_whole_chain_id(chain: Scenario) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=BOARD)
    checks = signature_checks(transaction, chain.chain_id)
    message = SIGHASH(chain.chain_id + transaction.body_bytes)
    assert [(key, text) for key, text, _ in checks] == [(key, message) for key in BOARD.policy.keys[:2]]
    assert all(verify(*check) for check in checks)
    assert message != signing_hash(type(chain.chain_id)(bytes(32)), transaction.body_bytes)


def test_weight_counts_bytes_signatures_records_slots_and_due_items(chain: Scenario) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=BOARD)
    assert transaction.weight == (
        len(transaction.raw) + 2 * WEIGHT_PER_SIGNATURE + 3 * WEIGHT_PER_RECORD + WEIGHT_PER_SLOT
    )
    pledge = registry.KINDS["pledge"]
    cost = pledge.cost(None)
    assert cost.due * WEIGHT_PER_DUE == 150


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"body", NOT_A_TRANSACTION),
        ((b"body",), NOT_A_TRANSACTION),
        ((b"body", (), ()), NOT_A_TRANSACTION),
        ((1, ()), NOT_A_TRANSACTION),
        ((pack(1), ()), NOT_A_TRANSACTION),
        ((pack((1,) * 8), ()), NOT_A_TRANSACTION),
        ((pack((1,) * 10), ()), NOT_A_TRANSACTION),
        ((b"", ()), TRUNCATED),
        ((b"\x01\x01", ()), TRAILING),
    ],
)
def test_bytes_that_are_no_transaction(chain: Scenario, value: Any, code: Code) -> None:
    with refused(code, Malformed):
        decode_transaction(pack(value), chain.chain_id)


def test_a_transaction_that_is_too_long(chain: Scenario) -> None:
    with refused(TOO_LONG, Malformed, bytes_max=TRANSACTION_BYTES_MAX):
        decode_transaction(bytes(TRANSACTION_BYTES_MAX + 1), chain.chain_id)


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (VERSION, 256, OUT_OF_RANGE),
        (VERSION, b"", WRONG_TYPE),
        (CHAIN_TAG, bytes(3), WRONG_LENGTH),
        (KIND, "", WRONG_LENGTH),
        (KIND, "x" * 33, WRONG_LENGTH),
        (SALT, bytes(7), WRONG_LENGTH),
        (SALT, bytes(9), WRONG_LENGTH),
        (AUTHOR, bytes(31), WRONG_LENGTH),
        (VALID_FROM, 2**32, OUT_OF_RANGE),
        (VALID_UNTIL, -1, OUT_OF_RANGE),
        (FEE, (3,), UNKNOWN_TAG),
        (FEE, (0,), WRONG_COUNT),
        (FEE, (0, -1), OUT_OF_RANGE),
        (FEE, (1, bytes(31)), WRONG_LENGTH),
        (FEE, (2, 0), WRONG_COUNT),
        (PAYLOAD, 5, WRONG_TYPE),
        (PAYLOAD, (), WRONG_COUNT),
    ],
)
def test_every_field_of_the_body_has_limits(chain: Scenario, place: int, value: Any, code: Code) -> None:
    with refused(code, Malformed):
        decode_with(chain, {place: value})


def test_what_is_not_for_here_is_refused_in_order(chain: Scenario) -> None:
    wrong: dict[int, Any] = {VERSION: 2, CHAIN_TAG: b"none", KIND: "toy", PAYLOAD: 5, FEE: (2,)}
    with refused(UNKNOWN_VERSION, found=2):
        decode_with(chain, wrong, ())
    del wrong[VERSION]
    with refused(WRONG_CHAIN, found=b"none", expected=chain.chain_id[:4]):
        decode_with(chain, wrong, ())
    del wrong[CHAIN_TAG]
    with refused(UNKNOWN_KIND, found="toy"):
        decode_with(chain, wrong, ())
    del wrong[KIND]
    with refused(WRONG_TYPE, Malformed):
        decode_with(chain, wrong, ())
    del wrong[PAYLOAD]
    with refused(NO_PREPAID_EXIT, kind="transfer"):
        decode_with(chain, wrong, ())
    with refused(WRONG_COUNT, Malformed):
        decode_with(chain, {}, ())


def test_a_prepaid_exit_is_one_that_a_record_paid_for(shop: Shop) -> None:
    transaction = shop.chain.sign("member.leave", MemberLeave(shop.program), author=FAN, payment=Prepaid())
    assert transaction.body.payment == Prepaid()


# --- witnesses ----------------------------------------------------------------------------------------------------------


def witness(signer: Signer, *indexes: int, policy: Policy | None = None) -> Witness:
    return Witness(policy or signer.policy, tuple((index, Signature(bytes(64))) for index in indexes))


def decode_signed_by(chain: Scenario, *witnesses: Witness) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN)
    decode_transaction(encode_transaction(transaction.body_bytes, witnesses), chain.chain_id)


def test_each_signer_shows_one_witness(chain: Scenario) -> None:
    with refused(WITNESS_COUNT, Malformed, expected=1, found=2):
        decode_signed_by(chain, witness(FAN, 0), witness(TILL, 0))
    with refused(WRONG_COUNT, Malformed, found=5):
        decode_signed_by(chain, *[witness(FAN, 0)] * 5)
    join = MemberJoin(ProgramId(bytes(32)), TILL.address)
    assert chain.sign("member.join", join, author=FAN, cosigners=(TILL,)).signers == (FAN.address, TILL.address)
    with refused(WITNESS_COUNT, Malformed, expected=2, found=1):
        chain.sign("member.join", join, author=FAN)


def test_a_witness_shows_a_valid_policy(chain: Scenario) -> None:
    with refused(BAD_POLICY, Malformed):
        decode_signed_by(chain, witness(FAN, 0, 1, policy=Policy(2, FAN.policy.keys)))


@pytest.mark.parametrize("indexes", [(0,), (0, 1, 2), (1, 0), (1, 1), (1, 3)])
def test_exactly_threshold_signatures_by_ascending_index(chain: Scenario, indexes: tuple[int, ...]) -> None:
    with refused(SIGNATURE_COUNT, Malformed, expected=2):
        decode_signed_by(chain, witness(BOARD, *indexes))


@pytest.mark.parametrize("indexes", [(0, 1), (0, 2), (1, 2)])
def test_any_signers_of_a_board_will_do(chain: Scenario, indexes: tuple[int, ...]) -> None:
    decode_signed_by(chain, witness(BOARD, *indexes))


def test_limits_of_a_witness(chain: Scenario) -> None:
    good = witness(FAN, 0)
    with refused(WRONG_COUNT, Malformed):
        decode_signed_by(chain, replace(good, signatures=()))
    with refused(OUT_OF_RANGE, Malformed):
        decode_signed_by(chain, replace(good, signatures=((16, Signature(bytes(64))),)))
    with refused(WRONG_LENGTH, Malformed):
        decode_signed_by(chain, replace(good, signatures=((0, Signature(bytes(63))),)))
    with refused(WRONG_LENGTH, Malformed):
        decode_signed_by(chain, replace(good, policy=Policy(1, (PublicKey(bytes(31)),))))


# --- heights ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("valid_from", "valid_until"), [(5, 4), (5, 105), (0, 100)])
def test_a_range_is_at_least_one_block_and_at_most_a_days(chain: Scenario, valid_from: int, valid_until: int) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN, valid_from=valid_from, valid_until=valid_until)
    with refused(BAD_RANGE, valid_from=valid_from, valid_until=valid_until, maximum=100):
        check_validity_range(transaction, Height(5), chain.params)


def test_a_transaction_is_valid_from_its_first_to_its_last_height(chain: Scenario) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN, valid_from=5, valid_until=6)
    with refused(EARLY, valid_from=5, height=4):
        check_validity_range(transaction, Height(4), chain.params)
    for height in (5, 6):
        check_validity_range(transaction, Height(height), chain.params)
    with refused(EXPIRED, valid_until=6, height=7):
        check_validity_range(transaction, Height(7), chain.params)
    longest = chain.sign("transfer", PAYMENT, author=FAN, valid_from=5, valid_until=104)
    check_validity_range(longest, Height(104), chain.params)


def test_a_kind_is_valid_from_its_activation_on(chain: Scenario) -> None:
    transaction = chain.sign("transfer", PAYMENT, author=FAN, valid_from=5, valid_until=20)
    without = tuple(kind for kind in chain.params.kinds if kind != "transfer")
    never = replace(chain.params, kinds=without)
    with refused(INACTIVE_KIND, found="transfer", height=9):
        check_validity_range(transaction, Height(9), never)
    later = replace(never, upgrades=(("transfer", 10),))
    with refused(INACTIVE_KIND, found="transfer", height=9):
        check_validity_range(transaction, Height(9), later)
    check_validity_range(transaction, Height(10), later)


def test_defaults_of_a_kind(shop: Shop) -> None:
    assert no_cosigners(PAYMENT) == ()
    nothing_more_to_check(PAYMENT)
    assert not registry.KINDS["transfer"].admits_sponsor(shop.chain.execute().overlay, shop.program, PAYMENT)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(AssertionError, match="transfer is registered twice"):
        registry.register(registry.KINDS["transfer"])
    with pytest.raises(AssertionError, match=r"earn\.drop is registered twice"):
        registry.register_due(registry.DUE_KINDS["earn.drop"])
