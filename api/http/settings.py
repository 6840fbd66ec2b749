"""What an operator can choose about the HTTP edge, each with its unit and its reason."""

from pathlib import Path
from typing import Annotated

from limits import parse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ledger.finality.reversal import RENT_PRICE_CENTS, RENT_PRICE_CENTS_MAX
from ledger.params import TRANSACTION_BYTES_MAX

BODY_BYTES_MAX = TRANSACTION_BYTES_MAX * 4 // 3 + 4_096
"""The largest transaction in base64, with the JSON around it."""


def checked_rate(text: str) -> str:
    """`parse` raises ValueError, which pydantic reports with the field's name."""
    parse(text)
    return text


Rate = Annotated[str, AfterValidator(checked_rate)]
"""As `limits` writes it: "6000/minute"."""


Origin = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+$", max_length=256)]
"""Scheme and authority, without a path."""


class HttpSettings(BaseModel):
    """The HTTP edge of one node.

    `rate_limited` False turns limits off; `loopback_exempt` lets this computer's own programs (the demo's replay) pass without.
    `tip_age_seconds_max` None: the chain's clock is not the wall's (a simulated chain), so its age says nothing.
    `origins` are the names that clients reach this node by, such as "https://node.example": a request that was signed for another
    name is refused; empty takes whatever name the request bears. `receipts_url`, always SQLite's,
    is receipts.sqlite in the node's folder if it is None.
    `models` is a file or a folder of trained models by which fans are answered.
    `webhook_hosts` are hosts and ports, written as in URLs, at which brands may name webhooks without https and off the public
    internet, such as on this computer.
    `rent_price_cents`: US cents for renting 1 PH/s of SHA-256d for a day, of which estimates are made (spec FIN-11).
    `event_*` bound streams of events: how many at a time, in all and for one client; how long one lasts before the client resumes;
    how long a client may take nothing before it is dropped; after how much silence a comment keeps the connection open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes_max: int = Field(default=BODY_BYTES_MAX, ge=1_024, le=2**24)
    rate_limited: bool = True
    loopback_exempt: bool = False
    read_rate: Rate = "6000/minute"
    write_rate: Rate = "1200/minute"
    tip_age_seconds_max: int | None = Field(default=3_600, ge=1)
    submissions_waiting_max: int = Field(default=20_000, ge=1)
    submissions_batch_max: int = Field(default=512, ge=1, le=4_096)
    origins: tuple[Origin, ...] = ()
    receipts_url: str | None = None
    models: Path | None = None
    webhook_hosts: tuple[tuple[str, int], ...] = ()
    rent_price_cents: int = Field(default=RENT_PRICE_CENTS, ge=1, le=RENT_PRICE_CENTS_MAX)
    event_streams_max: int = Field(default=512, ge=1)
    event_streams_of_client_max: int = Field(default=32, ge=1)
    event_stream_seconds_max: float = Field(default=3_600, gt=0)
    event_send_seconds_max: float = Field(default=30, gt=0)
    event_silence_seconds_max: float = Field(default=15, gt=0)
