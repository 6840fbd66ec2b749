"""Answers about those who mine here, and how they share (spec MINE-7)."""

from typing import ClassVar

from pydantic import Field

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_HASH,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
)

WEIGHT_TEXT = "Expected hashes, as decimal text: it may exceed 64 bits."


class MiningClaim(Answer):
    """What one address has done for a block: shares and weight in the window, and what earlier blocks left unpaid."""

    address: str
    shares: int
    weight: str = Field(description=WEIGHT_TEXT)
    carried: str = Field(description=WEIGHT_TEXT)
    claim: str = Field(description="`weight` and `carried` together: what it is paid by.")
    amount: int = Field(description="Coin that the block pays it; 0: the claim is carried to the next block.")

    EXAMPLE: ClassVar[Example] = {
        "address": EXAMPLE_ADDRESS,
        "shares": 61,
        "weight": "63963136",
        "carried": "0",
        "claim": "63963136",
        "amount": 5_000_000_000,
    }


class MiningAnswer(Answer):
    """The port for miners, and what a block found now would pay.

    `reward` is the next block's subsidy, without fees; `first_share` and `last_share` are the numbers of the window's shares, 0
    if there are none: then everybody who is connected has a claim of 1. `port` is null where the node takes no miners.
    """

    port: int | None
    connections: int
    workers: int
    shares: int = Field(description="Shares that counted since the port was opened.")
    blocks: int = Field(description="Blocks that were found since then.")
    first_share: int
    last_share: int
    reward: int
    claims: list[MiningClaim]

    EXAMPLE: ClassVar[Example] = {
        "port": 3_333,
        "connections": 2,
        "workers": 2,
        "shares": 61,
        "blocks": 1,
        "first_share": 1,
        "last_share": 61,
        "reward": 5_000_000_000,
        "claims": [MiningClaim.EXAMPLE],
    }


class MinedBlock(Answer):
    """A block that was found here. `is_active`: it is in the active chain. `reward` is what it pays in all."""

    height: int
    hash: str
    time: int
    is_active: bool
    first_share: int
    last_share: int
    reward: int

    EXAMPLE: ClassVar[Example] = {
        "height": 1_440,
        "hash": EXAMPLE_HASH,
        "time": EXAMPLE_TIME,
        "is_active": True,
        "first_share": 1,
        "last_share": 61,
        "reward": 5_000_000_000,
    }


class MinedBlocksAnswer(PageAnswer):
    """Blocks that were found here, the newest first."""

    items: list[MinedBlock]

    EXAMPLE: ClassVar[Example] = {"items": [MinedBlock.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class MinedBlockAnswer(MinedBlock):
    """A block that was found here, and who was paid for which shares."""

    claims: list[MiningClaim]

    EXAMPLE: ClassVar[Example] = {**MinedBlock.EXAMPLE, "claims": [MiningClaim.EXAMPLE]}


class MiningShare(Answer):
    """A share that counted. The header's hash shows its work, the header's parent the tip that it was for."""

    number: int
    time: int
    address: str
    worker: str | None
    weight: str = Field(description=WEIGHT_TEXT)
    header: str = Field(description="80 bytes in hex.")
    hash: str

    EXAMPLE: ClassVar[Example] = {
        "number": 61,
        "time": EXAMPLE_TIME,
        "address": EXAMPLE_ADDRESS,
        "worker": "rig-1",
        "weight": "1048576",
        "header": "20" * 80,
        "hash": EXAMPLE_HASH,
    }


class MiningSharesAnswer(PageAnswer):
    """Shares, the newest first."""

    items: list[MiningShare]

    EXAMPLE: ClassVar[Example] = {"items": [MiningShare.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
