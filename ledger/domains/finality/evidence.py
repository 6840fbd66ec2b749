"""`finality.evidence`: two votes of one attestor that conflict; it leaves the set. Free, from anybody (spec FIN-10)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.finality.events import AttestorLied
from ledger.domains.finality.state import (
    FINALITY_KEY,
    NOT_ATTESTOR,
    Finality,
    Liar,
    Scheduled,
    liar_key,
    load_finality,
    next_checkpoint_height,
)
from ledger.errors import Code, Malformed, RuleViolation
from ledger.evolve import replace
from ledger.finality.attestors import SET_NUMBER
from ledger.finality.votes import Checkpoint, Vote, conflict
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.params import Attestor
from ledger.schema import Octets, Struct
from ledger.state import RuleView
from ledger.types import Address, ChainId, Height, PublicKey, RecordKey, Signature

NO_CONFLICT = Code(
    "finality.no_conflict",
    "both votes may be signed by an honest attestor: they are for two heights, and neither link lies around the other",
    "Evidence is two votes for one height, or one around the other.",
)
KNOWN_LIAR = Code(
    "finality.known_liar",
    "the key {key} has lied, and that is on the chain",
    "Nothing: the key has left, or leaves, and never comes back.",
)
LAST_ATTESTOR = Code(
    "finality.last_attestor",
    "no attestor would be left",
    "Let the recovery keys replace the set, as soon as it has been silent long enough.",
)

EVIDENCE_WEIGHT = 3_000
"""What evidence may weigh, free: two votes, and a witness of up to four signatures."""


@dataclass(frozen=True, slots=True)
class SignedLink:
    """A vote as it was signed, without the chain id, which is this chain's."""

    set_number: Annotated[int, SET_NUMBER]
    source: Annotated[Checkpoint, Struct(Checkpoint)]
    target: Annotated[Checkpoint, Struct(Checkpoint)]
    signature: Annotated[Signature, Octets(64, 64)]

    def vote(self, chain_id: ChainId) -> Vote:
        """What was signed."""
        return Vote(chain_id, self.set_number, self.source, self.target)


@dataclass(frozen=True, slots=True)
class GiveEvidence:
    """Two votes that `key` signed."""

    key: Annotated[PublicKey, Octets(32, 32)]
    first: Annotated[SignedLink, Struct(SignedLink)]
    second: Annotated[SignedLink, Struct(SignedLink)]


def check(payload: GiveEvidence) -> None:
    """Raise `Malformed` `finality.link`, `finality.no_conflict`."""
    first, second = payload.first.vote(ChainId(bytes(32))), payload.second.vote(ChainId(bytes(32)))
    first.check()
    second.check()
    if not conflict(first, second):
        raise Malformed(NO_CONFLICT)


def attestations(author: Address, payload: GiveEvidence, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Both votes' signatures."""
    return tuple(
        (payload.key, link.vote(chain_id).signing_hash, link.signature) for link in (payload.first, payload.second)
    )


def apply(view: RuleView, call: Call, payload: GiveEvidence, context: Context) -> tuple[str, ...]:
    """Codes in order: `finality.none`, `finality.known_liar`, `finality.not_attestor`, `finality.last_attestor`."""
    finality = load_finality(view)
    if view.get(liar_key(payload.key)) is not None:
        raise RuleViolation(KNOWN_LIAR, key=payload.key)
    lists = [
        finality.members,
        finality.former,
        *(waiting.members for waiting in (*finality.scheduled, *finality.replacement)),
    ]
    if all(payload.key != member.key for members in lists for member in members):
        raise RuleViolation(NOT_ATTESTOR, key=payload.key)
    holder = next_checkpoint_height(context.params, context.height)
    view.put(FINALITY_KEY, _without(finality, payload.key, holder))
    view.put(liar_key(payload.key), Liar(context.time, context.height))
    view.emit(AttestorLied(payload.key, holder))
    return (APPLIED,)


def _without(finality: Finality, key: PublicKey, holder: Height) -> Finality:
    """The sets that come, without the key. Raises `finality.last_attestor`."""
    before = finality.scheduled[0] if finality.scheduled else Scheduled(finality.members, holder, is_chosen=False)
    remaining = _leave_out(before.members, key)
    scheduled, replacement = finality.scheduled, finality.replacement
    if remaining != before.members:
        scheduled = (Scheduled(remaining, holder, before.is_chosen),)
    if replacement:
        replacement = (replace(replacement[0], members=_leave_out(replacement[0].members, key)),)
    return replace(finality, scheduled=scheduled, replacement=replacement)


def _leave_out(members: tuple[Attestor, ...], key: PublicKey) -> tuple[Attestor, ...]:
    remaining = tuple(member for member in members if member.key != key)
    if not remaining:
        raise RuleViolation(LAST_ATTESTOR)
    return remaining


def cost(payload: GiveEvidence) -> Cost:
    """The sets, and the record of the lie, which stays; two signatures."""
    return Cost(records=2, slots=1, signatures=2)


def reads(author: Address, payload: GiveEvidence) -> tuple[RecordKey, ...]:
    """The sets, and whether the lie is known."""
    return (FINALITY_KEY, liar_key(payload.key))


FINALITY_EVIDENCE = Kind(
    name="finality.evidence",
    anchor="FIN-10",
    payload=Struct(GiveEvidence),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
    prepaid_weight=EVIDENCE_WEIGHT,
    has_reserved_room=True,
)
