"""Whether a program lets a key act: what the node shows of its issuers, read for a till, a fan, or who settles."""

from typing import Final

from api.wallet.client import Answer, Client
from ledger.types import ProgramId, Timestamp

TIME_END: Final = Timestamp(2**41)
"""Later than any time of a chain: an issuer that was never revoked."""


def find_grant(client: Client, program: ProgramId, address: str) -> Answer | None:
    """What the node shows of the issuer with this address; None if the program never granted it anything."""
    issuers = client.every(client.issuers, program)
    return next((issuer for issuer in issuers if issuer["address"] == address), None)


def held_scope_at(grant: Answer | None, scope: str, time: Timestamp) -> bool:
    """Whether an issuer held `scope` (till, settle, enrol, fulfil) at a time: from its grant to its revocation, both included."""
    if grant is None or scope not in grant["scopes"]:
        return False
    return grant["granted_at"] <= time <= (grant["revoked_at"] or TIME_END)
