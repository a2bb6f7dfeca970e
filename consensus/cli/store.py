"""``consensus store``: bring the store to this program's schema."""

from __future__ import annotations

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

app = typer.Typer(help="Migrate the store.", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def root() -> None:
    """Commands on the store."""


@app.command()
def migrate(config: Config = None, as_json: AsJson = False) -> None:
    """Create or upgrade the tables; doing it again changes nothing."""
    revision = run(_migrate(config))
    show({"revision": revision}, f"the store is at revision {revision}", as_json=as_json)


async def _migrate(config: str | None) -> str:
    from calibration.store import migrate as migrations
    from consensus.app import store
    from consensus.errors import ConfigError

    async with store(settings_of(config)) as engine:
        try:
            return await migrations.migrate(engine)
        except migrations.StoreOutdated as error:
            raise ConfigError("store.url", str(error)) from None
