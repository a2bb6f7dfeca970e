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
    unfitted = Posterior(None, agreement.top, None, 0, domain_known=False)
    if snapshot is None or not agreement.opinions:
        return unfitted
    fitted = snapshot.posterior(
        [entry.model for entry in ballot.entries],
        [vote(entry) for entry in ballot.entries],
        len(ballot.candidates),
        domain=domain,
        answer_type=answer_type,
        open_set=ballot.open_set,
    )
    if fitted is None:
        return unfitted
    probabilities = tuple(float(p) for p in fitted.probabilities)
    if not all(math.isfinite(p) and -TIE <= p <= 1 + TIE for p in probabilities):
        return Posterior(None, agreement.top, None, 0, domain_known=False, fault="posterior_not_finite")
    top = _leader(probabilities, len(ballot.candidates))
    confidence = fitted.confidence if top is not None else None
    if confidence is not None and not 0 <= confidence <= 1:
        return Posterior(None, agreement.top, None, 0, domain_known=False, fault="confidence_out_of_range")
    clipped = tuple(min(max(p, 0.0), 1.0) for p in probabilities)
    return Posterior(clipped, top, confidence, fitted.labels, fitted.domain_known)


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
    if entry.cluster is not None:
        return entry.cluster
    if entry.label_kind is LabelKind.ANSWER:  # quarantined
        return int(NoVote.INVALID)
    return int(NoVote[entry.label_kind.name])


def _leader(probabilities: tuple[float, ...], candidates: int) -> int | None:
    order = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])
    if len(order) > 1 and probabilities[order[0]] - probabilities[order[1]] <= TIE:
        return None
    return order[0] if order[0] < candidates else None
