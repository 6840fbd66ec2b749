"""`consent.grant`: a fan lets somebody use what it did, for one purpose, within a scope, until a time (spec CON-2)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit, prepay_exit
from ledger.domains.consent.state import PURPOSE, TIME, Consent, consent_key
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, RecordKey, Timestamp

EXPIRY_PASSED = Code(
    "consent.expired",
    "the consent would end at {expires_at:time}, and it is {time:time}",
    "Choose a later end, or 0 for none.",
)


@dataclass(frozen=True, slots=True)
class ConsentGrant:
    """`grantee` is a program or an address. Purposes: 0 personalise, 1 share with a partner, 2 publish, 3 contact.

    The scope is empty for "all of it", or names a channel, a category or a partner's service.
    """

    grantee: Annotated[bytes, identifier()]
    purpose: Annotated[int, PURPOSE]
    scope: Annotated[str, Text(0, 32)]
    expires_at: Annotated[Timestamp, TIME]


@declare_event
@dataclass(frozen=True, slots=True)
class ConsentGranted(Event):
    """A fan agreed."""

    name: ClassVar[str] = "consent.granted"
    fan: Annotated[Address, identifier()]
    grantee: Annotated[bytes, identifier()]
    purpose: Annotated[int, PURPOSE]
    scope: Annotated[str, Text(0, 32)]
    expires_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.fan, self.grantee)


def apply(view: RuleView, call: Call, payload: ConsentGrant, context: Context) -> tuple[str, ...]:
    """Codes in order: `consent.expired`, `coin.insufficient` or `coin.pool_insufficient`.

    Granting again renews: the end is replaced, a revocation is lifted.
    """
    if payload.expires_at and payload.expires_at <= context.time:
        raise RuleViolation(EXPIRY_PASSED, expires_at=payload.expires_at, time=context.time)
    key = consent_key(call.author, payload.grantee, payload.purpose, payload.scope)
    earlier: Consent | None = view.get(key)
    if earlier is None:
        payer, deposit, prepaid = call.payer, lock_deposit(view, call, context), Amount(0)
    else:
        payer, deposit, prepaid = earlier.payer, earlier.deposit, earlier.prepaid
    consent = Consent(
        payer=payer,
        deposit=deposit,
        prepaid=prepaid or prepay_exit(view, call, context),
        granted_at=context.time,
        expires_at=payload.expires_at,
        revoked_at=Timestamp(0),
    )
    view.put(key, consent)
    view.emit(ConsentGranted(call.author, payload.grantee, payload.purpose, payload.scope, payload.expires_at))
    return (APPLIED,)


def cost(payload: ConsentGrant) -> Cost:
    """The consent is made, the payer touched."""
    return Cost(records=2, slots=1)


def reads(author: Address, payload: ConsentGrant) -> tuple[RecordKey, ...]:
    """The consent."""
    return (consent_key(author, payload.grantee, payload.purpose, payload.scope),)


CONSENT_GRANT = Kind(
    name="consent.grant", anchor="CON-2", payload=Struct(ConsentGrant), apply=apply, cost=cost, reads=reads
)
