"""The tables of the pool's book, which is a database of its own beside the chain's (spec MINE-7)."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

ROWID = BigInteger().with_variant(Integer(), "sqlite")

shares = Table(
    "shares",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("address", LargeBinary(32), nullable=False),
    Column("worker", String(32), nullable=False),
    Column("weight", LargeBinary(32), nullable=False, comment="expected hashes, the highest byte first"),
    Column("header", LargeBinary(80), nullable=False),
)

blocks = Table(
    "blocks",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=True, comment="the order in which they were found"),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("height", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False, comment="number of the first share that counted"),
    Column("last", BigInteger, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("account", LargeBinary, nullable=False, comment="canonical: claims and payees"),
)
