"""``consensus calibration forget``: erase the texts of requests; statistics and the audit chain stay."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consensus.cli.options import AsJson, Config, Tenant, run, settings_of, show

if TYPE_CHECKING:
    from consensus.forgetting import Forgotten

LONG_S = 3_600.0
"""Bound of looking through every request for a subject, and of the one transaction that erases."""


def forget(
    request_ids: Annotated[list[str] | None, typer.Argument(help="Ids of requests.")] = None,
    subject: Annotated[str | None, typer.Option(help="Every request whose metadata.subject this is.")] = None,
    tenant: Tenant = "default",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Erase questions, contexts, answers, rationales and rulings; votes, labels and the audit chain stay.

    What lies on Kafka topics goes with their retention. Exit code 1 when a request is being decided or published right
    now, or when nothing is known of one: nothing was erased for those.
    """
    from consensus.errors import ConfigError

    if bool(request_ids) == (subject is not None):
        raise ConfigError("REQUEST_IDS", "name either request ids or a --subject")
    found = run(_forget(config, tenant, request_ids or [], subject))
    value: dict[str, Any] = {
        "erased": [request_id for _, request_id in found.erased],
        "busy": [request_id for _, request_id in found.busy],
        "unknown": [request_id for _, request_id in found.unknown],
    }
    lines = [f"{len(found.erased)} requests erased"]
    lines += [f"{request_id!r} is being decided or published: ask again" for request_id in value["busy"]]
    lines += [f"nothing is known of {request_id!r}" for request_id in value["unknown"]]
    show(value, "\n".join(lines), as_json=as_json)
    if found.busy or found.unknown:
        raise typer.Exit(1)


async def _forget(config: str | None, tenant: str, request_ids: list[str], subject: str | None) -> Forgotten:
    from consensus import forgetting
    from consensus.app import migrated_store

    settings = settings_of(config)
    async with migrated_store(settings) as engine:
        keys = [(tenant, request_id) for request_id in request_ids]
        if subject is not None:
            keys = await forgetting.of_subject(engine, tenant, subject, timeout_s=LONG_S)
        return await forgetting.forget(engine, keys, at=datetime.now(UTC), timeout_s=LONG_S)
