"""On which brokers a test runs; the fixture ``address`` is in ``conftest.py``."""

from __future__ import annotations

import pytest

APACHE = pytest.param("apache", marks=pytest.mark.kafka)

only_apache = pytest.mark.parametrize("address", [APACHE], indirect=True)
"""The embedded broker never shows a reader what follows an aborted transaction that it was waiting behind."""
