"""Numbers in sentences, and what a file of ours calls itself."""

from typing import Any


def counted(number: int, noun: str, *, many: str | None = None) -> str:
    """A number with its noun: 1 finding, 2 findings, 1 entry, 3 entries. `many` is a plural that does not end with a plain s."""
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def shown_format(document: Any) -> str:
    """The format that a JSON document names, as a message shows it."""
    name = document.get("format") if isinstance(document, dict) else None
    return name[:40] if isinstance(name, str) and name else "not named"
