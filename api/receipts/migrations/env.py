"""Alembic runs this: migrations happen on the connection that `migrate` opened."""

from alembic import context

from api.receipts.personal_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
