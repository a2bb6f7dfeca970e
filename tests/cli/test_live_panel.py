"""Labelled cases put to the configured models over HTTP: recorded, evaluated, fitted, and decided with the result."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from calibration.snapshot import Snapshot
from consensus.cli.calibration import app as calibration
from consensus.cli.decide import app as decide
from consensus.cli.evaluate import app as evaluate
from consensus.demo import configuration
from consensus.demo.cases import vignettes
from consensus.errors import ConfigError, Retry
from consensus.evaluation import ballots, recorded
from consensus.kafka.snapshots import readable

MODELS = ("sim-atlas-1", "sim-borealis-2", "sim-cetus-1")
CASES = vignettes(90, seed=5)


class Provider:
    """The demonstration's provider in a process of its own."""

    def __init__(self, folder: Path) -> None:
        questions = configuration.truths(CASES, folder / "questions.jsonl")
        command = [sys.executable, "-m", "consensus.demo.provider", "--questions", str(questions), "--pace", "0"]
        self._process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{json.loads(self._process.stdout.readline())['port']}"

    def calls(self) -> int:
        with urllib.request.urlopen(f"{self.url}/calls", timeout=60) as reply:
            return int(json.load(reply)["total"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    one = Provider(tmp_path_factory.mktemp("provider"))
    yield one
    one.stop()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(configuration.PLACEHOLDER_KEY, "none")


def config(folder: Path, url: str) -> str:
    ports = dict.fromkeys(("grpc", "worker", "gateway", "calibrator"), 1)
    tree = configuration.simulated("127.0.0.1:1", f"{url}/v1", folder, ports)
    tree["panels"]["main"] = {"models": list(MODELS), "quorum": 2, "min_families": 2}
    tree["policies"] = {
        "default": {"panel": "main", "on_disagreement": {"reasoning": "review"}, "deadline_ms": 120_000}
    }
    return str(configuration.write(tree, folder / "consensus.yaml"))


def gold(folder: Path, count: int = len(CASES)) -> Path:
    path = folder / "gold.jsonl"
    lines = [json.dumps({**case.request.model_dump(mode="json"), "gold": case.gold}) for case in CASES[:count]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(app: Any, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def value(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_from_cases_to_a_snapshot_that_decides(tmp_path: Path, provider: Provider) -> None:
    """Evaluate live, fit on what was recorded, decide: every call is paid for once."""
    cases, settings, before = gold(tmp_path), config(tmp_path, provider.url), provider.calls()
    again = (cases, "--config", settings, "--out", tmp_path / "report", "--labels", 45, "--repeats", 2, "--json")
    metrics = value(run(evaluate, *again))
    assert metrics["panel"] == list(MODELS)
    assert (metrics["n_labels"], metrics["n_test"]) == (45, 45)
    assert (tmp_path / "report" / "report.html").exists()
    asked = provider.calls()
    assert asked - before >= 3 * len(CASES)
    record = tmp_path / "report" / "panel.jsonl"
    assert len(record.read_text(encoding="utf-8").splitlines()) == len(CASES)
    assert value(run(evaluate, *again)) == metrics
    live = ("fit", cases, "--live", "--record", record, "--config", settings, "--json", "--per-day", 200)
    summary = value(run(calibration, *live, "--out", tmp_path / "first.json"))
    assert provider.calls() == asked, "what is recorded is not asked again"
    assert summary["labels"] + summary["unusable"] == len(CASES)
    methods = {one["method"]: one for one in summary["expected"]}
    assert {"majority", "most_confident", "best_single"} < set(methods)
    assert all(0 <= one["reviews_per_day"] <= 200 for one in methods.values())
    assert methods["majority"]["cost_multiple"] > methods["best_single"]["cost_multiple"] == 1.0

    snapshot = readable((tmp_path / "first.json").read_bytes(), MODELS)
    assert snapshot.version == summary["version"]
    assert snapshot.members.curves, "what members say of themselves is calibrated"
    requests = tmp_path / "requests.jsonl"
    requests.write_text(CASES[0].request.model_dump_json() + "\n", encoding="utf-8")
    verdict = value(run(decide, requests, "--config", settings, "--snapshot", tmp_path / "first.json"))
    assert verdict["snapshot_version"] == snapshot.version
    assert any(entry["confidence"] is not None for entry in verdict["ballot"])


def test_the_record_says_what_the_service_would_have_counted(tmp_path: Path, provider: Provider) -> None:
    """Labels, versions, prompts and prices of live answers survive the file; fitting on it needs no models."""
    cases, settings = gold(tmp_path, 40), config(tmp_path, provider.url)
    out, record = tmp_path / "first.json", tmp_path / "first.panel.jsonl"
    first = value(run(calibration, "fit", cases, "--live", "--config", settings, "--out", out, "--json"))
    table = ballots(recorded(record), MODELS)
    assert (table.votes >= 0).mean() > 0.8
    assert {(source, version != "", prompt != "") for source, version, prompt in table.sources} == {
        ("verbal", True, True)
    }
    for arguments in ((cases, "--panel", record), (record,)):
        second = value(run(calibration, "fit", *arguments, "--out", tmp_path / "second.json", "--json"))
        assert {**second, "version": first["version"]} == first
    again = Snapshot.from_json((tmp_path / "second.json").read_bytes())
    one = Snapshot.from_json(out.read_bytes())
    assert again.model_copy(update={"version": one.version, "fitted_at": one.fitted_at}) == one


def test_a_record_that_was_cut_off_is_continued(tmp_path: Path, provider: Provider) -> None:
    """The broken last line goes, and only what is missing is asked."""
    cases, settings, record = gold(tmp_path, 34), config(tmp_path, provider.url), tmp_path / "kept.jsonl"
    live = ("fit", cases, "--live", "--record", record, "--config", settings, "--out", tmp_path / "s.json", "--json")
    value(run(calibration, *live))
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:-1]) + lines[-1][:50])
    before = provider.calls()
    value(run(calibration, *live))
    assert provider.calls() - before <= 2 * len(MODELS)
    assert len(record.read_bytes().splitlines()) == 34


def test_models_that_do_not_answer_leave_no_record(tmp_path: Path) -> None:
    """Nothing listens: every call fails, the command says so, and running again asks again."""
    settings = config(tmp_path, "http://127.0.0.1:1")
    arguments = ("fit", gold(tmp_path, 1), "--live", "--config", settings, "--out", tmp_path / "s.json")
    found = run(calibration, *arguments)
    assert isinstance(found.exception, Retry)
    assert "no model answered 1 of 1 cases" in str(found.exception)
    assert (tmp_path / "s.panel.jsonl").read_bytes() == b""


def test_wrong_use_is_named(tmp_path: Path) -> None:
    cases, out = gold(tmp_path, 2), tmp_path / "s.json"
    bad = tmp_path / "bad.jsonl"
    bad.write_text(cases.read_text(encoding="utf-8").splitlines()[0] + '\n{"id": "x"}\n', encoding="utf-8")
    settings = config(tmp_path, "http://127.0.0.1:1")
    for app, arguments, complaint in (
        (calibration, ("fit", bad, "--live", "--config", settings, "--out", out), f"{bad}:2: "),
        (calibration, ("fit", cases, "--live", "--panel", cases, "--out", out), "--live: "),
        (calibration, ("fit", cases, "--live", "--models", "x", "--config", settings, "--out", out), "--models: 'x'"),
        (calibration, ("fit", cases, "--panel", bad, "--out", out), f"{bad}:1: "),
        (evaluate, (cases, "--config", settings), "--out: "),
    ):
        found = run(app, *arguments)
        assert isinstance(found.exception, ConfigError), (arguments, found.output)
        assert str(found.exception).startswith(complaint), found.exception
    assert not out.exists()
