"""Answers to partners: exactly what a fan granted, and by which consent."""

from typing import Any, ClassVar

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_DATE,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    Answer,
    Event,
    Example,
    PageAnswer,
    ShownTier,
)

EXAMPLE_RECEIPT = "9d" * 32


class ActingConsent(Answer):
    """The consent that allows this answer. `scope` empty: all of it; `expires_at` null: until it is taken back."""

    scope: str
    granted_at: int
    expires_at: int | None

    EXAMPLE: ClassVar[Example] = {"scope": "standing", "granted_at": EXAMPLE_TIME, "expires_at": None}


class PartnerStanding(Answer):
    """The scope `standing`: since when somebody is a member, its tier and its points."""

    program: str
    member: str
    joined_at: int
    left_at: int | None
    tier: ShownTier | None
    pending: int
    available: int
    held: int
    consent: ActingConsent

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "member": EXAMPLE_ADDRESS,
        "joined_at": EXAMPLE_TIME,
        "left_at": None,
        "tier": ShownTier.EXAMPLE,
        "pending": 0,
        "available": 415,
        "held": 100,
        "consent": ActingConsent.EXAMPLE,
    }


class PartnerEvent(Event):
    """An event of the member in this program."""

    height: int
    sequence: int
    time: int
    date: str

    EXAMPLE: ClassVar[Example] = {
        "height": 1_439,
        "sequence": 12,
        "time": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
        **Event.EXAMPLE,
    }


class PartnerHistory(PageAnswer):
    """The scope `history`: points that came and went and rewards, of this program alone, the newest first."""

    items: list[PartnerEvent]
    consent: ActingConsent

    EXAMPLE: ClassVar[Example] = {
        "items": [PartnerEvent.EXAMPLE],
        "next_cursor": EXAMPLE_CURSOR,
        "consent": ActingConsent.EXAMPLE,
    }


class PartnerReceipt(Answer):
    """A purchase of the member in this program, with its lines. Nothing in it proves anything to others: its salt is left out."""

    id: str
    time: int
    date: str
    period: int
    net_cents: int
    paid_with_points_cents: int
    points: int
    codes: list[list[str | int]]
    lines: list[Any]
    gift: bool

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_RECEIPT,
        "time": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
        "period": 20_758,
        "net_cents": 1_147,
        "paid_with_points_cents": 0,
        "points": 114,
        "codes": [["bakery", 498], ["drinks", 649]],
        "lines": [["Bread", 2, 498], ["Coffee", 1, 649]],
        "gift": False,
    }


class PartnerReceipts(PageAnswer):
    """The scope `receipts`: purchases with their lines, the one that came last first. Gifts only under the scope `gifts`, too."""

    items: list[PartnerReceipt]
    consent: ActingConsent

    EXAMPLE: ClassVar[Example] = {
        "items": [PartnerReceipt.EXAMPLE],
        "next_cursor": EXAMPLE_CURSOR,
        "consent": ActingConsent.EXAMPLE,
    }


class PartnerPledge(Answer):
    """A pledge of the member's points of this program."""

    campaign: str
    title: str
    status: str
    number: int
    quantity: int
    tier: int | None
    height: int

    EXAMPLE: ClassVar[Example] = {
        "campaign": EXAMPLE_ID,
        "title": "A lamp",
        "status": "open",
        "number": 0,
        "quantity": 150,
        "tier": 1,
        "height": 1_439,
    }


class PartnerCampaigns(PageAnswer):
    """The scope `campaigns`: pledges of this program's points, the oldest first."""

    items: list[PartnerPledge]
    consent: ActingConsent

    EXAMPLE: ClassVar[Example] = {
        "items": [PartnerPledge.EXAMPLE],
        "next_cursor": EXAMPLE_CURSOR,
        "consent": ActingConsent.EXAMPLE,
    }
