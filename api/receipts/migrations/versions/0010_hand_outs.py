"""hand_outs."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "hand_outs",
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("blocks", sa.Integer(), nullable=False, comment="0 unless the level counts them"),
        sa.Column("chosen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("program"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("hand_outs")
