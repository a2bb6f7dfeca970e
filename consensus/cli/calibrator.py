"""``consensus calibrator``."""

from __future__ import annotations

import typer

from consensus.cli.options import Config, run_process

app = typer.Typer(rich_markup_mode=None)


@app.command()
def calibrator(config: Config = None) -> None:
    """Ingest verdicts, signals and outcomes, refit and publish snapshots, until SIGTERM."""
    run_process("calibrator", config)
