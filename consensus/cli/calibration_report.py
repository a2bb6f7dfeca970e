"""``consensus calibration report``: where a deployment stands, on one page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

LONG_S = 600.0
"""Bound of reading everything that the report looks at."""


def report(
    out: Annotated[Path | None, typer.Option(help="Where the HTML page goes.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Reliability of models, certificates, audits against plan, reviews a day by α, cost, and where errors cluster.

    The page holds questions of callers: it is as confidential as they are.
    """
    from calibration.standing_page import html
    from consensus.errors import ConfigError

    if out is None and not as_json:
        raise ConfigError("--out", "name the file for the page, or ask for --json")
    found = run(_report(config))
    if out is not None:
        try:
            out.write_text(html(found), encoding="utf-8")
        except OSError as error:
            raise ConfigError("--out", f"{out} cannot be written: {error.strerror}") from None
    show(found, f"{out}: {found['decisions']} decisions, {found['labels']['labelled']} labels", as_json=as_json)


async def _report(config: str | None) -> dict[str, Any]:
    from consensus.app import migrated_store
    from consensus.kafka.snapshots import NAME
    from consensus.standing import report

    settings = settings_of(config)
    async with migrated_store(settings) as engine:
        return await report(engine, NAME, datetime.now(UTC), timeout_s=LONG_S)
