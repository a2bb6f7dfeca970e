"""The chart as its users meet it: the example values, merged as helm merges them, and what helm makes of them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.chart.tools import Tools

HELM = Path(__file__).parents[2] / "helm"
EXAMPLES = tuple(sorted(path.name for path in (HELM / "ci").glob("*-values.yaml")))
RELEASE = "prod"
HELM_S = 100

Json = dict[str, Any]


class Refused(Exception):
    """helm said no; the text is what it said."""


def values(example: str | None = None, **changes: Any) -> Json:
    """The chart's defaults with an example on top, then ``changes``."""
    merged: Json = yaml.safe_load((HELM / "values.yaml").read_text("utf-8"))
    if example is not None:
        merged = merge(merged, yaml.safe_load((HELM / "ci" / example).read_text("utf-8")))
    return merge(merged, changes)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Json:
    """Mappings key by key, everything else as a whole; ``None`` removes a key."""
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def at(path: str, value: Any) -> Json:
    """``{"a": {"b": value}}`` for ``"a.b"``."""
    for key in reversed(path.split(".")):
        value = {key: value}
    nested: Json = value
    return nested


def render(tools: Tools, changed: Mapping[str, Any]) -> list[Json]:
    """Every resource that ``helm template`` makes of ``changed`` values. Raises Refused."""
    return [resource for resource in yaml.safe_load_all(template(tools, changed)) if resource is not None]


def template(tools: Tools, changed: Mapping[str, Any]) -> str:
    """What ``helm template`` prints for ``changed`` values. Raises Refused."""
    return _template(tools, yaml.safe_dump(dict(changed)))


@cache
def _template(tools: Tools, changed: str) -> str:
    return helm(tools, "template", RELEASE, str(HELM), "--values=-", given=changed)


def helm(tools: Tools, *arguments: str, given: str = "") -> str:
    """Run helm, which reaches for no cluster here; ``given`` is its stdin. Raises Refused."""
    done = subprocess.run(
        [tools.helm, *arguments], input=given, capture_output=True, text=True, timeout=HELM_S, check=False
    )
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def of_kind(resources: list[Json], kind: str) -> dict[str, Json]:
    """Resources of one kind, by name without the release's."""
    return {
        resource["metadata"]["name"].removeprefix(f"{RELEASE}-consensus").removeprefix("-"): resource
        for resource in resources
        if resource["kind"] == kind
    }


def pods(resources: list[Json]) -> dict[str, Json]:
    """The pod of every process and job, by name."""
    makers = {**of_kind(resources, "StatefulSet"), **of_kind(resources, "Job")}
    return {name: maker["spec"]["template"]["spec"] for name, maker in makers.items()}


def container(pod: Json) -> Json:
    """A pod's only container."""
    (only,) = pod["containers"]
    found: Json = only
    return found
