"""texts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "texts",
        sa.Column("text", sa.LargeBinary(length=32), nullable=False, comment="the text hash"),
        sa.Column("author", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False, comment="salt and text"),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("text"),
    )
    op.create_index("texts_by_author", "texts", ["author", "kept_at"], unique=False)
    op.create_table(
        "erased_texts",
        sa.Column("text", sa.LargeBinary(length=32), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("text"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("erased_texts")
    op.drop_index("texts_by_author", table_name="texts")
    op.drop_table("texts")
