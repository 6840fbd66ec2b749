"""Acceptances and voucher codes: what is signed and committed to, and what is refused."""

from dataclasses import replace

from ledger.codec import TOO_LONG, pack
from ledger.domains.rewards.acceptance import (
    ACCEPTANCE_BYTES_MAX,
    BAD_ACCEPTANCE,
    AcceptanceStatement,
    acceptance_is_signed,
    decode_acceptance,
    encode_acceptance,
    sign_acceptance,
)
from ledger.domains.rewards.voucher_codes import BAD_VOUCHER, commit_to_code
from ledger.errors import Malformed
from ledger.hashing import VOUCHER_CODE, object_id
from ledger.schema import WRONG_TYPE
from ledger.types import ChainId, HoldId, ProgramId, Timestamp, TxId
from tests.support.refusal import refused
from tests.support.shop import FAN, TILL

CHAIN = ChainId(bytes(range(32)))
TXID = TxId(bytes(31) + b"\x05")
STATEMENT = AcceptanceStatement(
    version=1,
    program=ProgramId(bytes(32)),
    txid=TXID,
    hold=HoldId(object_id("hold", TXID, 0)),
    member=FAN.address,
    till=TILL.key,
    accepted_at=Timestamp(1_793_500_000),
    depth=6,
)


def test_an_acceptance_is_read_back_and_binds_every_field_and_the_chain() -> None:
    signed = sign_acceptance(STATEMENT, CHAIN, TILL.seeds[0])
    raw = encode_acceptance(signed)
    assert decode_acceptance(raw) == signed
    assert len(raw) < ACCEPTANCE_BYTES_MAX
    assert acceptance_is_signed(signed, CHAIN)
    assert not acceptance_is_signed(signed, ChainId(bytes(32)))
    for changed in (
        replace(STATEMENT, depth=7),
        replace(STATEMENT, member=TILL.address),
        replace(STATEMENT, accepted_at=Timestamp(1)),
        replace(STATEMENT, till=FAN.key),
        replace(STATEMENT, program=ProgramId(bytes(31) + b"\x01")),
    ):
        assert not acceptance_is_signed(replace(signed, statement=changed), CHAIN)


def test_an_acceptance_names_the_hold_that_its_transaction_opens() -> None:
    signed = sign_acceptance(replace(STATEMENT, hold=HoldId(bytes(32))), CHAIN, TILL.seeds[0])
    with refused(BAD_ACCEPTANCE, Malformed, reason="its transaction does not open its hold"):
        decode_acceptance(encode_acceptance(signed))


def test_what_is_no_acceptance_at_all_is_malformed() -> None:
    with refused(WRONG_TYPE, Malformed, field="acceptance"):
        decode_acceptance(pack(1))
    with refused(WRONG_TYPE, Malformed, field="statement"):
        decode_acceptance(pack((1, 2)))
    with refused(TOO_LONG, Malformed, bytes_max=ACCEPTANCE_BYTES_MAX):
        decode_acceptance(bytes(ACCEPTANCE_BYTES_MAX + 1))


def test_a_code_is_committed_to_with_its_salt() -> None:
    salt = bytes(range(32))
    assert commit_to_code(salt, "Gru\u00df") == VOUCHER_CODE(salt + b"Gru\xc3\x9f")
    assert commit_to_code(salt, "A") == VOUCHER_CODE(salt + b"A")
    assert commit_to_code(salt, "A" * 256) != commit_to_code(bytes(32), "A" * 256)
    for wrong_salt, code in ((salt, ""), (salt, "\u00df" * 129), (salt[:31], "A"), (salt + b"\x00", "A")):
        with refused(BAD_VOUCHER, Malformed, code_bytes=len(code.encode()), salt_bytes=len(wrong_salt)):
            commit_to_code(wrong_salt, code)
