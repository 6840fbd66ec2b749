"""Which fans have the app, to which tills hand receipts over, and what they do with it. SCRIPTED: the data knows of no app.

About one household in twenty-five, chosen by a hash of its number; the others keep paper. A tenth of them refuse every consent, as
of all households: their receipts are at the node for them alone to read.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from api.demo.journey import HouseholdId

CHOICE_TAG: Final = b"fansumer demo app 1873 "
"""Its number was chosen so that it is a twenty-fifth of the households of the last four weeks: 79 of 2,014, of whom 73 agree."""
HAS_APP_ONE_IN: Final = 25


@dataclass(frozen=True, slots=True)
class ShownFans:
    """Whom whoever starts the demo can act as: of the fans with the app that agree the one that is told most, and of those that
    refuse the one with most receipts; None where there is none. Their phrases are as public as all others'.
    """

    agreeing: HouseholdId | None
    refusing: HouseholdId | None


def has_app(household: HouseholdId) -> bool:
    """Whether tills hand a household's receipts over to the node."""
    drawn = int.from_bytes(sha256(CHOICE_TAG + str(household).encode()).digest()[:8], "big")
    return drawn % HAS_APP_ONE_IN == 0
