"""A sale as the POS sends it: the body of `POST /sales`, checked, and what makes two of them the same."""

from hashlib import sha256
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from api.receipts.lines import read_lines
from api.receipts.store import LINES_BYTES_MAX, LINES_MAX
from api.till.errors import BAD_SALE, TillRefused
from api.wallet.errors import WalletError
from api.wallet.offers import OFFER_TEXT_MAX, read_offer_text
from ledger.codec import Value, pack
from ledger.domains.offers.terms import PersonalOffer
from ledger.errors import Malformed
from ledger.params import TIERS_MAX

SALE_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:@+~-]{0,99}$"
MONEY_MAX: Final = 2**53
TIME_MAX: Final = 2**40
CODES_MAX: Final = 64
"""What a receipt can hold (spec RCP-1)."""
CODE_BYTES_MAX: Final = 32
UNSAID: Final = -1
"""Stands for what the POS left out."""

Cents = Annotated[StrictInt, Field(ge=-MONEY_MAX, le=MONEY_MAX)]


class Sale(BaseModel):
    """One sale of the POS. Money in cents, `time` in seconds since 1970 in UTC.

    `id` is the POS's own and makes sending it again harmless. `codes` are cents by category code, as the program's rules name
    them. `lines` are what was bought, for the fan alone; without `time` it is a sale of now. `tier`
    (its number; 0: none) and `previous_visit` only where the POS knows better than the till, which asks the node and its own store.
    `offer` is the text of the personal offer that the fan shows: the till looks at it without a network, and the receipt cites it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[StrictStr, Field(pattern=SALE_ID_PATTERN)]
    member: Annotated[StrictStr, Field(min_length=1, max_length=200)]
    net_cents: Cents
    paid_with_points_cents: Annotated[StrictInt, Field(ge=0, le=MONEY_MAX)] = 0
    codes: Annotated[dict[StrictStr, Cents], Field(max_length=CODES_MAX)] = Field(default_factory=dict)
    lines: Annotated[list[Any], Field(max_length=LINES_MAX)] = Field(default_factory=list)
    time: Annotated[StrictInt, Field(ge=0, le=TIME_MAX)] | None = None
    tier: Annotated[StrictInt, Field(ge=0, le=TIERS_MAX)] | None = None
    previous_visit: Annotated[StrictInt, Field(ge=0, le=TIME_MAX)] | None = None
    offer: Annotated[StrictStr, Field(min_length=1, max_length=OFFER_TEXT_MAX)] | None = None

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": "2026-11-22-0017",
        "member": "dfan1p...",
        "net_cents": 1_147,
        "paid_with_points_cents": 0,
        "codes": {"bakery": 498, "drinks": 649},
        "lines": [["Bread", 2, 498], ["Coffee", 1, 649]],
    }

    def sorted_codes(self) -> tuple[tuple[str, int], ...]:
        """The codes as a receipt holds them. Raises TillRefused till.bad_sale."""
        for code in self.codes:
            length = len(code.encode("utf-8", "surrogatepass"))
            if not 1 <= length <= CODE_BYTES_MAX or any("\ud800" <= letter <= "\udfff" for letter in code):
                raise TillRefused(BAD_SALE, field="codes", reason=f"a code has 1 to {CODE_BYTES_MAX} bytes of UTF-8")
        return tuple(sorted(self.codes.items()))

    def canonical_lines(self) -> tuple[Value, ...]:
        """The lines as a receipt seals them. Raises TillRefused till.bad_sale."""
        try:
            found = read_lines(self.lines)
        except Malformed as fault:
            raise TillRefused(BAD_SALE, field="lines", reason=str(fault.fields.get("reason", ""))) from None
        if len(pack(found)) > LINES_BYTES_MAX:
            raise TillRefused(BAD_SALE, field="lines", reason=f"they have more than {LINES_BYTES_MAX} bytes")
        return found

    def personal_offer(self) -> PersonalOffer | None:
        """The offer that the fan shows. Raises TillRefused till.bad_sale."""
        try:
            return None if self.offer is None else read_offer_text(self.offer)
        except WalletError as fault:
            raise TillRefused(BAD_SALE, field="offer", reason=str(fault)) from None

    def content_hash(self) -> bytes:
        """What two sales with one id must have in common. Raises TillRefused till.bad_sale."""
        optional = tuple(UNSAID if value is None else value for value in (self.time, self.tier, self.previous_visit))
        content = (
            self.member.lower(),
            self.net_cents,
            self.paid_with_points_cents,
            self.sorted_codes(),
            self.canonical_lines(),
            optional,
            *(() if self.offer is None else (self.offer.strip(),)),
        )
        return sha256(pack(content)).digest()
