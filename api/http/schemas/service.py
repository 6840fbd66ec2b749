"""Answers of the node about itself."""

from typing import ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import Answer, Example


class HealthAnswer(Answer):
    """The process answers."""

    status: Literal["ok"]

    EXAMPLE: ClassVar[Example] = {"status": "ok"}


class ReadyAnswer(Answer):
    """The store can be read, transactions are taken in, and the tip is not too old."""

    status: Literal["ready"]
    height: int
    tip_age_s: int
    stalled: bool = Field(description="No block has come for ten times the chain's block time: its miners are gone.")

    verified: bool = Field(
        description="The node itself applied every block from the first one on. False while it verifies what led to its snapshot."
    )

    EXAMPLE: ClassVar[Example] = {
        "status": "ready",
        "height": 1_440,
        "tip_age_s": 4,
        "stalled": False,
        "verified": True,
    }
