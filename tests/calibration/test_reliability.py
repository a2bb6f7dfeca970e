"""Reliabilities per model and domain: shrinkage by hand, and against simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from calibration import reliability
from calibration.correlation import POOLED
from tests.calibration.tables import ABSTAINED, NOT_ASKED, independent, table


def test_the_pool_is_a_plain_beta_posterior() -> None:
    """Three right of four, one abstention counted as wrong, one question not asked: Beta(4, 2)."""
    ballots = table([[0], [0], [0], [ABSTAINED], [NOT_ASKED]], [0] * 5)
    entry = next(entry for entry in reliability.fit(ballots) if entry.domain == POOLED)
    assert (entry.model, entry.labels) == ("m0", 4)
    assert entry.mean == pytest.approx(4 / 6)
    assert (entry.low, entry.high) == pytest.approx(tuple(beta(4, 2).ppf([0.025, 0.975])))


def test_cells_are_shrunk_and_beat_raw_rates() -> None:
    """Nine models × 14 domains with additive truth, 200 labels: nearer to the truth than raw cells and than pools."""
    rng = np.random.default_rng(0)
    skill, ease = rng.normal(0.3, 0.6, 9), rng.normal(0.0, 0.7, 14)
    truth = 1 / (1 + np.exp(-(skill[:, None] + ease[None, :])))
    domain = rng.integers(0, 14, 200)
    right = rng.random((200, 9)) < truth[:, domain].T
    ballots = table(np.where(right, 0, 1), np.zeros(200), domains=[f"d{i:02d}" for i in domain])
    found = {(entry.model, entry.domain): entry for entry in reliability.fit(ballots)}
    error: dict[str, list[float]] = {"shrunk": [], "raw": [], "pool": []}
    for j in range(9):
        for i in range(14):
            rows = domain == i
            error["shrunk"].append(abs(found[f"m{j}", f"d{i:02d}"].mean - truth[j, i]))
            error["raw"].append(abs(right[rows, j].mean() - truth[j, i]))
            error["pool"].append(abs(found[f"m{j}", POOLED].mean - truth[j, i]))
    assert np.mean(error["shrunk"]) < 0.65 * np.mean(error["raw"])
    assert np.mean(error["shrunk"]) < 0.65 * np.mean(error["pool"])


def test_intervals_narrow_with_labels_and_hold_the_truth() -> None:
    few, many = (reliability.fit(independent(n, [0.8])) for n in (50, 5000))
    width = [entries[1].high - entries[1].low for entries in (few, many)]
    assert width[1] < width[0] / 4
    assert many[1].low < 0.8 < many[1].high


@pytest.mark.parametrize("truth", [0, 1])
def test_always_right_and_always_wrong_are_finite(truth: int) -> None:
    entries = reliability.fit(table([[0, 0]] * 30, [truth] * 30))
    assert all(0 < entry.low < entry.mean < entry.high < 1 for entry in entries)


def test_a_model_that_was_never_asked_has_no_labels_and_a_wide_interval() -> None:
    entries = reliability.fit(table([[0, NOT_ASKED]] * 30, [0] * 30))
    unasked = [entry for entry in entries if entry.model == "m1" and entry.domain == POOLED]
    assert (unasked[0].labels, unasked[0].mean) == (0, 0.5)
    assert unasked[0].high - unasked[0].low > 0.9


def test_the_domain_without_a_name_is_only_in_the_pool() -> None:
    entries = reliability.fit(table([[0]] * 4, [0] * 4, domains=["law", "law", "", ""]))
    assert [(entry.domain, entry.labels) for entry in entries] == [(POOLED, 4), ("law", 2)]
