"""What every new set must satisfy, and those who say yes to it (spec FIN-7, FIN-8)."""

from collections.abc import Sequence
from itertools import pairwise

from ledger.domains.finality.attest import VOTE_ORDER
from ledger.domains.finality.evidence import KNOWN_LIAR
from ledger.domains.finality.state import liar_key
from ledger.errors import Code, Malformed, RuleViolation
from ledger.keys import public_key_is_strict
from ledger.params import ATTESTORS_MAX, Attestor
from ledger.schema import ListOf, Octets, Row
from ledger.state import RuleView
from ledger.types import PublicKey, RecordKey, Signature

UNUSABLE_KEY = Code(
    "finality.key", "the key {key} can sign nothing", "Take the public key that `fansumer attest` shows."
)

APPROVALS = ListOf(Row(Octets(32, 32), Octets(64, 64)), 1, ATTESTORS_MAX)
"""Public keys with their signatures, by ascending key."""


def check_members(members: Sequence[Attestor]) -> None:
    """Raise `Malformed` `finality.order`, `finality.key`."""
    if any(one.key >= other.key for one, other in pairwise(members)):
        raise Malformed(VOTE_ORDER, what="members")
    for member in members:
        if not public_key_is_strict(member.key):
            raise Malformed(UNUSABLE_KEY, key=member.key)


def check_approvals(approvals: Sequence[tuple[PublicKey, Signature]]) -> None:
    """Raise `Malformed` `finality.order`."""
    if any(one >= other for (one, _), (other, _) in pairwise(approvals)):
        raise Malformed(VOTE_ORDER, what="approvals")


def refuse_liars(view: RuleView, members: Sequence[Attestor]) -> None:
    """Raise `finality.known_liar` for a key that has lied."""
    for member in members:
        if view.get(liar_key(member.key)) is not None:
            raise RuleViolation(KNOWN_LIAR, key=member.key)


def liar_keys(members: Sequence[Attestor]) -> tuple[RecordKey, ...]:
    """Where it stands whether these keys have lied."""
    return tuple(liar_key(member.key) for member in members)
