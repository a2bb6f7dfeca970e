"""``consensus gateway``."""

from __future__ import annotations

import typer

from consensus.cli.options import Config, run_process

app = typer.Typer(rich_markup_mode=None)


@app.command()
def gateway(config: Config = None) -> None:
    """Serve gRPC until SIGTERM."""
    run_process("gateway", config)
