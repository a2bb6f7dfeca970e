"""``consensus worker``."""

from __future__ import annotations

import typer

from consensus.cli.options import Config, run_process

app = typer.Typer(rich_markup_mode=None)


@app.command()
def worker(config: Config = None) -> None:
    """Consume requests and rulings, publish verdicts, until SIGTERM."""
    run_process("worker", config)
