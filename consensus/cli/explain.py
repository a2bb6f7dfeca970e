"""``consensus explain``: the whole story of a decision on one screen, from the store alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consensus.cli.options import AsJson, Config, Tenant, run, settings_of, show

if TYPE_CHECKING:
    from consensus.story import Story

app = typer.Typer(rich_markup_mode=None)


@app.command()
def explain(
    request_id: Annotated[str, typer.Argument(help="The id of the request.")],
    tenant: Tenant = "default",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Tell who said what, how far they agreed, why it was routed as it was, who ruled, and what proved right."""
    from consensus import explain as telling

    story = run(_story(config, tenant, request_id))
    if story is None:
        typer.echo(f"consensus: no decision on {request_id!r} is known for tenant {tenant!r}", err=True)
        raise typer.Exit(1)
    show(telling.tree(story), telling.explain(story), as_json=as_json)


async def _story(config: str | None, tenant: str, request_id: str) -> Story | None:
    from consensus.app import migrated_store
    from consensus.story import tell

    settings = settings_of(config)
    async with migrated_store(settings) as engine:
        return await tell(engine, tenant, request_id, timeout_s=settings.store.timeout_s)
