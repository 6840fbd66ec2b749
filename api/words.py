"""Numbers and times in sentences, and what a file of ours calls itself."""

from datetime import UTC, datetime
from typing import Any, Final

LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999, the last that a calendar here holds."""


def counted(number: int, noun: str, *, many: str | None = None) -> str:
    """A number with its noun: 1 finding, 2 findings, 1 entry, 3 entries. `many` is a plural that does not end with a plain s."""
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def show_time(seconds: int) -> str:
    """A time as RFC 3339, UTC; one that no calendar holds as its number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def speak_time(seconds: int) -> str:
    """A time for a sentence, to the minute, UTC; a later one than calendars hold as their last."""
    return datetime.fromtimestamp(min(seconds, LAST_SECOND), UTC).strftime("%Y-%m-%d %H:%M UTC")


def shown_format(document: Any) -> str:
    """The format that a JSON document names, as a message shows it."""
    name = document.get("format") if isinstance(document, dict) else None
    return name[:40] if isinstance(name, str) and name else "not named"
