"""Pages and the cursors between them.

A cursor is an opaque text: base64url of the canonical [version, list, filters, position]. It keeps the filters of the page that
gave it: sent alone it goes on with them, and with other ones, or to another list, it is refused (`page.cursor`).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query

from api.http.problems import RequestFault
from ledger.codec import pack, unpack
from ledger.errors import Code, Malformed
from ledger.schema import Integer, ListOf, Octets, Row, Text
from ledger.types import INTEGER_MAX

BAD_CURSOR = Code(
    "page.cursor",
    "the cursor does not belong to this list: {reason}",
    "Begin without a cursor, and send `next_cursor` back as it came, with the same filters.",
)

PAGE_LIMIT: Final = 50
PAGE_LIMIT_MAX: Final = 200
"""Items of one page: few milliseconds of work, a few hundred kB."""
CURSOR_LENGTH_MAX: Final = 512
VERSION: Final = 1
SHAPE: Final = Row(
    Integer(VERSION, VERSION),
    Text(1, 64),
    ListOf(Octets(0, 64), 0, 8),
    ListOf(Integer(0, INTEGER_MAX), 1, 2),
)

Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT_MAX, description="How many items, at most.", examples=[PAGE_LIMIT])]
Cursor = Annotated[
    str | None,
    Query(max_length=CURSOR_LENGTH_MAX, description="`next_cursor` of the page before, as it came."),
]
Item = TypeVar("Item")


def encode_cursor(name: str, filters: Sequence[bytes], position: Sequence[int]) -> str:
    """The cursor after `position` in the list `name` under `filters`."""
    return urlsafe_b64encode(pack((VERSION, name, tuple(filters), tuple(position)))).rstrip(b"=").decode()


def decode_cursor(text: str, name: str, filters: Sequence[bytes | None]) -> tuple[list[bytes], tuple[int, ...]]:
    """Filters and position of a cursor. A filter that is None was not asked for, and the cursor's holds.

    Raises `page.cursor`.
    """
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        _, found_name, found_filters, position = SHAPE.decode(unpack(data, bytes_max=CURSOR_LENGTH_MAX), "cursor")
    except (Malformed, Error, ValueError):
        raise RequestFault(BAD_CURSOR, reason="it is damaged") from None
    if found_name != name or len(found_filters) != len(filters):
        raise RequestFault(BAD_CURSOR, reason="it is from another list")
    if any(asked is not None and asked != found for asked, found in zip(filters, found_filters, strict=True)):
        raise RequestFault(BAD_CURSOR, reason="it was made with other filters")
    return list(found_filters), tuple(position)


class Page:
    """One request for a page of the list `name`: where it begins, and what it answers.

    `filters` are what narrows the list, the subject included; None is a filter that was not asked for.
    """

    __slots__ = ("filters", "limit", "name", "position")

    def __init__(
        self, name: str, filters: Sequence[bytes | None], cursor: str | None, limit: int, *, width: int
    ) -> None:
        self.name = name
        self.limit = limit
        self.position: tuple[int, ...] | None = None
        self.filters = [item or b"" for item in filters]
        if cursor is not None:
            self.filters, self.position = decode_cursor(cursor, name, filters)
            if len(self.position) != width:
                raise RequestFault(BAD_CURSOR, reason="it is from another list")

    @property
    def place(self) -> tuple[int, int] | None:
        """The position of a list in (height, sequence)."""
        return None if self.position is None else (self.position[0], self.position[1])

    def text_filter(self, index: int) -> str | None:
        """A filter that is a text; None if it was not asked for."""
        found = self.filters[index]
        if not found.isascii() or not found.decode("ascii").isprintable():
            raise RequestFault(BAD_CURSOR, reason="it is damaged")
        return found.decode("ascii") or None

    @property
    def rows_wanted(self) -> int:
        """One more than the limit, to know whether there is a next page."""
        return self.limit + 1

    def next_cursor(self, position: Sequence[int] | None) -> str | None:
        """The cursor after `position`; None where nothing is left."""
        return None if position is None else encode_cursor(self.name, self.filters, position)

    def answer(
        self, rows: Sequence[Item], position: Callable[[Item], Sequence[int]], show: Callable[[Item], Any]
    ) -> dict[str, Any]:
        """The page as it is sent: `items` and `next_cursor`, which is null on the last page."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        cursor = self.next_cursor(position(shown[-1]) if more else None)
        return {"items": [show(row) for row in shown], "next_cursor": cursor}
