"""The client's calls about redemptions: `client.redemptions.one(hold)`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

PAGE_LIMIT: Final = 100

Answer = Mapping[str, Any]


class RedemptionCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON, `page` reads a page of a list."""

    def __init__(self, read: Callable[..., Answer], page: Callable[[str, str | None, int], Answer]) -> None:
        self._read = read
        self._page = page

    def one(self, redemption: bytes) -> Answer:
        """`GET /v1/redemptions/{id}`: by the hold or by its transaction; units, standing, the shop's acceptance."""
        return self._read("GET", f"/v1/redemptions/{redemption.hex()}")

    def of_account(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/redemptions`: a page."""
        text = "".join(character if character.isalnum() and character.isascii() else "-" for character in address)
        return self._page(f"/v1/accounts/{text or '-'}/redemptions", cursor, limit)

    def of_program(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/redemptions`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/redemptions", cursor, limit)

    def accept(self, acceptance: bytes) -> Answer:
        """`POST /v1/acceptances`: a signed acceptance's bytes; {redemption, is_new}. The same again is harmless."""
        return self._read("POST", "/v1/acceptances", content=acceptance)
