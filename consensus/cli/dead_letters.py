"""``consensus dead-letters``: look at what could not be processed, send it back, and let consumption go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

if TYPE_CHECKING:
    from consensus.kafka.replay import DeadLetterRecord

app = typer.Typer(help="List and replay dead letters.", rich_markup_mode=None, no_args_is_help=True)

Code = Annotated[str | None, typer.Option(help="Only those with this error code.")]


@app.command(name="list")
def list_(config: Config = None, code: Code = None, as_json: AsJson = False) -> None:
    """List them with place, code, origin and reason; never with their content."""
    from consensus.kafka.replay import list_dead_letters

    letters = _chosen(run(list_dead_letters(settings_of(config).kafka)), code, None)
    rows = [
        {
            "place": letter.place,
            "code": letter.code,
            "reason": letter.reason,
            "source_topic": letter.source_topic,
            "source_partition": letter.source_partition,
            "source_offset": letter.source_offset,
            "timestamp_ms": letter.timestamp_ms,
        }
        for letter in letters
    ]
    lines = [f"{letter.place:<10} {letter.code:<20} {_origin(letter):<32} {letter.reason}" for letter in letters]
    show(rows, "\n".join(lines) or "there are no dead letters", as_json=as_json)


@app.command()
def replay(
    places: Annotated[list[str] | None, typer.Argument(help="partition:offset of dead letters; default: all.")] = None,
    config: Config = None,
    code: Code = None,
    as_json: AsJson = False,
) -> None:
    """Produce records again where they came from. Doing it twice does no harm: an id keeps its one verdict."""
    from consensus.kafka import replay as replaying

    kafka = settings_of(config).kafka
    found = run(replaying.list_dead_letters(kafka))
    unknown = sorted(set(places or ()) - {letter.place for letter in found})
    if unknown:
        typer.echo(f"consensus: no dead letter at {', '.join(unknown)}: see `consensus dead-letters list`", err=True)
        raise typer.Exit(1)
    count = run(replaying.replay(kafka, _chosen(found, code, places)))
    show({"replayed": count}, f"replayed {count}", as_json=as_json)


@app.command()
def resume(config: Config = None, as_json: AsJson = False) -> None:
    """After too many dead letters stopped consumption: forget the count, so that workers go on when started again."""
    count = run(_reset(config))
    show({"resumed": count}, f"forgot the counts of {count} partitions; start the workers again", as_json=as_json)


async def _reset(config: str | None) -> int:
    from consensus.app import migrated_store
    from consensus.ledger import Ledger

    settings = settings_of(config)
    async with migrated_store(settings) as engine:
        ledger = Ledger(engine, timeout_s=settings.store.timeout_s)
        return await ledger.gates.reset(f"{settings.kafka.group}:")


def _chosen(letters: list[DeadLetterRecord], code: str | None, places: list[str] | None) -> list[DeadLetterRecord]:
    return [
        letter for letter in letters if (code is None or letter.code == code) and (not places or letter.place in places)
    ]


def _origin(letter: DeadLetterRecord) -> str:
    return f"{letter.source_topic}-{letter.source_partition}@{letter.source_offset}"
