"""The two sources of the configuration, a YAML file and the environment, read into plain dictionaries."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from consensus.errors import ConfigError

PREFIX = "CONSENSUS__"
DELIMITER = "__"

Raw = dict[str, Any]


class _StrictLoader(yaml.SafeLoader):
    """YAML's own loader keeps the last of two equal keys without a word; this one refuses them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            if isinstance(key.value, str) and key.tag != "tag:yaml.org,2002:merge":
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_file(path: str) -> Raw:
    """The mapping in a YAML file; an empty file is an empty mapping. Raises ConfigError naming the file and line."""
    try:
        document = yaml.load(Path(path).read_text("utf-8"), _StrictLoader)  # noqa: S506  (a SafeLoader)
    except OSError as error:
        raise ConfigError(
            path, f"cannot be read ({error.strerror}): give --config or CONSENSUS_CONFIG another file"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(path, "is not UTF-8 text: save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}", f"is not valid YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigError(path, "is not valid YAML: it holds a character that YAML does not allow") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(path, "must be a mapping with keys such as kafka, models and policies")
    return document


def overlay(raw: Mapping[str, object], env: Mapping[str, str]) -> tuple[Raw, dict[str, str]]:
    """A copy of ``raw`` with every ``CONSENSUS__A__B`` of ``env`` set, and the variable behind each overridden path.

    Empty variables are ignored. Raises ConfigError naming the variable.
    """
    tree: Raw = {key: _copy(value) for key, value in raw.items()}
    origins: dict[str, str] = {}
    for variable in sorted(env):
        if variable.startswith(PREFIX) and env[variable] != "":
            path = _set(tree, variable, _value(variable, env[variable]))
            origins[".".join(path)] = variable
    return tree, origins


def _copy(value: Any) -> Any:
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def _value(variable: str, text: str) -> Any:
    """JSON for lists and mappings, ``null``, else the text itself, which the tree turns into numbers and booleans."""
    if text == "null":
        return None
    if text[0] not in "[{":
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigError(variable, "is not valid JSON: lists and mappings are written as JSON") from None


def _set(tree: Raw, variable: str, value: Any) -> list[str]:
    parts = variable[len(PREFIX) :].split(DELIMITER)
    if not all(parts):
        raise ConfigError(variable, f"names no key: write {PREFIX}SECTION{DELIMITER}KEY")
    path: list[str] = []
    node = tree
    for part in parts[:-1]:
        path.append(_key(node, part))
        if node.get(path[-1]) is None:
            node[path[-1]] = {}
        node = node[path[-1]]
        if not isinstance(node, dict):
            raise ConfigError(variable, f"{'.'.join(path)} is no mapping: set it as a whole, as JSON")
    path.append(_key(node, parts[-1]))
    node[path[-1]] = value
    return path


def _key(node: Raw, part: str) -> str:
    """The existing key that a variable's part means: names may hold ``-``, ``.`` and capitals, variables may not."""
    return next((str(key) for key in node if _folded(str(key)) == _folded(part)), part.lower())


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())
