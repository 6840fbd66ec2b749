"""offer_plans and drawn_offers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "offer_plans",
        sa.Column("plan", sa.LargeBinary(length=16), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False, comment="JSON: what the brand wants"),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("drawn_at", sa.BigInteger(), nullable=False, comment="0: it has drawn nobody"),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("plan"),
    )
    op.create_index("offer_plans_by_program", "offer_plans", ["program", "made_at"], unique=False)
    op.create_table(
        "drawn_offers",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="the order in which fans were drawn",
        ),
        sa.Column("plan", sa.LargeBinary(length=16), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("offer", sa.LargeBinary(length=32), nullable=False, comment="its id; empty: held out"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="the personal offer with its salt"),
        sa.Column("document", sa.Text(), nullable=False, comment="JSON: what it is about"),
        sa.Column("drawn_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("plan", "member", name="drawn_once"),
    )
    op.create_index("drawn_offers_by_member", "drawn_offers", ["member", "program"], unique=False)
    op.create_index("drawn_offers_by_time", "drawn_offers", ["ends_at"], unique=False)


def downgrade() -> None:
    """Change it back."""
    op.drop_table("drawn_offers")
    op.drop_table("offer_plans")
