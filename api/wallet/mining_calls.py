"""The client's calls about who mines at a node and how they share: `client.mining.blocks()`."""

from collections.abc import Callable
from typing import Any, Final

from api.wallet.own_data import Answer, given

PAGE_LIMIT: Final = 100


class MiningCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON."""

    def __init__(self, read: Callable[..., Any]) -> None:
        self._read = read

    def standing(self) -> Answer:
        """`GET /v1/mining`: the port, who is connected, and what a block found now would pay."""
        return self._read("GET", "/v1/mining")

    def blocks(self, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/mining/blocks`: a page of what was found at this node, the newest first."""
        return self._read("GET", "/v1/mining/blocks", parameters=given(cursor=cursor, limit=limit))

    def block(self, block_hash: bytes) -> Answer:
        """`GET /v1/mining/blocks/{hash}`: who was paid for which shares; the hash in the order in which it is shown."""
        return self._read("GET", f"/v1/mining/blocks/{block_hash.hex()}")

    def shares(self, *, first: int | None = None, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/mining/shares`: a page of shares, the newest first, or from the number `first` downwards."""
        parameters = given(cursor=cursor, limit=limit) | ({} if first is None else {"from": first})
        return self._read("GET", "/v1/mining/shares", parameters=parameters)
