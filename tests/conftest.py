"""What every test shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Shared machines stall: a property is about values, and the suite's own timeout bounds the time.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command under test sends logs to the stderr it had; the next test has another one."""
    yield
    structlog.reset_defaults()
