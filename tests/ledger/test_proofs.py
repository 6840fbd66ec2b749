"""Proofs: what a fan checks without any node, and everything that breaks one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.block import transaction_leaf
from ledger.codec import pack
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Code, LedgerError, Malformed, Violation
from ledger.hashing import WTX
from ledger.header import Header
from ledger.merkle import root
from ledger.pow import BITS_ZERO, target_from_compact, work_of
from ledger.proofs import (
    BROKEN,
    NOT_A_PROOF,
    PROOF_BYTES_MAX,
    Proof,
    RecordClaim,
    check_proof,
    encode_proof,
    read_proof,
)
from ledger.schema import WRONG_TYPE
from ledger.state import record_leaf
from ledger.types import Amount, ChainId, CompactBits, RecordKey, Slot, WtxId
from tests.support.memory_chain import Scenario
from tests.support.refusal import refused
from tests.support.sealed_chain import BITS, SealedChain, other_hash
from tests.support.shop import FAN, FRIEND, FUNDED, OWNER


def make_chain() -> SealedChain:
    chain = Scenario(*FUNDED)
    chain.mine()
    payments = [
        chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(amount)), author=FAN) for amount in (5, 6, 7)
    ]
    chain.block(*payments)
    chain.mine(3)
    return SealedChain(chain)


CHAIN = make_chain()
CHAIN_ID = CHAIN.scenario.chain_id
IN_ANCHOR = CHAIN.prove_transaction(2, 1, anchor=2, following=3)
IN_HISTORY = CHAIN.prove_transaction(2, 1, anchor=5)
RECORD = CHAIN.prove_record(account_key(FRIEND.address))


def test_a_transaction_in_the_anchor_itself() -> None:
    report = check_proof(read_proof(encode_proof(IN_ANCHOR)), CHAIN_ID)
    transaction = CHAIN.scenario.mined[1].transactions[1]
    assert (report.txid, report.results, report.home_height) == (transaction.txid, ("",), 2)
    assert (report.anchor_height, report.following) == (2, 3)
    assert report.work_on_top == 4 * work_of(target_from_compact(BITS))
    assert (report.trusted_height, report.trusted_hash) == (0, CHAIN_ID)
    assert (report.table, report.record) == (None, None)


def test_a_transaction_in_the_history_of_the_anchor() -> None:
    report = check_proof(IN_HISTORY)
    assert (report.anchor_height, report.home_height, report.following) == (5, 2, 0)
    assert report.chain_id == CHAIN_ID
    assert report.anchor_time == CHAIN.blocks[5].block.header.time


def test_a_record_in_the_latest_state() -> None:
    report = check_proof(RECORD, CHAIN_ID)
    assert report.table == "Account"
    assert report.record == CHAIN.scenario.record(account_key(FRIEND.address))
    assert (report.txid, report.home_height, report.results) == (None, None, ())


def test_the_trusted_block_lies_below_the_anchor() -> None:
    trusted = CHAIN.trusted(5, 5)
    with refused(BROKEN, Violation, reason="the trusted block is not in the anchor's history"):
        check_proof(replace(RECORD, trusted=trusted))


def test_a_genesis_of_another_chain_is_not_trusted() -> None:
    with refused(BROKEN, Violation, reason="the trusted block is not this chain's genesis"):
        check_proof(replace(RECORD, trusted=replace(TRUSTED, hash=other_hash(TRUSTED.hash))))


def anchored(proof: Proof, **changes: Any) -> Proof:
    return replace(proof, anchor=replace(proof.anchor, **changes))


def claimed(proof: Proof, **changes: Any) -> Proof:
    return replace(proof, claim=replace(proof.claim, **changes))


def unproved(header_bytes: bytes) -> bytes:
    """The header with a nonce that proves nothing."""
    header = Header.decode(header_bytes)
    target = target_from_compact(header.bits)
    nonce = 0
    while int.from_bytes(header.hash, "little") <= target:
        nonce += 1
        header = replace(header, nonce=nonce)
    return header.encode()


def at_home(**changes: Any) -> Proof:
    claim = IN_HISTORY.claim
    assert not isinstance(claim, RecordClaim)
    return claimed(IN_HISTORY, home=(replace(claim.home[0], **changes),))


OTHER = CHAIN.blocks[4].block
TRUSTED = RECORD.trusted


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        (anchored(RECORD, header=unproved(RECORD.anchor.header)), "a header does not prove its work"),
        (anchored(RECORD, coinbase=OTHER.coinbase), "a coinbase is not its header's"),
        (anchored(RECORD, commitment=OTHER.commitment_bytes), "a commitment is not its coinbase's"),
        (replace(RECORD, chain_id=ChainId(bytes(32))), "a block belongs to another chain"),
        (anchored(IN_ANCHOR, following=IN_ANCHOR.anchor.following[1:]), "a header that should follow does not"),
        (
            anchored(IN_ANCHOR, following=(*IN_ANCHOR.anchor.following[:2], unproved(IN_ANCHOR.anchor.following[2]))),
            "a header that follows does not prove its work",
        ),
        (replace(RECORD, trusted=replace(TRUSTED, work=bytes(32))), "not in the anchor's history"),
        (replace(RECORD, trusted=replace(TRUSTED, height=TRUSTED.height + 1)), "not in the anchor's history"),
        (replace(RECORD, trusted=replace(TRUSTED, height=9)), "not in the anchor's history"),
        (claimed(RECORD, value=pack((6, b"", 0))), "the record is not in the anchor's state"),
        (claimed(RECORD, slot=Slot(0)), "the record is not in the anchor's state"),
        (claimed(RECORD, key=account_key(OWNER.address)), "the record is not in the anchor's state"),
        (claimed(IN_ANCHOR, index=0), "the transaction is not in its block"),
        (claimed(IN_ANCHOR, results=("earn.no_member",)), "the transaction is not in its block"),
        (claimed(IN_ANCHOR, transaction=b"x"), "the transaction is not in its block"),
        (claimed(IN_HISTORY, home=()), "the transaction is not in its block"),
        (at_home(effective_time=0), "the transaction's block is not in the anchor's history"),
        (at_home(work=bytes(32)), "the transaction's block is not in the anchor's history"),
        (at_home(header=unproved(CHAIN.blocks[2].block.header.encode())), "a header does not prove its work"),
    ],
)
def test_a_proof_that_does_not_hold(proof: Proof, reason: str) -> None:
    with pytest.raises(Violation, match=reason) as caught:
        check_proof(proof)
    assert caught.value.code is BROKEN


def test_a_proof_of_another_chain_than_the_one_that_was_meant() -> None:
    with refused(BROKEN, Violation, reason="it is about another chain"):
        check_proof(RECORD, ChainId(bytes(32)))


def rebits(header_bytes: bytes, bits: int) -> bytes:
    return replace(Header.decode(header_bytes), bits=CompactBits(bits)).encode()


@pytest.mark.parametrize(
    ("proof", "code"),
    [
        (anchored(RECORD, header=rebits(RECORD.anchor.header, 0)), NOT_A_PROOF),
        (anchored(RECORD, coinbase=bytes(122)), NOT_A_PROOF),
        (anchored(IN_ANCHOR, following=(rebits(IN_ANCHOR.anchor.following[0], 0),)), BITS_ZERO),
    ],
)
def test_a_proof_with_something_else_in_it_is_malformed(proof: Proof, code: Code) -> None:
    with refused(code, Malformed):
        check_proof(proof)


def sealed_with(**roots: Any) -> Proof:
    """A proof about the block after the tip, whose roots are chosen."""
    tip = CHAIN.blocks[-1]
    commitment = replace(tip.commitment, **roots)
    sealed = CHAIN.seal(commitment, CHAIN.scenario.mined[-1], CHAIN.blocks[-2], ())
    block = sealed.block
    return anchored(RECORD, header=block.header.encode(), coinbase=block.coinbase, commitment=block.commitment_bytes)


def test_a_record_of_no_table_is_no_record() -> None:
    key, value = RecordKey(b"\xff" + bytes(32)), pack((1,))
    proof = sealed_with(state_root=root([record_leaf(key, value)]), slot_count=1)
    with refused(BROKEN, Violation, reason="the key belongs to no table"):
        check_proof(replace(proof, claim=RecordClaim(key, value, Slot(0), ())))


def test_a_record_that_is_none_is_malformed() -> None:
    key, value = account_key(FAN.address), pack(5)
    proof = sealed_with(state_root=root([record_leaf(key, value)]), slot_count=1)
    with refused(WRONG_TYPE, Malformed):
        check_proof(replace(proof, claim=RecordClaim(key, value, Slot(0), ())))


@pytest.mark.parametrize("transaction", [pack(5), pack((b"body",)), pack((5, ()))])
def test_a_transaction_that_is_none_is_malformed(transaction: bytes) -> None:
    leaf = transaction_leaf(WtxId(WTX(transaction)), ("",))
    proof = sealed_with(transaction_root=root([leaf]), transaction_count=1)
    claim = replace(IN_ANCHOR.claim, transaction=transaction, index=0, path=())
    with refused(NOT_A_PROOF, Malformed):
        check_proof(replace(proof, claim=claim))


@given(st.binary(max_size=300))
def test_unknown_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_proof(data)


@given(st.sampled_from([IN_ANCHOR, IN_HISTORY, RECORD]), st.integers(0, 10_000), st.integers(1, 255))
def test_a_proof_with_one_byte_changed_shows_nothing_else(proof: Proof, place: int, change: int) -> None:
    """Free are only the anchor header's own fields, whose work is trivial here, and the number of slots where it leaves the path's
    shape as it is. A changed header is another block: its hash differs, and that is what a reader compares.
    """
    data = bytearray(encode_proof(proof))
    data[place % len(data)] ^= change
    try:
        report = check_proof(read_proof(bytes(data)), CHAIN_ID)
    except LedgerError:
        return
    expected = check_proof(proof)
    if report.anchor_hash == expected.anchor_hash:
        assert report == expected
    else:
        assert (report.txid, report.record, report.results) == (expected.txid, expected.record, expected.results)


def test_a_proof_that_is_too_long() -> None:
    with pytest.raises(Malformed, match="limit"):
        read_proof(bytes(PROOF_BYTES_MAX + 1))
    assert len(encode_proof(RECORD)) < 1_500, "a proof of a young chain is small"
