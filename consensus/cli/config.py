"""``consensus config``: check the configuration before it is deployed, and print the schema that editors understand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consensus.cli.options import snapshot_of
from consensus.errors import ConfigError

if TYPE_CHECKING:
    from calibration.snapshot import Snapshot

app = typer.Typer(help="Check the configuration, print its schema.", rich_markup_mode=None, no_args_is_help=True)


@app.command()
def check(
    config: Annotated[str | None, typer.Option(help="YAML file; default: the variable CONSENSUS_CONFIG.")] = None,
    snapshot: Annotated[Path | None, typer.Option(help="Judge the panels by this snapshot's correlations.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value.")] = False,
) -> None:
    """Read the configuration as a service would, and say what is wrong with it (exit 2) or worth knowing (exit 0)."""
    report = _report(config, None if snapshot is None else snapshot_of(snapshot))
    typer.echo(json.dumps(report, indent=2) if as_json else _text(report))
    raise typer.Exit(0 if report["ok"] else 2)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from consensus.schemas import configuration, text

    typer.echo(text(configuration()), nl=False)


def _report(config: str | None, snapshot: Snapshot | None) -> dict[str, Any]:
    from datetime import UTC, datetime

    from consensus.settings import load
    from consensus.settings.cautions import cautions
    from consensus.settings.rules import missing_variables

    today = datetime.now(UTC).date()
    try:
        settings = load(config, today=today)
    except ConfigError as error:
        return {"ok": False, "errors": [_entry(item) for item in (error, *error.also)], "warnings": []}
    missing = [_entry(error) for error in missing_variables(settings, os.environ)]
    return {
        "ok": not missing,
        "errors": missing,
        "warnings": [_entry(item) for item in cautions(settings, today, snapshot)],
    }


def _entry(item: Any) -> dict[str, str]:
    return {"path": item.path, "message": item.message}


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"{word}: {item['path']}: {item['message']}" for word in ("error", "warning") for item in report[f"{word}s"]
    ]
    faults = len(report["errors"])
    return "\n".join([*lines, "the configuration is valid" if report["ok"] else f"{faults} fault{'s' * (faults != 1)}"])
