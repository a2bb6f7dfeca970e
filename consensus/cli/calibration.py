"""``consensus calibration``: fit a snapshot before anything is deployed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from consensus.cli.certify import certify
from consensus.cli.forget import forget
from consensus.cli.options import AsJson, show
from consensus.cli.rollback import rollback
from consensus.cli.verify import verify

app = typer.Typer(help="Fit snapshots.", rich_markup_mode=None, no_args_is_help=True)


app.command()(certify)
app.command()(verify)
app.command()(rollback)
app.command()(forget)


@app.callback()
def root() -> None:
    """Commands on snapshots."""


@app.command()
def fit(
    panel: Annotated[Path, typer.Argument(help="A recorded panel with known answers, .jsonl or .jsonl.gz.")],
    out: Annotated[Path, typer.Option(help="Where the snapshot goes.")],
    models: Annotated[str | None, typer.Option(help="Models of the panel, separated by commas; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit on all labelled questions and write a snapshot that `worker` and `decide --snapshot` accept."""
    from calibration import fitting
    from consensus.errors import ConfigError
    from consensus.evaluation import ballots
    from consensus.recorded_panel import recorded

    chosen = tuple(models.split(",")) if models else None
    questions = list(recorded(panel, chosen))
    names = chosen or tuple(sorted({model for question in questions for model in question.answers}))
    snapshot = fitting.fit(ballots(questions, names), fitted_at=datetime.now(UTC))
    if snapshot is None:
        raise ConfigError(str(panel), f"has {len(questions)} questions; at least {fitting.MIN_LABELS} are needed")
    try:
        out.write_bytes(snapshot.to_json())
    except OSError as error:
        raise ConfigError("--out", f"{out} cannot be written: {error.strerror}") from None
    summary: dict[str, Any] = {
        "version": snapshot.version,
        "labels": snapshot.labels,
        "models": list(snapshot.models),
        "aggregators": {kind: part.kind for kind, part in snapshot.aggregators.items()},
    }
    show(summary, f"{out}: {snapshot.version} on {snapshot.labels} labels", as_json=as_json)
