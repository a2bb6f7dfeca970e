"""``consensus demo``: the whole loop on one machine, without a key or an account."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consensus.cli.options import AsJson, run, show

if TYPE_CHECKING:
    from consensus.demo.traffic import Progress

app = typer.Typer(rich_markup_mode=None)

ROWS = (
    ("requests", "requests"),
    ("verdicts", "verdicts"),
    ("accepted", "by_status.accepted"),
    ("arbitrated", "by_status.arbitrated"),
    ("pending review", "by_status.pending_review"),
    ("abstained", "by_status.abstained"),
    ("failed", "by_status.failed"),
    ("ruled on by people", "reviewed"),
    ("accuracy of the top label", "accuracy"),
    ("accuracy of answers given", "accuracy_accepted"),
    ("accepted under a certificate", "certified"),
    ("their error / promised bound", "certified_error,certified_bound"),
    ("best single model", "best_single"),
    ("majority", "majority"),
    ("confidence is null", "confidence_null"),
    ("snapshots", "snapshots"),
    ("effective votes", "effective_votes"),
    ("repeats / dead letters", "repeats,dead_letters"),
    ("cost, dollars", "cost"),
    ("latency p50 / p95, ms", "latency_ms.p50,latency_ms.p95"),
    ("seconds", "seconds"),
)


@app.command()
def demo(
    panel: Annotated[Path | None, typer.Option(help="Replay a recorded panel (.jsonl or .jsonl.gz).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions of the panel: the first by hash.")] = None,
    models: Annotated[str | None, typer.Option(help="Models of the panel, separated by commas.")] = None,
    config: Annotated[Path | None, typer.Option(help="Use the models and policies of this file.")] = None,
    broker: Annotated[str | None, typer.Option(help="host:port of a Kafka to use instead of the embedded one.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where store and logs go; default: a fresh folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run broker, provider, worker, gateway and calibrator, send requests through Kafka and tell what became of them.

    The models are SIMULATED unless --panel or --config says otherwise; nothing leaves this machine then.
    """
    from consensus.demo.story import Options, play

    home = folder or Path(tempfile.mkdtemp(prefix="consensus-demo-"))
    home.mkdir(parents=True, exist_ok=True)
    chosen = tuple(models.split(",")) if models else None
    options = Options(home, broker=broker, panel=panel, limit=limit, models=chosen, config=config)
    with Stage() as stage:
        played = run(play(options, stage))
    acts, found = [act.summary() for act in played.acts], played.certification
    told = _table(acts) + _certification(found) + _further(home, acts)
    show({"acts": acts, "certification": found}, told, as_json=as_json)


class Stage:
    """Progress on a terminal's stderr, nothing in a pipe."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._bars = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._started = time.monotonic()

    def __enter__(self) -> Stage:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def scene(self, title: str, total: int | None = None) -> Progress:
        """Show a step; what it returns is called once for each thing done."""
        task = self._bars.add_task(title, total=total)

        def done() -> None:
            self._bars.advance(task)

        return done


def _table(acts: list[dict[str, Any]]) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What became of the requests", title_justify="left")
    table.add_column("")
    for act in acts:
        table.add_column(act["name"], justify="right")
    for title, paths in ROWS:
        table.add_row(title, *(" / ".join(_cell(act, path) for path in paths.split(",")) for act in acts))
    for kind in sorted({kind for act in acts for kind in act["by_kind"]}):
        table.add_row(f"kind {kind}", *(_cell(act, f"by_kind.{kind}") for act in acts))
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def _cell(act: dict[str, Any], path: str) -> str:
    value: Any = act
    for key in path.split("."):
        value = value.get(key, 0) if isinstance(value, dict) else None
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _certification(found: dict[str, Any] | None) -> str:
    """What came of the campaign, in words."""
    if found is None:
        return ""
    head = f"\nCertificate for {found['class']} at α = {found['alpha']:g}: "
    if found["state"] == "impossible":
        return f"{head}none. {found['why']}\n"
    if found["state"] == "certified":
        return (
            f"{head}accept from confidence {found['threshold']:.3f}, {found['coverage']:.0%} of recent requests.\n"
            f"  {found['errors']} of {found['n']} blind audits there were wrong; {found['labels_used']} labels used.\n"
        )
    do = found["would_do"]
    more = "no number of labels would probably do" if do is None else f"about {do} labels would probably do"
    return f"{head}no safe threshold with {found['budget']} labels; {more}.\n"


def _further(home: Path, acts: list[dict[str, Any]]) -> str:
    example = "again-law-01" if len(acts) > 1 else "REQUEST_ID"
    return (
        f"\nStore, logs and configuration are in {home}\n"
        f"  consensus explain {example} --config {home}/consensus.yaml\n"
        f"  consensus config check --config {home}/consensus.yaml\n"
        "  consensus demo --panel FILE.jsonl.gz --limit 500     a recorded panel instead of simulated models\n"
    )
