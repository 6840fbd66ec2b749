"""openings."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "openings",
        sa.Column("proposal", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False, comment="the voter"),
        sa.Column("opening", sa.LargeBinary(), nullable=False, comment="canonical [proposal, voter, choice, salt]"),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proposal", "member"),
    )
    op.create_index("openings_by_member", "openings", ["member"], unique=False)


def downgrade() -> None:
    """Change it back."""
    op.drop_index("openings_by_member", table_name="openings")
    op.drop_table("openings")
