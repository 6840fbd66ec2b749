"""Answers for attestors, and the vote that they hand over."""

from typing import ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import BASE64_PATTERN, EXAMPLE_HASH, EXAMPLE_ID, Answer, Example


class CheckpointShown(Answer):
    """A checkpoint: a block at a height that the interval divides."""

    height: int
    hash: str

    EXAMPLE: ClassVar[Example] = {"height": 1_440, "hash": EXAMPLE_HASH}


class VoteBody(Answer):
    """A signed vote in JSON."""

    vote: str = Field(description="Base64 of its canonical bytes.", json_schema_extra={"pattern": BASE64_PATTERN})

    EXAMPLE: ClassVar[Example] = {"vote": "k5TEIAAB"}


class VoteShown(Answer):
    """A vote that was signed."""

    key: str
    set_number: int
    source: CheckpointShown
    target: CheckpointShown
    raw: str = Field(description="Its canonical bytes in hex, the signature with them.")

    EXAMPLE: ClassVar[Example] = {
        "key": EXAMPLE_ID,
        "set_number": 0,
        "source": {"height": 1_420, "hash": EXAMPLE_HASH},
        "target": CheckpointShown.EXAMPLE,
        "raw": "93" * 8,
    }


class VoteTaken(VoteShown):
    """A vote that was taken: `new`, or `known` before."""

    verdict: Literal["new", "known"]

    EXAMPLE: ClassVar[Example] = {"verdict": "new", **VoteShown.EXAMPLE}


class VotesAnswer(Answer):
    """Votes that are not final, the highest target first."""

    items: list[VoteShown]

    EXAMPLE: ClassVar[Example] = {"items": [VoteShown.EXAMPLE]}


class AttestorAnswer(Answer):
    """What an attestor sees. It votes from `source` to `target`, if its record allows it and the key counts (`is_member`)."""

    key: str
    chain_id: str
    interval_blocks: int
    height: int = Field(description="Of the tip.")
    is_fresh: bool = Field(description="Whether the last block is not older than ten times the block time.")
    source: CheckpointShown = Field(description="The highest justified checkpoint of the chain that this node follows.")
    target: CheckpointShown = Field(description="The highest checkpoint of it with two blocks on it.")
    set_number: int = Field(description="Of the set in force at the target.")
    is_member: bool
    votes: list[VoteShown] = Field(description="Votes of this key that the node knows and that are not final.")

    EXAMPLE: ClassVar[Example] = {
        "key": EXAMPLE_ID,
        "chain_id": EXAMPLE_ID,
        "interval_blocks": 20,
        "height": 1_451,
        "is_fresh": True,
        "source": {"height": 1_420, "hash": EXAMPLE_HASH},
        "target": CheckpointShown.EXAMPLE,
        "set_number": 0,
        "is_member": True,
        "votes": [VoteShown.EXAMPLE],
    }
