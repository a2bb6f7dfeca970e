"""Certified acceptance: which answers may be accepted with error ≤ α, with probability ≥ 1 − δ, and on what evidence.

The growing region: audit only requests that would be accepted, begin with the surest, and enlarge the region each time
its error is shown to be below α, keeping every label that lies inside. Given the fit, the errors of a region in archive
order are independent, and the path of regions is fixed; a false certificate therefore has to certify the first region
whose rate is above α, and that one crosses its boundary with probability at most δ, by coupling, however its labels
came to be known. This is fixed-sequence testing (Angelopoulos et al. 2021, "Learn then Test", arXiv:2110.01052) with
a sequential test for each region; nothing is assumed about how risk changes with the score.

What breaks it: traffic unlike the archive; changing budget, order, start or boundary after looking; skipping or sorting
items; a score fitted with the same cycle's audits; reading the bound of a class as one of each of its domains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import bdtr, bdtrc

from calibration import boundaries
from calibration.frozen import Frozen
from calibration.tally import Floats, Ints

METHODS = ("growing_region", "growing_region_e_process", "split_fixed_sequence")

_NEVER = 1e6
"""More than any promise: √items of an archive is far below."""

_BUDGETS = (1.0, 0.8, 0.6, 0.45, 0.3, 0.2)
"""Parts of the labels that are tried as a campaign's budget."""

_SHARES = tuple(share / 100 for share in range(2, 91))
"""Regions: the surest 2 %, 3 %, … 90 % of the archive."""


class Campaign(Frozen):
    """What is fixed before the first audit. Its JSON is what is stored and hashed; nothing in it changes afterwards.

    thresholds  confidences from which each region accepts, from the smallest region to the largest.
    start       the region that is tried first.
    budget      labels that may be used at most.
    """

    alpha: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)
    budget: int = Field(ge=1)
    method: Literal["growing_region", "growing_region_e_process"] = "growing_region"
    thresholds: tuple[float, ...]
    start: int = Field(ge=0)

    @property
    def boundary(self) -> tuple[int, ...]:
        """Errors that still certify, by audits; computed once per (budget, α, δ) and kept."""
        make = boundaries.exact if self.method == "growing_region" else boundaries.mixture
        return make(self.budget, self.alpha, self.delta)


class Progress(Frozen):
    """Where a campaign stands.

    threshold   confidence from which the largest certified region accepts; ``None``: no safe threshold so far.
    regions     regions certified so far; ``n`` and ``errors`` are the audits and errors of the last certified one.
    tried       labels known in the region under test, of which ``tried_errors`` are errors; 0 after the last region.
    used        labels used, of the budget.
    needs       archive position of the item to be labelled next; ``None`` once finished.
    finished    no label can change the outcome any more: budget spent, archive exhausted, or all regions certified.
    """

    threshold: float | None
    regions: int
    n: int
    errors: int
    tried: int
    tried_errors: int
    used: int
    needs: int | None
    finished: bool


def plan(scores: Floats, *, alpha: float, delta: float, budget: int, method: str = "growing_region") -> Campaign:
    """A campaign over an archive of confidences, float (n,), in an order fixed without looking at labels.

    The start is the region with the largest (α − predicted error) · √share, predicted by the confidences themselves,
    among those that would then cross the boundary before the archive has no more items of theirs; where none would,
    the one that comes nearest. Answers that could never be accepted have confidence 0. Raises ValueError on an empty
    archive.
    """
    if not len(scores):
        raise ValueError("a campaign needs an archive")
    ordered = np.sort(scores)[::-1]
    at = np.unique(np.maximum((np.array(_SHARES) * len(ordered)).astype(int), 1)) - 1
    thresholds = np.unique(ordered[at])[::-1]
    thresholds = thresholds[thresholds > 0]
    draft = Campaign.model_validate({
        "alpha": alpha, "delta": delta, "budget": budget, "method": method,
        "thresholds": tuple(thresholds.tolist()), "start": 0,
    })  # fmt: skip
    boundary = np.array(draft.boundary, dtype=float)
    promise = [_promise(ordered[ordered >= threshold], alpha, boundary) for threshold in thresholds.tolist()]
    return draft.model_copy(update={"start": int(np.argmax(promise)) if promise else 0})


def useful_budget(scores: Floats, *, alpha: float, delta: float, most: int) -> int:
    """The budget, at most ``most`` labels, whose boundary promises the largest region by the confidences alone.

    A boundary for more audits than the regions of an archive hold is never reached; of a large one it is ``most``.
    """
    best, reached = most, 0
    for share in _BUDGETS:
        budget = round(share * most)
        if budget < boundaries.FIRST_LOOK:
            break
        promised = _promised(plan(scores, alpha=alpha, delta=delta, budget=budget), scores)
        if promised > reached:
            best, reached = budget, promised
    return best


def _promised(campaign: Campaign, scores: Floats) -> int:
    """Items of the largest region that is certified if every region errs as its confidences say."""
    boundary = np.array(campaign.boundary, dtype=float)
    items = 0
    for threshold in campaign.thresholds[campaign.start :]:
        inside = scores[scores >= threshold]
        if _nearest(inside, boundary) < 0:
            break
        items = len(inside)
    return items


def walk(campaign: Campaign, scores: Floats, wrong: Floats) -> Progress:
    """Advance a campaign as far as the labels go: the same labels always give the same progress.

    ``scores`` float (n,) are the archive's confidences in its order, ``wrong`` float (n,) is 1 for an error (a refused
    or missing label at its horizon is one), 0 for a right answer, NaN where no label is known yet.
    """
    stand = _stand(campaign, scores, wrong)
    tested = wrong[stand.items[: stand.known]]
    needs = int(stand.items[stand.known]) if stand.known < len(stand.items) else None
    return Progress(
        threshold=stand.last.threshold, regions=stand.region - campaign.start, n=stand.last.n, errors=stand.last.errors,
        tried=len(tested), tried_errors=int(tested.sum()), used=int(stand.labelled.sum()),
        needs=needs, finished=needs is None,
    )  # fmt: skip


def ahead(campaign: Campaign, scores: Floats, wrong: Floats, most: int) -> list[int]:
    """The next positions that need a label, ``most`` of them, in the order of the walk.

    Where the region under test is certified before the last of them, the rest is needed by the next region, which holds
    it; so a few people may work side by side and hardly a label is spent in vain.
    """
    stand = _stand(campaign, scores, wrong)
    waiting = stand.items[stand.known :]
    return [int(position) for position in waiting[np.isnan(wrong[waiting])][:most]]


def expected_to_go(campaign: Campaign, scores: Floats, wrong: Floats) -> int | None:
    """Labels until the region under test is probably certified, if it errs as often as its confidences say.

    ``None`` where the budget is probably spent before, or nothing is left to be tested.
    """
    stand = _stand(campaign, scores, wrong)
    if stand.known >= len(stand.items):
        return None
    rate = float(1.0 - scores[stand.items].mean())
    m = np.arange(stand.known + 1, len(stand.items) + 1)
    errors = wrong[stand.items[: stand.known]].sum() + rate * (m - stand.known)
    crossed = np.flatnonzero(errors <= np.array(campaign.boundary, dtype=float)[m - 1])
    if not len(crossed):
        return None
    return int(np.isnan(wrong[stand.items[: m[crossed[0]]]]).sum())


def split_fixed_sequence(scores: Floats, wrong: Floats, *, alpha: float, delta: float) -> float | None:
    """The plain baseline: the lowest threshold certified on a random labelled sample, ``None`` when there is none.

    Thresholds are the regions of `plan` from its start on, each tested once by the exact binomial tail at level
    ``delta`` until the first failure. The sample must not have been fitted on.
    """
    found: float | None = None
    campaign = plan(scores, alpha=alpha, delta=delta, budget=len(scores))
    for threshold in campaign.thresholds[campaign.start :]:
        accepted = scores >= threshold
        if bdtr(int(wrong[accepted].sum()), int(accepted.sum()), alpha) > delta:
            break
        found = threshold
    return found


def labels_needed(scores: Floats, *, alpha: float, delta: float) -> int | None:
    """Labels that would probably certify something, by the confidences of an archive; ``None``: no number would.

    The boundary ends near α n − z √(α (1 − α) n) with z the normal quantile of δ, a little more for the many looks; an
    error rate r below α is certified once that exceeds r n.
    """
    ordered = np.sort(scores[scores > 0])[::-1]
    if not len(ordered):
        return None
    predicted = np.cumsum(1.0 - ordered) / np.arange(1, len(ordered) + 1)
    share = np.arange(1, len(ordered) + 1) / len(scores)
    gap = float(np.max(np.where(share >= _SHARES[0], alpha - predicted, -1.0)))
    if gap <= 0:
        return None
    z = math.sqrt(-2.0 * math.log(delta)) * 0.9
    return max(boundaries.FIRST_LOOK, math.ceil(z * z * alpha * (1 - alpha) / gap**2))


def shared(delta: float, *, classes: int = 1, levels: int = 1, cycle: int = 1) -> float:
    """The δ of one campaign where ``delta`` is promised for all classes, α levels and cycles (1, 2, …) together.

    Classes and levels share alike; cycle c gets 6 / (π² c²) of it, which over all cycles sums to one.
    """
    if min(classes, levels, cycle) < 1:
        raise ValueError("classes, levels and cycle count from 1")
    return delta / (classes * levels) * 6.0 / (math.pi**2 * cycle**2)


def excluded(audits: Mapping[str, tuple[int, int]], *, alpha: float, delta: float) -> tuple[str, ...]:
    """Domains whose audited error is above ``alpha`` with confidence: they leave the class, or it would hide them.

    ``audits``: domain → (audits, errors). Exact binomial test at ``delta`` shared among the domains.
    """
    level = delta / max(len(audits), 1)
    return tuple(
        domain
        for domain, (n, errors) in sorted(audits.items())
        if n and errors and bdtrc(errors - 1, n, alpha) <= level
    )


class _Last(NamedTuple):
    """The last certified region: its threshold, and the audits and errors that certified it."""

    threshold: float | None
    n: int
    errors: int


class _Stand(NamedTuple):
    """How far a walk has come: the region under test, its affordable items, how many are known from the first on.

    ``labelled``: bool (n,), the items whose labels were used. After the last region ``items`` is empty.
    """

    last: _Last
    region: int
    labelled: NDArray[np.bool_]
    items: Ints
    known: int


def _stand(campaign: Campaign, scores: Floats, wrong: Floats) -> _Stand:
    labelled = np.zeros(len(scores), dtype=np.bool_)
    last = _Last(None, 0, 0)
    for region in range(campaign.start, len(campaign.thresholds)):
        threshold = campaign.thresholds[region]
        items = _affordable(np.flatnonzero(scores >= threshold), labelled, campaign.budget)
        known, crossing = _test(wrong[items], campaign.boundary)
        labelled[items[: known if crossing is None else crossing]] = True
        if crossing is None:
            return _Stand(last, region, labelled, items, known)
        last = _Last(threshold, crossing, int(wrong[items[:crossing]].sum()))
    return _Stand(last, len(campaign.thresholds), labelled, np.empty(0, dtype=np.int64), 0)


def _affordable(items: Ints, labelled: NDArray[np.bool_], budget: int) -> Ints:
    """The leading items of a region whose new labels fit the budget, with those that were labelled before."""
    spent = int(labelled.sum()) + np.cumsum(~labelled[items])
    return items[: int(np.searchsorted(spent, budget, side="right"))]


def _test(wrong: Floats, boundary: tuple[int, ...]) -> tuple[int, int | None]:
    """How many of the items are known from the first on, and after how many of them the boundary is crossed."""
    unknown = np.flatnonzero(np.isnan(wrong))
    known = int(unknown[0]) if len(unknown) else len(wrong)
    crossed = np.flatnonzero(np.cumsum(wrong[:known]) <= np.array(boundary[:known], dtype=float))
    return known, int(crossed[0]) + 1 if len(crossed) else None


def _promise(inside: Floats, alpha: float, boundary: Floats) -> float:
    """(α − predicted error) · √items of a region that has items enough to cross the boundary by its predicted errors.

    Where it has not: how near it comes in standard deviations, below every promise.
    """
    nearest = _nearest(inside, boundary)
    return (alpha - float(1.0 - inside.mean())) * math.sqrt(len(inside)) if nearest >= 0 else nearest - _NEVER


def _nearest(inside: Floats, boundary: Floats) -> float:
    """The largest distance below the boundary, in errors / √audits, if the items err as their confidences say."""
    m = 1 + np.flatnonzero(boundary[: len(inside)] >= 0)
    if not len(m):
        return -_NEVER
    return float(np.max((boundary[m - 1] - float(1.0 - inside.mean()) * m) / np.sqrt(m)))
