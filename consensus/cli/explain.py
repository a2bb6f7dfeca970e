"""``consensus explain``: the whole story of a decision on one screen, from the store alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consensus.cli.options import AsJson, Config, Tenant, run, settings_of, show

if TYPE_CHECKING:
    from datetime import datetime

    from consensus.recomputation import Recomputation
    from consensus.story import Story

app = typer.Typer(rich_markup_mode=None)


@app.command()
def explain(
    request_id: Annotated[str, typer.Argument(help="The id of the request.")],
    tenant: Tenant = "default",
    recompute: Annotated[bool, typer.Option(help="Derive it again from ballot, snapshot and policy.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Tell who said what, how far they agreed, why it was routed as it was, who ruled, and what proved right.

    With --recompute the exit code is 1 when anything comes out otherwise than recorded, or is no longer there.
    """
    from consensus import explain as telling
    from consensus import recomputation

    story, again, erased_at = run(_story(config, tenant, request_id, recompute))
    if story is None:
        erased = f": its texts were erased on {erased_at:%Y-%m-%d}" if erased_at else ""
        typer.echo(f"consensus: no decision on {request_id!r} is known for tenant {tenant!r}{erased}", err=True)
        raise typer.Exit(1)
    value, text = telling.tree(story), telling.explain(story)
    if again is not None:
        value, text = value | {"recomputed": recomputation.tree(again)}, f"{text}\n\n{recomputation.told(again)}"
    show(value, text, as_json=as_json)
    if again is not None and not again.holds:
        raise typer.Exit(1)


async def _story(
    config: str | None, tenant: str, request_id: str, again: bool
) -> tuple[Story | None, Recomputation | None, datetime | None]:
    """The story, its recomputation where it is wanted, and without a story the time of an erasure."""
    from consensus.app import migrated_store
    from consensus.forgetting import erased_at
    from consensus.recomputation import recompute
    from consensus.story import tell

    settings = settings_of(config)
    timeout_s = settings.store.timeout_s
    async with migrated_store(settings) as engine:
        story = await tell(engine, tenant, request_id, timeout_s=timeout_s)
        if story is None:
            return None, None, await erased_at(engine, (tenant, request_id), timeout_s=timeout_s)
        policies = settings.policy_policies()
        return story, await recompute(engine, story, policies, timeout_s=timeout_s) if again else None, None
