"""behaviour, preferences, messages, feedback; shops and products."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Change the schema."""
    _add_what_fans_do()
    _add_messages()
    _add_what_brands_say()


def _add_what_fans_do() -> None:
    op.create_table(
        "behaviour",
        sa.Column("number", ROWID, autoincrement=True, nullable=False, comment="the order of arrival"),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("item", sa.String(length=128), nullable=False, comment="a product, or what was searched for"),
        sa.Column("seconds", sa.Integer(), nullable=False, comment="how long, where that was measured"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("behaviour_by_member", "behaviour", ["member", "program", "number"], unique=False)
    op.create_table(
        "preferences",
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False, comment="JSON"),
        sa.Column(
            "reset_at", sa.BigInteger(), nullable=False, comment="what happened before is left out; 0: never reset"
        ),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member", "program"),
    )


def _add_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("number", ROWID, autoincrement=True, nullable=False, comment="the order in which they were decided"),
        sa.Column("message", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=False, comment="not shown before"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="not shown from then on"),
        sa.Column(
            "is_held_out", sa.Boolean(), nullable=False, comment="never shown: what happens without it is measured"
        ),
        sa.Column("document", sa.Text(), nullable=False, comment="JSON"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("message"),
    )
    op.create_index("messages_by_member", "messages", ["member", "program", "decided_at"], unique=False)
    op.create_index("messages_by_program", "messages", ["program", "decided_at"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("number", ROWID, autoincrement=True, nullable=False, comment="the order of arrival"),
        sa.Column("message", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member", sa.LargeBinary(length=32), nullable=False),
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("message", "kind", name="feedback_once"),
    )
    op.create_index("feedback_by_member", "feedback", ["member", "program"], unique=False)


def _add_what_brands_say() -> None:
    op.create_table(
        "shops",
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "zone", sa.String(length=64), nullable=False, comment="an IANA name; empty: the program's own offset"
        ),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("program"),
    )
    op.create_table(
        "products",
        sa.Column("program", sa.LargeBinary(length=32), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("restocked_at", sa.BigInteger(), nullable=False, comment="0: it was never out of stock"),
        sa.Column("cheaper_at", sa.BigInteger(), nullable=False, comment="of the last price drop; 0: none"),
        sa.Column("price_before_cents", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("program", "item"),
    )


def downgrade() -> None:
    """Change it back."""
    op.drop_table("products")
    op.drop_table("shops")
    op.drop_table("feedback")
    op.drop_table("messages")
    op.drop_table("preferences")
    op.drop_table("behaviour")
