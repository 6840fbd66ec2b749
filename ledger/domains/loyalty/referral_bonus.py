"""What a program promises to who brings a fan, and to that fan (spec LOY-2, LOY-22)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.schema import Integer
from ledger.types import Points


@dataclass(frozen=True, slots=True)
class ReferralBonus:
    """What the referrer and who joined each get once the joiner's first purchase can no longer be returned. 0 and 0: nothing."""

    referrer: Annotated[Points, Integer(0, 2**31 - 1)]
    joiner: Annotated[Points, Integer(0, 2**31 - 1)]


NO_BONUS = ReferralBonus(Points(0), Points(0))
