"""Penalised likelihood of a softmax over the rows of a `Design`, and its maximum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from calibration.aggregators.design import Design
from calibration.tally import Floats

_STOP = {"maxiter": 500, "ftol": 1e-8}


class Likelihood:
    """Penalised negative log likelihood in nats and its gradient, as a function of p parameters.

    The rows of ``design`` score ``offset + matrix @ theta`` (offset float (r,), matrix (r, p)); candidates without
    votes score 0. A ballot's likelihood is that of any of its right rows; the penalty is Σ penalty · theta² / 2.
    """

    def __init__(self, design: Design, matrix: csr_matrix, offset: Floats, penalty: Floats) -> None:
        self._design = design
        self._matrix = matrix
        self._transposed = matrix.T.tocsr()
        self._offset = offset
        self._penalty = penalty
        self._right = design.right.astype(float)
        self._idle = design.unvoted > 0
        answers = np.bincount(design.ballot, weights=self._right, minlength=len(design.start))
        self._answered = answers > 0

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        design = self._design
        scores = self._offset + self._matrix @ theta
        # The largest score of a ballot counts the 0 of candidates without votes, so that no power overflows.
        highest = np.maximum.reduceat(scores, design.start)
        top = np.where(self._idle, np.maximum(highest, 0.0), highest)
        zero = np.exp(-np.where(self._idle, top, 0.0)) * self._idle
        powers = np.exp(scores - top[design.ballot])
        total = np.add.reduceat(powers, design.start) + design.unvoted * zero
        right = powers * self._right
        # Nobody chose the right one of a closed question: its probability is that of one candidate that scores 0.
        hit = np.where(self._answered, np.add.reduceat(right, design.start), zero)
        residual = powers / total[design.ballot] - right / hit[design.ballot]
        slope = self._transposed @ residual + self._penalty * theta
        return float((np.log(total) - np.log(hit)).sum() + 0.5 * (self._penalty * theta**2).sum()), slope

    def minimum(self, bounds: Sequence[tuple[float | None, float | None]] | None = None) -> Floats:
        """The parameters (p,) of least loss, from a start at 0; zeros where there are no rows to learn from."""
        start = np.zeros(len(self._penalty))
        if not len(self._design.ballot):
            return start
        return np.asarray(minimize(self, start, jac=True, method="L-BFGS-B", bounds=bounds, options=_STOP).x)
