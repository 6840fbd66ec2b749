"""Signing a request for what is only an account's own (RFC 9421): the client's half of `api/http/signatures.py`."""

import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx2
from http_message_signatures.signatures import HTTPMessageSigner

from api.request_signature import ACCOUNT_HEADER, POLICY_HEADER, TAG, KeyIdIsKey, StrictEd25519
from api.wallet.builder import Signer
from ledger import keys
from ledger.codec import pack
from ledger.policy import address_of_key

NONCE_BYTES: Final = 16
COVERED: Final = ("@method", "@target-uri")


@dataclass(frozen=True, slots=True)
class AccountSigner:
    """Signs requests as an account, whose address is also given as text. Each call makes a new nonce.

    `clock` tells seconds since 1970; it must be the node's within a minute.
    """

    signer: Signer
    address: str
    clock: Callable[[], float] = time.time
    new_nonce: Callable[[], str] = lambda: secrets.token_urlsafe(NONCE_BYTES)

    def __call__(self, request: httpx2.Request) -> None:
        """Add the signatures, and the account with its policy where it is not simply its key's."""
        policy = self.signer.shown_policy()
        covered = list(COVERED)
        if self.signer.address != address_of_key(keys.public_key_of(self.signer.seed)):
            shown = b64encode(pack((policy.threshold, policy.keys))).decode()
            request.headers[ACCOUNT_HEADER] = self.address
            request.headers[POLICY_HEADER] = f":{shown}:"
            covered += [ACCOUNT_HEADER.lower(), POLICY_HEADER.lower()]
        seeds = [seed for _, seed in self.signer.indexed_seeds()]
        message_signer = HTTPMessageSigner(signature_algorithm=StrictEd25519, key_resolver=KeyIdIsKey(*seeds))
        body = request.read()
        for number, seed in enumerate(seeds):
            message_signer.sign(
                request,
                key_id=keys.public_key_of(seed).hex(),
                created=datetime.fromtimestamp(int(self.clock()), UTC),
                nonce=self.new_nonce(),
                label=f"sig{number}",
                tag=TAG,
                covered_component_ids=covered,
                append_if_signature_exists=number > 0,
                body=body or None,
                use_existing_digest=number > 0 and bool(body),
            )
