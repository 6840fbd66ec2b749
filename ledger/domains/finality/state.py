"""Records of finality: the sets, the justified checkpoints, and the votes for each checkpoint (spec FIN-3).

A chain whose params name no attestors has none of these records.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger.errors import Code, RuleViolation
from ledger.finality.attestors import SET_NUMBER, AttestorSet
from ledger.finality.votes import HEIGHT, Checkpoint
from ledger.params import ATTESTORS, ATTESTORS_MAX, JUSTIFIED_KEPT, Attestor, Params
from ledger.schema import Boolean, Integer, ListOf, Octets, Struct, identifier
from ledger.state import RuleView, Table
from ledger.types import BlockHash, Height, PublicKey, RecordKey, Timestamp

NO_ATTESTORS = Code(
    "finality.none", "this chain's params name no attestors", "Nothing: on this chain the most work decides alone."
)
NOT_ATTESTOR = Code(
    "finality.not_attestor",
    "the key {key} is no attestor's of the sets that count here",
    "`fansumer chain finality` lists the set in force.",
)

TIME = Integer(0, 2**40)
SOME_ATTESTORS = ListOf(Struct(Attestor), 1, ATTESTORS_MAX)


@dataclass(frozen=True, slots=True)
class Justified:
    """A checkpoint of this branch to which a quorum linked, and the number of the set in force there."""

    height: Annotated[Height, HEIGHT]
    hash: Annotated[BlockHash, identifier()]
    set_number: Annotated[int, SET_NUMBER]

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint itself."""
        return Checkpoint(self.height, self.hash)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The set that comes next, once the checkpoint at `holder_height`, which holds the change, is final.

    `is_chosen`: the set in force chose it; else it is only what evidence left of the present one.
    """

    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    holder_height: Annotated[Height, HEIGHT]
    is_chosen: Annotated[bool, Boolean()]


@dataclass(frozen=True, slots=True)
class Replacement:
    """The set that recovery keys put in the place of a silent one, in force from the first checkpoint at `effective_at` on."""

    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    effective_at: Annotated[Timestamp, TIME]


@dataclass(frozen=True, slots=True)
class Finality:
    """All sets that matter now, and what is justified on this branch. One record a chain.

    The set in force counts at checkpoints from `since_height` on, the former one at those from `former_since_height` on.
    `justified` ascends by height; its first is the last final checkpoint. `silent_since` and `silent_since_height` are the clock
    and the height of the block that held the last justification, or of the first block.
    """

    number: Annotated[int, SET_NUMBER]
    members: Annotated[tuple[Attestor, ...], SOME_ATTESTORS]
    replaces_silent: Annotated[bool, Boolean()]
    since_height: Annotated[Height, HEIGHT]
    former: Annotated[tuple[Attestor, ...], ATTESTORS]
    former_since_height: Annotated[Height, HEIGHT]
    scheduled: Annotated[tuple[Scheduled, ...], ListOf(Struct(Scheduled), 0, 1)]
    replacement: Annotated[tuple[Replacement, ...], ListOf(Struct(Replacement), 0, 1)]
    justified: Annotated[tuple[Justified, ...], ListOf(Struct(Justified), 0, JUSTIFIED_KEPT)]
    silent_since: Annotated[Timestamp, TIME]
    silent_since_height: Annotated[Height, HEIGHT]

    @property
    def in_force(self) -> AttestorSet:
        """The set in force."""
        return AttestorSet(self.number, self.members, self.replaces_silent)

    @property
    def final(self) -> Justified:
        """The last checkpoint that this branch's own blocks show to be final."""
        return self.justified[0]

    def set_at(self, height: Height) -> AttestorSet | None:
        """The set in force at a checkpoint, as far back as the record knows."""
        if height >= self.since_height:
            return self.in_force
        if self.former and height >= self.former_since_height:
            return AttestorSet(self.number - 1, self.former)
        return None


@dataclass(frozen=True, slots=True)
class CountedVote:
    """Who voted for a checkpoint on the chain, and from which justified height."""

    key: Annotated[PublicKey, Octets(32, 32)]
    source_height: Annotated[Height, HEIGHT]


@dataclass(frozen=True, slots=True)
class CheckpointVotes:
    """A checkpoint of this branch, and the votes for it that the chain holds, by ascending key."""

    hash: Annotated[BlockHash, identifier()]
    votes: Annotated[tuple[CountedVote, ...], ListOf(Struct(CountedVote), 0, 2 * ATTESTORS_MAX)]


@dataclass(frozen=True, slots=True)
class Liar:
    """A key that signed two votes that conflict. It stays: such a key never comes back into a set."""

    proved_at: Annotated[Timestamp, TIME]
    proved_height: Annotated[Height, HEIGHT]


FINALITY = Table(b"a", Finality)
CHECKPOINT_VOTES = Table(b"k", CheckpointVotes)
LIARS = Table(b"l", Liar)

FINALITY_KEY: RecordKey = FINALITY.key()

SUBJECT = b"finality".ljust(32, b"\0")
"""What has no other subject is in the history of this one."""


def checkpoint_votes_key(height: Height) -> RecordKey:
    """`k` + height (4 bytes)."""
    return CHECKPOINT_VOTES.key(height.to_bytes(4, "big"))


def liar_key(key: PublicKey) -> RecordKey:
    """`l` + public key."""
    return LIARS.key(key)


def initial_finality(params: Params) -> Finality:
    """The record as genesis has it: set 0 is the params', and nothing is justified before the first block's hash is known."""
    return Finality(
        number=0,
        members=params.attestors,
        replaces_silent=False,
        since_height=Height(0),
        former=(),
        former_since_height=Height(0),
        scheduled=(),
        replacement=(),
        justified=(),
        silent_since=params.genesis_time,
        silent_since_height=Height(0),
    )


def find_finality(view: RuleView) -> Finality | None:
    """The record, or None on a chain without attestors."""
    return view.get(FINALITY_KEY)


def load_finality(view: RuleView) -> Finality:
    """The record. Raises `finality.none` on a chain without attestors."""
    found = find_finality(view)
    if found is None:
        raise RuleViolation(NO_ATTESTORS)
    return found


def next_checkpoint_height(params: Params, height: Height) -> Height:
    """The lowest checkpoint at or above `height`."""
    interval = params.checkpoint_interval_blocks
    return Height(-(-height // interval) * interval)
