"""Joining at the counter: the fan answers the till's invitation with its phone, the till counter-signs and sends it.

Nothing is kept here. The same request sent again is the same transaction, which the chain takes once: a POS that hears no answer,
or whose node is away, sends it again for as long as the invitation is good.
"""

import threading
from dataclasses import dataclass
from typing import Any, Final

from api.till.errors import NOT_ENROLLED, NOT_SENT, TillRefused
from api.till.knowledge import Knowledge
from api.wallet.builder import Signer
from api.wallet.client import Client
from api.wallet.enrolment import JoinRequest, counter_sign
from api.wallet.errors import ClientProblem
from ledger.address import encode_address
from ledger.transaction import decode_transaction
from ledger.transition import REPEATED
from ledger.types import ProgramId, TxId

DROPPED: Final = "dropped"
TOO_MANY: Final = 429
"""A node that was asked too often says so with this: that is its trouble, not the request's."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A request that the node has: the transaction, who joins, and `unconfirmed`, `confirmed` or `dropped`."""

    txid: str
    member: str
    status: str
    is_new: bool

    def show(self) -> dict[str, Any]:
        """As JSON."""
        return {"txid": self.txid, "member": self.member, "status": self.status, "is_new": self.is_new}


class Counter:
    """Enrols fans with the till's key. Several threads may ask."""

    def __init__(self, knowledge: Knowledge, program: ProgramId, till: Signer, client: Client) -> None:
        self._knowledge = knowledge
        self._program = program
        self._till = till
        self._client = client
        self._lock = threading.Lock()

    def enrol(self, text: str) -> Enrolled:
        """Counter-sign a fan's request and send it.

        Raises TillRefused till.no_terms, till.revoked, till.not_granted, till.not_sent (send it again) and till.not_enrolled (the
        node refuses it); WalletError enrolment.bad_request, enrolment.not_ours; Malformed.
        """
        contact = self._knowledge.known()
        self._knowledge.check_granted(contact, "enrol")
        raw = counter_sign(contact.facts, self._program, JoinRequest.from_json(text), self._till)
        transaction = decode_transaction(raw, contact.facts.chain_id)
        try:
            with self._lock:
                is_new, status = self._send(raw, transaction.txid)
        except ClientProblem as problem:
            if 400 <= problem.status < 500 and problem.status != TOO_MANY:
                raise TillRefused(NOT_ENROLLED, refusal=problem.code, reason=problem.detail) from None
            raise TillRefused(NOT_SENT, reason=problem.detail, until=transaction.body.valid_until) from None
        member = encode_address(contact.facts.address_prefix, transaction.body.author)
        return Enrolled(transaction.txid.hex(), member, status, is_new)

    def _send(self, raw: bytes, txid: TxId) -> tuple[bool, str]:
        """Whether the node had not heard of it before, and how it is there now. Raises ClientProblem."""
        if self._is_known(txid):
            return False, str(self._client.transaction(txid)["status"])
        is_new = True
        try:
            self._client.submit(raw)
        except ClientProblem as problem:
            if problem.code != REPEATED.name:
                raise
            is_new = False
        return is_new, str(self._client.transaction(txid)["status"])

    def _is_known(self, txid: TxId) -> bool:
        """Whether it waits at the node or stands in a block; one that was dropped is sent again."""
        try:
            return self._client.transaction(txid)["status"] != DROPPED
        except ClientProblem as problem:
            if problem.status != 404:
                raise
            return False
