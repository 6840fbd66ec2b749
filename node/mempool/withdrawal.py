"""Consents that fans give and take back, among what waits for a block.

Software obeys a revocation when it receives it, so this node does two things before any block holds it: a revocation stands in
front of what waits, so that a block applies it before an open entry that came earlier; and whoever follows the pool is told of it,
also where the pool has no room for it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeVar

from ledger.domains.accounts.state import load_account
from ledger.domains.consent.consent_grant import CONSENT_GRANT
from ledger.domains.consent.consent_revoke import CONSENT_REVOKE
from ledger.domains.consent.state import Consent, consent_key
from ledger.kinds import Context
from ledger.state import Overlay, StateView
from ledger.transaction import Transaction
from ledger.types import RecordKey, TxId

FIRST_WEIGHT_SHARE: Final = 4
"""Revocations take at most this part (one in so many) of a block in front of everything else; the others wait in their turn."""


class Placed(Protocol):
    """What waits in the pool."""

    @property
    def transaction(self) -> Transaction:
        """The transaction."""
        ...


Place = TypeVar("Place", bound=Placed)


def granted_consent(transaction: Transaction) -> RecordKey | None:
    """The key of the consent that a transaction grants; None if it grants none."""
    if transaction.kind is not CONSENT_GRANT:
        return None
    payload = transaction.payload
    return consent_key(transaction.author, payload.grantee, payload.purpose, payload.scope)


def revoked_consent(transaction: Transaction) -> RecordKey | None:
    """The key of the consent that a transaction takes back; None if it takes none back."""
    if transaction.kind is not CONSENT_REVOKE:
        return None
    payload = transaction.payload
    return consent_key(transaction.author, payload.grantee, payload.purpose, payload.scope)


def is_will_of_fan(revocation: Transaction, view: Overlay, context: Context, window: Mapping[bytes, TxId]) -> bool:
    """Whether a revocation that the pool refused is to be obeyed all the same; its signatures were verified.

    The account's present policy signed it, for a usual span of heights that is not over, it is in no block yet, and the consent is
    in force. So nobody revokes for another one by a policy of its own, an old revocation that is sent again ends no newer consent,
    and what names nothing fills no store.
    """
    body = revocation.body
    span = body.valid_until - body.valid_from
    if not 0 <= span < context.params.validity_blocks_max or body.valid_until < context.height:
        return False
    if window.get(revocation.once_key) == revocation.txid:
        return False
    (witness,) = revocation.witnesses
    if witness.policy.hash != (load_account(view, revocation.author).policy_hash or revocation.author):
        return False
    key = revoked_consent(revocation)
    assert key is not None, "asked of revocations only"
    consent: Consent | None = view.get(key)
    return consent is not None and not consent.revoked_at


def put_first(places: Iterable[Place], state: StateView, weight_max: int) -> tuple[list[Place], list[Place]]:
    """The revocations that can stand at the begin of the next block, and the rest, both in their order.

    One of each consent, and only where it is in force at the tip: one that ends a grant which waits itself comes after it.
    """
    first: list[Place] = []
    rest: list[Place] = []
    seen: set[RecordKey] = set()
    weight = 0
    for place in places:
        key = revoked_consent(place.transaction)
        heavier = weight + place.transaction.weight
        if key is None or key in seen or heavier > weight_max // FIRST_WEIGHT_SHARE or not _is_in_force(state, key):
            rest.append(place)
            continue
        seen.add(key)
        weight = heavier
        first.append(place)
    return first, rest


def _is_in_force(state: StateView, key: RecordKey) -> bool:
    stored = state.stored(key)
    return stored is not None and not stored.record.revoked_at
