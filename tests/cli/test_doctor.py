"""The doctor on a real broker, a real store and a provider over HTTP: everything well, and each thing broken."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from consensus.cli.doctor import Finding, examine
from consensus.demo.broker import embedded_broker
from consensus.kafka.topic_admin import create_topics
from consensus.settings import Settings, load
from tests.faulty_provider import FaultyProvider, error, faulty_provider, hang, reply

SECRET = "sk-very-secret"
GOOD = reply('{"answer": true, "confidence": 0.99}')


def settings(folder: Path, broker: str, provider: str, **more: Any) -> Settings:
    """Two models of two families behind one provider, a store in ``folder``."""
    models = {
        name: {"model": f"openai/{name}", "family": name, "api_base": provider, "api_key_env": "DOCTOR_KEY"}
        for name in ("north", "south")
    }
    tree = {
        "kafka": {"bootstrap_servers": broker},
        "store": {"url": f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"},
        "models": models,
        "panels": {"main": {"models": ["north", "south"], "quorum": 2, "min_families": 2}},
        "policies": {"default": {"panel": "main"}},
        **more,
    }
    path = folder / "consensus.yaml"
    path.write_text(yaml.safe_dump(tree))
    return load(str(path))


@asynccontextmanager
async def healthy(folder: Path) -> AsyncIterator[tuple[FaultyProvider, Settings]]:
    async with embedded_broker() as broker, faulty_provider() as provider:
        provider.serve("north", GOOD)
        provider.serve("south", GOOD)
        tree = settings(folder, broker, provider.url)
        await create_topics(tree.kafka)
        engine = create_engine(tree.store.url)
        await migrate(engine)
        await engine.dispose()
        yield provider, tree


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_KEY", SECRET)


def failed(findings: list[Finding]) -> dict[str, str]:
    return {found.name: found.detail for found in findings if not found.ok}


async def test_all_is_well(tmp_path: Path) -> None:
    """Each model was called once, with its key, and says who served it."""
    async with healthy(tmp_path) as (provider, tree):
        findings = await examine(tree, 60)
        assert [found.name for found in findings] == ["kafka", "store", "models.north", "models.south"]
        assert failed(findings) == {}
        assert findings[2].detail.startswith("served-1, family north, ")
        assert [len(provider.calls_of(name)) for name in ("north", "south")] == [1, 1]
        assert provider.calls[0].headers["authorization"] == f"Bearer {SECRET}"


async def test_a_model_that_refuses_the_key_and_one_that_is_unreadable(tmp_path: Path) -> None:
    """Each is named with its own fault; no key is shown."""
    async with healthy(tmp_path) as (provider, tree):
        provider.serve("north", error(401, f"Incorrect API key provided: {SECRET}"))
        provider.serve("south", reply("Seven is a lovely number."))
        findings = failed(await examine(tree, 60))
    assert set(findings) == {"models.north", "models.south"}
    assert "unauthorized" in findings["models.north"].lower()
    assert "reads as invalid" in findings["models.south"]
    assert SECRET not in str(findings)


async def test_a_model_that_never_answers_ends_with_its_bound(tmp_path: Path) -> None:
    """The others are not held up, and the command ends."""
    async with healthy(tmp_path) as (provider, tree):
        provider.serve("north", hang())
        findings = failed(await examine(tree, 3))
    assert set(findings) == {"models.north"}


async def test_no_broker_no_topics_no_store(tmp_path: Path) -> None:
    """What is missing is said with the command that makes it."""
    async with embedded_broker() as broker, faulty_provider() as provider:
        provider.serve("north", GOOD)
        provider.serve("south", GOOD)
        findings = failed(await examine(settings(tmp_path, broker, provider.url), 60))
        assert set(findings) == {"kafka", "store"}
        assert "run consensus topics" in findings["kafka"]
        assert "consensus store migrate" in findings["store"]
        gone = settings(tmp_path, "127.0.0.1:1", provider.url)
        assert set(failed(await examine(gone, 60))) == {"kafka", "store"}


async def test_the_password_of_a_database_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be reached is a finding that names the key and keeps the secret."""
    monkeypatch.setitem(os.environ, "DOCTOR_STORE", f"postgresql+asyncpg://me:{SECRET}@127.0.0.1:1/none")
    async with healthy(tmp_path) as (provider, tree):
        there = settings(tmp_path, tree.kafka.bootstrap_servers, provider.url, store={"url_env": "DOCTOR_STORE"})
        findings = failed(await examine(there, 60))
    assert list(findings) == ["store"]
    assert SECRET not in findings["store"]
