"""certificates, what they justify, and the sets of attestors."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "certificates",
        sa.Column("target", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source", sa.LargeBinary(length=32), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False, comment="of the target"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target", "source"),
    )
    op.create_index("certificates_by_height", "certificates", ["height"], unique=False)
    op.create_table(
        "justified",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("set_number", sa.BigInteger(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "attestor_sets",
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", "data"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("attestor_sets")
    op.drop_table("justified")
    op.drop_index("certificates_by_height", table_name="certificates")
    op.drop_table("certificates")
