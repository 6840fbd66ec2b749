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
    """Whether an issuer held `scope` (till, settle, enrol, fulfil) at a time, by the grant of that time (spec LOY-4)."""
    return grant is not None and any(
        span["from"] <= time <= span["until"] for span in _spans(grant) if scope in span["scopes"]
    )


def cap_at(grant: Answer, time: Timestamp) -> int:
    """The daily cap of the grant at a time, in points; 0 where there was none."""
    spans = [_spans(grant)[0], *reversed(grant["earlier"])]
    return next((int(span["daily_cap"]) for span in spans if span["from"] <= time <= span["until"]), 0)


def ever_held_scope(grant: Answer, scope: str) -> bool:
    """Whether an issuer holds `scope`, or held it as far back as the node shows."""
    return any(scope in span["scopes"] for span in _spans(grant))


def _spans(grant: Answer) -> list[Answer]:
    """The present grant and those before it, each from its first second to its last."""
    present = {
        "from": grant["granted_at"],
        "until": grant["revoked_at"] or TIME_END,
        "scopes": grant["scopes"],
        "daily_cap": grant["daily_cap"],
    }
    return [present, *grant["earlier"]]
