"""``consensus models``: what is configured, and which of it makes the panel with most independent evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from consensus.cli.options import AsJson, Config, settings_of, show

app = typer.Typer(rich_markup_mode=None)


@app.command()
def models(
    config: Config = None,
    suggest_panel: Annotated[
        bool, typer.Option("--suggest-panel", help="Print the least redundant panel that --cost or --size allows.")
    ] = False,
    panel: Annotated[Path | None, typer.Option(help="Judge by a recorded panel; default: the store's labels.")] = None,
    cost: Annotated[
        float | None, typer.Option(min=0, help="Dollars per request, or calls where no prices are known.")
    ] = None,
    size: Annotated[int | None, typer.Option(min=2, help="Members; default: as many as add something.")] = None,
    domain: Annotated[str | None, typer.Option(help="For this domain; default: for all together.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the configured models with their families, prices, and the panels and arbiters that use them."""
    if suggest_panel:
        from consensus.cli import suggesting

        suggesting.run(suggesting.Wish(panel, cost, size, domain), config, as_json=as_json)
    else:
        rows = _rows(config)
        show(rows, "\n".join(map(_line, rows)) or "no models are configured", as_json=as_json)


def _rows(config: str | None) -> list[dict[str, Any]]:
    settings = settings_of(config)
    judging = {entry.model: name for name, entry in settings.arbiter_policies().items()}
    return [
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


def _line(row: dict[str, Any]) -> str:
    uses = [*(f"panel {name}" for name in row["panels"]), *([f"arbiter {row['arbiter']}"] if row["arbiter"] else [])]
    return f"{row['name']:<24} {row['family']:<16} {row['model']:<36} {', '.join(uses) or 'unused'}"
