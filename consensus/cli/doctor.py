"""``consensus doctor``: one live call to everything a deployment depends on, before the first request depends on it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

if TYPE_CHECKING:
    from consensus.models import Member
    from consensus.settings import Settings

app = typer.Typer(rich_markup_mode=None)

QUESTION = "Is 7 a prime number?"


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it works, and in words what was seen or what to do."""

    name: str
    ok: bool
    detail: str


@app.command()
def doctor(
    config: Config = None,
    timeout_s: Annotated[float, typer.Option(min=1, help="Seconds that each check may take.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Ask every model one paid question; look at broker, topics and store. Exit 1 if anything fails."""
    findings = run(examine(settings_of(config), timeout_s))
    lines = [f"{'ok  ' if found.ok else 'FAIL'}  {found.name}: {found.detail}" for found in findings]
    show([asdict(found) for found in findings], "\n".join(lines), as_json=as_json)
    raise typer.Exit(0 if all(found.ok for found in findings) else 1)


async def examine(settings: Settings, timeout_s: float) -> list[Finding]:
    """All checks side by side; the findings in a fixed order."""
    from consensus import models

    members = models.build(settings.model_policies())
    try:
        asked = [
            _bounded(f"models.{name}", _model(member, timeout_s), timeout_s + 1) for name, member in members.items()
        ]
        return await asyncio.gather(
            _bounded("kafka", _topics(settings), timeout_s), _bounded("store", _store(settings), timeout_s), *asked
        )
    finally:
        await models.close(members)


async def _bounded(name: str, work: Awaitable[str], seconds: float) -> Finding:
    """The finding of one check: its words, or the error that ended it."""
    from sqlalchemy.exc import SQLAlchemyError

    from consensus.errors import ConsensusError

    try:
        async with asyncio.timeout(seconds):
            return Finding(name, True, await work)
    except TimeoutError:
        return Finding(name, False, f"no answer within {seconds:g} s")
    except ConsensusError as error:
        return Finding(name, False, str(error))
    except (SQLAlchemyError, OSError) as error:
        # The text of a driver's error may hold the address with its password.
        return Finding(name, False, f"{type(error).__name__}: check store.url and that the database is reachable")


async def _model(member: Member, timeout_s: float) -> str:
    """Put a question with a known form of answer, as the panel would; what comes back must be readable."""
    from consensus import answers
    from consensus.errors import ModelError
    from consensus.models import Budget
    from consensus.policy import BudgetPolicy
    from consensus.types import BooleanSpec, Failure, LabelKind, Request, Stakes

    spec, nonce = BooleanSpec(), secrets.token_hex(8)
    request = Request(id=f"doctor-{nonce}", domain="doctor", stakes=Stakes.LOW, prompt=QUESTION, answer=spec)
    deadline = asyncio.get_running_loop().time() + timeout_s
    answer = await member.model.ask(
        answers.prompt(request, nonce), deadline=deadline, budget=Budget(BudgetPolicy(calls=2))
    )
    label = answers.read(spec, answer, nonce)
    if label.kind is not LabelKind.ANSWER:
        raise ModelError(Failure.MALFORMED, f"replied, but its reply reads as {label.kind}: see docs/models.md")
    version = answer.model_version or "unnamed version"
    return f"{version}, family {member.policy.family}, {answer.latency_ms} ms, cost {answer.cost:g}"


async def _topics(settings: Settings) -> str:
    from consensus.errors import ConfigError
    from consensus.kafka.topic_admin import check_topics

    wrong = await check_topics(settings.kafka)
    if wrong:
        raise ConfigError("kafka", "; ".join(wrong))
    return f"{settings.kafka.bootstrap_servers}, all topics are as they should be"


async def _store(settings: Settings) -> str:
    from calibration.store.migrate import head
    from consensus.app import migrated_store

    async with migrated_store(settings) as engine:
        return f"{engine.dialect.name}, revision {head()}"
