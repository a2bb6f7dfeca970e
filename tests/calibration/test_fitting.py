"""Fitting: what is chosen, what is refused, and that only the labels decide."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from calibration import fitting, lazy
from calibration.ballots import NONE_OF_THESE, UNKNOWN, Ballots, stack
from calibration.prediction import predict, walks
from calibration.scoring import ece
from calibration.snapshot import Snapshot
from tests.calibration.tables import ABSTAINED, NOT_ASKED, copied, independent, table

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fitted(ballots: Ballots, min_labels: int = 30) -> Snapshot:
    snapshot = fitting.fit(ballots, fitted_at=NOW, min_labels=min_labels)
    assert snapshot is not None
    assert Snapshot.from_json(snapshot.to_json()) == snapshot
    return snapshot


def test_too_few_labels_give_nothing() -> None:
    few = independent(29, [0.8, 0.7])
    assert fitting.fit(few, fitted_at=NOW) is None
    unlabelled = table(np.zeros((100, 2)), [UNKNOWN] * 100)
    assert fitting.fit(unlabelled, fitted_at=NOW) is None
    assert fitting.fit(table(np.zeros((50, 0)), [0] * 50), fitted_at=NOW) is None


def test_the_order_of_the_rows_changes_nothing() -> None:
    ballots = independent(200, [0.8, 0.7, 0.6])
    shuffled = ballots.take(np.random.default_rng(0).permutation(200))
    assert fitted(ballots).version == fitted(shuffled).version


def test_unlabelled_rows_change_nothing() -> None:
    ballots = independent(200, [0.8, 0.7])
    extra = table([[0, 1]] * 5, [UNKNOWN] * 5)
    more = stack([ballots, Ballots(**{**vars(extra), "ids": tuple(f"x{i}" for i in range(5))})])
    assert fitted(ballots).version == fitted(more).version


def test_name_parent_and_time_are_the_callers() -> None:
    snapshot = fitting.fit(independent(60, [0.8]), name="night", parent="s-1", fitted_at=NOW)
    assert snapshot is not None
    assert (snapshot.name, snapshot.parent, snapshot.fitted_at) == ("night", "s-1", NOW)


def test_independent_members_are_calibrated_by_what_is_chosen() -> None:
    snapshot = fitted(independent(1500, [0.8, 0.7, 0.6, 0.5]))
    fresh = independent(4000, [0.8, 0.7, 0.6, 0.5], seed=7)
    found = predict(snapshot, fresh)
    assert ece(found.confidence, found.right) < 0.03
    held_out = snapshot.aggregators["closed"].held_out
    assert set(held_out) == set(fitting.METHODS)
    assert held_out[snapshot.aggregators["closed"].kind] == min(held_out.values())


def test_few_labels_choose_the_plain_method_and_many_the_rich_one() -> None:
    """Log odds are right for independents; with many labels only conditional logit counts copies once."""

    def panel(n: int, seed: int) -> Ballots:
        one, rest = copied(n, 0.6, copies=3, seed=seed), independent(n, [0.8, 0.7], seed=seed)
        other = (rest.votes + (one.truth - rest.truth)[:, None]) % 4
        return table(np.concatenate([one.votes, other], axis=1), one.truth)

    assert fitted(independent(60, [0.8, 0.7, 0.6])).aggregators["closed"].kind == "log_odds"
    assert fitted(panel(2000, 2)).aggregators["closed"].kind.startswith("conditional_logit")


def test_closed_and_open_questions_are_fitted_apart() -> None:
    closed = independent(100, [0.8, 0.7])
    opened = table([[0, 0]] * 50 + [[0, 1]] * 50, [0] * 50 + [NONE_OF_THESE] * 50,
                   candidates=[1] * 50 + [2] * 50, open_set=True)  # fmt: skip
    opened = Ballots(**{**vars(opened), "ids": tuple(f"x{i}" for i in range(100))})
    snapshot = fitted(stack([closed, opened]))
    assert set(snapshot.aggregators) == {"closed", "open"}
    assert snapshot.aggregators["open"].answer_types == {"text": 100}
    agree = snapshot.posterior(["m0", "m1"], [0, 0], 1, domain="law", answer_type="text", open_set=True)
    differ = snapshot.posterior(["m0", "m1"], [0, 1], 2, domain="law", answer_type="text", open_set=True)
    assert agree is not None
    assert differ is not None
    assert agree.confidence is not None
    assert agree.confidence > 0.9
    assert differ.top is None
    assert len(agree.probabilities) == 2


def test_a_rare_domain_stays_unknown_and_their_number_is_bounded() -> None:
    names = ["law"] * 100 + ["rare"] * 9 + [f"made up {i}" for i in range(91)]
    snapshot = fitted(table(independent(200, [0.8, 0.7]).votes, independent(200, [0.8, 0.7]).truth, domains=names))
    assert snapshot.domains == ("law",)
    n = fitting.MIN_DOMAIN * 300
    many = independent(n, [0.8, 0.7])
    crowd = table(many.votes, many.truth, domains=[f"d{i % 300:03d}" for i in range(n)])
    assert len(fitted(crowd).domains) == fitting.MAX_DOMAINS


def test_large_tables_are_fitted_on_a_hashed_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "ENOUGH", 500)
    snapshot = fitted(independent(2000, [0.8, 0.7, 0.6]))
    assert snapshot.aggregators["closed"].labels == 2000
    assert snapshot.labels == 2000
    assert snapshot.reliability[0].labels == 2000


def test_members_are_asked_best_first() -> None:
    snapshot = fitted(independent(400, [0.5, 0.9, 0.7, 0.3]))
    plan = snapshot.plan(["m0", "m1", "m2", "m3"], "law")
    assert plan is not None
    assert plan.order == ("m1", "m2", "m0", "m3")
    assert plan.min_calls == lazy.MIN_CALLS
    smaller = snapshot.plan(["m3", "m1"], "law")
    assert smaller is not None
    assert smaller.order == ("m1", "m3")


def test_walks_of_a_snapshot_end_at_its_full_panel() -> None:
    ballots = independent(300, [0.8, 0.7, 0.6, 0.5])
    snapshot = fitted(ballots)
    walked = walks(snapshot, snapshot.plans[0], ballots)
    whole = predict(snapshot, ballots)
    assert walked.confidence.shape == (4, 300)
    assert walked.confidence[-1] == pytest.approx(whole.confidence)
    assert walked.right[-1] == pytest.approx(whole.right)


def test_what_was_not_fitted_is_answered_by_majority_with_no_confidence_to_speak_of() -> None:
    """Two clusters and "none of these": a third each; a tie leaves no single answer, no vote none at all."""
    snapshot = fitted(independent(60, [0.8, 0.8, 0.8]))
    votes = [[0, 0, 1], [0, 1, ABSTAINED], [ABSTAINED] * 3]
    found = predict(snapshot, table(votes, [0, 0, 0], candidates=[2, 2, 0], open_set=True))
    assert (found.top[0], found.alone.tolist()) == (0, [True, False, False])
    assert found.confidence.tolist() == pytest.approx([1 / 3, 1 / 3, 0.0])
    assert found.right.tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    "ballots",
    [
        independent(1, [0.8, 0.7]),
        independent(3, [0.8, 0.7]),
        table([[0, 1, 2]] * 40, [0, 1] * 20, candidates=3),
        table([[0, 0, 0]] * 40, [0] * 40),
        table([[0, 0, 0]] * 40, [1] * 40),
        table([[ABSTAINED] * 3] * 40, [1] * 40),
        table([[NOT_ASKED] * 3] * 40, [1] * 40),
        table([[0, 1, 1]] * 40, [NONE_OF_THESE] * 40, candidates=2),
        table([[0]] * 40, [0] * 40, candidates=1),
        table([[ABSTAINED] * 2] * 40, [NONE_OF_THESE] * 40, candidates=0, open_set=True),
        table([[0, 1]] * 40, [NONE_OF_THESE] * 40, candidates=2, open_set=True),
        table([[0, 1]] * 40, [0, 1] * 20, candidates=2, domains=[f"d{i}" for i in range(40)]),
    ],
    ids=["one row", "three rows", "tied", "always right", "always wrong", "silent", "not asked", "none right",
         "one option", "no candidates", "none of the clusters", "a domain each"],
)  # fmt: skip
def test_degenerate_tables_give_a_usable_snapshot(ballots: Ballots) -> None:
    """Finite, summing to one, and never surer than the labels allow."""
    snapshot = fitted(ballots, min_labels=1)
    found = predict(snapshot, ballots)
    assert np.isfinite(found.confidence).all()
    assert (found.confidence <= (len(ballots) + 1) / (len(ballots) + 2) + 1e-12).all()
    plan = snapshot.plan(ballots.models, "law")
    assert plan is None or 0 < plan.min_calls <= len(ballots.models)
