"""The client's calls about what fans say and do: `client.reviews.of_subject(program)`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

PAGE_LIMIT: Final = 100

Answer = Mapping[str, Any]


class ReviewCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON, `page` reads a page, `prove` a proof file."""

    def __init__(
        self,
        read: Callable[..., Answer],
        page: Callable[[str, str | None, int], Answer],
        prove: Callable[[str, str | None], bytes],
    ) -> None:
        self._read = read
        self._page = page
        self._prove = prove

    def of_subject(self, subject: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/reviews/{subject}`: a page, and the count of all."""
        return self._page(f"/v1/reviews/{subject.hex()}", cursor, limit)

    def of_account(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/reviews`: a page."""
        return self._page(f"/v1/accounts/{_safe(address)}/reviews", cursor, limit)

    def one(self, subject: bytes, address: str) -> Answer:
        """`GET /v1/reviews/{subject}/{address}`."""
        return self._read("GET", f"/v1/reviews/{subject.hex()}/{_safe(address)}")

    def revisions(self, subject: bytes, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/reviews/{subject}/{address}/revisions`: a page, the latest first."""
        return self._page(f"/v1/reviews/{subject.hex()}/{_safe(address)}/revisions", cursor, limit)

    def proof(self, subject: bytes, address: str, *, trust: str | None = None) -> bytes:
        """`GET /v1/reviews/{subject}/{address}/proof`: a file that `fansumer proof check` reads offline."""
        return self._prove(f"/v1/reviews/{subject.hex()}/{_safe(address)}/proof", trust)

    def text(self, text: bytes) -> Answer:
        """`GET /v1/texts/{text}`: {text, salt, content}; check it against its hash."""
        return self._read("GET", f"/v1/texts/{text.hex()}")

    def keep_text(self, text: bytes, document: bytes) -> Answer:
        """`PUT /v1/texts/{text}`: a text document's bytes; {text, is_new}. The same again is harmless."""
        return self._read("PUT", f"/v1/texts/{text.hex()}", content=document)

    def erase_text(self, sign: Callable[..., None], text: bytes) -> Answer:
        """`DELETE /v1/texts/{text}`: {erased}. Harmless a second time."""
        return self._read("DELETE", f"/v1/texts/{text.hex()}", sign=sign)

    def missions(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/missions`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/missions", cursor, limit)

    def contributions(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/contributions`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/contributions", cursor, limit)

    def account_contributions(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/contributions`: a page."""
        return self._page(f"/v1/accounts/{_safe(address)}/contributions", cursor, limit)

    def contribution(self, contribution: bytes) -> Answer:
        """`GET /v1/contributions/{id}`."""
        return self._read("GET", f"/v1/contributions/{contribution.hex()}")

    def contribution_proof(self, contribution: bytes, *, trust: str | None = None) -> bytes:
        """`GET /v1/contributions/{id}/proof`: a file that `fansumer proof check` reads offline."""
        return self._prove(f"/v1/contributions/{contribution.hex()}/proof", trust)


def _safe(address: str) -> str:
    """An address that can stand in a path, whatever was typed."""
    return "".join(character if character.isalnum() and character.isascii() else "-" for character in address) or "-"
