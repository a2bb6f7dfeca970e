"""Error correlations and effective votes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import correlation
from calibration.correlation import effective_votes, effective_votes_assumed, errors, mean_correlation
from tests.calibration.tables import ABSTAINED, FAILED, NOT_ASKED, copied, independent, table


def test_effective_votes_by_hand() -> None:
    assert effective_votes(5, 0.4296) == pytest.approx(1.84, abs=0.005)
    assert effective_votes_assumed(1) == 1.0
    assert effective_votes_assumed(0) == 0.0
    assert effective_votes_assumed(3) == pytest.approx(3 / 1.86)


@given(n=st.integers(0, 50), rho=st.floats(-1, 1))
def test_effective_votes_lie_between_one_and_n(n: int, rho: float) -> None:
    assert min(n, 1) <= effective_votes(n, rho) <= n + 1e-9


def test_errors_count_silence_and_leave_out_the_unasked() -> None:
    ballots = table([[0, 1, ABSTAINED, FAILED, NOT_ASKED], [0, 0, 0, 0, 0]], [0, -2])
    wrong = errors(ballots)
    assert wrong[0, :4].tolist() == [0.0, 1.0, 1.0, 1.0]
    assert np.isnan(wrong[0, 4])
    assert np.isnan(wrong[1]).all()


def test_mean_correlation_is_numpys_on_complete_rows() -> None:
    ballots = independent(500, [0.8, 0.6, 0.7], seed=2)
    table_of = np.corrcoef(errors(ballots).T)
    assert mean_correlation(ballots) == pytest.approx((table_of.sum() - 3) / 6)


def test_independent_members_are_worth_their_number_and_copies_one() -> None:
    rho = mean_correlation(independent(8000, [0.7] * 4))
    assert rho is not None
    assert effective_votes(4, rho) == pytest.approx(4.0, abs=0.15)
    same = mean_correlation(copied(500, 0.7, copies=4))
    assert same is not None
    assert effective_votes(4, same) == pytest.approx(1.0)


def test_members_without_variance_have_no_correlation() -> None:
    assert mean_correlation(table([[0, 0]] * 20, [0] * 20)) is None
    assert correlation.fit(table([[0, 0]] * 20, [0] * 20)).mean == correlation.ASSUMED


def test_a_domains_correlation_is_shrunk_to_the_pairs_and_carries_an_interval() -> None:
    """Copies in law, independent in health; in a domain of five labels the pair's own correlation is kept."""
    law, health = copied(600, 0.6, copies=2, seed=1), independent(600, [0.6, 0.6], seed=2)
    rare = independent(5, [0.6, 0.6], seed=3)
    ballots = table(
        np.concatenate([law.votes, health.votes, rare.votes]),
        np.concatenate([law.truth, health.truth, rare.truth]),
        domains=["law"] * 600 + ["health"] * 600 + ["rare"] * 5,
    )
    found = correlation.fit(ballots)
    pooled = found.rho("m0", "m1", "unseen")
    assert found.rho("m1", "m0", "law") > 0.95
    assert found.rho("m0", "m1", "health") < 0.2
    assert found.rho("m0", "m1", "rare") == pytest.approx(pooled, abs=0.03)
    entry = next(pair for pair in found.pairs if pair.domain == "health")
    assert entry.low < 0.1 < entry.high + 0.1
    assert entry.labels == 600


def test_effective_votes_of_a_panel_count_each_model_once() -> None:
    found = correlation.fit(independent(2000, [0.7, 0.6, 0.8]))
    three = found.effective_votes(["m0", "m1", "m2"], "law")
    assert found.effective_votes(["m0", "m1", "m2", "m0"], "law") == three
    assert found.effective_votes(["m0"], "law") == 1.0
    assert found.effective_votes([], "law") == 0.0
    assert three == pytest.approx(3.0, abs=0.25)


def test_an_unseen_pair_is_taken_to_be_average() -> None:
    found = correlation.fit(copied(300, 0.6, copies=2))
    assert found.rho("m0", "stranger", "law") == found.mean
