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


class Approval(Answer):
    """A guardian's word that still counts: the account shall be governed by this policy; of one key, it has `new_address`."""

    guardian: str
    policy_hash: str
    new_address: str
    time: int
    date: str

    EXAMPLE: ClassVar[Example] = {
        "guardian": EXAMPLE_ADDRESS,
        "policy_hash": EXAMPLE_ID,
        "new_address": EXAMPLE_ADDRESS,
        "time": EXAMPLE_TIME,
        "date": EXAMPLE_DATE,
    }


class GuardiansAnswer(Answer):
    """`threshold` of `addresses` may recover the account, `delay_days` after they agreed, and not before `not_before`."""

    threshold: int
    addresses: list[str]
    delay_days: int
    approvals: list[Approval]
    failures: int
    not_before: int | None
    not_before_date: str | None

    EXAMPLE: ClassVar[Example] = {
        "threshold": 1,
        "addresses": [EXAMPLE_ADDRESS],
        "delay_days": 7,
        "approvals": [Approval.EXAMPLE],
        "failures": 0,
        "not_before": None,
        "not_before_date": None,
    }


class RecoveryAnswer(Answer):
    """What the guardians agreed on: `phase` is waiting, in_force or lapsed, as the next block will see it."""

    phase: str
    policy_hash: str
    new_address: str
    started_at: int
    effective_at: int
    effective_date: str
    effective_height: int
    expires_at: int
    expires_date: str
    expires_height: int

    EXAMPLE: ClassVar[Example] = {
        "phase": "waiting",
        "policy_hash": EXAMPLE_ID,
        "new_address": EXAMPLE_ADDRESS,
        "started_at": EXAMPLE_TIME,
        "effective_at": EXAMPLE_TIME,
        "effective_date": EXAMPLE_DATE,
        "effective_height": 1_600,
        "expires_at": EXAMPLE_TIME,
        "expires_date": EXAMPLE_DATE,
        "expires_height": 1_744,
    }


class AccountAnswer(Answer):
    """What an account has at `height`. `policy_hash` is set once its keys were changed; else the address says whose they are."""

    address: str
    height: int
    coin: int
    policy_hash: str | None
    guardians: GuardiansAnswer | None
    recovery: RecoveryAnswer | None
    programs: list[Membership]
    programs_complete: bool

    EXAMPLE: ClassVar[Example] = {
        "address": EXAMPLE_ADDRESS,
        "height": 1_440,
        "coin": 250_000,
        "policy_hash": None,
        "guardians": GuardiansAnswer.EXAMPLE,
        "recovery": None,
        "programs": [Membership.EXAMPLE],
        "programs_complete": True,
    }


class HistoryItem(Event):
    """An event with its place in the chain. `txid` null: the block did it by itself.

    `justified` and `final` are null on a chain without attestors.
    """

    height: int
    sequence: int
    time: int
    date: str
    txid: str | None
    confirmations: int
    justified: bool | None
    final: bool | None

    EXAMPLE: ClassVar[Example] = {
        "confirmations": 2,
        "justified": False,
        "final": False,
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
