"""``consensus calibration fit``: a first snapshot from labelled cases, and what to expect of it once deployed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consensus.cli.asking import Bar, asked
from consensus.cli.options import AsJson, Config, show

if TYPE_CHECKING:
    from calibration.ballots import Ballots
    from calibration.campaign import End
    from calibration.forecast import Forecast, Traffic
    from calibration.snapshot import Snapshot
    from consensus.recorded_panel import RecordedQuestion

REPEATS = 4
"""Splits that the forecast rests on: half of the labels fit, the other half is scored."""


def fit(
    gold: Annotated[
        Path,
        typer.Argument(help='Labelled cases, a Request a line with its "gold"; or a recorded panel. .jsonl[.gz]'),
    ],
    out: Annotated[Path, typer.Option(help="Where the snapshot goes.")],
    panel: Annotated[Path | None, typer.Option(help="A recorded panel with the models' answers to the cases.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask the configured models; their answers are kept.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Where the answers of --live are kept; default: beside the snapshot.")
    ] = None,
    config: Config = None,
    models: Annotated[str | None, typer.Option(help="Models of the panel, separated by commas; default: all.")] = None,
    per_day: Annotated[float, typer.Option(min=0, help="Requests a day, for the number of reviews.")] = 1_000,
    alpha: Annotated[float, typer.Option(min=0.001, max=0.999, help="Error among accepted answers.")] = 0.1,
    audit_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of accepts that people check.")] = 0.02,
    certify: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Hold labels back and certify this class at --alpha on them.")
    ] = None,
    delta: Annotated[float, typer.Option(min=0.0001, max=0.5, help="Probability that the bound fails.")] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Fit on all labelled cases, write the snapshot, and say what error, price and reviews a day to expect."""
    from calibration.forecast import Traffic
    from consensus.errors import ConfigError

    if panel is not None and live:
        raise ConfigError("--live", "asks the models: leave --panel away, or take its recorded answers without --live")
    chosen = tuple(models.split(",")) if models else None
    kept = record or out.with_suffix(".panel.jsonl")
    questions = asked(gold, kept, config, chosen) if live else _recorded(gold, panel, chosen)
    ballots, prices = _ballots(questions, chosen)
    if certify is None:
        snapshot, end = _fitted(ballots, gold), None
    else:
        snapshot, end = _certified(ballots, gold, certify, alpha, delta)
    _write(out, snapshot)
    expected = _expected(ballots, prices, Traffic(per_day, alpha, audit_rate))
    summary = {**_summary(snapshot, ballots, expected), "certification": end and end.model_dump(mode="json")}
    show(summary, _text(snapshot, expected, out, per_day) + _ended(end), as_json=as_json)


def _recorded(gold: Path, panel: Path | None, models: tuple[str, ...] | None) -> list[RecordedQuestion]:
    """The recorded questions; with a ``panel`` beside the cases, the cases with its answers."""
    from consensus.gold import cases
    from consensus.recorded_panel import answered, recorded

    return list(recorded(gold, models)) if panel is None else answered(cases(gold), list(recorded(panel, models)))


def _ballots(questions: list[RecordedQuestion], models: tuple[str, ...] | None) -> tuple[Ballots, dict[str, float]]:
    from consensus.evaluation import ballots, prices

    names = models or tuple(sorted({model for question in questions for model in question.answers}))
    return ballots(questions, names), prices(questions)


def _fitted(ballots: Ballots, source: Path) -> Snapshot:
    from calibration import fitting
    from calibration.ballots import UNKNOWN
    from consensus.errors import ConfigError

    snapshot = fitting.fit(ballots, fitted_at=datetime.now(UTC))
    if snapshot is None:
        usable = int((ballots.truth != UNKNOWN).sum())
        raise ConfigError(str(source), f"has {usable} usable labelled cases; at least {fitting.MIN_LABELS} are needed")
    return snapshot


def _certified(ballots: Ballots, source: Path, cls: str, alpha: float, delta: float) -> tuple[Snapshot, End]:
    from calibration import fitting
    from calibration.offline import fit_and_certify
    from consensus.errors import ConfigError

    found = fit_and_certify(ballots, cls=cls, alpha=alpha, delta=delta, fitted_at=datetime.now(UTC))
    if found is None:
        problem = f"has too few labelled cases to fit on some ({fitting.MIN_LABELS} at least) and certify on the others"
        raise ConfigError(str(source), problem)
    return found


def _ended(end: End | None) -> str:
    """What certification came to, in words."""
    if end is None:
        return ""
    head = f"\n{end.class_}, on {end.progress.used} of the labels that were held back: "
    if end.certificate is not None:
        one = end.certificate
        return f"{head}error ≤ {one.alpha:g} from confidence {one.threshold:.3f}, {one.errors} of {one.n} wrong"
    more = "no number would" if end.would_do is None else f"about {end.would_do} would probably do"
    return f"{head}no safe threshold, {more}"


def _write(out: Path, snapshot: Snapshot) -> None:
    from consensus.errors import ConfigError

    try:
        out.write_bytes(snapshot.to_json())
    except OSError as error:
        raise ConfigError("--out", f"{out} cannot be written: {error.strerror}") from None


def _expected(ballots: Ballots, prices: dict[str, float], traffic: Traffic) -> list[Forecast]:
    """The forecast on held-out cases; nothing where half of them are too few to fit on."""
    from calibration import fitting
    from calibration.ballots import UNKNOWN
    from calibration.evaluate import Setup, examine
    from calibration.forecast import forecast

    labels = int((ballots.truth != UNKNOWN).sum()) // 2
    if labels < fitting.MIN_LABELS:
        return []
    with Bar("forecasting") as step:
        return forecast(examine(ballots, Setup(labels, REPEATS, prices=prices), step), traffic)


def _summary(snapshot: Snapshot, ballots: Ballots, expected: list[Forecast]) -> dict[str, Any]:
    return {
        "version": snapshot.version,
        "labels": snapshot.labels,
        "unusable": len(ballots) - snapshot.labels,
        "models": list(snapshot.models),
        "aggregators": {kind: part.kind for kind, part in snapshot.aggregators.items()},
        "expected": [asdict(one) for one in expected],
    }


def _text(snapshot: Snapshot, expected: list[Forecast], out: Path, per_day: float) -> str:
    lines = [f"{out}: {snapshot.version} on {snapshot.labels} labels"]
    if not expected:
        return f"{lines[0]}\ntoo few labels to hold some back and say what to expect"
    lines.append(f"{'method':<26} {'accuracy':>16} {'accepted':>9} {'error':>7} {'cost':>6} {'reviews/day':>12}")
    for one in expected:
        half = (one.accuracy_ci[1] - one.accuracy_ci[0]) / 2
        error = "–" if one.error is None else f"{one.error:.3f}"
        lines.append(
            f"{one.method:<26} {f'{one.accuracy:.3f} ± {half:.3f}':>16} {one.accepted:>9.2f} {error:>7} "
            f"{one.cost_multiple:>5.1f}× {one.reviews_per_day:>12.0f}"
        )
    lines.append(
        "On held-out cases, fitted on half of the labels. Accepted: what its confidences let through at this error. "
        f"Until a certificate stands, nothing is accepted, and all {per_day:.0f} a day go to arbiters and people."
    )
    return "\n".join(lines)
