"""Ledger objects as JSON: addresses as text with the network's prefix, other ids and hashes as hex, amounts as integers.

A block's hash is shown in the order that people know, reversed; the chain id is shown as it is signed. What a field is, its
declared type says, so a new event or a new rule needs no line here.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import date
from functools import cache, lru_cache
from typing import Any, get_origin, get_type_hints

from pydantic import TypeAdapter
from starlette.responses import Response

from ledger.address import decode_address, encode_address
from ledger.domains.loyalty.state import NEVER
from ledger.errors import LedgerError
from ledger.events import Event
from ledger.header import Header
from ledger.types import Address, BlockHash

ADDRESSES_REMEMBERED = 65_536
"""Texts of addresses kept in memory: the checksum takes longer than all the rest of a row."""
DAYS_REMEMBERED = 4_096
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DAY_SHOWN_MAX = date.max.toordinal() - EPOCH_ORDINAL

ANSWER: TypeAdapter[Any] = TypeAdapter(Any)
"""Writes JSON several times faster than the standard library."""


def json_response(content: Any, status: int = 200) -> Response:
    """An answer in JSON; nothing is validated on the way out."""
    return Response(ANSWER.dump_json(content), status, media_type="application/json")


def show_hash(block_hash: BlockHash) -> str:
    """A block's hash as people are shown it."""
    return block_hash[::-1].hex()


@lru_cache(DAYS_REMEMBERED)
def show_day(day: int) -> dict[str, Any] | None:
    """A program's day as a number and as a date; None for never. The mapping is shared: it is copied, not changed."""
    if day == NEVER:
        return None
    shown = date.fromordinal(EPOCH_ORDINAL + day).isoformat() if day <= DAY_SHOWN_MAX else None
    return {"day": day, "date": shown}


def show_header(header: Header) -> dict[str, Any]:
    """A header's fields."""
    return {
        "version": header.version,
        "previous": show_hash(header.previous),
        "merkle_root": header.merkle_root[::-1].hex(),
        "time": header.time,
        "bits": f"{header.bits:08x}",
        "nonce": header.nonce,
    }


@cache  # as many entries as there are classes of records and events
def _address_fields(cls: type[Any]) -> dict[str, Any]:
    """The declared type of each field: a NewType such as Address, or a plain class."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: getattr(hints[field.name], "__origin__", hints[field.name]) for field in fields(cls)}


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Renderer:
    """Shows the objects of one network, whose addresses begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._encode = lru_cache(ADDRESSES_REMEMBERED)(lambda payload: encode_address(prefix, Address(payload)))
        self._decode = lru_cache(ADDRESSES_REMEMBERED)(lambda text: decode_address(prefix, text))

    def address(self, address: bytes) -> str:
        """An account's address as text."""
        return self._encode(address)

    def parse_address(self, text: str) -> Address:
        """The address that a text stands for. Raises `Malformed` with the reason."""
        return self._decode(text)

    def plain(self, value: Any, is_program: Callable[[bytes], bool] | None = None) -> Any:
        """A record, an event or a part of one as JSON. A member of a union shows what it is in `type`.

        `is_program` tells ids of programs from addresses where a field may hold either; without it such a field is hex.
        """
        if isinstance(value, bool | int | str):
            return value
        if isinstance(value, bytes):
            return value.hex() or None
        if isinstance(value, tuple):
            return [self.plain(item, is_program) for item in value]
        shown: dict[str, Any] = {"type": _snake_case(type(value).__name__)} if hasattr(value, "tag") else {}
        for name, declared in _address_fields(type(value)).items():
            shown[name] = self._field(getattr(value, name), declared, is_program)
        return shown

    def _field(self, value: Any, declared: Any, is_program: Callable[[bytes], bool] | None) -> Any:
        if declared is Address:
            return self.address(value) if value else None
        if declared == tuple[Address, ...]:
            return [self.address(address) for address in value]
        if declared is bytes and len(value) == 32 and is_program is not None and not is_program(value):
            return self.address(value)
        assert get_origin(declared) is not dict, "records and events hold no mappings"
        return self.plain(value, is_program)

    def event(self, event: Event, is_program: Callable[[bytes], bool]) -> dict[str, Any]:
        """An event: its name and its fields."""
        return {"name": event.name, "data": self.plain(event, is_program)}


def show_alarm(fault: LedgerError | None) -> dict[str, str] | None:
    """What the operator must hear of, with what to do."""
    if fault is None:
        return None
    name = fault.code.name
    return {"code": name, "detail": str(fault).removeprefix(f"{name}: "), "advice": fault.advice}
