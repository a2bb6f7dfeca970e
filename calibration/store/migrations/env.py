"""Alembic's entry point: run the revisions on the connection that `calibration.store.migrate` opened."""

from __future__ import annotations

from alembic import context

# SQLite cannot alter a table in place, so later revisions are rendered as copies there.
context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
