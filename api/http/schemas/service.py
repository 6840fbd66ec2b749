"""Answers of the node about itself."""

from typing import ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import Answer, Example


class HealthAnswer(Answer):
    """The process answers."""

    status: Literal["ok"]

    EXAMPLE: ClassVar[Example] = {"status": "ok"}


class AlarmAnswer(Answer):
    """Something is wrong, though the node works."""

    code: str = Field(description="Stable: law.other.")
    detail: str
    advice: str = Field(description="What to do about it.")

    EXAMPLE: ClassVar[Example] = {
        "code": "law.other",
        "detail": "others follow another law since height 1200: 3 blocks with real work are refused here",
        "advice": "Look for a new version of this program and install it.",
    }


class ReadyAnswer(Answer):
    """The store can be read, transactions are taken in, and the tip is not too old."""

    status: Literal["ready"]
    height: int
    tip_age_s: int
    stalled: bool = Field(description="No block has come for ten times the chain's block time: its miners are gone.")
    finality_stalled: bool = Field(
        description="No checkpoint was justified for two intervals: more than a third of the attestors' weight is silent."
    )

    verified: bool = Field(
        description="The node itself applied every block from the first one on. False while it verifies what led to its snapshot."
    )
    alarm: AlarmAnswer | None = Field(description="What the operator must hear of, such as blocks of another law.")

    EXAMPLE: ClassVar[Example] = {
        "status": "ready",
        "height": 1_440,
        "tip_age_s": 4,
        "stalled": False,
        "verified": True,
        "finality_stalled": False,
        "alarm": None,
    }
