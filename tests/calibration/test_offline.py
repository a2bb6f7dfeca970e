"""Fit and certify on one file: what fits never certifies, and the certificate binds the fit."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from calibration import campaign, certificates
from calibration.offline import fit_and_certify
from calibration.sampling import drawn
from calibration.trials import FIT_SHARE
from tests.calibration.tables import independent, table

AT = datetime(2026, 5, 1, tzinfo=UTC)
GOOD = (0.95, 0.9, 0.85, 0.85)


def test_a_good_panel_is_certified_on_the_labels_that_were_held_back() -> None:
    ballots = independent(1500, GOOD)
    found = fit_and_certify(ballots, cls="default", alpha=0.1, delta=0.05, fitted_at=AT)
    assert found is not None
    snapshot, end = found
    fits = sum(drawn("fit or certify", "", name, FIT_SHARE) for name in ballots.ids)
    assert snapshot.labels == fits
    assert end.progress.used <= 1500 - fits
    certificate = snapshot.certificate("default")
    assert certificate == end.certificate
    assert certificate is not None
    assert (certificate.n, certificate.alpha) == (end.progress.n, 0.1)
    assert end.progress.regions >= 1
    assert certificate.delta == certificates.shared(0.05)


def test_guesses_are_not_certified() -> None:
    """Members that know nothing: no threshold is safe, and no number of labels would make one."""
    rng = np.random.default_rng(0)
    ballots = table(rng.integers(0, 4, (900, 3)), rng.integers(0, 4, 900))
    found = fit_and_certify(ballots, cls="default", alpha=0.1, delta=0.05, fitted_at=AT)
    assert found is not None
    snapshot, end = found
    assert (snapshot.certificates, end.certificate, end.would_do) == ((), None, None)


def test_too_few_labels_are_no_fit() -> None:
    assert fit_and_certify(independent(40, GOOD), cls="c", alpha=0.1, delta=0.05, fitted_at=AT) is None


def test_the_walk_is_that_of_a_campaign() -> None:
    """The end of the offline walk is what a campaign with the same labels concludes, label by label."""
    found = fit_and_certify(independent(800, GOOD), cls="default", alpha=0.15, delta=0.05, fitted_at=AT)
    assert found is not None
    snapshot, end = found
    assert end.certificate is not None
    bare = campaign.frozen(snapshot, "default")
    assert bare.certificates == ()
    assert bare.basis == end.certificate.snapshot_version
