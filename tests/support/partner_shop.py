"""A shop behind the API whose fans share with a partner, and what the partner and the fans ask."""

from typing import Any

import httpx2

from ledger.address import encode_address
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import SHARE
from ledger.transaction import Prepaid, Transaction
from ledger.types import Address, Timestamp
from node.node import Node
from tests.support.live_shop import MINER
from tests.support.memory_chain import Signer
from tests.support.receipt_shop import ReceiptShop
from tests.support.shop import FAN, STRANGER
from tests.support.stores import node_config

PARTNER = STRANGER
"""Who reads. It holds coin, and is no member."""


class PartnerShop(ReceiptShop):
    """`ReceiptShop` with consents."""

    def text(self, signer: Signer) -> str:
        """An account's address as text."""
        return encode_address(self.shop.chain.params.address_prefix, signer.address)

    def sign_grant(self, scope: str, fan: Signer = FAN, *, to: bytes = PARTNER.address, **options: Any) -> Transaction:
        """A consent to share, signed and not sent."""
        expires_at = Timestamp(options.pop("expires_at", 0))
        payload = ConsentGrant(to, options.pop("purpose", SHARE), scope, expires_at)
        return self.shop.chain.sign("consent.grant", payload, author=fan, **options)

    def sign_revocation(
        self, scope: str, fan: Signer = FAN, *, to: bytes = PARTNER.address, purpose: int = SHARE, **options: Any
    ) -> Transaction:
        """The same consent taken back, signed and not sent."""
        payload = ConsentRevoke(to, purpose, scope)
        return self.shop.chain.sign("consent.revoke", payload, author=fan, **{"payment": Prepaid(), **options})

    def post(self, transaction: Transaction) -> httpx2.Response:
        """Send a transaction over HTTP."""
        headers = {"content-type": "application/msgpack"}
        return self.http.post("/v1/transactions", content=transaction.raw, headers=headers)

    def grant(self, *scopes: str, fan: Signer = FAN, **options: Any) -> None:
        """Consent to share, in a block."""
        for scope in scopes:
            assert self.post(self.sign_grant(scope, fan, **options)).status_code == 202
        self.shop.chain.mine()

    def revoke(self, scope: str, fan: Signer = FAN, **options: Any) -> Transaction:
        """Take a consent back, in no block yet."""
        revocation = self.sign_revocation(scope, fan, **options)
        response = self.post(revocation)
        assert response.status_code == 202, response.text
        return revocation

    def partner_request(
        self,
        what: str,
        *,
        by: Signer = PARTNER,
        fan: Signer = FAN,
        program: bytes | None = None,
        **options: Any,
    ) -> httpx2.Request:
        """A partner's request, signed."""
        chosen = self.shop.program if program is None else program
        path = f"/v1/partner/programs/{chosen.hex()}/members/{self.text(fan)}/{what}"
        return self.request(path=path, sign=self.owner(by), **options)

    def read(self, what: str, **options: Any) -> httpx2.Response:
        """What a partner is answered."""
        return self.send(self.partner_request(what, **options))

    def is_let_in(self, what: str, **options: Any) -> bool:
        """Whether a partner is given something, and not refused for another reason than the fan's will."""
        response = self.read(what, **options)
        if response.status_code == 200:
            return True
        assert (response.status_code, response.json()["code"]) == (403, "partner.not_granted"), response.text
        return False

    def ask(self, path: str, fan: Signer = FAN, method: str = "GET", **options: Any) -> Any:
        """What a fan is answered about its own."""
        response = self.send(self.request(method, path, sign=self.owner(fan), **options))
        assert response.status_code == 200, response.text
        return response.json()

    def restart(self) -> "PartnerShop":
        """Stop API and node, and start them again on the same files. What waited in the pool is gone."""
        chain = self.shop.chain
        folder = chain.node.config.data_dir
        self.close()
        chain.node.close()
        chain.node = Node(node_config(folder, chain.params), chain.clock)
        chain.miner_of_node = chain.node.start_miner(Address(MINER.address), workers=0)
        found = PartnerShop(self.shop)
        found._sequence = self._sequence
        return found
