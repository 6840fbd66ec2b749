"""the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "shares",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.LargeBinary(length=32), nullable=False),
        sa.Column("worker", sa.String(length=32), nullable=False),
        sa.Column(
            "weight", sa.LargeBinary(length=32), nullable=False, comment="expected hashes, the highest byte first"
        ),
        sa.Column("header", sa.LargeBinary(length=80), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "blocks",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="the order in which they were found",
        ),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False, comment="number of the first share that counted"),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("account", sa.LargeBinary(), nullable=False, comment="canonical: claims and payees"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("hash"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("blocks")
    op.drop_table("shares")
