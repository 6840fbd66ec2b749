"""A shop whose fans let its program personalise: consents, purchases with products, and what a brand says of these."""

import asyncio
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from api.http.schemas.answer import Answer
from api.http.settings import HttpSettings
from api.receipts.inbox import KeptMessage
from ledger.domains.consent.state import PERSONALISE
from ledger.types import Hash, ReceiptHash, Timestamp
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.partner_shop import PartnerShop
from tests.support.receipt_shop import SETTINGS
from tests.support.shop import FAN, FRIEND, OWNER

JSON: Final = {"content-type": "application/json"}
FEED: Final[list[dict[str, Any]]] = [
    {"item": "bread", "names": {"en": "Rye bread", "ko": "호밀빵"}, "category": "bakery", "price_cents": 498},
    {
        "item": "coffee",
        "names": {"en": "Coffee", "ko": "커피"},
        "category": "drinks",
        "price_cents": 649,
        "pairs_with": ["milk", "mug"],
    },
    {"item": "milk", "names": {"en": "Milk", "ko": "우유"}, "category": "dairy", "price_cents": 129},
    {
        "item": "mug",
        "names": {"en": "Mug", "ko": "머그"},
        "category": "kitchen",
        "price_cents": 900,
        "lasts": True,
        "how_to": {"en": "Rinse it first.", "ko": "먼저 헹구세요."},
    },
    {"item": "tea", "names": {"en": "Tea", "ko": "차"}, "category": "drinks", "price_cents": 300},
]


class PersonalShop(PartnerShop):
    """`PartnerShop` with a product feed, and consents to personalise."""

    def allow(self, *scopes: str, fan: Signer = FAN, **options: Any) -> None:
        """Let the program personalise, in a block."""
        self.grant(*scopes, fan=fan, to=self.shop.program, purpose=PERSONALISE, **options)

    def withdraw(self, scope: str = "", fan: Signer = FAN) -> None:
        """Take that back; in no block yet."""
        self.revoke(scope, fan, to=self.shop.program, purpose=PERSONALISE)

    def ask_once(self, *questions: str, fan: Signer = FAN) -> None:
        """As if the fan had been asked these, long ago."""
        asked = [
            KeptMessage(
                Hash(sha256(name.encode()).digest()),
                fan.address,
                self.shop.program,
                "question",
                0,
                0,
                1,
                False,
                document,
            )
            for name in questions
            for document in [{"kind": "question", "subject": name, "consent": {"scopes": []}}]
        ]
        asyncio.run(self.app.state.services.receipts.run(lambda store: store.inbox.add(asked, Timestamp(0))))

    def buy(self, *items: str, fan: Signer = FAN, quantity: int = 1, cents: int = 500, **changes: Any) -> ReceiptHash:
        """A purchase now, handed over with its lines."""
        lines = tuple((item, quantity, cents, 0, 0) for item in items)
        signed = self.sign(lines, member=fan.address, net_cents=cents * len(items), codes=(), **changes)
        return self.hand_over(signed, lines)

    def pass_time(self, *, days: int = 0, seconds: int = 0) -> None:
        """Let time pass, on the chain and on the node's clock."""
        self.shop.chain.advance(days=days, seconds=seconds)

    def buy_each(self, items: Sequence[str], *, times: int, days: int, fan: Signer = FAN) -> None:
        """The same basket again and again."""
        for _ in range(times):
            self.buy(*items, fan=fan)
            self.pass_time(days=days)

    def put(self, path: str, body: dict[str, Any], who: Signer = FAN, method: str = "PUT") -> Any:
        """A signed body in JSON; the answer, whatever it is."""
        content = json.dumps(body).encode()
        return self.send(self.request(method, path, sign=self.owner(who), content=content, headers=JSON))

    def feed(self, products: Sequence[dict[str, Any]] = FEED, **more: Any) -> Any:
        """The brand's product feed."""
        path = f"/v1/programs/{self.shop.program.hex()}/products"
        answer = self.put(path, {"products": list(products), **more}, OWNER)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def mine(self, what: str, fan: Signer = FAN, **parameters: Any) -> Any:
        """What a fan is answered under /v1/me/ for this program: the response."""
        query = {"program": self.shop.program.hex(), **parameters}
        return self.send(self.request("GET", f"/v1/me/{what}", sign=self.owner(fan), params=query))

    def seen(self, what: str, fan: Signer = FAN, model: type[Answer] | None = None, **parameters: Any) -> Any:
        """The same as its JSON, which has the form of `model`."""
        response = self.mine(what, fan, **parameters)
        assert response.status_code == 200, response.text
        if model is not None:
            model.model_validate(response.json(), strict=True)
        return response.json()

    @property
    def now(self) -> Timestamp:
        """The node's clock."""
        return Timestamp(self.shop.chain.clock.now())

    def days_ago(self, days: int) -> Timestamp:
        """A time so many days back."""
        return Timestamp(self.now - days * DAY_SECONDS)


def open_personal_shop(folder: Path, *, settings: HttpSettings = SETTINGS, **terms: Any) -> PersonalShop:
    """FAN and FRIEND are members; nobody has consented to anything."""
    shop = LiveShop(folder, **terms)
    shop.join(FAN, FRIEND)
    return PersonalShop(shop, settings)
