"""who looked for a brand's service, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.add_column(
        "reads",
        sa.Column(
            "staff", sa.String(length=64), server_default="", nullable=False, comment="what the reader calls itself"
        ),
    )
    op.add_column(
        "reads",
        sa.Column(
            "why", sa.String(length=200), server_default="", nullable=False, comment="the reason that the reader gave"
        ),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_column("reads", "why")
    op.drop_column("reads", "staff")
