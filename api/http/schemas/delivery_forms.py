"""Answers about delivery forms."""

from typing import ClassVar

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_DATE,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Example,
    PageAnswer,
)


class DeliveryFormBody(Answer):
    """An encrypted delivery form in base64."""

    form: str

    EXAMPLE: ClassVar[Example] = {"form": "AQ" + "A" * 66 + "=="}


class DeliveryFormKept(Answer):
    """The form is kept for the creator."""

    campaign: str
    number: int
    bytes: int

    EXAMPLE: ClassVar[Example] = {"campaign": EXAMPLE_ID, "number": 0, "bytes": 120}


class DeliveryFormDropped(Answer):
    """Whether there was a form, which is gone now."""

    campaign: str
    number: int
    dropped: bool

    EXAMPLE: ClassVar[Example] = {"campaign": EXAMPLE_ID, "number": 0, "dropped": True}


class DeliveryFormItem(Answer):
    """The encrypted form of one pledge, in base64."""

    number: int
    backer: str
    kept_at: int
    date: str
    form: str

    EXAMPLE: ClassVar[Example] = {
        "number": 0,
        "backer": EXAMPLE_ADDRESS,
        "kept_at": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
        "form": "AQIDBA==",
    }


class DeliveryFormsAnswer(PageAnswer):
    """Forms by the numbers of their pledges."""

    items: list[DeliveryFormItem]

    EXAMPLE: ClassVar[Example] = {"items": [DeliveryFormItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
