"""The base of all models, the parts that several answers share, and the ids of the examples."""

from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger.address import encode_id

EXAMPLE_ID: Final = "5f" * 32
EXAMPLE_TXID: Final = "a1" * 32
EXAMPLE_HASH: Final = "00" * 3 + "c4" * 29
EXAMPLE_PREFIX: Final = "dfan"
EXAMPLE_PAYLOAD: Final = bytes(range(32))
BASE64_PATTERN = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
"""RFC 4648, section 4."""
EXAMPLE_ADDRESS: Final = encode_id(EXAMPLE_PREFIX, EXAMPLE_PAYLOAD)
"""`make_document` replaces it by the address of the network that it describes."""
EXAMPLE_CURSOR: Final = "lAGvYWNjb3VudC5oaXN0b3J5"
EXAMPLE_TIME: Final = 1_793_500_000
EXAMPLE_DATE: Final = "2026-11-01T02:26:40Z"

ID_PATTERN: Final = "^[0-9a-fA-F]{64}$"


def make_address_pattern(prefix: str) -> str:
    """What every address on the network with this prefix looks like; whether the checksum is right no pattern can say."""
    groups = "[02-9ac-hj-np-z]{59}"
    return f"^({prefix}1{groups}|{prefix.upper()}1{groups.replace('ac-hj-np-z', 'AC-HJ-NP-Z')})$"


ADDRESS_PATTERN: Final = make_address_pattern(EXAMPLE_PREFIX)

Example = dict[str, Any]


class Answer(BaseModel):
    """An answer, or a part of one. `EXAMPLE` stands in the OpenAPI document and is checked by a test."""

    model_config = ConfigDict(extra="forbid")
    EXAMPLE: ClassVar[Example] = {}


class Problem(Answer):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="urn:fansumer:problem:<code>")
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="Stable: <noun>.<fault>.")
    advice: str = Field(description="What to do about it.")
    fields: dict[str, int | str | bool | None] = Field(description="What explains this case.")

    EXAMPLE: ClassVar[Example] = {
        "type": "urn:fansumer:problem:coin.insufficient",
        "title": "coin: insufficient",
        "status": 422,
        "detail": "1200 coin is needed and the account holds 7",
        "instance": "/v1/transactions",
        "code": "coin.insufficient",
        "advice": "Send less, wait for unconfirmed payments, or receive coin first.",
        "fields": {"needed": 1200, "available": 7},
    }


class Event(Answer):
    """What happened: the event's name and its own fields."""

    name: str
    data: dict[str, Any]

    EXAMPLE: ClassVar[Example] = {
        "name": "points.earned",
        "data": {
            "program": EXAMPLE_ID,
            "member": EXAMPLE_ADDRESS,
            "index": 0,
            "period": 20_758,
            "points": 415,
            "commitment": "7e" * 32,
            "available_on": 20_758,
            "expires_on": 21_123,
        },
    }


class ShownDay(Answer):
    """A day of the program's own: days since 1970-01-01 in its offset, and the date."""

    day: int
    date: str | None

    EXAMPLE: ClassVar[Example] = {"day": 20_758, "date": "2026-11-01"}


class Lot(Answer):
    """Points that were earned under the same terms and share their days. `expires_on` null: they do not expire."""

    terms_version: int
    available_on: ShownDay
    expires_on: ShownDay | None
    points: int

    EXAMPLE: ClassVar[Example] = {
        "terms_version": 1,
        "available_on": {"day": 20_758, "date": "2026-11-01"},
        "expires_on": {"day": 21_123, "date": "2027-11-01"},
        "points": 415,
    }


class ExpiringPoints(ShownDay):
    """Points that expire on a day unless they are used before."""

    points: int

    EXAMPLE: ClassVar[Example] = {"day": 21_123, "date": "2027-11-01", "points": 415}


class ShownTier(Answer):
    """A tier, by its number in the terms in force, and the day before which the member has it at least."""

    number: int
    name: str
    until: ShownDay

    EXAMPLE: ClassVar[Example] = {
        "number": 1,
        "name": "silver",
        "until": {"day": 21_123, "date": "2027-11-01"},
    }


class Standing(Answer):
    """A member's points in one program, at the chain's time. `tier` null: it has none."""

    pending: int
    available: int
    held: int
    next_expiry: ExpiringPoints | None
    tier: ShownTier | None
    joined_at: int
    left_at: int | None
    entries: int
    gives_back_from_all: bool = Field(
        description="A return that it signs may take points from any of its lots, not only the purchase's own and pending ones."
    )
    collateral: int = Field(
        description="Coin that stands behind these points, and is the member's if the program closes before they are used."
    )
    lots: list[Lot]

    EXAMPLE: ClassVar[Example] = {
        "pending": 0,
        "available": 415,
        "held": 100,
        "next_expiry": ExpiringPoints.EXAMPLE,
        "tier": ShownTier.EXAMPLE,
        "joined_at": EXAMPLE_TIME,
        "left_at": None,
        "entries": 1,
        "gives_back_from_all": False,
        "collateral": 1_037,
        "lots": [Lot.EXAMPLE],
    }


class Sunset(Answer):
    """A program's announced end: nothing is earned for what begins after `sunset_at`, nothing redeemed from `closes_at` on."""

    state: Literal["announced", "winding_down", "closed"]
    sunset_at: int
    closes_at: int

    EXAMPLE: ClassVar[Example] = {
        "state": "announced",
        "sunset_at": EXAMPLE_TIME + 2_592_000,
        "closes_at": EXAMPLE_TIME + 5_184_000,
    }


class PageAnswer(Answer):
    """A page of a list. `next_cursor` null: it was the last one."""

    next_cursor: str | None
