"""The tools, where they are already; whoever needs them is skipped elsewhere."""

from __future__ import annotations

import pytest

from tests.chart.tools import Tools, cached


@pytest.fixture(scope="session")
def tools() -> Tools:
    """helm, kubeconform and the schemas; nothing is fetched here."""
    found = cached()
    if not found.complete:
        pytest.skip("helm, kubeconform or their schemas are not here: make test-chart builds and fetches them")
    return found
