"""``calibration certify``: an answer before anybody is asked, where things stand, and wrong use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from consensus.cli.calibration import app
from consensus.errors import ConfigError
from consensus.freezing import NothingToCertify
from tests import simulated_world as world
from tests.store.stage import Stage

REQUESTS = 60


@pytest_asyncio.fixture
async def config(tmp_path: Path) -> str:
    """A configuration whose store holds a snapshot and sixty requests that were decided with it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}"
    engine = create_engine(url)
    await migrate(engine)
    stage, snapshot = Stage(engine), world.snapshot(120)
    await stage.publish(snapshot)
    for i in range(REQUESTS):
        await stage.decided(world.request(f"r-{i}"), world.policy(), snapshot)
    await stage.flush()
    await engine.dispose()
    models = {name: {"model": f"openai/{name}", "api_key_env": "KEY", "family": name} for name in world.SKILLS}
    policies: dict[str, Any] = {
        "default": {"panel": "main", "accept_uncertified": "unanimous"},
        "split": {"panel": "main", "classes": [{"name": "law", "domains": ["law"]}]},
    }
    panels = {"main": {"models": list(world.SKILLS), "quorum": 2}}
    file = tmp_path / "consensus.yaml"
    plain = {"store": {"url": url}, "models": models, "panels": panels, "policies": policies}
    file.write_text(json.dumps(plain))
    return str(file)


async def certify(config: str, *arguments: str) -> Any:
    """Run the command away from the test's event loop."""
    line: Sequence[str] = ("certify", "--config", config, *arguments)
    return await asyncio.to_thread(CliRunner().invoke, app, line)


async def test_no_safe_threshold_is_an_answer_that_asks_nobody(config: str) -> None:
    """At a hundredth nothing can be expected of this panel; the command says so and opens nothing."""
    found = await certify(config, "--policy", "default", "--labels", "50", "--alpha", "0.001", "--json")
    assert found.exit_code == 1
    told = json.loads(found.stdout)
    assert (told["state"], told["class"], told["would_do"]) == ("infeasible", "default", None)
    assert told["archive"] == REQUESTS
    near = await certify(config, "--policy", "default", "--labels", "10", "--alpha", "0.2", "--json")
    assert near.exit_code == 1
    assert json.loads(near.stdout)["would_do"] > 10
    words = await certify(config, "--policy", "default", "--labels", "10", "--alpha", "0.2")
    assert "labels would probably do" in words.stdout
    status = await certify(config, "--status", "--json")
    assert json.loads(status.stdout)["campaigns"] == []


async def test_where_things_stand(config: str) -> None:
    """Nothing yet, in words and as JSON; audits are listed for classes that accept."""
    words = await certify(config, "--status")
    assert words.exit_code == 0
    assert "there were no campaigns yet" in words.stdout
    assert "audits of default: 0 of 130" in words.stdout
    told = json.loads((await certify(config, "--status", "--json")).stdout)
    assert set(told) == {"campaigns", "certificates", "classes", "audits"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs --policy and --labels"),
        (("--policy", "other", "--labels", "5"), "there is no policy 'other'"),
        (("--policy", "default", "--labels", "5", "--alpha", "1.5"), "between 0 and 1"),
        (("--policy", "split", "--labels", "5"), "one of split/law, split/other"),
    ],
)
async def test_wrong_use_says_what_is_wrong(config: str, arguments: tuple[str, ...], message: str) -> None:
    found = await certify(config, *arguments)
    assert isinstance(found.exception, ConfigError)
    assert message in str(found.exception)


async def test_a_class_without_requests_has_nothing_to_certify(config: str) -> None:
    found = await certify(config, "--policy", "split", "--class", "split/law", "--labels", "50")
    assert isinstance(found.exception, NothingToCertify)
