"""How Alembic runs the migrations: on the connection that `open_catalogue` gives."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
