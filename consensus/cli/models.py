"""``consensus models``: what is configured, at a glance."""

from __future__ import annotations

from typing import Any

import typer

from consensus.cli.options import AsJson, Config, settings_of, show

app = typer.Typer(rich_markup_mode=None)


@app.command()
def models(config: Config = None, as_json: AsJson = False) -> None:
    """List the configured models with their families, prices, and the panels and arbiters that use them."""
    settings = settings_of(config)
    judging = {entry.model: name for name, entry in settings.arbiter_policies().items()}
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "model": model.model,
            "family": model.family,
            "panels": [panel for panel, policy in settings.panel_policies().items() if name in policy.models],
            "arbiter": judging.get(name),
            "price_in": model.price_in,
            "price_out": model.price_out,
            "retires_on": None if model.retires_on is None else model.retires_on.isoformat(),
        }
        for name, model in settings.model_policies().items()
    ]
    lines = [_line(row) for row in rows]
    show(rows, "\n".join(lines) or "no models are configured", as_json=as_json)


def _line(row: dict[str, Any]) -> str:
    uses = [*(f"panel {name}" for name in row["panels"]), *([f"arbiter {row['arbiter']}"] if row["arbiter"] else [])]
    return f"{row['name']:<24} {row['family']:<16} {row['model']:<36} {', '.join(uses) or 'unused'}"
