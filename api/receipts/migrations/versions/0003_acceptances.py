"""acceptances."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "acceptances",
        sa.Column("hold", sa.LargeBinary(length=32), nullable=False),
        sa.Column("txid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False, comment="the signed acceptance"),
        sa.PrimaryKeyConstraint("hold"),
        sa.UniqueConstraint("txid"),
    )
    op.create_index("acceptances_by_program", "acceptances", ["program", "accepted_at"], unique=False)
    op.create_index("acceptances_by_member", "acceptances", ["member"], unique=False)


def downgrade() -> None:
    """Change it back."""
    op.drop_index("acceptances_by_member", table_name="acceptances")
    op.drop_index("acceptances_by_program", table_name="acceptances")
    op.drop_table("acceptances")
