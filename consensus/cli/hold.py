"""``consensus hold``: stop a class from accepting by hand, and let it go on, both with who and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

if TYPE_CHECKING:
    from calibration.classes import ClassState
    from consensus.settings import KafkaSettings, Settings

app = typer.Typer(rich_markup_mode=None)


@app.command()
def hold(
    cls: Annotated[str, typer.Argument(metavar="CLASS", help="A policy, or policy/class where it lists classes.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    by: Annotated[str, typer.Option(help="Who; it is recorded.")],
    release: Annotated[bool, typer.Option("--release", help="Let the class accept again.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send every request of a class to people, within two seconds on every worker, until the hold is released."""
    from calibration.classes import ClassState

    settings = settings_of(config)
    _known(settings, cls)
    plain = {"class": cls, "state": "held", "active": not release, "reason": reason, "by": by, "at": datetime.now(UTC)}
    state = ClassState.model_validate(plain)
    run(_publish(settings.kafka, state))
    done = f"{cls} is released" if release else f"{cls} is held: all its requests go to people"
    show(state.model_dump(mode="json", by_alias=True), done, as_json=as_json)


def _known(settings: Settings, cls: str) -> None:
    from consensus.errors import ConfigError

    classes = [name for policy in settings.policy_policies().values() for name in policy.class_names]
    if cls not in classes:
        raise ConfigError("CLASS", f"there is no class {cls!r}; there are {', '.join(classes)}")


async def _publish(kafka: KafkaSettings, state: ClassState) -> None:
    from consensus.kafka.snapshots import Publisher

    publisher = Publisher(kafka)
    await publisher.start()
    try:
        await publisher.record(state.key, state.to_json())
    finally:
        await publisher.stop()
