"""What an auditor types: verify the chain, forget a person, derive a decision again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from calibration.store import tables
from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from consensus import wire
from consensus.cli.calibration import app as calibration
from consensus.cli.explain import app as explain
from consensus.ledger import Asked, Ledger, Version
from consensus.pipeline import decide
from tests.ballots import request
from tests.loop_records import NOON, Log, verdict
from tests.models_fake import says
from tests.store.test_ingest import feed
from tests.test_pipeline import members, resources

Work = Callable[[AsyncEngine], Awaitable[None]]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with a migrated store of its own."""
    path = tmp_path / "consensus.yaml"
    path.write_text(f"store: {{url: 'sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}'}}\n", encoding="utf-8")
    at_store(tmp_path, migrate)
    return str(path)


def at_store(folder: Path, *works: Callable[[AsyncEngine], Awaitable[Any]]) -> None:
    """Do something with the store."""

    async def do() -> None:
        engine = create_engine(f"sqlite+aiosqlite:///{folder / 'store.sqlite'}")
        try:
            for work in works:
                await work(engine)
        finally:
            await engine.dispose()

    asyncio.run(do())


def run(app: Any, *arguments: str) -> tuple[int, Any]:
    """Exit code, and what was printed as JSON."""
    found = CliRunner().invoke(app, [*arguments, "--json"])
    return found.exit_code, json.loads(found.stdout) if found.stdout else None


async def chained(engine: AsyncEngine) -> None:
    await feed(engine, Log().records(*(verdict(f"r-{i}") for i in range(3))))


async def forged(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        here = tables.verdicts.c.log_offset == 1
        await connection.execute(tables.verdicts.update().where(here).values(raw=b"forged"))


async def decided(engine: AsyncEngine) -> None:
    """One decision as a worker leaves it in the ledger."""
    given = await decide(
        request(metadata={"subject": "patient-7"}), resources(members(says("B"), says("B"), says("A")))
    )
    assert given.signal is not None
    ledger = Ledger(engine)
    asked = Asked("default", "r-1", "f" * 64, 0, 7)
    await ledger.claims.claim([asked], now=NOON)
    raw = wire.write(request(metadata={"subject": "patient-7"}))
    version = Version("default", "r-1", 1, wire.write(given.verdict), wire.write(given.signal), request=raw)
    await ledger.decisions.keep(asked, version)
    await ledger.decisions.mark_committed([version.version_key])


async def with_policy(engine: AsyncEngine) -> None:
    await Ledger(engine).policies.keep(resources(members(says("B"), says("B"), says("A"))).policies.values())


def test_verify_says_whether_the_chain_holds(config: str, tmp_path: Path) -> None:
    """With the head to note down, and exit code 1 with the first broken record."""
    at_store(tmp_path, chained)
    code, value = run(calibration, "verify", "--config", config)
    assert (code, value["verified"], value["topic"]) == (0, True, None)
    assert value["store"][0]["records"] == 3
    assert len(value["store"][0]["head"][1]) == 64
    at_store(tmp_path, forged)
    code, value = run(calibration, "verify", "--config", config)
    assert (code, value["verified"]) == (1, False)
    assert value["store"][0]["fault"] == {"offset": 1, "what": "has other contents than were chained"}
    text = CliRunner().invoke(calibration, ["verify", "--config", config]).stdout
    assert "BROKEN at offset 1: it has other contents" in text
    assert "does not verify" in text


def test_forget_by_subject_and_by_id(config: str, tmp_path: Path) -> None:
    """What is unknown is said with exit code 1; either ids or a subject must be named."""
    at_store(tmp_path, decided)
    assert run(calibration, "forget", "--subject", "patient-8", "--config", config)[1]["erased"] == []
    assert run(calibration, "forget", "--subject", "patient-7", "--config", config)[1]["erased"] == ["r-1"]
    code, value = run(calibration, "forget", "r-1", "r-2", "--config", config)
    assert (code, value) == (1, {"erased": ["r-1"], "busy": [], "unknown": ["r-2"]})
    gone = CliRunner().invoke(explain, ["r-1", "--config", config])
    assert (gone.exit_code, "its texts were erased on" in gone.stderr) == (1, True)
    for wrong in (["forget"], ["forget", "r-1", "--subject", "x"]):
        assert CliRunner().invoke(calibration, [*wrong, "--config", config]).exit_code != 0


def test_a_decision_is_derived_again(config: str, tmp_path: Path) -> None:
    """Its policy is found in the store by version; without it the missing part is named."""
    at_store(tmp_path, decided)
    code, value = run(explain, "r-1", "--recompute", "--config", config)
    assert code == 1
    assert value["recomputed"]["missing"][0].startswith("policy default@")
    assert run(explain, "r-1", "--config", config)[0] == 0
    at_store(tmp_path, with_policy)
    code, value = run(explain, "r-1", "--recompute", "--config", config)
    assert (code, value["recomputed"]) == (0, {"holds": True, "missing": [], "differences": []})
    text = CliRunner().invoke(explain, ["r-1", "--recompute", "--config", config]).stdout
    assert "come out as recorded, to the last digit" in text


async def altered(engine: AsyncEngine) -> None:
    from consensus.ledger import tables as ledger

    async with engine.begin() as connection:
        raw = (await connection.execute(ledger.decisions.select())).one().verdict
        changed = raw.replace(b'"degraded":false', b'"degraded":true')
        assert changed != raw
        await connection.execute(ledger.decisions.update().values(verdict=changed))


def test_an_altered_decision_is_told(config: str, tmp_path: Path) -> None:
    """Field, recorded value, and what comes out."""
    at_store(tmp_path, decided, with_policy, altered)
    code, value = run(explain, "r-1", "--recompute", "--config", config)
    assert code == 1
    assert value["recomputed"]["differences"] == [{"field": "verdict.degraded", "recorded": True, "recomputed": False}]
    text = CliRunner().invoke(explain, ["r-1", "--recompute", "--config", config]).stdout
    assert "verdict.degraded: True → False" in text
