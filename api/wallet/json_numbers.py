"""Numbers in JSON that somebody else wrote: a whole number within bounds, or a fault, never whatever `int` makes of it."""

from ledger.types import INTEGER_MAX


def whole_number(value: object) -> int:
    """A value of JSON as an integer of 0..2**63-1. Raises ValueError for all else: text, fractions, infinities, true."""
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise ValueError("a whole number of at most 63 bits is expected")
    return value
