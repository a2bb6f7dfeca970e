"""I4: too few models or families is degraded and never accepted; slow and failed members stay on the ballot."""

from __future__ import annotations

from collections.abc import Iterator

from consensus.policy import PanelPolicy
from consensus.testing.run import Given, Key, Run, Violation, place
from consensus.types import LabelKind, Status, Verdict

AUTOMATIC = frozenset({Status.ACCEPTED, Status.ARBITRATED})


def check(run: Run) -> Iterator[Violation]:
    """Verdicts whose ballot does not bear their status, or does not name everybody."""
    panels: dict[Key, PanelPolicy] = {}
    for asked in run.living:
        if asked.key is not None and asked.case is not None:
            panels[asked.key] = asked.case.panel
    for given in run.given:
        panel = panels.get(given.key)
        if panel is not None:
            yield from _ballot(given, panel)


def _ballot(given: Given, panel: PanelPolicy) -> Iterator[Violation]:
    verdict, where = given.verdict, place(given.record)
    if {entry.model for entry in verdict.ballot} != set(panel.models):
        yield Violation("I4", where, "the ballot is not that of the whole panel")
    if too_few(verdict, panel) and not verdict.degraded:
        yield Violation("I4", where, "is below the quorum and not marked degraded")
    if (verdict.degraded or too_few(verdict, panel)) and verdict.status in AUTOMATIC:
        yield Violation("I4", where, f"is below the quorum and yet {verdict.status}")
    for entry in verdict.ballot:
        heard = entry.label_kind not in (LabelKind.FAILED, LabelKind.CANCELLED, LabelKind.NOT_ASKED)
        if entry.failure is not None and heard:
            yield Violation("I4", where, f"{entry.model} failed and counts as {entry.label_kind}")


def too_few(verdict: Verdict, panel: PanelPolicy) -> bool:
    """Whether fewer models or families than the panel needs gave an answer; one model under two names is one."""
    voices = {(e.family, e.model_version or e.model) for e in verdict.ballot if e.label_kind is LabelKind.ANSWER}
    return len(voices) < panel.quorum or len({family for family, _ in voices}) < panel.min_families
