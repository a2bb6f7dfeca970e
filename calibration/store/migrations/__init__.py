"""Alembic revisions of the store, run by `calibration.store.migrate`."""
