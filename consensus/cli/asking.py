"""Commands that ask the configured models about labelled cases, and the bar that shows how far they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from consensus.cli.options import run, settings_of

if TYPE_CHECKING:
    from consensus.gold import GoldCase
    from consensus.recorded_panel import RecordedQuestion
    from consensus.settings import Settings

Progress = Callable[[int, int], None]


def asked(gold: Path, record: Path, config: str | None, models: tuple[str, ...] | None) -> list[RecordedQuestion]:
    """The cases of ``gold`` with the answers of the configured models, which are kept in ``record``.

    A record that is there is continued: what it holds is not asked, and not paid for, again. Raises ConfigError naming
    a bad line, an unknown model, or a record of other cases.
    """
    from consensus.errors import ConfigError
    from consensus.gold import cases
    from consensus.recorded_panel import answered, recorded

    settings = settings_of(config)
    unknown = [name for name in models or () if name not in settings.models]
    if unknown:
        raise ConfigError("--models", f"{unknown[0]!r} is not configured")
    wanted = cases(gold)
    run(_record(wanted, record, settings, models))
    return answered(wanted, list(recorded(record, models)))


async def _record(cases: Sequence[GoldCase], record: Path, settings: Settings, models: tuple[str, ...] | None) -> None:
    from consensus import app as house
    from consensus import live_panel

    async with house.resources(settings) as resources:
        with Bar("asking the models") as step:
            await live_panel.record(cases, resources, record, models, step)


class Bar:
    """A progress bar on a terminal's stderr, nothing in a pipe."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bars

        self._bars = Bars(console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._task = self._bars.add_task(title, total=None)

    def __enter__(self) -> Progress:
        self._bars.start()
        return self._step

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def _step(self, done: int, total: int) -> None:
        self._bars.update(self._task, completed=done, total=total)
