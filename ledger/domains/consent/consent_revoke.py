"""`consent.revoke`: a fan takes a consent back, without a fee; the record stays as a tombstone (spec CON-3)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import spend_prepaid
from ledger.domains.consent.state import PURPOSE, Consent, consent_key
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import EXIT_WEIGHT
from ledger.schema import Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, RecordKey

NO_CONSENT = Code(
    "consent.unknown",
    "no such consent is in force",
    "List the account's consents (`fansumer wallet consent list PROGRAM`) and name one of them, with its scope.",
)


@dataclass(frozen=True, slots=True)
class ConsentRevoke:
    """Names the consent by grantee, purpose and scope."""

    grantee: Annotated[bytes, identifier()]
    purpose: Annotated[int, PURPOSE]
    scope: Annotated[str, Text(0, 32)]


@declare_event
@dataclass(frozen=True, slots=True)
class ConsentRevoked(Event):
    """A fan took its consent back."""

    name: ClassVar[str] = "consent.revoked"
    fan: Annotated[Address, identifier()]
    grantee: Annotated[bytes, identifier()]
    purpose: Annotated[int, PURPOSE]
    scope: Annotated[str, Text(0, 32)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.fan, self.grantee)


def apply(view: RuleView, call: Call, payload: ConsentRevoke, context: Context) -> tuple[str, ...]:
    """Codes: `consent.unknown`. An expired consent can be revoked, too."""
    key = consent_key(call.author, payload.grantee, payload.purpose, payload.scope)
    consent: Consent | None = view.get(key)
    if consent is None or consent.revoked_at:
        raise RuleViolation(NO_CONSENT)
    spend_prepaid(view, consent.prepaid)
    view.put(key, replace(consent, prepaid=Amount(0), revoked_at=context.time))
    view.emit(ConsentRevoked(call.author, payload.grantee, payload.purpose, payload.scope))
    return (APPLIED,)


def cost(payload: ConsentRevoke) -> Cost:
    """The consent changes."""
    return Cost(records=1)


def reads(author: Address, payload: ConsentRevoke) -> tuple[RecordKey, ...]:
    """The consent."""
    return (consent_key(author, payload.grantee, payload.purpose, payload.scope),)


CONSENT_REVOKE = Kind(
    name="consent.revoke",
    anchor="CON-3",
    payload=Struct(ConsentRevoke),
    apply=apply,
    cost=cost,
    reads=reads,
    prepaid_weight=EXIT_WEIGHT,
)
