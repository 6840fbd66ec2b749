"""the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def ascii_text(length: int) -> sa.String:
    """A short text that orders by its bytes on every database."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Change the schema."""
    _create_chain()
    _create_read_model()


def _create_chain() -> None:
    op.create_table(
        "active",
        sa.Column("height", ROWID, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("height"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "bodies",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block", sa.LargeBinary(), nullable=False, comment="the whole block as it travels"),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "headers",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(length=80), nullable=False),
        sa.Column("work", sa.LargeBinary(length=32), nullable=False, comment="cumulative, big-endian"),
        sa.Column("effective_time", sa.BigInteger(), nullable=False),
        sa.Column("anchor_parent_time", sa.BigInteger(), nullable=False),
        sa.Column(
            "invalid_code", sa.Text(), nullable=True, comment="why its body, or an ancestor's, can never be connected"
        ),
        sa.PrimaryKeyConstraint("hash"),
        sqlite_with_rowid=False,
    )
    op.create_index("headers_by_previous", "headers", ["previous"], unique=False)
    op.create_table(
        "meta",
        sa.Column("name", ascii_text(32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="Facts of the store: params, chain id.",
    )
    op.create_table(
        "records",
        sa.Column("slot", ROWID, autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(length=128), nullable=True, comment="NULL: a free slot"),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("next_free", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slot"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "undo",
        sa.Column("height", ROWID, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("height"),
    )


def _create_read_model() -> None:
    op.create_table(
        "history",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("height", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "sequence", sa.Integer(), autoincrement=False, nullable=False, comment="of the event within its block"
        ),
        sa.Column("place", sa.Integer(), nullable=False, comment="0 due work, 1.. the transactions, last the reward"),
        sa.Column("name", ascii_text(32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="canonical array of the event's fields"),
        sa.PrimaryKeyConstraint("subject", "height", "sequence"),
        sqlite_with_rowid=False,
    )
    op.create_index("history_by_height", "history", ["height"], unique=False)
    op.create_table(
        "listing",
        sa.Column("parent", sa.LargeBinary(length=32), nullable=False, comment="empty for programs and campaigns"),
        sa.Column("kind", ascii_text(16), nullable=False),
        sa.Column("id", sa.LargeBinary(length=97), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("parent", "kind", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("listing_by_height", "listing", ["height"], unique=False)
    op.create_index("listing_in_order", "listing", ["parent", "kind", "height", "sequence"], unique=False)
    op.create_table(
        "transactions",
        sa.Column("txid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="0 is the first transaction of the block"),
        sa.PrimaryKeyConstraint("txid"),
        sqlite_with_rowid=False,
    )
    op.create_index("transactions_by_height", "transactions", ["height", "position"], unique=False)


def downgrade() -> None:
    """Change it back."""
    op.drop_table("undo")
    op.drop_index("transactions_by_height", table_name="transactions")
    op.drop_table("transactions")
    op.drop_table("records")
    op.drop_table("meta")
    op.drop_index("listing_in_order", table_name="listing")
    op.drop_index("listing_by_height", table_name="listing")
    op.drop_table("listing")
    op.drop_index("history_by_height", table_name="history")
    op.drop_table("history")
    op.drop_index("headers_by_previous", table_name="headers")
    op.drop_table("headers")
    op.drop_table("bodies")
    op.drop_table("active")
