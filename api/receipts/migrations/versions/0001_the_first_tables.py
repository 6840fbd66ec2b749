"""the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "receipts",
        sa.Column("number", ROWID, autoincrement=True, nullable=False, comment="the order of arrival"),
        sa.Column("receipt", sa.LargeBinary(length=32), nullable=False, comment="the receipt hash: its id"),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("period", sa.BigInteger(), nullable=False, comment="of the program, by the receipt's time"),
        sa.Column("till", sa.LargeBinary(length=32), nullable=False, comment="public key"),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "signed",
            sa.LargeBinary(),
            nullable=False,
            comment="the signed receipt with its salt, which also salts the lines",
        ),
        sa.Column("lines", sa.LargeBinary(), nullable=False, comment="canonical array of the lines"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("receipt"),
        sa.UniqueConstraint("program", "till", "sequence", name="receipts_by_sequence"),
    )
    op.create_index("receipts_by_member", "receipts", ["member", "number"], unique=False)
    op.create_table(
        "erased",
        sa.Column("receipt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "is_scrubbed",
            sa.Boolean(),
            nullable=False,
            comment="whether its bytes are known to be gone from the files, too",
        ),
        sa.PrimaryKeyConstraint("receipt"),
    )
    op.create_table(
        "nonces",
        sa.Column("nonce", sa.LargeBinary(length=32), nullable=False, comment="hash of key and nonce"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce"),
    )
    op.create_index("nonces_by_time", "nonces", ["expires_at"], unique=False)


def downgrade() -> None:
    """Change it back."""
    op.drop_index("nonces_by_time", table_name="nonces")
    op.drop_table("nonces")
    op.drop_table("erased")
    op.drop_index("receipts_by_member", table_name="receipts")
    op.drop_table("receipts")
