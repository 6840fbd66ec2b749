"""Where a brand wants to be told of messages that fans let out."""

from typing import ClassVar

from pydantic import Field

from api.http.schemas.answer import EXAMPLE_ID, EXAMPLE_TIME, Answer, Example

EXAMPLE_WEBHOOK = "3e" * 16
EXAMPLE_URL = "https://shop.example/fansumer"


class WebhookBody(Answer):
    """An address of the brand's, on the public internet."""

    url: str = Field(pattern=r"^https?://[^\s]{1,500}$")

    EXAMPLE: ClassVar[Example] = {"url": EXAMPLE_URL}


class WebhookMade(Answer):
    """The webhook, and the secret by which the brand knows what comes from this node: it is shown this once."""

    id: str
    program: str
    url: str
    secret: str
    made_at: int

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_WEBHOOK,
        "program": EXAMPLE_ID,
        "url": EXAMPLE_URL,
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "made_at": EXAMPLE_TIME,
    }


class WebhookItem(Answer):
    """A webhook, and how many messages wait for it, reached it, or were given up, withdrawn ones among them."""

    id: str
    url: str
    made_at: int
    waiting: int
    sent: int
    lost: int

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_WEBHOOK,
        "url": EXAMPLE_URL,
        "made_at": EXAMPLE_TIME,
        "waiting": 1,
        "sent": 40,
        "lost": 0,
    }


class WebhooksAnswer(Answer):
    """A program's webhooks."""

    program: str
    items: list[WebhookItem]

    EXAMPLE: ClassVar[Example] = {"program": EXAMPLE_ID, "items": [WebhookItem.EXAMPLE]}


class WebhookDropped(Answer):
    """The webhook is deleted, and what waited for it. `dropped` false: there was none."""

    id: str
    dropped: bool

    EXAMPLE: ClassVar[Example] = {"id": EXAMPLE_WEBHOOK, "dropped": True}
