"""The chart's schema: the examples pass, and a wrong value is refused by the name of its key."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from consensus import schemas
from tests.chart.chart import EXAMPLES, HELM, at, values

SCHEMA = json.loads((HELM / "values.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)

WRONG: list[tuple[str, Any, str]] = [
    ("wroker.replicas", 3, "wroker"),
    ("worker.replica", 3, "replica"),
    ("worker.replicas", "three", "replicas"),
    ("worker.resources.requests.cpus", 1, "cpus"),
    ("worker.resources.limits.memory", "much", "memory"),
    ("worker.podDisruptionBudget.minAvailable", 1, "minAvailable"),
    ("gateway.service.type", "ExternalName", "type"),
    ("gateway.service.port", 0, "port"),
    ("image.digest", "latest", "digest"),
    ("image.repository", "", "repository"),
    ("terminationMarginSeconds", 1, "terminationMarginSeconds"),
    ("secrets.OPENAI_API_KEY", "sk-plain", "OPENAI_API_KEY"),
    ("secrets.OPENAI_API_KEY", {"name": "providers", "value": "sk-plain"}, "value"),
    ("secrets.CONSENSUS__KAFKA__PREFIX", {"name": "a", "key": "b"}, "CONSENSUS__KAFKA__PREFIX"),
    ("config.kafka.drian_seconds", 20, "drian_seconds"),
    ("config.kafka.drain_seconds", "soon", "drain_seconds"),
    ("config.kafka.drain_seconds", None, "drain_seconds"),
    ("config.kafka.instance_id", "one", "instance_id"),
    ("config.kafka.sasl_password", "hunter2", "sasl_password"),
    ("config.models.gpt", {"model": "openai/gpt-4.1", "family": "openai", "api_key": "sk-plain"}, "api_key"),
    ("config.store.url", "sqlite+aiosqlite:///here.sqlite", "url"),
    ("config.telemetry.listen", "127.0.0.1:9464", "listen"),
    ("config.grpc.listen", "localhost:50051", "listen"),
    ("config.policy", {}, "policy"),
    ("networkPolicy.enabled", "yes", "enabled"),
    ("serviceMonitor.interval", "often", "interval"),
    ("jobs.migration", True, "migration"),
]


@pytest.mark.parametrize("example", [None, *EXAMPLES])
def test_defaults_and_examples_are_valid(example: str | None) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(values(example))] == []


@pytest.mark.parametrize(("path", "value", "key"), WRONG)
def test_what_is_wrong_is_refused_by_the_name_of_its_key(path: str, value: Any, key: str) -> None:
    errors = list(VALIDATOR.iter_errors(values("minimal-values.yaml", **at(path, value))))
    assert errors
    assert any(key in error.message or key in map(str, error.instance_path) for error in errors)


def test_the_configuration_of_the_chart_is_the_programs() -> None:
    current = (HELM / "values.schema.json").read_text("utf-8")
    assert schemas.chart_values(current) == current, "run: make schemas"


def test_every_section_of_the_chart_is_closed() -> None:
    assert _open(SCHEMA, "") == []


def _open(node: Any, path: str) -> list[str]:
    """Places of the chart's own schema that name their keys and yet let others through."""
    if not isinstance(node, dict):
        return []
    mine = (
        [path] if node.get("type") == "object" and "properties" in node and "additionalProperties" not in node else []
    )
    below = {key: child for key, child in node.items() if not (path == ".$defs" and key[0].isupper())}
    return mine + [place for key, child in below.items() for place in _open(child, f"{path}.{key}")]
