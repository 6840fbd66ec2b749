"""Stratum's lines: JSON in, JSON out, and the error codes that miners know (spec MINE-2)."""

import json
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final, NoReturn

LINE_BYTES_MAX: Final = 4_096
"""The longest line of a real miner is about 300 bytes."""
ID_CHARACTERS_MAX: Final = 64
ID_INTEGER_MAX: Final = 2**63

Id = int | str | None


class Refusal(IntEnum):
    """Stratum's error codes."""

    OTHER = 20
    STALE = 21
    DUPLICATE = 22
    LOW_DIFFICULTY = 23
    UNAUTHORIZED = 24
    NOT_SUBSCRIBED = 25


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: Refusal, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class NotARequest(Exception):
    """A line that is no request: nobody can be answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    id: Id
    method: str
    params: list[Any]


def parse_request(line: bytes) -> Request | None:
    """Read a line without its end; None for an answer to something that the server sent. Raises `NotARequest`."""
    try:
        found = json.loads(line.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):  # decimal's own fault is an ArithmeticError
        raise NotARequest("no JSON") from None
    if not isinstance(found, dict):
        raise NotARequest("no object")
    if "method" not in found and ("result" in found or "error" in found):
        return None
    asked_id, method, params = found.get("id"), found.get("method"), found.get("params")
    params = [] if params is None else params
    if not isinstance(method, str) or not isinstance(params, list) or not _is_id(asked_id):
        raise NotARequest("it is not {id, method, params}")
    return Request(asked_id, method, params)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= ID_CHARACTERS_MAX
    return value is None or (type(value) is int and abs(value) < ID_INTEGER_MAX)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def answer(asked_id: Id, result: Any) -> bytes:
    """The line that answers a request."""
    return _line({"id": asked_id, "result": result, "error": None})


def refuse(asked_id: Id, fault: Refused) -> bytes:
    """The line that refuses a request."""
    return _line({"id": asked_id, "result": None, "error": [int(fault.code), fault.text, None]})


def show_message(text: str) -> bytes:
    """The line `client.show_message`."""
    return _line({"id": None, "method": "client.show_message", "params": [text]})


def set_difficulty(decimal_text: str) -> bytes:
    """The line `mining.set_difficulty`."""
    return f'{{"id":null,"method":"mining.set_difficulty","params":[{decimal_text}]}}\n'.encode()
