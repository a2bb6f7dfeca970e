"""JSON Schemas of every message, generated from the types that are the contract.

``python -m consensus.schemas`` writes them to ``docs/schemas/``; with ``--check`` it changes nothing and exits with 1
when a file there is stale. The output depends on nothing but the types.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from consensus.settings import Settings
from consensus.settings.faults import NAMED
from consensus.types import Outcome, Request, ReviewTask, Ruling, Signal, Verdict, Vote

MESSAGES: dict[str, type[BaseModel]] = {
    "request": Request,
    "verdict": Verdict,
    "review-task": ReviewTask,
    "ruling": Ruling,
    "outcome": Outcome,
    "signal": Signal,
    "vote": Vote,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"

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
    """File name → content of everything in ``docs/schemas``."""
    schemas = {name: message(kind) for name, kind in MESSAGES.items()} | {"configuration": configuration()}
    return {f"{name}.json": text(schema) for name, schema in schemas.items()}


def stale(folder: Path) -> list[str]:
    """Names of files that are missing, differ, or belong to no message."""
    wanted = documents()
    present = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted | present if wanted.get(name) != present.get(name))


def write(folder: Path) -> None:
    """Make the folder hold exactly the current schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content, "utf-8")


def main(arguments: list[str]) -> int:
    """Write the schemas, or with ``--check`` compare them. Returns the exit code."""
    if arguments != ["--check"]:
        write(FOLDER)
        return 0
    names = stale(FOLDER)
    if names:
        sys.stderr.write(f"stale in docs/schemas: {', '.join(names)}; run: make schemas\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
