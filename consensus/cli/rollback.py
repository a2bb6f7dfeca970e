"""``consensus calibration rollback``: decide with an earlier snapshot again, recorded with who and why."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

if TYPE_CHECKING:
    from calibration.rollback import Rollback


def rollback(
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    version: Annotated[str | None, typer.Argument(help="Default: the snapshot before the newest.")] = None,
    by: Annotated[str | None, typer.Option(help="Who; it is recorded. Default: the account that runs this.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Publish an earlier snapshot again; every worker swaps to it within two seconds.

    It stays until a later refit is no worse on held-out requests: the version that was in use is not published again by
    itself.
    """
    done = run(_roll_back(config, version, by or getpass.getuser(), reason))
    show(done.model_dump(mode="json"), f"{done.version} decides again instead of {done.instead_of}", as_json=as_json)


async def _roll_back(config: str | None, version: str | None, by: str, reason: str) -> Rollback:
    from consensus.app import migrated_store
    from consensus.kafka.rollbacks import roll_back
    from consensus.ledger.transactions import Transactions

    settings = settings_of(config)
    async with migrated_store(settings) as engine:
        store = Transactions(engine, settings.store.timeout_s)
        models = frozenset(settings.models)
        return await roll_back(
            settings.kafka, store, version, by=by, reason=reason, at=datetime.now(UTC), models=models
        )
