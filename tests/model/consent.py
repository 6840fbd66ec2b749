"""CON-1 to CON-3."""

from tests.model.records import Consent, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call


def is_active(model: Model, fan: bytes, grantee: bytes, purpose: int, scope: str) -> bool:
    """CON-1, now."""
    found = model.consents.get((fan, grantee, purpose, scope))
    return found is not None and found.revoked_at == 0 and (found.expires_at == 0 or model.now < found.expires_at)


def grant(model: Model, call: Call, payload: tuple) -> list[str]:
    """CON-2."""
    grantee, purpose, scope, expires_at = payload
    refuse_unless(expires_at == 0 or expires_at > model.now, "consent.expired")
    key = (call.author, grantee, purpose, scope)
    consent = model.consents.get(key)
    if consent is None:
        model.take(call.payer, model.record_deposit)
        consent = Consent(call.payer, model.record_deposit, 0, 0, 0, 0)
    if consent.prepaid == 0:
        model.take(call.payer, model.prepaid_exit)
        consent = consent._replace(prepaid=model.prepaid_exit)
    model.consents[key] = consent._replace(granted_at=model.now, expires_at=expires_at, revoked_at=0)
    return [""]


def revoke(model: Model, call: Call, payload: tuple) -> list[str]:
    """CON-3."""
    grantee, purpose, scope = payload
    key = (call.author, grantee, purpose, scope)
    consent = model.consents.get(key)
    if consent is None or consent.revoked_at:
        refuse_unless(False, "consent.unknown")
    assert consent is not None
    model.fees += consent.prepaid
    model.consents[key] = consent._replace(prepaid=0, revoked_at=model.now)
    return [""]
