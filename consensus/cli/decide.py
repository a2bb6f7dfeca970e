"""``consensus decide``: JSONL requests in, JSONL verdicts out, in the same order, without Kafka."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from consensus.cli.options import Config, run, settings_of, snapshot_of

if TYPE_CHECKING:
    from consensus.pipeline import Resources

app = typer.Typer(rich_markup_mode=None)

AHEAD = 64
"""Requests decided at the same time."""


@app.command()
def decide(
    source: Annotated[
        Path | None,
        typer.Argument(help="A file of requests, one JSON object a line; default: stdin.", exists=True, dir_okay=False),
    ] = None,
    config: Config = None,
    snapshot: Annotated[Path | None, typer.Option(help="Decide with this snapshot file.")] = None,
) -> None:
    """Decide each request; a line that is none gives {"line", "error"} in its place, and exit code 1 at the end."""
    # A line that is not UTF-8 is a faulty line like any other: its bytes come through and are refused one by one.
    raw = sys.stdin.buffer if source is None else source.open("rb")
    with TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape") as lines:
        faulty = run(_decide(lines, config, snapshot))
    raise typer.Exit(1 if faulty else 0)


async def _decide(lines: TextIO, config: str | None, snapshot: Path | None) -> int:
    from consensus import app as house

    settings = settings_of(config)
    fitted = None if snapshot is None else snapshot_of(snapshot)
    if fitted is not None:
        house.redundant(settings, fitted)
    faulty = 0
    async with house.resources(settings) as resources:
        ready = replace(resources, snapshots=lambda _cls: fitted)
        async for text, good in _results(ready, lines):
            typer.echo(text)
            faulty += not good
    return faulty


async def _results(resources: Resources, lines: TextIO) -> AsyncIterator[tuple[str, bool]]:
    """Each line's output in input order, at most `AHEAD` of them in work."""
    work: deque[asyncio.Task[tuple[str, bool]]] = deque()
    number = 0
    while line := await asyncio.to_thread(lines.readline):  # a slow pipe must not hold up the models
        number += 1
        if not line.strip():
            continue
        work.append(asyncio.create_task(_one(resources, number, line)))
        if len(work) >= AHEAD:
            yield await work.popleft()
    while work:
        yield await work.popleft()


async def _one(resources: Resources, number: int, line: str) -> tuple[str, bool]:
    from consensus import wire
    from consensus.errors import ConsensusError
    from consensus.pipeline import decide as decide_one
    from consensus.types import Request

    try:
        request = wire.read(Request, line.strip().encode("utf-8", "surrogateescape"))
        return (await decide_one(request, resources)).verdict.model_dump_json(), True
    except ConsensusError as error:
        return json.dumps({"line": number, "error": str(error)}), False
