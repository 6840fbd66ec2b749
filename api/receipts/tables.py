"""The tables of the receipt store, which is a database of its own beside the node's: all that this operator holds off chain.

`receipts` holds what is personal; erasing deletes its rows. Of an erased receipt only its hash stays in `erased`, so that nobody
can hand it over again: a hash over salted fields says nothing once the salt is gone. `gifts` are the receipts that their fans
marked as gifts. `reads` is who read what of a fan, and `revocations` are consents that were taken back, maybe in no block yet.
`scrubs` says that the files still hold what was deleted. `nonces` are those of signed requests of the last two minutes, so that
none is taken twice, also after a restart. `acceptances` are shops' words on redemptions (spec RWD-10).
`hand_outs` is what brands wait for before they hand out (spec RWD-11), and nothing of any fan.
`openings` are of sealed ballots, to be sent when voting is over (spec VOI-9).
`texts` are what fans and brands wrote, by the hash that stands on the chain (spec TXT-1); of erased ones only that hash stays, in
`erased_texts`.

A table in which anything of a fan's may stand is part of the export of its data and of their deletion (`ledger/spec/fan_data.md`).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

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

gifts = Table(
    "gifts",
    metadata,
    Column("receipt", LargeBinary(32), primary_key=True),
    Column("member", LargeBinary(32), nullable=False),
    Column("marked_at", BigInteger, nullable=False),
    Index("gifts_by_member", "member"),
)

reads = Table(
    "reads",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=True, comment="the order of the first one"),
    Column("member", LargeBinary(32), nullable=False, comment="whose data"),
    Column("reader", LargeBinary(32), nullable=False, comment="whose key signed the request"),
    Column("program", LargeBinary(32), nullable=False),
    Column("purpose", Integer, nullable=False),
    Column("scope", String(32), nullable=False),
    Column("code", String(64), nullable=False, comment="why it was refused; empty: it was given"),
    Column("given", BigInteger, nullable=False, comment="how many items"),
    Column("times", BigInteger, nullable=False, comment="refused ones of a day share a row"),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Index("reads_by_member", "member", "number"),
    Index("reads_by_reader", "reader", "member", "first_at"),
    Index("reads_by_time", "last_at"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("consent", LargeBinary(98), primary_key=True, comment="the key of the consent's record"),
    Column("fan", LargeBinary(32), nullable=False),
    Column("txid", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary, nullable=False, comment="the transaction"),
    Column("height", BigInteger, nullable=False, comment="of the next block when it was received"),
    Column("noted_at", BigInteger, nullable=False),
    Column("lifted_by", LargeBinary(32), nullable=True, comment="a grant that was received after it"),
    Index("revocations_by_fan", "fan"),
)

scrubs = Table("scrubs", metadata, Column("due_since", BigInteger, primary_key=True, autoincrement=False))

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", LargeBinary(32), primary_key=True, comment="hash of key and nonce"),
    Column("expires_at", BigInteger, nullable=False),
    Index("nonces_by_time", "expires_at"),
)

openings = Table(
    "openings",
    metadata,
    Column("proposal", LargeBinary(32), primary_key=True),
    Column("member", LargeBinary(32), primary_key=True, comment="the voter"),
    Column("opening", LargeBinary, nullable=False, comment="canonical [proposal, voter, choice, salt]"),
    Column("kept_at", BigInteger, nullable=False),
    Index("openings_by_member", "member"),
)

acceptances = Table(
    "acceptances",
    metadata,
    Column("hold", LargeBinary(32), primary_key=True),
    Column("txid", LargeBinary(32), nullable=False, unique=True),
    Column("program", LargeBinary(32), nullable=False),
    Column("member", LargeBinary(32), nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("signed", LargeBinary, nullable=False, comment="the signed acceptance"),
    Index("acceptances_by_program", "program", "accepted_at"),
    Index("acceptances_by_member", "member"),
)

texts = Table(
    "texts",
    metadata,
    Column("text", LargeBinary(32), primary_key=True, comment="the text hash"),
    Column("author", LargeBinary(32), nullable=False),
    Column("document", LargeBinary, nullable=False, comment="salt and text"),
    Column("kept_at", BigInteger, nullable=False),
    Index("texts_by_author", "author", "kept_at"),
)

erased_texts = Table(
    "erased_texts",
    metadata,
    Column("text", LargeBinary(32), primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
)

delivery_forms = Table(
    "delivery_forms",
    metadata,
    Column("campaign", LargeBinary(32), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="of the pledge"),
    Column("member", LargeBinary(32), nullable=False, comment="the backer"),
    Column("form", LargeBinary, nullable=False, comment="encrypted to the creator"),
    Column("kept_at", BigInteger, nullable=False),
    Index("delivery_forms_by_member", "member"),
)

hand_outs = Table(
    "hand_outs",
    metadata,
    Column("program", LargeBinary(32), primary_key=True),
    Column("level", String(16), nullable=False),
    Column("blocks", Integer, nullable=False, comment="0 unless the level counts them"),
    Column("chosen_at", BigInteger, nullable=False),
)
