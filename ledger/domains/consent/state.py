"""Records of the consent domain."""

from dataclasses import dataclass
from typing import Annotated

from ledger.schema import Integer, Octets
from ledger.state import RuleView, Table
from ledger.types import INTEGER_MAX, Address, Amount, RecordKey, Timestamp

# Purposes (spec CON-1).
PERSONALISE = 0
SHARE = 1
PUBLISH = 2
CONTACT = 3

PURPOSE_NAMES = ("personalise", "share", "publish", "contact")
"""How people write the purposes."""

PURPOSE = Integer(PERSONALISE, CONTACT)
TIME = Integer(0, 2**40)


@dataclass(frozen=True, slots=True)
class Consent:
    """What was granted, and until when. `expires_at` 0: until revoked. `revoked_at` other than 0 is a tombstone that stays."""

    payer: Annotated[bytes, Octets(0, 33)]
    deposit: Annotated[Amount, Integer(0, INTEGER_MAX)]
    prepaid: Annotated[Amount, Integer(0, INTEGER_MAX)]
    granted_at: Annotated[Timestamp, TIME]
    expires_at: Annotated[Timestamp, TIME]
    revoked_at: Annotated[Timestamp, TIME]

    def is_active(self, time: Timestamp) -> bool:
        """Whether it may be acted on at `time`."""
        return not self.revoked_at and (not self.expires_at or time < self.expires_at)


CONSENTS = Table(b"C", Consent)


def consent_key(fan: Address, grantee: bytes, purpose: int, scope: str) -> RecordKey:
    """`C` + fan + grantee + purpose (1 byte) + scope as UTF-8."""
    return RecordKey(b"C" + fan + grantee + bytes((purpose,)) + scope.encode())


def has_consent(view: RuleView, fan: Address, grantee: bytes, purpose: int, time: Timestamp, scope: str = "") -> bool:
    """Whether `fan` lets `grantee` act for `purpose` within `scope` at `time`."""
    found: Consent | None = view.get(consent_key(fan, grantee, purpose, scope))
    return found is not None and found.is_active(time)
