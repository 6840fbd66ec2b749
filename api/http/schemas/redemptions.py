"""Answers about redemptions, and a shop's acceptance of one."""

from typing import ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import (
    BASE64_PATTERN,
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    EXAMPLE_TXID,
    Answer,
    Example,
    PageAnswer,
)
from ledger.domains.rewards.acceptance import ACCEPTANCE_DEPTH_MAX, SETTLED_DEPTH

EXAMPLE_HOLD = "b2" * 32


class FulfilmentItem(Answer):
    """Units that were handed out together. `id` is what `redeem.refund` names; null where the program's terms allow no refunds.

    `codes` are commitments to voucher codes, one for each unit. `refundable` units can be taken back until `refundable_until`.
    """

    id: str | None
    height: int
    quantity: int
    points: int
    codes: list[str]
    refunded: int
    refundable: int
    refundable_until: int | None

    EXAMPLE: ClassVar[Example] = {
        "id": "f0" * 32,
        "height": 1_441,
        "quantity": 2,
        "points": 200,
        "codes": ["c0" * 32, "c1" * 32],
        "refunded": 0,
        "refundable": 2,
        "refundable_until": EXAMPLE_TIME + 1_209_600,
    }


class AcceptanceItem(Answer):
    """The shop's word: it hands the reward out now and bears the loss until `depth` blocks stand on the redemption.

    `acceptance` are its canonical bytes in base64, with the till's signature: `fansumer wallet check-acceptance` reads them.
    """

    till: str
    accepted_at: int
    depth: int
    acceptance: str

    EXAMPLE: ClassVar[Example] = {
        "till": EXAMPLE_ADDRESS,
        "accepted_at": EXAMPLE_TIME,
        "depth": 6,
        "acceptance": "lNoAIA==",
    }


class HandOutItem(Answer):
    """What a program waits for before it hands out what was redeemed and no till accepted (spec RWD-11).

    `pool`: nothing; `blocks`: so many blocks from the redemption's to the tip, or that it is final; `justified`; `final`.
    `blocks` is null for the other levels, `chosen_at` null where the owner has said nothing: then it is 6 blocks.
    """

    level: Literal["pool", "blocks", "justified", "final"]
    blocks: int | None
    chosen_at: int | None
    says: str = Field(description="The same in a sentence.")

    EXAMPLE: ClassVar[Example] = {
        "level": "blocks",
        "blocks": 6,
        "chosen_at": None,
        "says": "What is redeemed is handed out once 6 blocks stand on it.",
    }


class HandOutAnswer(HandOutItem):
    """What one program waits for."""

    program: str

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, **HandOutItem.EXAMPLE}


class HandOutBody(Answer):
    """What a program is to wait for. `blocks` counts for the level of that name alone."""

    level: Literal["pool", "blocks", "justified", "final"]
    blocks: int = Field(SETTLED_DEPTH, ge=1, le=ACCEPTANCE_DEPTH_MAX)

    EXAMPLE: ClassVar[Example] = {"level": "blocks", "blocks": 12}


class RedemptionAnswer(Answer):
    """A redemption: what became of its units, and how safe it is.

    Of its `quantity` units `held` wait for the shop, `fulfilled` were handed out (of them `refunded` taken back), `released`
    given up. What is not known while it waits for a block, or after it fell out of the chain, is null.
    """

    id: str
    txid: str | None
    program: str
    member: str
    reward: str | None
    quantity: int | None
    points: int | None
    held: int
    fulfilled: int
    released: int
    refunded: int
    height: int | None
    expires_at: int | None
    expires_height: int | None
    fulfilments: list[FulfilmentItem]
    standing: Literal["waiting", "accepted by the shop", "settled", "borne by the shop"]
    says: str = Field(description="The standing in a sentence.")
    confirmations: int
    justified: bool | None
    final: bool | None = Field(description="Null, as `justified`, on a chain without attestors.")
    depth: int | None = Field(description="So many blocks from its own to the tip settle it; null: they alone do not.")
    waits_for: HandOutItem = Field(description="What the program waits for where no till accepted it.")
    accepted: AcceptanceItem | None

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_HOLD,
        "txid": EXAMPLE_TXID,
        "program": EXAMPLE_ID,
        "member": EXAMPLE_ADDRESS,
        "reward": "6a" * 32,
        "quantity": 3,
        "points": 300,
        "held": 1,
        "fulfilled": 2,
        "released": 0,
        "refunded": 0,
        "height": 1_440,
        "expires_at": EXAMPLE_TIME + 86_400,
        "expires_height": 1_446,
        "fulfilments": [FulfilmentItem.EXAMPLE],
        "standing": "accepted by the shop",
        "says": "The shop hands it out at its own risk until 6 blocks stand on it; now 2 do.",
        "confirmations": 2,
        "justified": False,
        "final": False,
        "depth": 6,
        "waits_for": HandOutItem.EXAMPLE,
        "accepted": AcceptanceItem.EXAMPLE,
    }


class RedemptionsAnswer(PageAnswer):
    """Redemptions in the order in which they were opened."""

    items: list[RedemptionAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [RedemptionAnswer.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class AcceptanceBody(Answer):
    """A signed acceptance in JSON: its canonical bytes in base64."""

    acceptance: str = Field(pattern=BASE64_PATTERN)

    EXAMPLE: ClassVar[Example] = {"acceptance": "lNoAIA=="}


class AcceptanceKept(Answer):
    """The acceptance is kept."""

    redemption: str
    is_new: bool = Field(description="False: it was kept before.")

    EXAMPLE: ClassVar[Example] = {"redemption": EXAMPLE_HOLD, "is_new": True}
