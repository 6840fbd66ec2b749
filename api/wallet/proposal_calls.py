"""The client's calls about proposals, ballots and promises: `client.proposals.one(proposal)`."""

from collections.abc import Callable
from typing import Final

from api.wallet.own_data import Answer, segment

PAGE_LIMIT: Final = 100


class ProposalCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON, `page` reads a page of a list, `prove` a proof
    file."""

    def __init__(
        self,
        read: Callable[..., Answer],
        page: Callable[[str, str | None, int], Answer],
        prove: Callable[[str, str | None], bytes],
    ) -> None:
        self._read = read
        self._page = page
        self._prove = prove

    def all(self, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/proposals`: a page."""
        return self._page("/v1/proposals", cursor, limit)

    def of_program(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/proposals`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/proposals", cursor, limit)

    def one(self, proposal: bytes) -> Answer:
        """`GET /v1/proposals/{id}`: terms, snapshot, tally in figures and words, answer and obligation."""
        return self._read("GET", f"/v1/proposals/{proposal.hex()}")

    def ballots(self, proposal: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/proposals/{id}/ballots`: a page."""
        return self._page(f"/v1/proposals/{proposal.hex()}/ballots", cursor, limit)

    def ballots_of(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/ballots`: a page of how it voted, and what came of it."""
        return self._page(f"/v1/accounts/{segment(address)}/ballots", cursor, limit)

    def ballot_proof(self, proposal: bytes, address: str, *, trust: str | None = None) -> bytes:
        """`GET /v1/proposals/{id}/ballots/{address}/proof`: a file that `fansumer proof check` reads offline."""
        return self._prove(f"/v1/proposals/{proposal.hex()}/ballots/{segment(address)}/proof", trust)

    def power(self, proposal: bytes, address: str) -> Answer:
        """`GET /v1/proposals/{id}/power/{address}`: what the account may vote with, and the proofs that show it."""
        return self._read("GET", f"/v1/proposals/{proposal.hex()}/power/{segment(address)}")

    def hand_over(self, opening: bytes) -> Answer:
        """`POST /v1/openings`: the opening of a sealed ballot, for the node to send. The same again is harmless."""
        return self._read("POST", "/v1/openings", content=opening)

    def promises_of_program(self, program: bytes) -> Answer:
        """`GET /v1/programs/{id}/promises`: what was asked, answered, kept, late and broken."""
        return self._read("GET", f"/v1/programs/{program.hex()}/promises")

    def promises_of_account(self, address: str) -> Answer:
        """`GET /v1/accounts/{address}/promises`: the same of all programs and campaigns of a creator."""
        return self._read("GET", f"/v1/accounts/{segment(address)}/promises")
