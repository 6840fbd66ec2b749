"""`finality.replace_silent`: recovery keys replace a set that has justified nothing for long (spec FIN-8)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.codec import pack_shaped
from ledger.domains.finality.events import ReplacementBegun
from ledger.domains.finality.members import APPROVALS, check_approvals, check_members, liar_keys, refuse_liars
from ledger.domains.finality.set_attestors import NOT_IN_FORCE
from ledger.domains.finality.state import FINALITY_KEY, SOME_ATTESTORS, Replacement, load_finality
from ledger.errors import SECONDS_A_DAY, Code, RuleViolation
from ledger.evolve import replace
from ledger.finality.attestors import SET_NUMBER
from ledger.finality.votes import Checkpoint
from ledger.hashing import REPLACEMENT
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.params import Attestor
from ledger.schema import Struct
from ledger.state import RuleView
from ledger.types import Address, ChainId, Hash, PublicKey, RecordKey, Signature, Timestamp

NOT_LAST_FINAL = Code(
    "finality.not_last_final",
    "the last final checkpoint on this chain is at height {height}, not what was signed for",
    "Put the votes that make yours final on the chain, or sign for the chain's last one.",
)
NOT_SILENT = Code(
    "finality.not_silent",
    "the set is silent long enough from {until:time} and from height {height} on",
    "Wait: until then, any checkpoint that the set justifies begins its time anew.",
)
REPLACEMENT_WAITS = Code(
    "finality.replacement_waits",
    "a replacement waits until {until:time}",
    "Wait until it is in force, or until the set cancels it by voting.",
)
RECOVERY_QUORUM = Code(
    "finality.recovery_quorum",
    "{found} of the recovery keys signed; {needed} are needed",
    "Let more holders of recovery keys sign the same replacement, and nobody else.",
)


@dataclass(frozen=True, slots=True)
class ReplaceSilent:
    """The members that follow the silent set `set_number`, the chain's last final checkpoint, and recovery keys' signatures."""

    set_number: Annotated[int, SET_NUMBER]
    final: Annotated[Checkpoint, Struct(Checkpoint)]
    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    approvals: Annotated[tuple[tuple[PublicKey, Signature], ...], APPROVALS]


def replacement_hash(chain_id: ChainId, set_number: int, final: Checkpoint, members: tuple[Attestor, ...]) -> Hash:
    """What each recovery key signs: `REPLACEMENT(chain id ‖ enc([set number, [height, hash], members]))`."""
    array = (set_number, (final.height, final.hash), SOME_ATTESTORS.encode(members))
    return Hash(REPLACEMENT(chain_id + pack_shaped(array)))


def check(payload: ReplaceSilent) -> None:
    """Raise `Malformed` `finality.order`, `finality.key`."""
    check_members(payload.members)
    check_approvals(payload.approvals)


def attestations(author: Address, payload: ReplaceSilent, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Every approval's signature."""
    message = replacement_hash(chain_id, payload.set_number, payload.final, payload.members)
    return tuple((key, message, signature) for key, signature in payload.approvals)


def apply(view: RuleView, call: Call, payload: ReplaceSilent, context: Context) -> tuple[str, ...]:
    """Codes in order: `finality.none`, `.set_number`, `.not_last_final`, `.not_silent`, `.replacement_waits`,
    `.recovery_quorum`, `.known_liar`.
    """
    finality, params = load_finality(view), context.params
    if payload.set_number != finality.number:
        raise RuleViolation(NOT_IN_FORCE, found=payload.set_number, expected=finality.number)
    if payload.final != finality.final.checkpoint:
        raise RuleViolation(NOT_LAST_FINAL, height=finality.final.height)
    delay = params.silence_days * SECONDS_A_DAY
    until, height = finality.silent_since + delay, finality.silent_since_height + params.silence_blocks
    if context.time < until or context.height < height:
        raise RuleViolation(NOT_SILENT, until=until, height=height)
    if finality.replacement:
        raise RuleViolation(REPLACEMENT_WAITS, until=finality.replacement[0].effective_at)
    keys = {key for key, _ in payload.approvals}
    known = len(keys & set(params.recovery_keys))
    if not params.recovery_keys or known < max(params.recovery_threshold, len(keys)):
        raise RuleViolation(RECOVERY_QUORUM, found=known, needed=params.recovery_threshold)
    refuse_liars(view, payload.members)
    replacement = Replacement(payload.members, Timestamp(context.time + delay))
    view.put(FINALITY_KEY, replace(finality, replacement=(replacement,)))
    view.emit(ReplacementBegun(payload.members, replacement.effective_at))
    return (APPLIED,)


def cost(payload: ReplaceSilent) -> Cost:
    """The sets, whether each new member has lied, and the signatures."""
    return Cost(records=1 + len(payload.members), signatures=len(payload.approvals))


def reads(author: Address, payload: ReplaceSilent) -> tuple[RecordKey, ...]:
    """The sets, and whether each new member has lied."""
    return (FINALITY_KEY, *liar_keys(payload.members))


FINALITY_REPLACE_SILENT = Kind(
    name="finality.replace_silent",
    anchor="FIN-8",
    payload=Struct(ReplaceSilent),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
)
