"""Audits of accepted answers against plan: how many a class has, needs, and when it will have them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

NEEDED = 130
"""Audited accepts from which stated confidence and truth differ by less than 2 points; 70 leave 2.4, 30 hardly help."""

SETTLED = timedelta(days=7)
"""A class that accepts for less long is not behind any plan yet."""


@dataclass(frozen=True)
class AuditPlan:
    """Audits of one class.

    audits    accepted answers that were drawn and have a blind label; ``waiting`` are drawn and have none yet.
    needed    audits that calibration needs.
    per_day   draws among accepted answers a day; ``None`` with fewer than two draws.
    due       when the needed number will be there at this pace; ``None`` where it is there, or no pace is known.
    behind    accepting for a week and still below plan.
    """

    cls: str
    audits: int
    waiting: int
    needed: int
    per_day: float | None
    due: datetime | None
    behind: bool

    def tree(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "class": self.cls,
            "audits": self.audits,
            "waiting": self.waiting,
            "needed": self.needed,
            "per_day": self.per_day,
            "due": None if self.due is None else self.due.isoformat(),
            "behind": self.behind,
        }


def plan_of(cls: str, drawn: Sequence[tuple[datetime, bool]], now: datetime, needed: int = NEEDED) -> AuditPlan:
    """The plan of a class from its drawn accepted answers: when each was decided, and whether it has a label.

    The pace is that of the draws from the first one to ``now``: labels follow them by their horizon.
    """
    audits = sum(labelled for _, labelled in drawn)
    first = min((decided for decided, _ in drawn), default=now)
    days = (now - first) / timedelta(days=1)
    per_day = len(drawn) / days if len(drawn) > 1 and days > 0 else None
    lacking = max(0, needed - audits)
    due = None if per_day is None or not lacking else now + timedelta(days=max(0, needed - len(drawn)) / per_day)
    return AuditPlan(
        cls=cls,
        audits=audits,
        waiting=len(drawn) - audits,
        needed=needed,
        per_day=per_day,
        due=due,
        behind=lacking > 0 and now - first >= SETTLED,
    )
