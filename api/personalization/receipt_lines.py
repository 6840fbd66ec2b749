"""Lines of receipts as personalization reads them: [item, quantity, cents] and, where the till gives them, discounts.

A receipt's line may be any value (spec RCP-3). One that begins with an item (a text or a number), a quantity and an amount in cents
is read; the amounts that follow are discounts that were taken off already. What is of another form, or has the quantity 0, is no
line for personalization, and nothing is guessed of it.
"""

from collections.abc import Mapping
from typing import Final

from api.personalization.facts import BoughtLine
from ledger.codec import Value

ITEM_CHARACTERS_MAX: Final = 64
PARTS_MIN: Final = 3


def read_bought_line(value: Value, categories: Mapping[str, str]) -> BoughtLine | None:
    """A line as bought, with the category that the brand's feed gives its item; None if it is of another form."""
    if not isinstance(value, tuple) or len(value) < PARTS_MIN:
        return None
    item, quantity, cents = value[0], value[1], value[2]
    if isinstance(item, bool) or not isinstance(item, str | int):
        return None
    if isinstance(quantity, bool) or not isinstance(quantity, int) or not quantity:
        return None
    if isinstance(cents, bool) or not isinstance(cents, int):
        return None
    name = str(item)[:ITEM_CHARACTERS_MAX]
    if not name:
        return None
    discount = sum(abs(part) for part in value[3:] if isinstance(part, int) and not isinstance(part, bool))
    return BoughtLine(name, quantity, cents, discount, categories.get(name, ""))
