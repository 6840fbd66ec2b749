"""webhooks and deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "webhooks",
        sa.Column("webhook", sa.LargeBinary(length=16), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("webhook"),
    )
    op.create_index("webhooks_by_program", "webhooks", ["program"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column(
            "delivery",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="hash of webhook and message: each goes out once",
        ),
        sa.Column("webhook", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("message", sa.LargeBinary(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="what is sent; empty once that is over"),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=False, comment="0: it waits"),
        sa.Column("code", sa.String(length=64), nullable=False, comment="how the last attempt ended; empty: well"),
        sa.PrimaryKeyConstraint("delivery"),
    )
    op.create_index("deliveries_by_time", "deliveries", ["done_at", "due_at"], unique=False)
    op.create_index("deliveries_by_member", "deliveries", ["member"], unique=False)
    op.create_index("deliveries_by_program", "deliveries", ["program"], unique=False)


def downgrade() -> None:
    """Change it back."""
    op.drop_table("deliveries")
    op.drop_table("webhooks")
