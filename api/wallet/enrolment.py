"""Joining at a till without a network: three small JSON texts, each fits a QR code or a file.

    till  make_invitation   the chain's facts, the program, who will counter-sign, and for which heights
    fan   request_join      the finished body of `member.join`, signed by the fan's account for that program
    till  counter_sign      looks at what it signs, adds its own witness: a transaction that anybody may send

The program's fee pool pays, because the issuer counter-signs; the fan needs no coin and the till never sees a key of the fan's.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.wallet.builder import ChainFacts, Signer, draft_body, join_witnesses, new_salt, sign_body
from api.wallet.errors import WalletError
from api.wallet.json_numbers import whole_number
from api.words import shown_format
from ledger.codec import pack, unpack
from ledger.domains.loyalty.events import NOBODY
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.errors import Code
from ledger.keys import verify
from ledger.params import TRANSACTION_BYTES_MAX
from ledger.schema import Struct
from ledger.transaction import BODY, Sponsored, Witness, signing_hash
from ledger.types import Address, Height, ProgramId

INVITATION_FORMAT: Final = "fansumer-invitation"
REQUEST_FORMAT: Final = "fansumer-join-request"
VERSION: Final = 1
TEXT_CHARACTERS_MAX: Final = 8_192
"""Far above both texts; bounds what is read from a file or a camera."""

KIND: Final = "member.join"

BAD_INVITATION = Code(
    "enrolment.bad_invitation", "this is no invitation to a program: {reason}", "Ask the till to show it again."
)
BAD_REQUEST = Code(
    "enrolment.bad_request", "this is no request to join: {reason}", "Ask the fan to make it again from the invitation."
)
NOT_OURS = Code(
    "enrolment.not_ours",
    "this request is for {what} of somebody else",
    "Counter-sign only what answers your own invitation.",
)

_WITNESS: Final = Struct(Witness)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a fan needs to join offline: the chain's facts, the program, the issuer that will counter-sign, the heights."""

    facts: ChainFacts
    program: ProgramId
    issuer: Address
    valid_from: Height
    valid_until: Height

    def to_json(self) -> str:
        """The invitation as text, for a file or a QR code."""
        document = {
            "format": INVITATION_FORMAT,
            "version": VERSION,
            "name": self.facts.name,
            "chain_id": self.facts.chain_id.hex(),
            "address_prefix": self.facts.address_prefix,
            "fee_rate_min": self.facts.fee_rate_min,
            "record_deposit": self.facts.record_deposit,
            "account_minimum": self.facts.account_minimum,
            "validity_blocks_max": self.facts.validity_blocks_max,
            "program": self.program.hex(),
            "issuer": self.issuer.hex(),
            "valid_from": self.valid_from,
            "valid_until": self.valid_until,
        }
        return json.dumps(document, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "Invitation":
        """Read an invitation. Raises WalletError enrolment.bad_invitation."""
        document = _read_document(text, INVITATION_FORMAT, BAD_INVITATION)
        try:
            found = Invitation(
                facts=ChainFacts.of_answer(document),
                program=ProgramId(bytes.fromhex(document["program"])),
                issuer=Address(bytes.fromhex(document["issuer"])),
                valid_from=Height(whole_number(document["valid_from"])),
                valid_until=Height(whole_number(document["valid_until"])),
            )
        except (KeyError, TypeError, ValueError):
            raise WalletError(BAD_INVITATION, reason="a field is missing or malformed") from None
        if {len(found.program), len(found.issuer), len(found.facts.chain_id)} != {32}:
            raise WalletError(BAD_INVITATION, reason="an id has not 32 bytes")
        return found


def take_invitation(text: str) -> str:
    """The invitation in a till's whole answer to `GET /invitation` (its field `invitation`); any other text stays as it is."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    found = document.get("invitation") if isinstance(document, dict) else None
    return json.dumps(found) if isinstance(found, dict) else text


def make_invitation(
    facts: ChainFacts, program: ProgramId, issuer: Address, *, valid_from: Height, blocks: int | None = None
) -> Invitation:
    """An invitation for the next `blocks` blocks, by default as long as the chain allows."""
    until = facts.valid_until(valid_from, facts.validity_blocks_max if blocks is None else blocks)
    return Invitation(facts, program, issuer, valid_from, until)


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A body of `member.join` and the fan's witness over it."""

    body_bytes: bytes
    witness: Witness

    def to_json(self) -> str:
        """The request as text, for a file or a QR code."""
        document = {
            "format": REQUEST_FORMAT,
            "version": VERSION,
            "body": base64.b64encode(self.body_bytes).decode(),
            "witness": base64.b64encode(pack(_WITNESS.encode(self.witness))).decode(),
        }
        return json.dumps(document, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "JoinRequest":
        """Read a request. Raises WalletError enrolment.bad_request, or Malformed of a part of it."""
        document = _read_document(text, REQUEST_FORMAT, BAD_REQUEST)
        try:
            body_bytes = base64.b64decode(document["body"], validate=True)
            witness_bytes = base64.b64decode(document["witness"], validate=True)
        except (KeyError, TypeError, ValueError):
            raise WalletError(BAD_REQUEST, reason="body or witness is missing or no base64") from None
        witness = _WITNESS.decode(unpack(witness_bytes, bytes_max=TRANSACTION_BYTES_MAX), "witness")
        return JoinRequest(body_bytes, witness)


def request_join(
    invitation: Invitation,
    fan: Signer,
    salt: bytes | None = None,
    *,
    referrer: Address = NOBODY,
    gives_back_from_all: bool = False,
) -> JoinRequest:
    """The fan's answer to an invitation, signed by its account for that program."""
    body_bytes = draft_body(
        invitation.facts,
        KIND,
        MemberJoin(invitation.program, invitation.issuer, referrer, gives_back_from_all),
        fan.address,
        policies=(),
        valid_from=invitation.valid_from,
        valid_until=invitation.valid_until,
        payment=Sponsored(invitation.program),
        salt=new_salt() if salt is None else salt,
    )
    return JoinRequest(body_bytes, sign_body(invitation.facts, body_bytes, fan))


def counter_sign(facts: ChainFacts, program: ProgramId, request: JoinRequest, till: Signer) -> bytes:
    """The finished transaction, once the till has looked at what it signs.

    Raises WalletError enrolment.bad_request (no `member.join`, a wrong signature), enrolment.not_ours (another chain, program,
    issuer or payer).
    """
    array = unpack(request.body_bytes, bytes_max=TRANSACTION_BYTES_MAX)
    if not isinstance(array, tuple) or len(array) != len(BODY.names) + 1:
        raise WalletError(BAD_REQUEST, reason="its body is not that of a transaction")
    body = BODY.decode(array[:-1], "body")
    if body.kind != KIND:
        raise WalletError(BAD_REQUEST, reason=f"it is a {body.kind}, not a {KIND}")
    payload = Struct(MemberJoin).decode(array[-1], "payload")
    if body.chain_tag != facts.chain_id[:4]:
        raise WalletError(NOT_OURS, what="the chain")
    if payload.program != program:
        raise WalletError(NOT_OURS, what="the program")
    if payload.issuer != till.address:
        raise WalletError(NOT_OURS, what="the till")
    if body.payment != Sponsored(program):
        raise WalletError(NOT_OURS, what="the fee pool")
    _check_signed(facts, request)
    return join_witnesses(facts, request.body_bytes, (request.witness, sign_body(facts, request.body_bytes, till)))


def _check_signed(facts: ChainFacts, request: JoinRequest) -> None:
    request.witness.policy.check()
    message = signing_hash(facts.chain_id, request.body_bytes)
    public_keys = request.witness.policy.keys
    for index, signature in request.witness.signatures:
        if index >= len(public_keys) or not verify(public_keys[index], message, signature):
            raise WalletError(BAD_REQUEST, reason="the fan's signature is wrong")


def _read_document(text: str, format_name: str, code: Code) -> Mapping[str, Any]:
    """The JSON object of a format that is known here."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise WalletError(code, reason=f"it has more than {TEXT_CHARACTERS_MAX} characters")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise WalletError(code, reason="it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != format_name:
        raise WalletError(code, reason=f"its format is {shown_format(document)}, not {format_name}")
    if document.get("version") != VERSION:
        raise WalletError(code, reason="its version is unknown; update fansumer")
    return document
