"""``consensus config``: what is printed, and the exit codes 0 and 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from consensus import schemas
from consensus.cli.config import app
from tests.test_settings import tree

RUN = CliRunner()


@pytest.fixture(autouse=True)
def _no_configuration_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSENSUS_CONFIG", raising=False)


def _file(folder: Path, **sections: object) -> str:
    path = folder / "consensus.yaml"
    path.write_text(yaml.safe_dump(tree(**sections)), "utf-8")
    return str(path)


def test_a_valid_configuration_exits_with_0(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["check", "--config", _file(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, "the configuration is valid\n")


def test_a_wrong_one_exits_with_2_and_says_where(tmp_path: Path) -> None:
    path = _file(tmp_path, panels={"main": {"models": ["a", "b"], "quorum": 9}})
    result = RUN.invoke(app, ["check", "--config", path])
    assert result.exit_code == 2
    assert result.stdout == (
        "error: panels.main.quorum: is larger than the panel of 2: lower it or add models\n1 fault\n"
    )


def test_a_missing_key_is_an_error_and_a_caution_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tree()["models"]
    models["a"]["api_key_env"] = "TEST_ONLY_KEY"
    models["unused"] = {"model": "openai/u", "family": "u"}
    path = _file(tmp_path, models=models)
    monkeypatch.delenv("TEST_ONLY_KEY", raising=False)
    result = RUN.invoke(app, ["check", "--json", "--config", path])
    report = json.loads(result.stdout)
    assert (result.exit_code, report["ok"]) == (2, False)
    assert [item["path"] for item in report["errors"]] == ["models.a.api_key_env"]
    assert report["warnings"] == [{"path": "models.unused", "message": "is in no panel and judges nothing"}]
    monkeypatch.setenv("TEST_ONLY_KEY", "x")
    assert RUN.invoke(app, ["check", "--config", path]).exit_code == 0


def test_the_schema_is_the_published_one() -> None:
    result = RUN.invoke(app, ["schema"])
    assert (result.exit_code, result.stdout) == (0, schemas.documents()["schemas/configuration.json"])
