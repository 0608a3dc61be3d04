"""What Alembic runs a migration in: the connection that `run.py` has opened, so that no address stands in a file."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
