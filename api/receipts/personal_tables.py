"""Tables of personalization in the receipt store: what fans do and say, what is said to them, what brands publish of products.

`behaviour`, `preferences`, `messages`, `feedback`, `deliveries` and `drawn_offers` are a fan's own: part of its export and of its
deletion.
`products` and `shops` hold what a brand says of its products and of itself, and nothing of any fan; `webhooks` are addresses of
brands, and `deliveries` what is sent there, each of one fan. `offer_plans` are what brands plan, and name no fan.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from api.receipts.tables import ROWID, metadata

behaviour = Table(
    "behaviour",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=True, comment="the order of arrival"),
    Column("member", LargeBinary(32), nullable=False),
    Column("program", LargeBinary(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("item", String(128), nullable=False, comment="a product, or what was searched for"),
    Column("seconds", Integer, nullable=False, comment="how long, where that was measured"),
    Column("at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Index("behaviour_by_member", "member", "program", "number"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("member", LargeBinary(32), primary_key=True),
    Column("program", LargeBinary(32), primary_key=True),
    Column("document", Text, nullable=False, comment="JSON"),
    Column("reset_at", BigInteger, nullable=False, comment="what happened before is left out; 0: never reset"),
    Column("changed_at", BigInteger, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=True, comment="the order in which they were decided"),
    Column("message", LargeBinary(32), nullable=False, unique=True),
    Column("member", LargeBinary(32), nullable=False),
    Column("program", LargeBinary(32), nullable=False),
    Column("topic", String(32), nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("ready_at", BigInteger, nullable=False, comment="not shown before"),
    Column("expires_at", BigInteger, nullable=False, comment="not shown from then on"),
    Column("is_held_out", Boolean, nullable=False, comment="never shown: what happens without it is measured"),
    Column("document", Text, nullable=False, comment="JSON"),
    Index("messages_by_member", "member", "program", "decided_at"),
    Index("messages_by_program", "program", "decided_at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=True, comment="the order of arrival"),
    Column("message", LargeBinary(32), nullable=False),
    Column("member", LargeBinary(32), nullable=False),
    Column("program", LargeBinary(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    UniqueConstraint("message", "kind", name="feedback_once"),
    Index("feedback_by_member", "member", "program"),
)

shops = Table(
    "shops",
    metadata,
    Column("program", LargeBinary(32), primary_key=True),
    Column("zone", String(64), nullable=False, comment="an IANA name; empty: the program's own offset"),
    Column("changed_at", BigInteger, nullable=False),
)

products = Table(
    "products",
    metadata,
    Column("program", LargeBinary(32), primary_key=True),
    Column("item", String(64), primary_key=True),
    Column("document", Text, nullable=False, comment="JSON"),
    Column("first_at", BigInteger, nullable=False),
    Column("restocked_at", BigInteger, nullable=False, comment="0: it was never out of stock"),
    Column("cheaper_at", BigInteger, nullable=False, comment="of the last price drop; 0: none"),
    Column("price_before_cents", BigInteger, nullable=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("webhook", LargeBinary(16), primary_key=True),
    Column("program", LargeBinary(32), nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", LargeBinary(32), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Index("webhooks_by_program", "program"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery", LargeBinary(32), primary_key=True, comment="hash of webhook and message: each goes out once"),
    Column("webhook", LargeBinary(16), nullable=False),
    Column("member", LargeBinary(32), nullable=False),
    Column("program", LargeBinary(32), nullable=False),
    Column("message", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False, comment="what is sent; empty once that is over"),
    Column("made_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("done_at", BigInteger, nullable=False, comment="0: it waits"),
    Column("code", String(64), nullable=False, comment="how the last attempt ended; empty: well"),
    Index("deliveries_by_time", "done_at", "due_at"),
    Index("deliveries_by_member", "member"),
    Index("deliveries_by_program", "program"),
)

offer_plans = Table(
    "offer_plans",
    metadata,
    Column("plan", LargeBinary(16), primary_key=True),
    Column("program", LargeBinary(32), nullable=False),
    Column("document", Text, nullable=False, comment="JSON: what the brand wants"),
    Column("made_at", BigInteger, nullable=False),
    Column("drawn_at", BigInteger, nullable=False, comment="0: it has drawn nobody"),
    Column("ends_at", BigInteger, nullable=False),
    Index("offer_plans_by_program", "program", "made_at"),
)

drawn_offers = Table(
    "drawn_offers",
    metadata,
    Column("number", ROWID, primary_key=True, autoincrement=True, comment="the order in which fans were drawn"),
    Column("plan", LargeBinary(16), nullable=False),
    Column("member", LargeBinary(32), nullable=False),
    Column("program", LargeBinary(32), nullable=False),
    Column("offer", LargeBinary(32), nullable=False, comment="its id; empty: held out"),
    Column("sealed", LargeBinary, nullable=False, comment="the personal offer with its salt"),
    Column("document", Text, nullable=False, comment="JSON: what it is about"),
    Column("drawn_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("given_at", BigInteger, nullable=False, server_default="0", comment="to the brand, to sign; 0: not yet"),
    UniqueConstraint("plan", "member", name="drawn_once"),
    Index("drawn_offers_by_member", "member", "program"),
    Index("drawn_offers_by_time", "ends_at"),
)

__all__ = [
    "FANS_OWN",
    "FORGOTTEN",
    "behaviour",
    "deliveries",
    "drawn_offers",
    "feedback",
    "messages",
    "metadata",
    "offer_plans",
    "preferences",
    "products",
    "shops",
    "webhooks",
]

FORGOTTEN = (behaviour, preferences, messages, feedback, deliveries)
"""What the reset of a profile deletes. Drawn offers stay, as receipts do: they are promises to the fan, not guesses about it."""
FANS_OWN = (*FORGOTTEN, drawn_offers)
"""In which rows belong to the account in `member`."""
