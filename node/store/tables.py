"""Every table of the node, in one place. All SQL of the node stays below `node/store/`.

The chain itself: `headers`, `bodies`, `active`, `undo`, `records`. What attestors said, which may come without any block:
`certificates`, `justified`, `attestor_sets`. The read model, built from events only and rebuilt from the chain at any time:
`transactions`, `history`, `listing`. The read model is append-only: each row carries the height that made it, and taking a block
back deletes its rows.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

ROWID = BigInteger().with_variant(Integer(), "sqlite")
"""An integer key that SQLite takes as the row's own number, so that a row is found by one search and not by two."""


def ascii_text(length: int) -> String:
    """A short text that orders by its bytes on every database: PostgreSQL would order by its language."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


meta = Table(
    "meta",
    metadata,
    Column("name", ascii_text(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    comment="Facts of the store: params, chain id.",
)

headers = Table(
    "headers",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary(80), nullable=False),
    Column("work", LargeBinary(32), nullable=False, comment="cumulative, big-endian"),
    Column("effective_time", BigInteger, nullable=False),
    Column("anchor_parent_time", BigInteger, nullable=False),
    Column("invalid_code", Text, nullable=True, comment="why its body, or an ancestor's, can never be connected"),
    Index("headers_by_previous", "previous"),
    sqlite_with_rowid=False,
)

bodies = Table(
    "bodies",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("block", LargeBinary, nullable=False, comment="the whole block as it travels"),
)

active = Table(
    "active",
    metadata,
    Column("height", ROWID, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
)

undo = Table(
    "undo",
    metadata,
    Column("height", ROWID, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("slot", ROWID, primary_key=True, autoincrement=False),
    Column("key", LargeBinary(128), nullable=True, unique=True, comment="NULL: a free slot"),
    Column("value", LargeBinary, nullable=False),
    Column("next_free", BigInteger, nullable=False),
)

transactions = Table(
    "transactions",
    metadata,
    Column("txid", LargeBinary(32), primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("position", Integer, nullable=False, comment="0 is the first transaction of the block"),
    Index("transactions_by_height", "height", "position"),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", Integer, primary_key=True, autoincrement=False, comment="of the event within its block"),
    Column("place", Integer, nullable=False, comment="0 due work, 1.. the transactions, last the reward"),
    Column("name", ascii_text(32), nullable=False),
    Column("data", LargeBinary, nullable=False, comment="canonical array of the event's fields"),
    Index("history_by_height", "height"),
    sqlite_with_rowid=False,
)

listing = Table(
    "listing",
    metadata,
    Column("parent", LargeBinary(32), primary_key=True, comment="empty for programs and campaigns"),
    Column("kind", ascii_text(16), primary_key=True),
    Column("id", LargeBinary(97), primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("sequence", Integer, nullable=False),
    Index("listing_in_order", "parent", "kind", "height", "sequence"),
    Index("listing_by_height", "height"),
    sqlite_with_rowid=False,
)

certificates = Table(
    "certificates",
    metadata,
    Column("target", LargeBinary(32), primary_key=True),
    Column("source", LargeBinary(32), primary_key=True),
    Column("height", BigInteger, nullable=False, comment="of the target"),
    Column("data", LargeBinary, nullable=False),
    Index("certificates_by_height", "height"),
)

justified = Table(
    "justified",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("set_number", BigInteger, nullable=False),
    Column("is_final", Boolean, nullable=False),
)

attestor_sets = Table(
    "attestor_sets",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, primary_key=True),
)
