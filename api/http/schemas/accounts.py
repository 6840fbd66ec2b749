"""Answers about accounts."""

from typing import ClassVar

from api.http.schemas.answer import (
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_DATE,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    EXAMPLE_TXID,
    Answer,
    Event,
    Example,
    PageAnswer,
    Standing,
    Sunset,
)


class Membership(Standing):
    """An account's standing in one program."""

    program: str
    name: str
    unit: str
    decimals: int
    sunset: Sunset | None

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "name": "Corner Shop",
        "unit": "points",
        "decimals": 0,
        "sunset": None,
        **Standing.EXAMPLE,
    }


class AccountAnswer(Answer):
    """What an account has at `height`. `policy_hash` is set once its keys were changed."""

    address: str
    height: int
    coin: int
    policy_hash: str | None
    programs: list[Membership]
    programs_complete: bool

    EXAMPLE: ClassVar[Example] = {
        "address": EXAMPLE_ADDRESS,
        "height": 1_440,
        "coin": 250_000,
        "policy_hash": None,
        "programs": [Membership.EXAMPLE],
        "programs_complete": True,
    }


class HistoryItem(Event):
    """An event with its place in the chain. `txid` null: the block did it by itself."""

    height: int
    sequence: int
    time: int
    date: str
    txid: str | None

    EXAMPLE: ClassVar[Example] = {
        "height": 1_439,
        "sequence": 12,
        "time": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
        "txid": EXAMPLE_TXID,
        **Event.EXAMPLE,
    }


class HistoryAnswer(PageAnswer):
    """What happened, the newest first."""

    items: list[HistoryItem]

    EXAMPLE: ClassVar[Example] = {"items": [HistoryItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}
