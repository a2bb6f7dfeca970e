"""Options that many commands share, and how a command runs and prints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from calibration.snapshot import Snapshot
    from consensus.life import Process
    from consensus.settings import Settings

T = TypeVar("T")

Config = Annotated[str | None, typer.Option("--config", help="YAML file; default: the variable CONSENSUS_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON value.")]
Tenant = Annotated[str, typer.Option(help="Whose request it is.")]


def settings_of(config: str | None) -> Settings:
    """The configuration. Raises ConfigError, which ends the command with exit code 2."""
    from consensus.settings import load

    return load(config)


def snapshot_of(path: Path) -> Snapshot:
    """The snapshot in a file. Raises ConfigError."""
    from calibration.snapshot import Snapshot, SnapshotInvalid
    from consensus.errors import ConfigError

    try:
        return Snapshot.from_json(path.read_bytes())
    except (OSError, SnapshotInvalid) as error:
        raise ConfigError("--snapshot", f"{path} cannot be used: {error}") from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run the command's coroutine to its end. What is logged meanwhile goes to stderr: stdout is the answer alone."""
    from consensus.logs import configure_logs
    from consensus.settings import TelemetrySettings

    configure_logs(TelemetrySettings(log_level="warning", log_format="console"))
    return asyncio.run(work)


def run_process(name: str, config: str | None) -> None:
    """Run one of the service's processes until it is told to stop."""
    from consensus import app
    from consensus.life import serve

    settings = settings_of(config)
    process: Process = partial(getattr(app, name), settings)
    run(serve(name, settings.telemetry, process))


def show(value: Any, text: str, *, as_json: bool) -> None:
    """Print a value for programs or its text for people."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False) if as_json else text)
