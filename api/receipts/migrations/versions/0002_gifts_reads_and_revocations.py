"""gifts, reads and revocations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "gifts",
        sa.Column("receipt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("marked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("receipt"),
    )
    op.create_index("gifts_by_member", "gifts", ["member"], unique=False)
    op.create_table(
        "reads",
        sa.Column("number", ROWID, autoincrement=True, nullable=False, comment="the order of the first one"),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False, comment="whose data"),
        sa.Column("reader", sa.LargeBinary(length=32), nullable=False, comment="whose key signed the request"),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False, comment="why it was refused; empty: it was given"),
        sa.Column("given", sa.BigInteger(), nullable=False, comment="how many items"),
        sa.Column("times", sa.BigInteger(), nullable=False, comment="refused ones of a day share a row"),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("reads_by_member", "reads", ["member", "number"], unique=False)
    op.create_index("reads_by_reader", "reads", ["reader", "member", "first_at"], unique=False)
    op.create_index("reads_by_time", "reads", ["last_at"], unique=False)
    op.create_table(
        "revocations",
        sa.Column("consent", sa.LargeBinary(length=98), nullable=False, comment="the key of the consent's record"),
        sa.Column("fan", sa.LargeBinary(length=32), nullable=False),
        sa.Column("txid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False, comment="the transaction"),
        sa.Column("height", sa.BigInteger(), nullable=False, comment="of the next block when it was received"),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_by", sa.LargeBinary(length=32), nullable=True, comment="a grant that was received after it"),
        sa.PrimaryKeyConstraint("consent"),
    )
    op.create_index("revocations_by_fan", "revocations", ["fan"], unique=False)
    op.create_table(
        "scrubs",
        sa.Column("due_since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("due_since"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("scrubs")
    op.drop_index("revocations_by_fan", table_name="revocations")
    op.drop_table("revocations")
    for index in ("reads_by_time", "reads_by_reader", "reads_by_member"):
        op.drop_index(index, table_name="reads")
    op.drop_table("reads")
    op.drop_index("gifts_by_member", table_name="gifts")
    op.drop_table("gifts")
