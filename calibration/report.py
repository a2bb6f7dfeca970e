"""An evaluation as one HTML page: no scripts, nothing fetched, readable offline and in an archive."""

from __future__ import annotations

import html as markup
from typing import TYPE_CHECKING, Any

from calibration.figures import Figures
from calibration.page import page, section, table
from calibration.svg import Axis, Line, chart, heat_map

if TYPE_CHECKING:
    from calibration.evaluate import Evaluation


def html(evaluation: Evaluation) -> str:
    """The page. Every name and text that comes from data is escaped."""
    metrics, figures = evaluation.metrics, evaluation.figures
    parts = [
        _summary(metrics),
        _methods(metrics),
        section("Reliability", "Stated confidence against the share that was right; on the line is honest.",
                 _reliability(figures)),
        section("Risk and coverage", "Error among the surest answers as more of them are taken.",
                 _risk(figures, metrics["consensus"])),
        section("Errors together", "Correlation of wrong answers; 0 is independent, 1 is one opinion twice.",
                 heat_map(figures.models, _cells(figures))),
        section("Cost", "Calls per question against the error of what is accepted: the lazy panel beside asking the "
                         "first members of everything. Dashed: the 2 to 4 calls that a panel is expected to cost.",
                 _costs(figures, metrics)),
        section("Learning", "Accuracy and calibration error as labels grow, on the same test questions.",
                 _learning(figures)),
        section("Agreement", "Accuracy by the share of opinions that the largest group has.", _agreement(figures)),
        section("Domains", "", _domains(metrics)),
        _certificates(metrics),
    ]  # fmt: skip
    return page("Evaluation of a panel", parts)


def _summary(metrics: dict[str, Any]) -> str:
    single, majority = metrics["paired"]["over_best_single"], metrics["paired"]["over_majority"]
    lazy, votes = metrics["lazy"], metrics["effective_votes"]
    size = len(metrics["panel"])
    facts = [
        f"Panel: {', '.join(metrics['panel'])}.",
        f"Fitted on {metrics['n_labels']} labelled questions and scored on {metrics['n_test']} others, "
        f"{metrics['repeats']} times (seed {metrics['seed']}).",
        f"Consensus over the best single model: {_points(single)}; over the majority: {_points(majority)}.",
        f"The panel's {size} votes are worth {'–' if votes is None else f'{votes:.2f}'} independent ones.",
        f"Asked lazily: {lazy['calls_mean']:.2f} of {size} calls, {lazy['coverage']:.1%} accepted with an error of "
        f"{lazy['error']:.1%} (full panel: {lazy['full_coverage']:.1%} with {lazy['full_error']:.1%}).",
        f"It costs {metrics['cost_multiple']:.2f} times the best single model; asking everybody costs {size} times "
        "where all prices are equal.",
    ]
    items = "".join(f"<li>{markup.escape(fact)}</li>" for fact in facts)
    return f"<h1>Evaluation of a panel</h1><ul>{items}</ul>"


def _points(paired: dict[str, Any]) -> str:
    low, high = paired["ci"]
    return f"{100 * paired['mean']:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"


def _methods(metrics: dict[str, Any]) -> str:
    header = ("method", "accuracy", "95 %", "log loss", "Brier", "ECE", "AURC")
    rows = [
        (
            name, f"{one['accuracy']:.3f}", f"{one['accuracy_ci'][0]:.3f} – {one['accuracy_ci'][1]:.3f}",
            f"{one['log_loss']:.3f}", f"{one['brier']:.3f}", f"{one['ece']:.3f}", f"{one['aurc']:.3f}",
        )
        for name, one in sorted(metrics["methods"].items(), key=lambda item: -item[1]["accuracy"])
    ]  # fmt: skip
    return section("Methods", "A tie scores one in k. Log loss, Brier and ECE are of the stated confidence.",
                    table(header, rows, chosen=metrics["consensus"]))  # fmt: skip


def _domains(metrics: dict[str, Any]) -> str:
    header = ("domain", "questions", "consensus", "95 %", "confidence", "best single", "majority")
    rows = [
        (
            name, str(one["n"]), f"{one['accuracy']:.3f}", f"{one['accuracy_ci'][0]:.3f} – {one['accuracy_ci'][1]:.3f}",
            f"{one['confidence']:.3f}", f"{one['best_single']:.3f}", f"{one['majority']:.3f}",
        )
        for name, one in metrics["by_domain"].items()
    ]  # fmt: skip
    return table(header, rows)


def _certificates(metrics: dict[str, Any]) -> str:
    if not metrics["certificates"]:
        return ""
    header = ("α", "δ", "labels", "method", "feasible", "coverage", "test error", "violations")
    rows = [
        (
            f"{one['alpha']:g}", f"{one['delta']:g}", str(one["n_labels"]), str(one["method"]),
            f"{one['feasible_rate']:.2f}", f"{one['coverage']:.2f}",
            "–" if one["test_error"] is None else f"{one['test_error']:.3f}", f"{one['violation_rate']:.3f}",
        )
        for one in metrics["certificates"]
    ]  # fmt: skip
    return section("Certificates", "Share of repeats in which a threshold could be certified, and what it covers.",
                    table(header, rows))  # fmt: skip


def _reliability(figures: Figures) -> str:
    points = [(confidence, right) for confidence, right, _ in figures.reliability]
    lines = [Line("bins of equal size", points, dots=True), Line("honest", [(0, 0), (1, 1)], dashed=True)]
    return chart(lines, Axis("confidence", 0, 1), Axis("share right", 0, 1))


def _risk(figures: Figures, consensus: str) -> str:
    shown = [name for name in (consensus, "best_single", "majority", "most_confident") if name in figures.risk]
    highest = max(error for name in shown for _, error in figures.risk[name])
    lines = [Line(name, figures.risk[name]) for name in shown]
    return chart(lines, Axis("coverage", 0, 1), Axis("error", 0, max(highest, 0.01) * 1.2))


def _cells(figures: Figures) -> list[list[float | None]]:
    return [[None if value != value else value for value in row] for row in figures.correlation.tolist()]


def _costs(figures: Figures, metrics: dict[str, Any]) -> str:
    first = [(calls, error) for calls, _, error in figures.costs]
    lazy = [(metrics["lazy"]["calls_mean"], metrics["lazy"]["error"])]
    highest = max([error for _, error in first] + [lazy[0][1], 0.01])
    top = highest * 1.3
    lines = [
        Line("first k members", first),
        Line("lazy panel", lazy, dots=True),
        *(Line(f"{calls} × one call", [(calls, 0), (calls, top)], dashed=True) for calls in (2, 4)),
    ]
    return chart(lines, Axis("calls per question", 0, max(len(metrics["panel"]), 4)), Axis("error", 0, top))


def _learning(figures: Figures) -> str:
    sizes = [labels for labels, *_ in figures.learning]
    accuracy = [(labels, right) for labels, right, _, _ in figures.learning]
    error = [(labels, value) for labels, _, _, value in figures.learning]
    x = Axis("labels", min(sizes), max(*sizes, min(sizes) + 1), log=True)
    low, high = min(value for _, value in accuracy), max(value for _, value in accuracy)
    worst = max(value for _, value in error)
    return chart([Line("accuracy", accuracy)], x, Axis("accuracy", low - 0.02, high + 0.02)) + chart(
        [Line("ECE", error)], x, Axis("ECE", 0, max(worst, 0.01) * 1.3)
    )


def _agreement(figures: Figures) -> str:
    right = [(share, accuracy) for share, _, accuracy, _ in figures.agreement]
    sure = [(share, confidence) for share, _, _, confidence in figures.agreement]
    lines = [Line("share right", right, dots=True), Line("confidence", sure)]
    return chart(lines, Axis("share of opinions", 0, 1), Axis("accuracy", 0, 1))
