"""Small tables of ballots, and simulated ones whose truth is known in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.ballots import Ballots, NoVote

ABSTAINED, FAILED, NOT_ASKED = int(NoVote.ABSTAINED), int(NoVote.FAILED), int(NoVote.NOT_ASKED)


def table(
    votes: Sequence[Sequence[int]] | NDArray[Any],
    truth: Sequence[int] | NDArray[Any],
    *,
    candidates: int | Sequence[int] = 4,
    domains: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    open_set: bool = False,
    confidence: NDArray[np.float64] | None = None,
    sources: tuple[tuple[str, str, str], ...] = (),
    source: NDArray[np.int64] | None = None,
    right: NDArray[np.bool_] | None = None,
) -> Ballots:
    """Ballots of models m0, m1, … on questions q00000, q00001, …"""
    cast = np.array(votes, dtype=np.int64)
    n, m = cast.shape
    return Ballots(
        models=tuple(f"m{j}" for j in range(m)),
        families=tuple(f"f{j}" for j in range(m)),
        domains=tuple(domains) if domains is not None else ("law",) * n,
        answer_types=tuple(types) if types is not None else ("text" if open_set else "choice",) * n,
        ids=tuple(f"q{i:05d}" for i in range(n)),
        votes=cast,
        candidates=np.broadcast_to(np.array(candidates, dtype=np.int64), (n,)).copy(),
        open_set=np.full(n, open_set),
        truth=np.array(truth, dtype=np.int64),
        confidence=np.full((n, m), np.nan) if confidence is None else confidence,
        sources=sources,
        source=source,
        right=right,
    )


def independent(n: int, accuracies: Sequence[float], options: int = 4, seed: int = 0) -> Ballots:
    """Members that err independently, their errors falling on any other option alike."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, options, n)
    columns = [_member(rng, truth, accuracy, options) for accuracy in accuracies]
    return table(np.stack(columns, axis=1), truth, candidates=options)


def copied(n: int, accuracy: float, copies: int, options: int = 4, seed: int = 0) -> Ballots:
    """One member under several names."""
    one = independent(n, [accuracy], options, seed)
    return table(np.repeat(one.votes, copies, axis=1), one.truth, candidates=options)


def bayes(votes: Sequence[int], accuracies: Sequence[float], options: int) -> NDArray[np.float64]:
    """Float (options,): the true posterior of a ballot of `independent` members."""
    logs = np.zeros(options)
    for vote, accuracy in zip(votes, accuracies, strict=True):
        if vote >= 0:
            logs[vote] += np.log(accuracy * (options - 1) / (1 - accuracy))
    powers = np.exp(logs - logs.max())
    return np.asarray(powers / powers.sum())


def _member(rng: np.random.Generator, truth: NDArray[np.int64], accuracy: float, options: int) -> NDArray[np.int64]:
    wrong = (truth + rng.integers(1, options, len(truth))) % options
    return np.where(rng.random(len(truth)) < accuracy, truth, wrong)
