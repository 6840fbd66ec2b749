"""`finality.attest`: votes for a checkpoint, put on the chain by anybody, free, one per key and checkpoint (spec FIN-6)."""

from bisect import insort
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from ledger.domains.finality.events import (
    CheckpointFinalised,
    CheckpointJustified,
    ReplacementCancelled,
    VoteCounted,
)
from ledger.domains.finality.state import (
    FINALITY_KEY,
    NOT_ATTESTOR,
    CheckpointVotes,
    CountedVote,
    Finality,
    Justified,
    checkpoint_votes_key,
    load_finality,
)
from ledger.errors import Code, Malformed, RuleViolation
from ledger.evolve import replace
from ledger.finality.attestors import SET_NUMBER, AttestorSet, all_hold_quorum, voters
from ledger.finality.votes import Checkpoint, Vote
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.params import ATTESTORS_MAX, JUSTIFIED_KEPT
from ledger.schema import ListOf, Octets, Row, Struct
from ledger.state import RuleView
from ledger.types import Address, ChainId, Height, PublicKey, RecordKey, Signature

VOTE_ORDER = Code("finality.order", "the keys of {what} do not ascend strictly", "Sort by key, and name each key once.")
NOT_CHECKPOINT = Code(
    "finality.checkpoint",
    "the block {hash} at height {height} is none of this chain's newest checkpoints above the last final one",
    "Vote for a checkpoint of this branch that the chain does not hold final yet.",
)
WRONG_SET = Code(
    "finality.set",
    "the vote names set {found}; at height {height} it is {expected}",
    "Sign with the number of the set that is in force at the target.",
)
NOT_JUSTIFIED = Code(
    "finality.source",
    "the block {hash} at height {height} is not justified on this chain, or lies too far back",
    "Put the votes that justify the source on the chain first.",
)
ALREADY_VOTED = Code(
    "finality.already_voted",
    "the chain holds a vote of the key {key} for this checkpoint already",
    "Nothing: one vote per key and checkpoint is kept. Leave it out if others are to be counted.",
)

ATTEST_WEIGHT = 110_000
"""What a transaction of votes may weigh, free: one vote of each attestor of two full sets fits."""


@dataclass(frozen=True, slots=True)
class Attest:
    """Votes of one or many keys for one link, each key with its signature, by ascending key."""

    set_number: Annotated[int, SET_NUMBER]
    source: Annotated[Checkpoint, Struct(Checkpoint)]
    target: Annotated[Checkpoint, Struct(Checkpoint)]
    votes: Annotated[
        tuple[tuple[PublicKey, Signature], ...], ListOf(Row(Octets(32, 32), Octets(64, 64)), 1, 2 * ATTESTORS_MAX)
    ]

    def vote(self, chain_id: ChainId) -> Vote:
        """What each key signed."""
        return Vote(chain_id, self.set_number, self.source, self.target)


def check(payload: Attest) -> None:
    """Raise `Malformed` `finality.link`, `finality.order`."""
    payload.vote(ChainId(bytes(32))).check()
    if any(one >= other for (one, _), (other, _) in pairwise(payload.votes)):
        raise Malformed(VOTE_ORDER, what="votes")


def attestations(author: Address, payload: Attest, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Every vote's signature."""
    message = payload.vote(chain_id).signing_hash
    return tuple((key, message, signature) for key, signature in payload.votes)


def apply(view: RuleView, call: Call, payload: Attest, context: Context) -> tuple[str, ...]:
    """Codes in order: `finality.none`, `.checkpoint`, `.set`, `.source`; for each vote `.not_attestor`, `.already_voted`."""
    finality = load_finality(view)
    place = checkpoint_votes_key(payload.target.height)
    checkpoint: CheckpointVotes | None = view.get(place)
    if checkpoint is None or checkpoint.hash != payload.target.hash:
        raise RuleViolation(NOT_CHECKPOINT, hash=payload.target.hash[::-1], height=payload.target.height)
    target_set = finality.set_at(payload.target.height)
    if target_set is None or payload.set_number != target_set.number:
        expected = "not known any more" if target_set is None else target_set.number
        raise RuleViolation(WRONG_SET, found=payload.set_number, height=payload.target.height, expected=expected)
    sets = _sets_from(finality, payload.source, target_set)
    admitted = frozenset(voters(sets))
    counted = {vote.key: vote for vote in checkpoint.votes}
    for key, _ in payload.votes:
        if key not in admitted:
            raise RuleViolation(NOT_ATTESTOR, key=key)
        if key in counted:
            raise RuleViolation(ALREADY_VOTED, key=key)
        counted[key] = CountedVote(key, payload.source.height)
        view.emit(VoteCounted(key, payload.source.height, payload.target.height))
    view.put(place, replace(checkpoint, votes=tuple(counted[key] for key in sorted(counted))))
    linked = {vote.key for vote in counted.values() if vote.source_height == payload.source.height}
    if all_hold_quorum(sets, linked):
        _record_link(view, finality, payload, context)
    return (APPLIED,)


def _sets_from(finality: Finality, source: Checkpoint, target_set: AttestorSet) -> tuple[AttestorSet, ...]:
    """The sets of which each must hold a quorum. Raises `finality.source`."""
    known = next((found for found in finality.justified if found.checkpoint == source), None)
    if known is not None and known.set_number == target_set.number:
        return (target_set,)
    if known is not None and known.set_number < target_set.number == finality.number:
        if finality.replaces_silent:
            return (target_set,)
        # A set that was chosen came into force by a final checkpoint of the set before it, and nothing below that is kept.
        assert known.set_number == finality.number - 1, "a link crosses one change"
        return (AttestorSet(known.set_number, finality.former), target_set)
    raise RuleViolation(NOT_JUSTIFIED, hash=source.hash[::-1], height=source.height)


def _record_link(view: RuleView, finality: Finality, payload: Attest, context: Context) -> None:
    """A quorum links source to target: the target is justified, and the source final where the target is its direct child."""
    target = Justified(payload.target.height, payload.target.hash, payload.set_number)
    interval = context.params.checkpoint_interval_blocks
    if target.height == payload.source.height + interval and payload.source.height > finality.final.height:
        finality = _finalise(view, finality, payload.source, interval)
    if target not in finality.justified:
        finality = _justify(view, finality, target, context)
    view.put(FINALITY_KEY, finality)


def _justify(view: RuleView, finality: Finality, target: Justified, context: Context) -> Finality:
    first, *rest = finality.justified
    insort(rest, target, key=lambda found: found.height)
    kept = rest[-(JUSTIFIED_KEPT - 1) :]
    view.emit(CheckpointJustified(target.height, target.hash, target.set_number))
    if finality.replacement and target.set_number == finality.number:
        view.emit(ReplacementCancelled(finality.replacement[0].effective_at))
        finality = replace(finality, replacement=())
    return replace(
        finality,
        justified=(first, *kept),
        silent_since=context.time,
        silent_since_height=context.height,
    )


def _finalise(view: RuleView, finality: Finality, source: Checkpoint, interval: int) -> Finality:
    """Nothing below a final checkpoint is voted for any more."""
    for height in range(source.height, finality.final.height, -interval):
        key = checkpoint_votes_key(Height(height))
        if view.get(key) is None:
            break
        view.delete(key)
    view.emit(CheckpointFinalised(source.height, source.hash))
    kept = tuple(found for found in finality.justified if found.height >= source.height)
    return replace(finality, justified=kept)


def cost(payload: Attest) -> Cost:
    """Set and checkpoint; each vote is a signature. What a final checkpoint frees was counted where it was made."""
    return Cost(records=2, signatures=len(payload.votes))


def reads(author: Address, payload: Attest) -> tuple[RecordKey, ...]:
    """The sets and the checkpoint."""
    return (FINALITY_KEY, checkpoint_votes_key(payload.target.height))


FINALITY_ATTEST = Kind(
    name="finality.attest",
    anchor="FIN-6",
    payload=Struct(Attest),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
    prepaid_weight=ATTEST_WEIGHT,
    has_reserved_room=True,
)
