"""The documents that are generated from the types: JSON Schemas of every message, and the configuration's keys.

``python -m consensus.schemas`` writes them below ``docs/``, and the configuration's part of the chart's schema; with
``--check`` it changes nothing and exits with 1 when one is stale. The output depends on nothing but the types.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from calibration.snapshot import Snapshot
from consensus.settings import Settings
from consensus.settings.faults import NAMED
from consensus.settings.reference import reference
from consensus.types import Outcome, Request, ReviewTask, Ruling, Signal, Verdict, Vote

MESSAGES: dict[str, type[BaseModel]] = {
    "request": Request,
    "verdict": Verdict,
    "review-task": ReviewTask,
    "ruling": Ruling,
    "outcome": Outcome,
    "signal": Signal,
    "vote": Vote,
    "snapshot": Snapshot,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).resolve().parent.parent / "docs"
CHART = FOLDER.parent / "helm" / "values.schema.json"

Schema = dict[str, Any]


def message(kind: type[BaseModel]) -> Schema:
    """The schema of a message as it may be sent: what has a default may be left out, unknown fields are allowed."""
    return {"$schema": DIALECT, **kind.model_json_schema(mode="validation", by_alias=True)}


def configuration() -> Schema:
    """The schema of the configuration file. The entries of named sections do not repeat their key as ``name``."""
    schema: Schema = {"$schema": DIALECT, **Settings.model_json_schema(mode="validation")}
    for section in NAMED:
        (entries,) = schema["properties"][section]["patternProperties"].values()
        reference: str = entries["$ref"]
        entry = schema["$defs"][reference.rpartition("/")[2]]
        entry["properties"].pop("name", None)
        entry["required"] = [key for key in entry["required"] if key != "name"]
    return schema


def text(schema: Schema) -> str:
    """Deterministic text of a schema, ending in a newline."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def documents() -> dict[str, str]:
    """Path below ``docs`` → content of everything that is generated."""
    schemas = {name: message(kind) for name, kind in MESSAGES.items()} | {"configuration": configuration()}
    tables = {"configuration-keys.md": reference(schemas["configuration"])}
    return {f"schemas/{name}.json": text(schema) for name, schema in schemas.items()} | tables


def stale(folder: Path) -> list[str]:
    """Paths of files that are missing, differ, or are schemas of no message."""
    wanted = documents()
    present = {path: folder / path for path in [*wanted, *_schemas(folder)]}
    return sorted(
        path for path, file in present.items() if not file.exists() or file.read_text("utf-8") != wanted.get(path)
    )


def write(folder: Path) -> None:
    """Make the folder hold exactly the current documents."""
    wanted = documents()
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for path in _schemas(folder):
        if path not in wanted:
            (folder / path).unlink()
    for path, content in wanted.items():
        (folder / path).write_text(content, "utf-8")


def chart_values(current: str) -> str:
    """The chart's schema of its values, with the configuration as the types now have it.

    The chart's own definitions begin with a small letter and stay; those of the types begin with a capital.
    """
    schema = json.loads(current)
    settings = configuration()
    types = settings.pop("$defs")
    settings.pop("$schema")
    own = {name: value for name, value in schema["$defs"].items() if name[0].islower()}
    return text({**schema, "$defs": {**own, **types, "configuration": settings}})


def _schemas(folder: Path) -> list[str]:
    return [f"schemas/{path.name}" for path in folder.glob("schemas/*.json")]


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` compare them. Returns the exit code."""
    chart = CHART.read_text("utf-8")
    wanted = chart_values(chart)
    if arguments != ["--check"]:
        write(FOLDER)
        if chart != wanted:
            CHART.write_text(wanted, "utf-8")
        return 0
    names = stale(FOLDER) + [CHART.name] * (chart != wanted)
    if names:
        sys.stderr.write(f"stale: {', '.join(names)}; run: make schemas\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
