"""delivery forms."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "delivery_forms",
        sa.Column("campaign", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the pledge"),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False, comment="the backer"),
        sa.Column("form", sa.LargeBinary(), nullable=False, comment="encrypted to the creator"),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "number"),
    )
    op.create_index("delivery_forms_by_member", "delivery_forms", ["member"], unique=False)


def downgrade() -> None:
    """Change it back."""
    op.drop_index("delivery_forms_by_member", table_name="delivery_forms")
    op.drop_table("delivery_forms")
