"""Lists of a program that the client asks for page by page."""

from collections.abc import Mapping
from typing import Any, Final

PAGE_LIMIT: Final = 100

Answer = Mapping[str, Any]


class ProgramPages:
    """A part of the client: what a program's returns are."""

    def returns(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/returns`: a page of what was taken back for purchases that were returned."""
        return self._page(f"/v1/programs/{program.hex()}/returns", cursor, limit)

    def _page(self, path: str, cursor: str | None, limit: int) -> Answer:
        raise NotImplementedError
