"""Ballot and snapshot → posterior over candidates. Without a snapshot: equal votes, and no probability at all."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from calibration.ballots import NoVote
from calibration.snapshot import Snapshot
from consensus.agreement import Agreement
from consensus.ballot import Ballot
from consensus.types import AnswerSpec, BallotEntry, ChoiceSpec, LabelKind

TIE = 1e-9
"""Two candidates closer than this are tied: the order of options must not decide."""


MOST_CHARACTERS = 80
"""Of a quantity: what is longer is prose with numbers in it."""

MOST_LETTERS = 6
"""Letters of a quantity however short it is: the unit."""


_DIGIT, _LETTER = re.compile(r"\d"), re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Posterior:
    """What the ballot says about each candidate.

    probabilities  one per candidate, for open answers one more ("none of these"); ``None`` until something is fitted.
    top            leading candidate; ``None`` on a tie, without opinions, or when "none of these" leads.
    confidence     calibrated probability that ``top`` is right; ``None`` until fitted.
    labels         number of labelled requests the numbers rest on.
    domain_known   whether the snapshot has seen the request's domain.
    fault          code of a numerical fault that made the fitted numbers unusable, else ``None``.
    """

    probabilities: tuple[float, ...] | None
    top: int | None
    confidence: float | None
    labels: int
    domain_known: bool
    fault: str | None = None


def aggregate(
    ballot: Ballot, agreement: Agreement, snapshot: Snapshot | None, *, domain: str, answer_type: str
) -> Posterior:
    """Posterior of a ballot. A snapshot that cannot speak about it, or speaks NaN, leaves equal votes (I8)."""
    if snapshot is None or not agreement.opinions:
        return _unfitted(agreement)
    fitted = snapshot.posterior(
        [entry.model for entry in ballot.entries],
        [vote(entry) for entry in ballot.entries],
        len(ballot.candidates),
        domain=domain,
        answer_type=answer_type,
        open_set=ballot.open_set,
    )
    if fitted is None:
        return _unfitted(agreement)
    probabilities: list[float] = fitted.probabilities.tolist()
    if not math.isfinite(sum(probabilities)) or min(probabilities) < -TIE or max(probabilities) > 1 + TIE:
        return _unfitted(agreement, "posterior_not_finite")
    top = _leader(probabilities, len(ballot.candidates))
    confidence = fitted.confidence if top is not None else None
    if confidence is not None and not 0 <= confidence <= 1:
        return _unfitted(agreement, "confidence_out_of_range")
    clipped = tuple(0.0 if p < 0.0 else 1.0 if p > 1.0 else p for p in probabilities)
    return Posterior(clipped, top, confidence, fitted.labels, fitted.domain_known)


def _unfitted(agreement: Agreement, fault: str | None = None) -> Posterior:
    return Posterior(None, agreement.top, None, 0, domain_known=False, fault=fault)


def stratum(spec: AnswerSpec) -> str:
    """The sort of answer that figures are kept by: the type; ``choice/quantities`` where most options are quantities.

    Some models are better at calculating than at the rest, whatever the domain.
    """
    if not isinstance(spec, ChoiceSpec):
        return spec.type
    quantities = [option for option in spec.options if _is_quantity(option.text)]
    return "choice/quantities" if 2 * len(quantities) > len(spec.options) else "choice"


def _is_quantity(text: str) -> bool:
    """Whether an option is a number with at most a unit or a formula around it: short, with digits, and few letters."""
    if len(text) > MOST_CHARACTERS or _DIGIT.search(text) is None:
        return False
    return len(_LETTER.findall(text)) <= max(MOST_LETTERS, len(text) // 2)


def vote(entry: BallotEntry) -> int:
    """The entry as a column of `calibration.ballots.Ballots`: candidate index or NoVote code."""
    if (cluster := entry.cluster) is not None:
        return cluster
    if entry.label_kind is LabelKind.ANSWER:  # quarantined
        return int(NoVote.INVALID)
    return int(NoVote[entry.label_kind.name])


def _leader(probabilities: list[float], candidates: int) -> int | None:
    ranked = sorted(probabilities, reverse=True)
    if len(ranked) > 1 and ranked[0] - ranked[1] <= TIE:
        return None
    top = probabilities.index(ranked[0])
    return top if top < candidates else None
