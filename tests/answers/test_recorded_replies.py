"""Real replies: what we read against what was recorded. The recorded panel is not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from consensus.evaluation import reading_metrics, recorded

PANEL = Path(os.environ.get("CONSENSUS_DATA", "../shared/data")) / "mmlu_pro_panel.jsonl.gz"


@pytest.mark.skipif(not PANEL.exists(), reason=f"no recorded panel at {PANEL} (set CONSENSUS_DATA)")
def test_recorded_choices_are_read() -> None:
    """On a fixed sample: at least 99.5 % of the choices that do not conflict, and at most 3.5 % that do."""
    metrics = reading_metrics(recorded(PANEL, limit=400))
    assert metrics["recorded"] is not None
    assert metrics["match"] is not None
    assert metrics["conflicting"] is not None
    assert metrics["recorded"] > 4_000
    assert metrics["match"] >= 0.995
    assert metrics["conflicting"] <= 0.035
