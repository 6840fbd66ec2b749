"""A shop whose till signs receipts with lines, and fans who sign requests for their own: on a node behind the API."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.http.app import create_app
from api.http.settings import HttpSettings
from api.receipts.lines import lines_root
from api.wallet.builder import Signer as WalletSigner
from api.wallet.client import Client
from api.wallet.request_signing import AccountSigner
from ledger.address import encode_address
from ledger.codec import Packable
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, encode_receipt, receipt_hash, sign_receipt
from ledger.types import Address, Hash, Points, ReceiptHash, Timestamp
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer
from tests.support.shop import FAN, TILL

SETTINGS = HttpSettings(rate_limited=False, event_stream_seconds_max=0.01)
LINES: tuple[Packable, ...] = (("Rye bread of Elmhurst", 2, 498), ("Kopi Luwak", 1, 649))


class ReceiptShop:
    """`LiveShop` with the API in this process. Everybody's clock is the chain's."""

    def __init__(self, shop: LiveShop, settings: HttpSettings = SETTINGS) -> None:
        self.shop = shop
        self.app: FastAPI = create_app(shop.node, settings)
        self.http = TestClient(self.app, base_url="http://node").__enter__()  # one event loop for all requests
        self.client = Client("http://node", http=self.http, attempts_max=1)
        self._sequence = 0

    def close(self) -> None:
        """Close the API."""
        self.http.__exit__()

    def sign(self, lines: Sequence[Packable] = LINES, *, till: Signer = TILL, **changes: Any) -> SignedReceipt:
        """A receipt of the till over 11.47, numbered on."""
        self._sequence += 1
        salt = self._sequence.to_bytes(2, "big") * 16
        receipt = Receipt(
            version=1,
            program=self.shop.program,
            terms_version=1,
            member=Address(FAN.address),
            till=till.key,
            sequence=self._sequence,
            time=Timestamp(self.shop.chain.clock.now()),
            net_cents=1_147,
            paid_with_points_cents=0,
            codes=(("bakery", 498), ("drinks", 649)),
            lines_root=Hash(lines_root(salt, lines)),
            points=Points(114),
        )
        return sign_receipt(replace(receipt, **changes), salt, self.shop.node.chain.chain_id, till.seeds[0])

    def hand_over(self, signed: SignedReceipt, lines: Sequence[Packable] = LINES) -> ReceiptHash:
        """Give it to the store; its id."""
        self.client.hand_over(encode_receipt(signed), lines)
        return receipt_hash(signed.receipt, signed.salt)

    def owner(self, signer: Signer = FAN, **changes: Any) -> AccountSigner:
        """Signs requests as somebody, by the node's clock."""
        found = WalletSigner.of_policy(signer.policy, signer.seeds[: signer.policy.threshold], signer.address)
        text = encode_address(self.shop.chain.params.address_prefix, signer.address)
        return replace(AccountSigner(found, text, lambda: float(self.shop.chain.clock.now())), **changes)

    def request(
        self,
        method: str = "GET",
        path: str = "/v1/receipts",
        *,
        sign: Callable[[httpx2.Request], None] | None = None,
        **options: Any,
    ) -> httpx2.Request:
        """A request as it would be sent, signed by FAN or by `sign`."""
        request = self.http.build_request(method, path, **options)
        (self.owner() if sign is None else sign)(request)
        return request

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """Send it."""
        return self.http.send(request)


def json_body(signed: SignedReceipt, lines: Sequence[Any] = ()) -> dict[str, Any]:
    """The body of a receipt in JSON."""
    return {"receipt": b64encode(encode_receipt(signed)).decode(), "lines": list(lines)}
