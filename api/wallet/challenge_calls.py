"""The client's calls about challenges: `client.challenges.one(challenge)`."""

from collections.abc import Callable
from typing import Final

from api.wallet.own_data import Answer, segment

PAGE_LIMIT: Final = 100


class ChallengeCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON, `page` reads a page of a list."""

    def __init__(self, read: Callable[..., Answer], page: Callable[[str, str | None, int], Answer]) -> None:
        self._read = read
        self._page = page

    def one(self, challenge: bytes) -> Answer:
        """`GET /v1/challenges/{id}`: its goal, days and reward, and what is left of its budget."""
        return self._read("GET", f"/v1/challenges/{challenge.hex()}")

    def of_program(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/challenges`: a page, with what is left of their budgets."""
        return self._page(f"/v1/programs/{program.hex()}/challenges", cursor, limit)

    def completions(self, challenge: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/challenges/{id}/completions`: a page of who completed it."""
        return self._page(f"/v1/challenges/{challenge.hex()}/completions", cursor, limit)

    def completed_by(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/completions`: a page of what an account completed."""
        return self._page(f"/v1/accounts/{segment(address)}/completions", cursor, limit)
