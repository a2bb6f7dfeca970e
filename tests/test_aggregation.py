"""Ballots before a snapshot: which statistics a question belongs to, and what they say of a sort never seen."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.fitting import EPOCH, fit
from consensus.aggregation import stratum
from consensus.types import AnswerSpec, BooleanSpec, ChoiceSpec, NumberSpec, Option
from tests.calibration.tables import independent, table


def choice(*texts: str) -> ChoiceSpec:
    return ChoiceSpec(options=tuple(Option(id=f"o{i}", text=text) for i, text in enumerate(texts)))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (choice("3.5 m/s", "12 m/s", "$1,200", "none"), "choice/quantities"),
        (choice("1.8 × 10^-5 mol/L", "x^2 + 3x"), "choice/quantities"),
        (choice("yes", "no"), "choice"),
        (choice("12", "unknown"), "choice"),
        (choice("the tenant who signed in 1998", "the owner of flat 3"), "choice"),
        (choice("1" * 81, "2" * 81), "choice"),
        (BooleanSpec(), "boolean"),
        (NumberSpec(unit="m"), "number"),
    ],
)
def test_a_choice_between_quantities_has_statistics_of_its_own(spec: AnswerSpec, expected: str) -> None:
    """More than half of the options must be quantities; what is long is prose."""
    assert stratum(spec) == expected


def test_a_model_that_calculates_well_counts_for_more_where_quantities_are_asked_for() -> None:
    """m0 is good at quantities and m1 at the rest, in one and the same domain."""
    good, poor = independent(800, [0.9, 0.6], seed=1), independent(800, [0.6, 0.9], seed=2)
    types = ["choice/quantities"] * 800 + ["choice"] * 800
    both = table(
        np.concatenate([good.votes, poor.votes]), np.concatenate([good.truth, poor.truth]), types=types
    )  # fmt: skip
    snapshot = fit(both, fitted_at=EPOCH)
    assert snapshot is not None
    tops = {}
    for sort in ("choice/quantities", "choice", "choice/unseen", "number"):
        found = snapshot.posterior(["m0", "m1"], [0, 1], 4, domain="law", answer_type=sort, open_set=False)
        tops[sort] = None if found is None else found.top
    assert (tops["choice/quantities"], tops["choice"]) == (0, 1)
    assert tops["choice/unseen"] is not None, "an unseen variety counts as an average one"
    assert tops["number"] is None
