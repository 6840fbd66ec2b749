"""Answers about all that a node holds on the account that asks, and about who read it."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_DATE,
    EXAMPLE_HASH,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    EXAMPLE_TXID,
    Answer,
    Example,
    PageAnswer,
)
from api.http.schemas.receipts import ReceiptAnswer

Purpose = Literal["personalise", "share", "publish", "contact"]


class ReadItem(Answer):
    """A read of the account's data, or refused reads of one day. `code` null: it was given, `given` items of it.

    Of a program's personalization, purpose `personalise`, `times` reads of one day: `reader` is the program, and `scope` what for.
    """

    time: int
    date: str
    until: int
    times: int
    reader: str
    program: str
    purpose: Purpose
    scope: str
    given: int
    code: str | None

    EXAMPLE: ClassVar[Example] = {
        "time": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
        "until": EXAMPLE_TIME,
        "times": 1,
        "reader": EXAMPLE_ADDRESS,
        "program": EXAMPLE_ID,
        "purpose": "share",
        "scope": "receipts",
        "given": 3,
        "code": None,
    }


class ReadsAnswer(PageAnswer):
    """Who read what of the account's, the newest first. It says how much, never what."""

    items: list[ReadItem]

    EXAMPLE: ClassVar[Example] = {"items": [ReadItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class ConsentItem(Answer):
    """A consent that the account gave. `obeyed`: what this node does now; `state` says why."""

    grantee: str
    purpose: Purpose
    scope: str
    granted_at: int
    expires_at: int | None
    revoked_at: int | None
    state: Literal["active", "expired", "revoked", "revocation_received"]
    obeyed: bool = Field(description="Whether this node lets the grantee act on it now.")

    EXAMPLE: ClassVar[Example] = {
        "grantee": EXAMPLE_ADDRESS,
        "purpose": "share",
        "scope": "receipts",
        "granted_at": EXAMPLE_TIME,
        "expires_at": EXAMPLE_TIME + 86_400 * 365,
        "revoked_at": None,
        "state": "active",
        "obeyed": True,
    }


class ConsentsAnswer(PageAnswer):
    """The account's consents, in the order in which each was first given."""

    items: list[ConsentItem]

    EXAMPLE: ClassVar[Example] = {"items": [ConsentItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class GiftMark(Answer):
    """A mark that a receipt is a gift."""

    receipt: str
    marked_at: int

    EXAMPLE: ClassVar[Example] = {"receipt": "9d" * 32, "marked_at": EXAMPLE_TIME}


class NotedRevocation(Answer):
    """A revocation that this node obeys, whatever the chain says yet. `raw`: the transaction, in base64."""

    consent: str
    txid: str
    height: int
    noted_at: int
    lifted_by: str | None
    raw: str

    EXAMPLE: ClassVar[Example] = {
        "consent": "43" + "5f" * 64 + "01",
        "txid": EXAMPLE_TXID,
        "height": 1_440,
        "noted_at": EXAMPLE_TIME,
        "lifted_by": None,
        "raw": "k5wBxCBfX19fX18=",
    }


class LeftOut(Answer):
    """What the export does not hold, and why."""

    what: str
    why: str

    EXAMPLE: ClassVar[Example] = {"what": "backups", "why": "No program knows which copies the operator has made."}


class KeptAcceptance(Answer):
    """What a till signed when it accepted a redemption at the shop's own risk, in base64."""

    redemption: str
    acceptance: str

    EXAMPLE: ClassVar[Example] = {"redemption": "b2" * 32, "acceptance": "lNoAIA=="}


class KeptOpening(Answer):
    """The opening of a sealed ballot, which this node sends when voting is over."""

    proposal: str
    choice: list[int]
    salt: str

    EXAMPLE: ClassVar[Example] = {"proposal": EXAMPLE_ID, "choice": [1], "salt": "5a" * 32}


class KeptText(Answer):
    """What the account wrote: its hash stands on the chain."""

    text: str
    salt: str
    content: str
    kept_at: int

    EXAMPLE: ClassVar[Example] = {
        "text": "e3" * 32,
        "salt": "5a" * 32,
        "content": "The lamp flickers.",
        "kept_at": EXAMPLE_TIME,
    }


class KeptDeliveryForm(Answer):
    """The delivery form of a pledge as the account sent it, in base64: only the campaign's creator can read it."""

    campaign: str
    number: int
    kept_at: int
    form: str

    EXAMPLE: ClassVar[Example] = {"campaign": "c3" * 32, "number": 0, "kept_at": EXAMPLE_TIME, "form": "AQID"}


class KeptDeed(Answer):
    """What the account looked at, searched for, put in a basket or stayed with, as its own application said."""

    program: str
    kind: str
    item: str
    seconds: int
    at: int
    received_at: int

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "kind": "viewed",
        "item": "1013167",
        "seconds": 0,
        "at": EXAMPLE_TIME,
        "received_at": EXAMPLE_TIME,
    }


class KeptWishes(Answer):
    """What the account said to a program's personalization: preferences and corrections. `reset_at` 0: it was never reset."""

    program: str
    said: dict[str, Any]
    reset_at: int
    changed_at: int

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "said": {"language": "ko", "likes": ["COFFEE"]},
        "reset_at": 0,
        "changed_at": EXAMPLE_TIME,
    }


class KeptOwnMessage(Answer):
    """A message that was decided for the account. `held_out`: it was not shown, so that what messages do can be measured."""

    message: str
    program: str
    topic: str
    decided_at: int
    ready_at: int
    expires_at: int
    held_out: bool
    content: dict[str, Any]

    EXAMPLE: ClassVar[Example] = {
        "message": "7c" * 32,
        "program": EXAMPLE_ID,
        "topic": "points_expiring",
        "decided_at": EXAMPLE_TIME,
        "ready_at": EXAMPLE_TIME,
        "expires_at": EXAMPLE_TIME + 86_400,
        "held_out": False,
        "content": {"texts": {"en": "415 points expire on 2026-11-08."}},
    }


class KeptOwnFeedback(Answer):
    """What the account did with a message."""

    message: str
    program: str
    kind: str
    at: int
    received_at: int

    EXAMPLE: ClassVar[Example] = {
        "message": "7c" * 32,
        "program": EXAMPLE_ID,
        "kind": "opened",
        "at": EXAMPLE_TIME,
        "received_at": EXAMPLE_TIME,
    }


class KeptDelivery(Answer):
    """A message that was sent to a brand's webhook, or waits for that. `body` is empty once it is over; `done_at` 0: it waits."""

    message: str
    program: str
    webhook: str
    body: str
    made_at: int
    due_at: int
    attempts: int
    done_at: int
    code: str

    EXAMPLE: ClassVar[Example] = {
        "message": "7c" * 32,
        "program": EXAMPLE_ID,
        "webhook": "3e" * 16,
        "body": "",
        "made_at": EXAMPLE_TIME,
        "due_at": EXAMPLE_TIME,
        "attempts": 1,
        "done_at": EXAMPLE_TIME,
        "code": "",
    }


class KeptDrawnOffer(Answer):
    """What a brand's plan drew for the account: an offer as its text, or, `held_out`, none. `about`: goal and items."""

    plan: str
    program: str
    held_out: bool
    offer: str
    text: str
    about: dict[str, Any]
    drawn_at: int
    ends_at: int

    EXAMPLE: ClassVar[Example] = {
        "plan": "4d" * 16,
        "program": EXAMPLE_ID,
        "held_out": False,
        "offer": "0f" * 32,
        "text": "fansumer-offer:1:lsQg",
        "about": {"goal": "challenge", "items": ["bread", "coffee", "tea"]},
        "drawn_at": EXAMPLE_TIME,
        "ends_at": EXAMPLE_TIME + 1_209_600,
    }


class ExportAnswer(Answer):
    """Everything that this node holds on the account (`ledger/spec/fan_data.md`). `complete` true is its last word."""

    format: Literal["fansumer export 1"]
    account: str
    chain_id: str
    made_at: int
    height: int
    block: str
    time: int
    date: str
    records: list[dict[str, Any]]
    earlier_records: list[dict[str, Any]]
    events: list[dict[str, Any]]
    lists: list[dict[str, Any]]
    transactions: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    revocations: list[NotedRevocation]
    acceptances: list[KeptAcceptance]
    openings: list[KeptOpening]
    delivery_forms: list[KeptDeliveryForm]
    gifts: list[GiftMark]
    reads: list[ReadItem]
    reads_of_others: list[ReadItem]
    texts: list[KeptText]
    behaviour: list[KeptDeed]
    preferences: list[KeptWishes]
    messages: list[KeptOwnMessage]
    feedback: list[KeptOwnFeedback]
    deliveries: list[KeptDelivery]
    drawn_offers: list[KeptDrawnOffer]
    receipts: list[ReceiptAnswer]
    left_out: list[LeftOut]
    complete: Literal[True]

    EXAMPLE: ClassVar[Example] = {
        "format": "fansumer export 1",
        "account": EXAMPLE_ADDRESS,
        "chain_id": EXAMPLE_ID,
        "made_at": EXAMPLE_TIME,
        "height": 1_440,
        "block": EXAMPLE_HASH,
        "time": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
        "records": [],
        "earlier_records": [],
        "events": [],
        "lists": [],
        "transactions": [],
        "pending": [],
        "revocations": [NotedRevocation.EXAMPLE],
        "acceptances": [KeptAcceptance.EXAMPLE],
        "openings": [KeptOpening.EXAMPLE],
        "delivery_forms": [KeptDeliveryForm.EXAMPLE],
        "gifts": [GiftMark.EXAMPLE],
        "reads": [ReadItem.EXAMPLE],
        "reads_of_others": [],
        "texts": [KeptText.EXAMPLE],
        "behaviour": [KeptDeed.EXAMPLE],
        "preferences": [KeptWishes.EXAMPLE],
        "messages": [KeptOwnMessage.EXAMPLE],
        "feedback": [KeptOwnFeedback.EXAMPLE],
        "deliveries": [KeptDelivery.EXAMPLE],
        "drawn_offers": [KeptDrawnOffer.EXAMPLE],
        "receipts": [ReceiptAnswer.EXAMPLE],
        "left_out": [LeftOut.EXAMPLE],
        "complete": True,
    }


class GoneItem(Answer):
    """What was deleted. No file of the node holds it any more."""

    what: str
    count: int

    EXAMPLE: ClassVar[Example] = {"what": "receipts", "count": 12}


class RemainingItem(Answer):
    """What was not deleted, and why. `count` null: no program can count it."""

    what: str
    count: int | None
    why: str

    EXAMPLE: ClassVar[Example] = {
        "what": "records on the chain",
        "count": 3,
        "why": "They are public, under a pseudonym, and every node has them.",
    }


class DeletionAnswer(Answer):
    """What is gone, and what remains and why."""

    account: str
    time: int
    gone: list[GoneItem]
    remains: list[RemainingItem]

    EXAMPLE: ClassVar[Example] = {
        "account": EXAMPLE_ADDRESS,
        "time": EXAMPLE_TIME,
        "gone": [GoneItem.EXAMPLE],
        "remains": [RemainingItem.EXAMPLE],
    }
