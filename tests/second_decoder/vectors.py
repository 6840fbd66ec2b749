"""Reads the golden vectors and the text's tables, and counts what it read."""

import json
from pathlib import Path
from typing import Any

from tests.second_decoder.faults import Fault

TESTS = Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "vectors" / "golden"
TABLES = TESTS.parent / "ledger" / "spec" / "tables.md"


def load(name: str) -> dict:
    """A file of golden vectors."""
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def counts_of_files() -> dict[str, dict[str, int]]:
    """File -> section -> number of cases, for every list at the top of every file."""
    found = {}
    for path in sorted(GOLDEN.glob("*.json")):
        sections = load(path.name)
        found[path.name] = {name: len(cases) for name, cases in sections.items() if isinstance(cases, list)}
    return found


def value_of(item: dict) -> Any:
    """A canonical value that a vector names by its kind: int (as text), bool, bytes (hex), text, array."""
    ((kind, found),) = item.items()
    if kind == "int":
        return int(found)
    if kind == "bytes":
        return bytes.fromhex(found)
    if kind == "array":
        return [value_of(part) for part in found]
    assert kind in ("bool", "text")
    return found


def fault_of(call, *arguments) -> str:
    """The code of the fault that a call ends with, or an empty text."""
    try:
        call(*arguments)
    except Fault as fault:
        return fault.code
    return ""


def assert_no_prefix(call, data: bytes, *codes: str) -> None:
    """That no prefix of data, one byte shorter and so on down to nothing, is accepted."""
    for length in range(len(data)):
        code = fault_of(call, data[:length])
        assert code in codes if codes else code, (length, code)
