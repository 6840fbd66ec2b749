"""The tables of a till's store.

`sales` holds each sale with its signed receipt, and what has become of it: on its way to the node, and in settlement. `days` counts
the points that were promised for a day. `tiers` holds what the node said of members' tiers. `about` holds small documents by name:
whose store it is, what the node said last, the settlement book.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, SmallInteger, Table, Text

metadata = MetaData()

WAITING, HANDED_OVER, SET_ASIDE = 0, 1, 2
"""Of a receipt on its way to the node."""
UNSETTLED, SETTLED = 0, 1

sales = Table(
    "sales",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="the till's number, without gaps"),
    Column("sale", Text, nullable=False, unique=True, comment="the id that the POS gave"),
    Column("content", LargeBinary(32), nullable=False, comment="hash of what the POS sent"),
    Column("receipt", LargeBinary(32), nullable=False, unique=True, comment="the receipt hash"),
    Column("signed", LargeBinary, nullable=False, comment="the signed receipt"),
    Column("lines", LargeBinary, nullable=True, comment="canonical array; gone once the node has them"),
    Column("time", BigInteger, nullable=False, comment="of the receipt"),
    Column("day", BigInteger, nullable=False, comment="the program's day of that time"),
    Column("points", BigInteger, nullable=False),
    Column("member", LargeBinary(32), nullable=False),
    Column("is_visit", Boolean, nullable=False, comment="something was bought, not only given back"),
    Column("signed_at", BigInteger, nullable=False),
    Column("hand_over", SmallInteger, nullable=False, comment="0 waits, 1 is handed over, 2 is set aside"),
    Column("attempts", BigInteger, nullable=False, comment="refusals that may mend"),
    Column("next_try", BigInteger, nullable=False, comment="not before this time"),
    Column("code", Text, nullable=True, comment="what the node said last"),
    Column("detail", Text, nullable=True),
    Column("settlement", SmallInteger, nullable=False, comment="0 is not settled, 1 is settled"),
    Column("settlement_code", Text, nullable=True, comment="why it could not be settled"),
    Index("sales_by_hand_over", "hand_over", "next_try", "number"),
    Index("sales_by_settlement", "settlement", "time"),
    Index("sales_by_member", "member", "time"),
)

days = Table(
    "days",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("points", BigInteger, nullable=False, comment="promised by the receipts of this day"),
)

tiers = Table(
    "tiers",
    metadata,
    Column("member", LargeBinary(32), primary_key=True),
    Column("tier", SmallInteger, nullable=False, comment="its number in the terms; 0 is none"),
    Column("until_day", BigInteger, nullable=True, comment="the program's day before which the member has it"),
    Column("known_at", BigInteger, nullable=False),
)

about = Table(
    "about",
    metadata,
    Column("name", Text, primary_key=True),
    Column("document", LargeBinary, nullable=False),
)
