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
        "sales",
        sa.Column(
            "number", sa.BigInteger(), autoincrement=False, nullable=False, comment="the till's number, without gaps"
        ),
        sa.Column("sale", sa.Text(), nullable=False, comment="the id that the POS gave"),
        sa.Column("content", sa.LargeBinary(length=32), nullable=False, comment="hash of what the POS sent"),
        sa.Column("receipt", sa.LargeBinary(length=32), nullable=False, comment="the receipt hash"),
        sa.Column("signed", sa.LargeBinary(), nullable=False, comment="the signed receipt"),
        sa.Column("lines", sa.LargeBinary(), nullable=True, comment="canonical array; gone once the node has them"),
        sa.Column("time", sa.BigInteger(), nullable=False, comment="of the receipt"),
        sa.Column("day", sa.BigInteger(), nullable=False, comment="the program's day of that time"),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("is_visit", sa.Boolean(), nullable=False, comment="something was bought, not only given back"),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("hand_over", sa.SmallInteger(), nullable=False, comment="0 waits, 1 is handed over, 2 is set aside"),
        sa.Column("attempts", sa.BigInteger(), nullable=False, comment="refusals that may mend"),
        sa.Column("next_try", sa.BigInteger(), nullable=False, comment="not before this time"),
        sa.Column("code", sa.Text(), nullable=True, comment="what the node said last"),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("settlement", sa.SmallInteger(), nullable=False, comment="0 is not settled, 1 is settled"),
        sa.Column("settlement_code", sa.Text(), nullable=True, comment="why it could not be settled"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("receipt"),
        sa.UniqueConstraint("sale"),
    )
    op.create_index("sales_by_hand_over", "sales", ["hand_over", "next_try", "number"], unique=False)
    op.create_index("sales_by_settlement", "sales", ["settlement", "time"], unique=False)
    op.create_index("sales_by_member", "sales", ["member", "time"], unique=False)
    op.create_table(
        "tiers",
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tier", sa.SmallInteger(), nullable=False, comment="its number in the terms; 0 is none"),
        sa.Column(
            "until_day", sa.BigInteger(), nullable=True, comment="the program's day before which the member has it"
        ),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member"),
    )
    op.create_table(
        "days",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False, comment="promised by the receipts of this day"),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "about",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("about")
    op.drop_table("days")
    op.drop_table("tiers")
    op.drop_index("sales_by_member", table_name="sales")
    op.drop_index("sales_by_settlement", table_name="sales")
    op.drop_index("sales_by_hand_over", table_name="sales")
    op.drop_table("sales")
