"""The client's calls about personal offers: `client.offers.one(offer)`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

PAGE_LIMIT: Final = 100

Answer = Mapping[str, Any]


class OfferCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON, `page` reads a page of a list."""

    def __init__(self, read: Callable[..., Answer], page: Callable[[str, str | None, int], Answer]) -> None:
        self._read = read
        self._page = page

    def one(self, offer: bytes) -> Answer:
        """`GET /v1/offers/{id}`: to whom, how much, until when, and what became of it."""
        return self._read("GET", f"/v1/offers/{offer.hex()}")

    def of_account(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/offers`: a page."""
        text = "".join(character if character.isalnum() and character.isascii() else "-" for character in address)
        return self._page(f"/v1/accounts/{text or '-'}/offers", cursor, limit)

    def of_program(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/offers`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/offers", cursor, limit)
