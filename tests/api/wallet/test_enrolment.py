import json
from dataclasses import replace

import pytest

from api.wallet.builder import ChainFacts, Signer, draft_body, sign_body
from api.wallet.enrolment import Invitation, JoinRequest, counter_sign, make_invitation, request_join
from api.wallet.errors import WalletError
from ledger import keys
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.errors import LedgerError
from ledger.genesis import make_genesis
from ledger.networks import NETWORKS
from ledger.transaction import Prepaid, Sponsored, decode_transaction, signature_checks
from ledger.types import Address, Amount, ChainId, Height, PrivateSeed, ProgramId

SIM = NETWORKS["sim"]
FACTS = ChainFacts.of_params(SIM, make_genesis(SIM).chain_id)
PROGRAM = ProgramId(b"p" * 32)
FAN, TILL, OTHER = (Signer.of_seed(PrivateSeed(bytes([number]) * 32)) for number in (1, 2, 3))
INVITATION = make_invitation(FACTS, PROGRAM, TILL.address, valid_from=Height(10))


def code_of(fault: pytest.ExceptionInfo[LedgerError]) -> str:
    return fault.value.code.name


def test_three_texts_make_a_transaction() -> None:
    invitation = Invitation.from_json(INVITATION.to_json())
    assert invitation == INVITATION
    request = JoinRequest.from_json(request_join(invitation, FAN).to_json())
    transaction = decode_transaction(counter_sign(FACTS, PROGRAM, request, TILL), FACTS.chain_id)
    assert transaction.payload == MemberJoin(PROGRAM, TILL.address)
    assert transaction.signers == (FAN.address, TILL.address)
    assert transaction.body.payment == Sponsored(PROGRAM)
    assert (transaction.body.valid_from, transaction.body.valid_until) == (10, 9 + SIM.validity_blocks_max)
    assert all(keys.verify(*check) for check in signature_checks(transaction, FACTS.chain_id))


def test_texts_fit_a_qr_code() -> None:
    assert len(INVITATION.to_json()) < 700
    assert len(request_join(INVITATION, FAN).to_json()) < 700


def test_invitation_may_be_short() -> None:
    assert make_invitation(FACTS, PROGRAM, TILL.address, valid_from=Height(10), blocks=3).valid_until == 12


def body_of(kind: str = "member.join", **changes: object) -> JoinRequest:
    arguments: dict = {
        "payload": MemberJoin(PROGRAM, TILL.address),
        "author": FAN.address,
        "payment": Sponsored(PROGRAM),
        "facts": FACTS,
    } | changes
    body = draft_body(kind=kind, policies=(), valid_from=Height(10), valid_until=Height(11), salt=bytes(8), **arguments)
    return JoinRequest(body, sign_body(arguments["facts"], body, FAN))


ELSEWHERE = ProgramId(b"q" * 32)


@pytest.mark.parametrize(
    ("request_made", "what"),
    [
        (body_of(facts=replace(FACTS, chain_id=ChainId(b"c" * 32))), "chain"),
        (body_of(payload=MemberJoin(ELSEWHERE, TILL.address)), "program"),
        (body_of(payload=MemberJoin(PROGRAM, OTHER.address)), "till"),
        (body_of(payload=MemberJoin(PROGRAM, Address(b""))), "till"),
        (body_of(payment=Sponsored(ELSEWHERE)), "fee pool"),
        (body_of(payment=Prepaid()), "fee pool"),
    ],
)
def test_till_signs_nothing_that_it_did_not_offer(request_made: JoinRequest, what: str) -> None:
    with pytest.raises(WalletError) as fault:
        counter_sign(FACTS, PROGRAM, request_made, TILL)
    assert code_of(fault) == "enrolment.not_ours"
    assert what in str(fault.value)


def test_till_signs_no_other_kind() -> None:
    request = body_of("transfer", payload=Transfer(ToAccount(OTHER.address), Amount(1)))
    with pytest.raises(WalletError) as fault:
        counter_sign(FACTS, PROGRAM, request, TILL)
    assert code_of(fault) == "enrolment.bad_request"


def test_till_signs_nothing_that_the_fan_did_not_sign() -> None:
    request = request_join(INVITATION, FAN)
    other = request_join(INVITATION, FAN)
    for wrong in (replace(request, witness=other.witness), replace(request, body_bytes=b"\x93\x01\x02\x03")):
        with pytest.raises(WalletError) as fault:
            counter_sign(FACTS, PROGRAM, wrong, TILL)
        assert code_of(fault) == "enrolment.bad_request"


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"format":"other"}', "x" * 9_000, "[" * 5_000])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(WalletError) as invitation:
        Invitation.from_json(text)
    assert code_of(invitation) == "enrolment.bad_invitation"
    with pytest.raises(WalletError) as request:
        JoinRequest.from_json(text)
    assert code_of(request) == "enrolment.bad_request"


def test_each_field_is_needed() -> None:
    for text, read in (
        (INVITATION.to_json(), Invitation.from_json),
        (request_join(INVITATION, FAN).to_json(), JoinRequest.from_json),
    ):
        document = json.loads(text)
        for name in document:
            with pytest.raises(WalletError):
                read(json.dumps({key: value for key, value in document.items() if key != name}))
    with pytest.raises(WalletError):
        Invitation.from_json(json.dumps(json.loads(INVITATION.to_json()) | {"program": "00"}))


@pytest.mark.parametrize("name", ["valid_from", "valid_until", "fee_rate_min", "validity_blocks_max"])
@pytest.mark.parametrize("number", [float("inf"), float("nan"), 10**400, 1.5, -1, "7", None, True])
def test_numbers_of_an_invitation_are_whole(name: str, number: object) -> None:
    with pytest.raises(WalletError) as fault:
        Invitation.from_json(json.dumps(json.loads(INVITATION.to_json()) | {name: number}))
    assert code_of(fault) == "enrolment.bad_invitation"
