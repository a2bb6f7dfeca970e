"""The configuration files that the demonstration writes for its processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from consensus.demo.simulated import MODELS, Simulated
from consensus.settings.sources import read_file

PANEL = ("sim-atlas-1", "sim-borealis-2", "sim-cetus-1", "sim-dorado-3", "sim-eridanus-1")
ARBITERS = ("sim-fornax-judge", "sim-grus-judge")
PRICE_IN, PRICE_OUT = 0.5, 1.5
"""Made-up dollars per million tokens, so that costs can be shown."""
PLACEHOLDER_KEY = "CONSENSUS_DEMO_KEY"
"""Environment variable with the placeholder that the local provider takes for a key."""
DEADLINE_MS = 300_000
"""Generous: the demonstration must not turn into one of deadlines on a slow machine."""
RECORDED_DEADLINE_MS = 600_000
STORE_S = 60
"""Three processes share one file and two cores: waiting is better than giving up."""
REFIT_LABELS = 170
"""All rulings and outcomes of the second act: one refit on all of them."""


def simulated(address: str, provider: str, folder: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    """Five simulated models of five families, two arbiters of two others, three policies by stakes."""
    judged = {"panel": "main", "arbiters": list(ARBITERS), "deadline_ms": DEADLINE_MS}
    return {
        **_surroundings(address, folder, ports),
        "models": {name: _model(MODELS[name], provider) for name in (*PANEL, *ARBITERS)},
        "panels": {"main": {"models": list(PANEL), "quorum": 3, "min_families": 2}},
        "arbiters": {name: {"model": name} for name in ARBITERS},
        "policies": {
            "routine": {**judged, "accept_uncertified": "unanimous", "applies_to": [{"stakes": "low"}]},
            "default": judged,
            "careful": {
                **judged,
                "on_disagreement": {"reasoning": "review"},
                "applies_to": [{"stakes": "high"}, {"stakes": "critical"}],
            },
        },
    }


def recorded(
    address: str, provider: str, folder: Path, ports: Mapping[str, int], *, families: Mapping[str, str]
) -> dict[str, Any]:
    """The models of a recorded panel, replayed; disputes go to people, since no arbiter was recorded."""
    names = list(families)
    models = {
        name: {"model": f"hosted_vllm/{name}", "family": family, "api_base": provider, "api_key_env": PLACEHOLDER_KEY}
        for name, family in families.items()
    }
    policy = {
        "panel": "recorded",
        "on_disagreement": {"reasoning": "review"},
        "deadline_ms": RECORDED_DEADLINE_MS,
    }
    return {
        **_surroundings(address, folder, ports),
        "models": models,
        "panels": {"recorded": {"models": names, "quorum": 2, "min_families": 2}},
        "policies": {"default": policy},
    }


def users(path: Path, address: str, _provider: str, folder: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    """The user's own models, panels and policies, with the demonstration's broker, store and ports."""
    return {**read_file(str(path)), **_surroundings(address, folder, ports)}


def write(configuration: Mapping[str, Any], path: Path) -> Path:
    """Write a configuration file (JSON, which is YAML) that only we can read."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(configuration, indent=2), encoding="utf-8")
    return path


def for_process(configuration: Mapping[str, Any], name: str, folder: Path, ports: Mapping[str, int]) -> Path:
    """A process's own file: the common one with its probe address and its static group member id."""
    kafka = {**configuration["kafka"], "instance_id": f"demo-{name}"}
    telemetry = {**configuration.get("telemetry", {}), "listen": f"127.0.0.1:{ports[name]}"}
    return write({**configuration, "kafka": kafka, "telemetry": telemetry}, folder / f"{name}.yaml")


def truths(cases: Sequence[Any], path: Path) -> Path:
    """The questions file of the simulated provider."""
    path.write_text("".join(json.dumps(case.truth()) + "\n" for case in cases), encoding="utf-8")
    return path


def _surroundings(address: str, folder: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    return {
        "kafka": {"bootstrap_servers": address, "partitions": 4},
        "grpc": {"listen": f"127.0.0.1:{ports['grpc']}"},
        "store": {"url": f"sqlite+aiosqlite:///{folder / 'store.sqlite'}", "timeout_s": STORE_S},
        "drift": {"refit_labels": REFIT_LABELS, "min_labels": 40, "refit_interval_s": 300},
        "telemetry": {"log_format": "console", "log_level": "warning"},
    }


def _model(model: Simulated, provider: str) -> dict[str, Any]:
    return {
        "model": f"hosted_vllm/{model.name}",
        "family": model.family,
        "api_base": provider,
        "api_key_env": PLACEHOLDER_KEY,
        "price_in": PRICE_IN,
        "price_out": PRICE_OUT,
        "structured": "off",
        "timeout_s": 10,
    }
