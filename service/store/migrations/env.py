"""Alembic's entry: runs the migrations on the connection that :mod:`service.store.database` hands over."""

from alembic import context

from service.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
