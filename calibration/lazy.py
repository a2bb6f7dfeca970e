"""The lazy panel: whom to ask first, how many at least, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.frozen import Frozen


class LazyPlan(Frozen):
    """Order and stopping rule of a panel.

    order      model names, the one worth asking first first.
    min_calls  members asked before anything may stop.
    accept     confidence from which an early answer stands: stop.
    hopeless   hopeless[k]: with k + 1 members asked, a confidence below this will not reach an accept: stop.
    """

    order: tuple[str, ...]
    min_calls: int
    accept: float
    hopeless: tuple[float, ...]

    def wants_more(self, confidence: float | None, asked: int, *, threshold: float | None = None) -> bool:
        """Whether another member is worth its price after ``asked`` members were heard.

        ``threshold`` is the confidence that the request's certificate accepts from, where it has one. Without a
        confidence there is nothing to stop on.
        """
        if asked >= len(self.order):
            return False
        if asked < self.min_calls or confidence is None:
            return True
        bar = self.accept if threshold is None else max(threshold, self.accept)
        floor = self.hopeless[asked - 1] if asked <= len(self.hopeless) else 0.0
        return floor <= confidence < bar


def restricted(plan: LazyPlan, models: Sequence[str]) -> LazyPlan | None:
    """The plan for the panel ``models``; ``None`` where the panel has a member that the plan does not know."""
    if not set(models) <= set(plan.order):
        return None
    order = tuple(name for name in plan.order if name in set(models))
    return plan.model_copy(update={"order": order, "min_calls": min(plan.min_calls, len(order))})
