"""which drawn offers the brand was given to sign."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.add_column(
        "drawn_offers",
        sa.Column(
            "given_at", sa.BigInteger(), server_default="0", nullable=False, comment="to the brand, to sign; 0: not yet"
        ),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_column("drawn_offers", "given_at")
