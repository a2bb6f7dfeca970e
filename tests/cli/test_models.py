"""``consensus models --suggest-panel``: independent evidence within a cost, from a recording or from the store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from consensus.cli.models import app
from consensus.errors import ConfigError
from tests.loop_records import OPTIONS, Log, entry, outcome, signal
from tests.store.test_ingest import feed

MODELS = ("a", "b", "c")


def votes(n: int) -> list[tuple[int, tuple[int, int, int]]]:
    """(truth, votes): a is right .85 of the time, b is its copy, c is independent and right .75 of the time."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(n):
        truth, miss = int(rng.integers(3)), int(rng.integers(1, 3))
        a = truth if rng.random() < 0.85 else (truth + miss) % 3
        c = truth if rng.random() < 0.75 else (truth + int(rng.integers(1, 3))) % 3
        rows.append((truth, (a, a, c)))
    return rows


def recording(folder: Path) -> Path:
    path = folder / "panel.jsonl"
    lines = [
        {
            "id": f"q{i}", "category": ("law", "tax")[i % 2], "question": "?", "options": list(OPTIONS),
            "gold": OPTIONS[truth],
            "answers": {m: {"family": m, "text": "", "choice": OPTIONS[v]} for m, v in zip(MODELS, cast, strict=True)},
        }
        for i, (truth, cast) in enumerate(votes(300))
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def config(folder: Path, price: float | None = None) -> str:
    prices = {} if price is None else {"price_in": price, "price_out": 0.0}
    tree: dict[str, Any] = {
        "store": {"url": f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"},
        "models": {name: {"model": f"openai/{name}", "family": name, **prices} for name in MODELS},
    }
    path = folder / "consensus.yaml"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return str(path)


def suggested(*arguments: object) -> dict[str, Any]:
    found = CliRunner().invoke(app, ["--suggest-panel", *map(str, arguments), "--json"])
    assert found.exit_code == 0, found.exception
    tree: dict[str, Any] = json.loads(found.stdout)
    return tree


def test_the_copy_is_left_out_whatever_the_cost_allows(tmp_path: Path) -> None:
    """Calls cost 1 where the recording states no prices."""
    found = suggested("--panel", recording(tmp_path), "--cost", 3)
    assert found["models"] in (["a", "c"], ["b", "c"])
    assert (found["price"], found["labels"]) == (2.0, 300)
    low, high = found["interval"]
    assert low <= found["effective_votes"] <= high <= 2.0
    assert found["effective_votes"] == pytest.approx(2.0, abs=0.25)
    everybody = suggested("--panel", recording(tmp_path), "--size", 3)
    assert everybody["effective_votes"] < 2.2


def test_the_store_judges_the_configured_models_by_their_prices(tmp_path: Path) -> None:
    """A thousand tokens in at 2 dollars a million: .002 a call, so .005 buys two of them."""
    path = config(tmp_path, price=2.0)

    async def filled() -> None:
        engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
        await migrate(engine)
        log = Log()
        for i, (truth, cast) in enumerate(votes(120)):
            members = [entry(name, OPTIONS[vote]) for name, vote in zip(MODELS, cast, strict=True)]
            await feed(engine, log.records(signal(f"r-{i}", ballot=members), outcome(f"r-{i}", OPTIONS[truth])))
        await engine.dispose()

    asyncio.run(filled())
    found = suggested("--config", path, "--cost", 0.005)
    assert found["models"] in (["a", "c"], ["b", "c"])
    assert (found["price"], found["labels"]) == (pytest.approx(0.004), 120)


def test_wrong_use_is_named(tmp_path: Path) -> None:
    panel = recording(tmp_path)
    for arguments, complaint in (
        (("--panel", panel), "--suggest-panel: needs --cost or --size"),
        (("--panel", panel, "--cost", 1), "--suggest-panel: no panel"),
        (("--panel", panel, "--size", 2, "--domain", "art"), "--domain: nothing is labelled in 'art'"),
    ):
        found = CliRunner().invoke(app, ["--suggest-panel", *map(str, arguments)])
        assert isinstance(found.exception, ConfigError)
        assert str(found.exception).startswith(complaint)


def test_the_list_of_models_is_as_before(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["--config", config(tmp_path), "--json"])
    assert [row["name"] for row in json.loads(found.stdout)] == list(MODELS)
