"""Proofs: what a fan checks without any node, and everything that breaks one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.block import transaction_leaf
from ledger.codec import TRAILING, pack
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Code, Malformed, Violation
from ledger.hashing import WTX
from ledger.header import Header
from ledger.merkle import root
from ledger.pow import BITS_ZERO, target_from_compact, work_of
from ledger.proofs import (
    BROKEN,
    NOT_A_PROOF,
    PROOF_BYTES_MAX,
    TRUST_ABOVE,
    TRUST_BELOW,
    TRUST_HOME,
    UNTRUSTED,
    Proof,
    RecordClaim,
    ShownRecord,
    ShownTransaction,
    TransactionClaim,
    check_proof,
    encode_proof,
    measure_proof,
    read_proof,
)
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
    block = CHAIN.blocks[2].block
    (shown,) = report.shown
    assert isinstance(shown, ShownTransaction)
    assert (shown.txid, shown.results) == (CHAIN.scenario.mined[1].transactions[1].txid, ("",))
    assert (shown.height, shown.time, shown.block_hash, shown.depth) == (2, block.header.time, block.hash, 1)
    assert shown.raw == block.transactions[1]
    assert (report.anchor_height, report.following) == (2, 3)
    assert (report.anchor_hash, report.rests_on) == (block.hash, CHAIN.blocks[5].block.hash)
    assert report.work_on_top == 4 * work_of(target_from_compact(BITS))
    assert (report.trusted_height, report.trusted_hash, report.trust) == (0, CHAIN_ID, "")
    assert report.trusted_work == work_of(target_from_compact(BITS))


def test_a_transaction_in_the_history_of_the_anchor() -> None:
    report = check_proof(IN_HISTORY)
    (shown,) = report.shown
    assert isinstance(shown, ShownTransaction)
    assert (report.anchor_height, report.following) == (5, 0)
    assert (shown.height, shown.depth, shown.block_hash) == (2, 4, CHAIN.blocks[2].block.hash)
    assert report.chain_id == CHAIN_ID
    assert report.anchor_time == CHAIN.blocks[5].block.header.time
    assert report.rests_on == report.anchor_hash


def test_records_in_the_latest_state() -> None:
    keys = [account_key(signer.address) for signer in (FRIEND, FAN)]
    report = check_proof(CHAIN.prove_record(*keys), CHAIN_ID)
    assert [shown for shown in report.shown if isinstance(shown, ShownRecord)] == [
        ShownRecord(key, "Account", CHAIN.scenario.record(key)) for key in keys
    ]


@pytest.mark.parametrize(
    ("proof", "height", "role"),
    [
        (IN_ANCHOR, 2, TRUST_ABOVE),
        (IN_ANCHOR, 4, TRUST_ABOVE),
        (IN_ANCHOR, 5, TRUST_ABOVE),
        (IN_ANCHOR, 0, TRUST_BELOW),
        (IN_HISTORY, 5, TRUST_ABOVE),
        (IN_HISTORY, 2, TRUST_HOME),
        (IN_HISTORY, 0, TRUST_BELOW),
        (RECORD, 5, TRUST_ABOVE),
        (RECORD, 0, TRUST_BELOW),
    ],
)
def test_a_block_that_the_reader_knows(proof: Proof, height: int, role: str) -> None:
    assert check_proof(proof, trust=CHAIN.blocks[height].block.hash).trust == role


@pytest.mark.parametrize(("proof", "height"), [(IN_ANCHOR, 1), (IN_HISTORY, 4), (RECORD, 2)])
def test_a_block_that_the_proof_does_not_lead_to(proof: Proof, height: int) -> None:
    other = CHAIN.blocks[height].block.hash
    with refused(UNTRUSTED, Violation, hash=other[::-1].hex()):
        check_proof(proof, trust=other)


def test_only_the_first_claim_is_as_sure_as_the_block_that_holds_it() -> None:
    second = replace(RECORD, claims=(*RECORD.claims, *IN_HISTORY.claims))
    with refused(UNTRUSTED, Violation):
        check_proof(second, trust=CHAIN.blocks[2].block.hash)


def test_a_trusted_block_other_than_genesis() -> None:
    proof = replace(RECORD, trusted=CHAIN.trusted(5, 3))
    report = check_proof(read_proof(encode_proof(proof)), trust=CHAIN.blocks[3].block.hash)
    assert (report.trusted_height, report.trust) == (3, TRUST_BELOW)


def test_the_size_of_the_parts() -> None:
    for proof in (IN_ANCHOR, IN_HISTORY, RECORD):
        sizes = measure_proof(proof)
        assert sizes["all"] == len(encode_proof(proof)) == 70 + sizes["block"] + sizes["trusted"] + sizes["claims"]


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
    return replace(proof, claims=(replace(proof.claims[0], **changes),))


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
    claim = IN_HISTORY.claims[0]
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
        (replace(RECORD, rests_on=other_hash(RECORD.rests_on)), "it does not rest on the block that it names"),
        (replace(IN_ANCHOR, rests_on=CHAIN.blocks[4].block.hash), "it does not rest on the block that it names"),
        (anchored(IN_ANCHOR, following=IN_ANCHOR.anchor.following[:2]), "it does not rest on the block that it names"),
        (replace(RECORD, trusted=replace(TRUSTED, work=bytes(32))), "not in the anchor's history"),
        (replace(RECORD, trusted=replace(TRUSTED, height=TRUSTED.height + 1)), "not in the anchor's history"),
        (replace(RECORD, trusted=replace(TRUSTED, height=9)), "not in the anchor's history"),
        (claimed(RECORD, value=pack((6, b"", 0))), "a record is not in the anchor's state"),
        (claimed(RECORD, slot=Slot(0)), "a record is not in the anchor's state"),
        (claimed(RECORD, key=account_key(OWNER.address)), "a record is not in the anchor's state"),
        (claimed(IN_ANCHOR, index=0), "a transaction is not in its block"),
        (claimed(IN_ANCHOR, results=("earn.no_member",)), "a transaction is not in its block"),
        (claimed(IN_ANCHOR, transaction=b"x"), "a transaction is not in its block"),
        (claimed(IN_HISTORY, home=()), "a transaction is not in its block"),
        (at_home(effective_time=0), "a transaction's block is not in the anchor's history"),
        (at_home(work=bytes(32)), "a transaction's block is not in the anchor's history"),
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


def sealed_with(claim: TransactionClaim | RecordClaim, **roots: Any) -> Proof:
    """A proof about the block after the tip, whose roots are chosen."""
    tip = CHAIN.blocks[-1]
    commitment = replace(tip.commitment, **roots)
    block = CHAIN.seal(commitment, CHAIN.scenario.mined[-1], CHAIN.blocks[-2], ()).block
    anchor = replace(
        RECORD.anchor, header=block.header.encode(), coinbase=block.coinbase, commitment=block.commitment_bytes
    )
    return replace(RECORD, rests_on=block.hash, anchor=anchor, claims=(claim,))


def alone(key: RecordKey, value: bytes) -> Proof:
    """A proof of the only record of a state."""
    root_of_one = root([record_leaf(key, value)])
    return sealed_with(RecordClaim(key, value, Slot(0), ()), state_root=root_of_one, slot_count=1)


@pytest.mark.parametrize(
    ("key", "value"), [(RecordKey(b"\xff" + bytes(32)), pack((1,))), (account_key(FAN.address), pack((b"", 1)))]
)
def test_a_record_that_this_version_can_not_read_holds_all_the_same(key: RecordKey, value: bytes) -> None:
    assert check_proof(alone(key, value)).shown == (ShownRecord(key, None, None),)


def test_a_record_that_is_no_array_is_malformed() -> None:
    with refused(NOT_A_PROOF, Malformed):
        check_proof(alone(account_key(FAN.address), pack(5)))
    with refused(TRAILING, Malformed):
        check_proof(alone(account_key(FAN.address), pack((5,)) + b"\x00"))


def test_the_block_says_how_many_slots_there_are() -> None:
    """The number of slots is committed to, not the proof's word: in a tree of another height the same path leads nowhere."""
    claim = CHAIN.claim_record(account_key(FRIEND.address))
    slots = CHAIN.blocks[-1].commitment.slot_count
    check_proof(sealed_with(claim, slot_count=slots))
    for other in (claim.slot, 2 * slots, 8 * slots):
        with refused(BROKEN, Violation, reason="a record is not in the anchor's state"):
            check_proof(sealed_with(claim, slot_count=other))


@pytest.mark.parametrize("transaction", [pack(5), pack((b"body",)), pack((5, ()))])
def test_a_transaction_that_is_none_is_malformed(transaction: bytes) -> None:
    leaf = transaction_leaf(WtxId(WTX(transaction)), ("",))
    claim = TransactionClaim(transaction, ("",), 0, (), ())
    with refused(NOT_A_PROOF, Malformed):
        check_proof(sealed_with(claim, transaction_root=root([leaf]), transaction_count=1))


@given(st.binary(max_size=300))
def test_unknown_bytes_never_crash(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_proof(data)


def test_a_proof_that_is_too_long() -> None:
    with pytest.raises(Malformed, match="limit"):
        read_proof(bytes(PROOF_BYTES_MAX + 1))
    assert len(encode_proof(RECORD)) < 1_500, "a proof of a young chain is small"
