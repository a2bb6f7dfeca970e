"""What every test shares."""

from __future__ import annotations

from hypothesis import settings

# Shared machines stall: a property is about values, and the suite's own timeout bounds the time.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
