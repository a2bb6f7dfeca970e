"""``consensus topics``: create what is missing, and check what is there."""

from __future__ import annotations

from typing import Annotated

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

app = typer.Typer(rich_markup_mode=None)


@app.command()
def topics(
    config: Config = None,
    check: Annotated[bool, typer.Option("--check", help="Create nothing; exit 1 when something is wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create missing topics with equal partition counts and first offsets, then check all of them."""
    from consensus.kafka.topic_admin import check_topics, create_topics

    kafka = settings_of(config).kafka
    created = [] if check else run(create_topics(kafka))
    wrong = run(check_topics(kafka))
    lines = [*(f"created {name}" for name in created), *wrong]
    show({"created": created, "wrong": wrong}, "\n".join(lines) or "all topics are as they should be", as_json=as_json)
    raise typer.Exit(1 if wrong else 0)
