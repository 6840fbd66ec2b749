"""The tables of the receipt store, which is a database of its own beside the node's.

`receipts` holds what is personal; erasing deletes its rows. Of an erased receipt only its hash stays in `erased`, so that nobody
can hand it over again: a hash over salted fields says nothing once the salt is gone. `nonces` are those of signed requests of the
last two minutes, so that none is taken twice, also after a restart. `acceptances` are shops' words on redemptions (spec RWD-10).
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, UniqueConstraint

metadata = MetaData()

ROWID = BigInteger().with_variant(Integer(), "sqlite")

receipts = Table(
    "receipts",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=True, comment="the order of arrival"),
    Column("receipt", LargeBinary(32), nullable=False, unique=True, comment="the receipt hash: its id"),
    Column("member", LargeBinary(32), nullable=False),
    Column("program", LargeBinary(32), nullable=False),
    Column("period", BigInteger, nullable=False, comment="of the program, by the receipt's time"),
    Column("till", LargeBinary(32), nullable=False, comment="public key"),
    Column("sequence", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column(
        "signed", LargeBinary, nullable=False, comment="the signed receipt with its salt, which also salts the lines"
    ),
    Column("lines", LargeBinary, nullable=False, comment="canonical array of the lines"),
    UniqueConstraint("program", "till", "sequence", name="receipts_by_sequence"),
    Index("receipts_by_member", "member", "number"),
)

erased = Table(
    "erased",
    metadata,
    Column("receipt", LargeBinary(32), primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
    Column(
        "is_scrubbed", Boolean, nullable=False, comment="whether its bytes are known to be gone from the files, too"
    ),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", LargeBinary(32), primary_key=True, comment="hash of key and nonce"),
    Column("expires_at", BigInteger, nullable=False),
    Index("nonces_by_time", "expires_at"),
)

acceptances = Table(
    "acceptances",
    metadata,
    Column("hold", LargeBinary(32), primary_key=True),
    Column("txid", LargeBinary(32), nullable=False, unique=True),
    Column("program", LargeBinary(32), nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("signed", LargeBinary, nullable=False, comment="the signed acceptance"),
    Index("acceptances_by_program", "program", "accepted_at"),
)
