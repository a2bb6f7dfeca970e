"""How often a JSON Schema may look at one value: references can make a small schema exponentially expensive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_COST = 100_000
"""Sub-schemas evaluated along one path through a value: some milliseconds."""

_SAME_VALUE_LISTS = ("allOf", "anyOf", "oneOf")
_SAME_VALUE = ("not", "if", "then", "else", "$ref", "$dynamicRef", "$recursiveRef")
_PART_MAPS = ("properties", "patternProperties")
_PARTS = ("items", "additionalItems", "additionalProperties", "contains", "propertyNames", "unevaluatedItems",
          "unevaluatedProperties", "prefixItems")  # fmt: skip
_SAME_VALUE_MAPS = ("dependentSchemas", "dependencies")


class TooComplex(Exception):
    """The schema costs more than `MAX_COST`, or refers to itself too deeply to tell."""


class Cost:
    """Cost of one schema on values of bounded depth: sums over the same value, the dearest over its parts."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._known: dict[tuple[str, int], int] = {}

    def check(self, depth: int) -> None:
        """Raise TooComplex when a value nested ``depth`` deep may cost more than `MAX_COST`."""
        try:
            self._cost(self._root, depth)
        except RecursionError:
            raise TooComplex from None

    def _cost(self, node: Any, depth: int) -> int:
        if not isinstance(node, Mapping):
            return 1
        total = 1 + sum(self._cost(child, depth) for child in self._same_value(node))
        total += sum(self._reference(node[key], depth) for key in _SAME_VALUE if isinstance(node.get(key), str))
        if depth > 0:
            total += max((self._cost(child, depth - 1) for child in _parts(node)), default=0)
        if total > MAX_COST:
            raise TooComplex
        return total

    def _same_value(self, node: Mapping[str, Any]) -> list[Any]:
        children = [child for key in _SAME_VALUE_LISTS for child in _list(node.get(key))]
        children += [child for key in _SAME_VALUE_MAPS for child in _values(node.get(key))]
        return children + [node[key] for key in _SAME_VALUE if isinstance(node.get(key), Mapping)]

    def _reference(self, reference: str, depth: int) -> int:
        """Cost of a reference's target; one that comes back to itself on the same value adds nothing more."""
        place = (reference, depth)
        if place not in self._known:
            self._known[place] = 0
            self._known[place] = self._cost(self._target(reference), depth)
        return self._known[place]

    def _target(self, reference: str) -> Any:
        """The schema at ``#/…``; for anchors the root stands in, which costs at least as much."""
        node: Any = self._root
        if not reference.startswith("#/"):
            return node
        for token in reference[2:].split("/"):
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdecimal() and len(key) < 6 and int(key) < len(node):
                node = node[int(key)]
            else:
                node = node.get(key) if isinstance(node, Mapping) else None
        return node


def _parts(node: Mapping[str, Any]) -> list[Any]:
    children = [child for key in _PART_MAPS for child in _values(node.get(key))]
    for key in _PARTS:
        part = node.get(key)
        children += part if isinstance(part, list) else [] if part is None else [part]
    return children


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else []
