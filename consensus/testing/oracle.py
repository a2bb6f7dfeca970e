"""One offline checker over everything that a run left behind: every invariant that is broken, by name."""

from __future__ import annotations

from consensus.settings import Settings
from consensus.testing import chained, endings, paid, quorum, together, versions
from consensus.testing.evidence import Evidence
from consensus.testing.run import Allowed, Violation, reconstruct

RULES = (endings, versions, together, quorum, paid, chained)
"""I1 to I6, in this order."""


def violations(evidence: Evidence, settings: Settings, allowed: Allowed | None = None) -> list[Violation]:
    """What is wrong with a run that has come to rest; empty when all invariants hold.

    ``allowed``: what the fault that was injected excuses; by default nothing.
    """
    run = reconstruct(evidence, settings, allowed or Allowed())
    return [violation for rule in RULES for violation in rule.check(run)]
