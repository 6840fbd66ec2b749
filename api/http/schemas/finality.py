"""Answers about finality."""

from typing import ClassVar

from pydantic import Field

from api.http.schemas.answer import EXAMPLE_HASH, EXAMPLE_TIME, Answer, Example

EXAMPLE_KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"


class AttestorItem(Answer):
    """A key that says which blocks are final."""

    key: str
    weight: int

    EXAMPLE: ClassVar[Example] = {"key": EXAMPLE_KEY, "weight": 1}


class AttestorSetItem(Answer):
    """The set in force. A quorum holds `quorum_weight` at least: more than two thirds of `weight`."""

    number: int
    weight: int
    quorum_weight: int
    since_height: int
    replaces_silent: bool
    members: list[AttestorItem]

    EXAMPLE: ClassVar[Example] = {
        "number": 0,
        "weight": 1,
        "quorum_weight": 1,
        "since_height": 0,
        "replaces_silent": False,
        "members": [AttestorItem.EXAMPLE],
    }


class CheckpointItem(Answer):
    """A checkpoint and the number of the set by which it was justified."""

    height: int
    hash: str
    set_number: int

    EXAMPLE: ClassVar[Example] = {"height": 1_440, "hash": EXAMPLE_HASH, "set_number": 0}


class ScheduledItem(Answer):
    """The set that comes once the checkpoint at `holder_height` is final; `chosen`: by the set in force, not by evidence."""

    holder_height: int
    chosen: bool
    members: list[AttestorItem]

    EXAMPLE: ClassVar[Example] = {"holder_height": 1_460, "chosen": True, "members": [AttestorItem.EXAMPLE]}


class ReplacementItem(Answer):
    """The set that recovery keys put in the place of a silent one, unless that justifies a checkpoint before `effective_at`."""

    effective_at: int
    members: list[AttestorItem]

    EXAMPLE: ClassVar[Example] = {"effective_at": EXAMPLE_TIME, "members": [AttestorItem.EXAMPLE]}


class ConflictItem(Answer):
    """Two final checkpoints on different branches: this node takes in nothing until its operator has decided."""

    known_height: int
    known_hash: str
    other_height: int
    other_hash: str

    EXAMPLE: ClassVar[Example] = {
        "known_height": 1_440,
        "known_hash": EXAMPLE_HASH,
        "other_height": 1_440,
        "other_hash": EXAMPLE_HASH,
    }


class FinalityAnswer(Answer):
    """Who says which blocks are final here, and which are.

    `justified` and `final` are what this node knows; `chain_justified` and `chain_final` what its blocks show by themselves. Of a
    chain without attestors only `attested` says something: there the most work decides.
    """

    attested: bool
    interval_blocks: int
    set: AttestorSetItem | None
    scheduled: ScheduledItem | None
    replacement: ReplacementItem | None
    justified: CheckpointItem | None
    final: CheckpointItem | None
    chain_justified: CheckpointItem | None
    chain_final: CheckpointItem | None
    blocks_since_justified: int | None
    silent: bool = Field(description="Nothing was justified for two intervals.")
    silent_since: int | None = Field(description="The chain's time when its blocks last showed a justification.")
    silent_since_height: int | None
    conflict: ConflictItem | None

    EXAMPLE: ClassVar[Example] = {
        "attested": True,
        "interval_blocks": 20,
        "set": AttestorSetItem.EXAMPLE,
        "scheduled": ScheduledItem.EXAMPLE,
        "replacement": None,
        "justified": CheckpointItem.EXAMPLE,
        "final": CheckpointItem.EXAMPLE,
        "chain_justified": CheckpointItem.EXAMPLE,
        "chain_final": CheckpointItem.EXAMPLE,
        "blocks_since_justified": 7,
        "silent": False,
        "silent_since": EXAMPLE_TIME,
        "silent_since_height": 1_443,
        "conflict": None,
    }
