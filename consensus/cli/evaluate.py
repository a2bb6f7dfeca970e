"""``consensus evaluate``: what panel, reading and methods are worth, on recorded answers with known truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from consensus.cli.asking import Bar, asked
from consensus.cli.options import AsJson, show

if TYPE_CHECKING:
    from calibration.evaluate import Evaluation
    from consensus.recorded_panel import RecordedQuestion

T = TypeVar("T")

app = typer.Typer(rich_markup_mode=None)

DEFAULT_LABELS = 4_000
MANY = 1_000
"""Questions from which a second process is worth starting."""

RECORD = "panel.jsonl"
"""The file in ``--out`` that keeps what the models said when they were asked."""


@app.command()
def evaluate(
    panel: Annotated[Path, typer.Argument(help="A recorded panel, .jsonl or .jsonl.gz; with --config labelled cases.")],
    out: Annotated[Path | None, typer.Option(help="Folder for metrics.json and report.html.")] = None,
    config: Annotated[
        str | None, typer.Option(help="Ask the models of this configuration; their answers are kept in --out.")
    ] = None,
    models: Annotated[str | None, typer.Option(help="Models of the panel, separated by commas; default: all.")] = None,
    labels: Annotated[
        int | None, typer.Option(help=f"Labelled questions to spend; default: half, at most {DEFAULT_LABELS}.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Random splits.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the splits.")] = 0,
    alpha: Annotated[str | None, typer.Option(help="Error bounds to certify, such as .05,.10,.15.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit on a part of the questions, score on the rest, and set every method beside the best single model."""
    from consensus.errors import ConfigError
    from consensus.recorded_panel import recorded

    chosen = tuple(models.split(",")) if models else None
    questions = list(recorded(panel, chosen)) if config is None else _live(panel, out, config, chosen)
    try:
        evaluation, metrics = _measure(questions, chosen, labels, repeats, seed, _levels(alpha))
    except ValueError as error:
        raise ConfigError("evaluate", str(error)) from None
    if out is not None:
        _write(out, evaluation, metrics)
    show(metrics, _text(metrics, out), as_json=as_json)


def _live(gold: Path, out: Path | None, config: str, models: tuple[str, ...] | None) -> list[RecordedQuestion]:
    from consensus.errors import ConfigError

    if out is None:
        raise ConfigError("--out", "is needed with --config: what the models say was paid for, and is kept there")
    out.mkdir(parents=True, exist_ok=True)
    return asked(gold, out / RECORD, config, models)


def _measure(
    questions: list[RecordedQuestion],
    chosen: tuple[str, ...] | None,
    labels: int | None,
    repeats: int,
    seed: int,
    alphas: tuple[float, ...],
) -> tuple[Evaluation, dict[str, Any]]:
    from calibration.evaluate import Setup, examine
    from consensus.evaluation import ballots, equivalence, prices, reading_metrics

    names = chosen or tuple(sorted({model for question in questions for model in question.answers}))
    spent = labels or min(DEFAULT_LABELS, len(questions) // 2)
    setup = Setup(spent, repeats, seed, alphas, prices=prices(questions))
    with Bar("evaluating") as step, _beside(reading_metrics, questions) as beside:
        evaluation = examine(ballots(questions, names), setup, step)
        reading = beside()
    extra = {"reading": reading, "conflicting": reading["conflicting"], "equivalence": equivalence(questions)}
    return evaluation, {**evaluation.metrics, **extra}


@contextmanager
def _beside(
    work: Callable[[list[RecordedQuestion]], T], questions: list[RecordedQuestion]
) -> Iterator[Callable[[], T]]:
    """Work on the questions in a process of its own, where they are many: it takes as long as all the fitting."""
    if len(questions) < MANY:
        yield lambda: work(questions)
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool.submit(work, questions).result


def _levels(text: str | None) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(",")) if text else ()


def _write(folder: Path, evaluation: Evaluation, metrics: dict[str, Any]) -> None:
    from calibration.report import html

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(html(evaluation), encoding="utf-8")


def _text(metrics: dict[str, Any], out: Path | None) -> str:
    lines = [f"{'method':<24} {'accuracy':>9} {'log loss':>9} {'ECE':>7} {'AURC':>7}"]
    for name, row in metrics["methods"].items():
        cells = (f"{row[key]:.3f}" if row[key] is not None else "–" for key in ("accuracy", "log_loss", "ece", "aurc"))
        first, second, third, fourth = cells
        mark = " *" if name == metrics["consensus"] else ""
        lines.append(f"{name:<24} {first:>9} {second:>9} {third:>7} {fourth:>7}{mark}")
    where = f"\nreport: {out / 'report.html'}" if out is not None else ""
    return "\n".join(lines) + "\n* the consensus" + where
