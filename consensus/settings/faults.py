"""Validation errors of the tree as ConfigErrors: the path of the key, and what to do. Values are never repeated."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from consensus.errors import ConfigError
from consensus.settings.tree import Settings

Location = Sequence[int | str]
NAMED = ("models", "panels", "policies", "arbiters")
"""Sections whose entries are named by their key."""
SECRETS = frozenset({"key", "apikey", "token", "password", "secret", "authorization", "dsn"})


def faults(error: ValidationError, origins: Mapping[str, str]) -> list[ConfigError]:
    """One ConfigError for each thing that pydantic found; ``origins`` maps paths to the variables that set them."""
    return [_fault(details, origins) for details in error.errors(include_url=False, include_input=False)]


def path_of(location: Location) -> str:
    """``panels.main.models[2]`` for ``("panels", "main", "models", 2)``."""
    path = ""
    for part in location:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _fault(details: ErrorDetails, origins: Mapping[str, str]) -> ConfigError:
    location = details["loc"]
    if details["type"] == "extra_forbidden":
        message = _unknown(str(location[-1]), known_keys(location[:-1]))
    elif details["type"] == "missing":
        message = "is required: add it"
    elif location[-1] == "[key]":
        message = "a name starts with a letter or digit and has letters, digits, '.', '_' and '-', at most 64"
    else:
        message = details["msg"].removeprefix("Value error, ")
    origin = origins.get(".".join(str(part) for part in location))
    return ConfigError(path_of(location), message if origin is None else f"{message} (set by {origin})")


def _unknown(key: str, known: Sequence[str]) -> str:
    reference = f"{key}_env"
    if reference in known or key.lower().replace("_", "") in SECRETS:
        wanted = reference if reference in known else next((name for name in known if name.endswith("_env")), "…_env")
        return f"a secret is never written here: put it into an environment variable, and its name into {wanted}"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return f"unknown key; did you mean {near[0]}?" if near else "unknown key: this section has no keys, remove it"


def known_keys(location: Location) -> tuple[str, ...]:
    """The keys that the tree knows at a place, sorted."""
    node: Any = Settings
    for part in location:
        node = _below(node, part)
    named_by_key = len(location) == 2 and location[0] in NAMED
    return tuple(sorted(key for key in node.model_fields if not (named_by_key and key == "name")))


def _below(node: Any, part: int | str) -> Any:
    """The type of one field of a model, or of the items of ``dict[str, X]`` and ``tuple[X, ...]``."""
    if isinstance(node, type) and issubclass(node, BaseModel):
        return node.model_fields[str(part)].annotation
    arguments = typing.get_args(node)
    return arguments[1] if typing.get_origin(node) is dict else arguments[0]
