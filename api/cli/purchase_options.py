"""How a purchase is written on the command line, and read: for tills that sign it and for `brand explain-earn`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ledger.domains.offers.terms import PersonalOffer

MONEY_MAX = 2**53
TIME_MAX = 2**40
"""What a receipt can hold (spec RCP-1): a till must not sign what nobody can read."""
CODES_MAX = 64
CODE_BYTES_MAX = 32

PaidWithPoints = Annotated[
    int,
    typer.Option("--paid-with-points-cents", min=0, max=MONEY_MAX, help="Part of it that points paid, in cents."),
]
Codes = Annotated[
    list[str] | None,
    typer.Option("--code", metavar="CODE=CENTS", help="Cents of it that fall under a category code. Once for each."),
]
PreviousVisit = Annotated[
    int,
    typer.Option(
        "--previous-visit",
        min=0,
        max=TIME_MAX,
        help="When the fan was there before, in seconds since 1970; 0: not known.",
    ),
]
SoldAt = Annotated[
    int | None, typer.Option("--time", min=0, max=TIME_MAX, help="Seconds since 1970 in UTC; by default now.")
]

ShownOffer = Annotated[
    Path | None, typer.Option("--offer", metavar="OFFER_FILE", help="A personal offer that the fan shows.")
]


def read_shown_offer(file: Path | None) -> "PersonalOffer | None":
    """The offer in the file that was named, if any. Raises UsageFault cli.file_failed, WalletError offer.text."""
    from api.cli.offers import read_offer

    return None if file is None else read_offer(file)


def parse_codes(texts: Sequence[str] | None) -> tuple[tuple[str, int], ...]:
    """`bread=1200` for each code, in their order in a receipt."""
    found: dict[str, int] = {}
    for text in texts or ():
        code, separator, cents = text.rpartition("=")
        digits = cents.removeprefix("-")
        if not (separator and digits.isascii() and digits.isdigit() and len(digits) <= 16):
            raise typer.BadParameter(f"a code is CODE=CENTS, such as bread=1200, not {text[:60]!r}")
        if not 1 <= len(code.encode("utf-8", "surrogateescape")) <= CODE_BYTES_MAX:
            raise typer.BadParameter(f"a code has 1 to {CODE_BYTES_MAX} bytes, not {text[:60]!r}")
        if code in found:
            raise typer.BadParameter(f"the code {code!r} is named twice")
        if abs(int(cents)) > MONEY_MAX:
            raise typer.BadParameter(f"the cents of {text[:60]!r} are too many")
        found[code] = int(cents)
    if len(found) > CODES_MAX:
        raise typer.BadParameter(f"a receipt holds at most {CODES_MAX} codes")
    return tuple(sorted(found.items()))
