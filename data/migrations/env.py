"""Run by Alembic: takes the steps on the connection that `data.migrations.upgrade` hands over, inside its transaction."""

from alembic import context

from data.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
