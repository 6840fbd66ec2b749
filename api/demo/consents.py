"""Who agrees to what. SCRIPTED: the data knows of no consent.

About one household in ten, chosen by a hash of its number, refuses everything. All others let the program personalise, and one in
four of these may be written to by e-mail, too. Nothing else in the demo asks who refused, except that personal offers need consent
by law; what a receipt gives does not depend on it.
"""

from hashlib import sha256
from typing import Final

from api.demo.brand import make_salt
from api.demo.households import open_household
from api.demo.journey import HouseholdId
from api.wallet.builder import ChainFacts, build
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import CONTACT, PERSONALISE
from ledger.transaction import Sponsored
from ledger.types import Height, ProgramId, Timestamp

CHOICE_TAG: Final = b"fansumer demo consent 11 "
"""Its number was chosen so that it is a tenth of the year's households: 248 of 2,469."""
REFUSES_ONE_IN: Final = 10
CONTACT_ONE_IN: Final = 4
CONTACT_CHANNEL: Final = "email"
UNTIL_REVOKED: Final = Timestamp(0)


def _draw(household: HouseholdId) -> int:
    return int.from_bytes(sha256(CHOICE_TAG + str(household).encode()).digest()[:8], "big")


def refuses_consent(household: HouseholdId) -> bool:
    """Whether a household refuses every consent."""
    return _draw(household) % REFUSES_ONE_IN == 0


def choose_purposes(household: HouseholdId) -> tuple[tuple[int, str], ...]:
    """What a household grants the program: (purpose, scope)."""
    if refuses_consent(household):
        return ()
    by_mail = _draw(household) // REFUSES_ONE_IN % CONTACT_ONE_IN == 0
    return ((PERSONALISE, ""), (CONTACT, CONTACT_CHANNEL)) if by_mail else ((PERSONALISE, ""),)


def sign_grants(facts: ChainFacts, program: ProgramId, household: HouseholdId, height: Height) -> tuple[bytes, ...]:
    """The household's consents, each for the block at `height`; the program's pool pays."""
    fan = open_household(household, program)
    return tuple(
        build(
            facts,
            "consent.grant",
            ConsentGrant(program, purpose, scope, UNTIL_REVOKED),
            fan,
            valid_from=height,
            payment=Sponsored(program),
            salt=make_salt("consent", household, purpose),
        )
        for purpose, scope in choose_purposes(household)
    )
