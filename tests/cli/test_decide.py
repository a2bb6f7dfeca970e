"""``consensus decide``: a line that is no request is answered in its place, whatever its bytes."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from consensus.cli.decide import app

LINES = b'{"id": "r-1"\n\n\xff\xfe\n[]\n'


def _config(folder: Path) -> str:
    path = folder / "consensus.yaml"
    path.write_text("models: {}\n", encoding="utf-8")
    return str(path)


def test_faulty_lines_are_named_in_order_from_a_file_and_from_stdin(tmp_path: Path) -> None:
    source = tmp_path / "requests.jsonl"
    source.write_bytes(LINES)
    config = _config(tmp_path)
    from_file = CliRunner().invoke(app, [str(source), "--config", config])
    from_stdin = CliRunner().invoke(app, ["--config", config], input=LINES)
    assert (from_file.exit_code, from_stdin.exit_code) == (1, 1)
    assert from_file.stdout == from_stdin.stdout
    answers = [json.loads(line) for line in from_file.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [1, 3, 4]
    assert "UTF-8" in answers[1]["error"]


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, [str(tmp_path / "missing.jsonl"), "--config", _config(tmp_path)])
    assert found.exit_code == 2
