"""Numbers in sentences."""


def counted(number: int, noun: str, *, many: str | None = None) -> str:
    """A number with its noun: 1 finding, 2 findings, 1 entry, 3 entries. `many` is a plural that does not end with a plain s."""
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"
