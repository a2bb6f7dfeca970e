"""The published JSON Schemas are those of the types, and nothing else is in their folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from consensus import schemas
from tests.test_settings import EXAMPLE


def test_the_published_schemas_are_current() -> None:
    assert schemas.stale(schemas.FOLDER) == [], "run: make schemas"


def test_stale_names_what_is_missing_changed_or_left_over(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    assert schemas.stale(tmp_path) == []
    (tmp_path / "schemas" / "request.json").write_text("{}")
    (tmp_path / "configuration-keys.md").unlink()
    (tmp_path / "schemas" / "old.json").write_text("{}")
    assert schemas.stale(tmp_path) == ["configuration-keys.md", "schemas/old.json", "schemas/request.json"]
    schemas.write(tmp_path)
    assert schemas.stale(tmp_path) == []


@pytest.mark.parametrize("name", [*schemas.MESSAGES, "configuration"])
def test_each_is_a_valid_schema_and_always_the_same_text(name: str) -> None:
    document = schemas.documents()[f"schemas/{name}.json"]
    jsonschema_rs.validator_for(json.loads(document))
    assert document == schemas.documents()[f"schemas/{name}.json"]
    assert document.endswith("}\n")


def test_every_key_says_what_it_means() -> None:
    table = schemas.documents()["configuration-keys.md"]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows if len(row) != 4 or not row[3].removesuffix(" |")] == []
    keys = {row[0].removeprefix("| ") for row in rows}
    assert {"`bootstrap_servers`", "`api_key_env`", "`budget.calls`", "`applies_to[].stakes`", "`compare_s`"} <= keys
    assert "`name`" not in keys


def _request(**changes: Any) -> dict[str, Any]:
    request = {"id": "r1", "domain": "law", "stakes": "high", "prompt": "?", "answer": {"type": "boolean"}}
    return request | changes


@pytest.mark.parametrize(
    ("request_", "valid"),
    [
        (_request(), True),
        (_request(future_field=1, policy=None), True),
        (_request(answer={"type": "choice", "options": ["yes", {"id": "n", "text": "no"}]}), True),
        (_request(answer={"type": "choice", "options": ["yes"]}), False),
        (_request(stakes="extreme"), False),
        (_request(deadline_ms=-1), False),
    ],
)
def test_the_request_schema_speaks_of_what_producers_send(request_: dict[str, Any], valid: bool) -> None:
    assert jsonschema_rs.is_valid(schemas.message(schemas.MESSAGES["request"]), request_) is valid


def test_the_configuration_schema_knows_the_example_and_refuses_unknown_keys() -> None:
    schema = schemas.configuration()
    example = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    assert jsonschema_rs.is_valid(schema, example)
    assert not jsonschema_rs.is_valid(schema, example | {"polices": {}})
    example["models"]["gpt"]["name"] = "gpt"
    assert not jsonschema_rs.is_valid(schema, example)
