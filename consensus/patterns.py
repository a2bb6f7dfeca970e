"""Regular expressions that take exponential time on engines that backtrack.

Our own engine is linear, but the schema travels further (providers, reviewers' tools), so such a pattern is refused.
What is looked for: an unbounded repetition of a group that itself holds an unbounded repetition with nothing mandatory
beside it that tells its rounds apart, ``(a+)+``, ``(\\w*\\d*)*``; and alternatives of which one begins another,
``(a|aa)+``. ``([a-z]+-)*`` is fine: each round ends in a hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

MAX_LENGTH = 1_000
"""Characters of a pattern; a longer one is not analysed, and counts as catastrophic."""

_ATOM = re.compile(r"\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|[^\\\[\](){}|*+?]|[\]{}]", re.DOTALL)
_QUANTIFIER = re.compile(r"(?:[*+]|\?|\{\d+(?P<open>,)?(?P<max>\d+)?\})[?+]?")
_GROUP_OPEN = re.compile(r"\((?:\?(?::|=|!|<=|<!|P?<\w+>|[a-z]+:))?")


@dataclass
class _Branch:
    """One alternative of a group: its source, single atoms that must occur, and atoms repeated without bound."""

    source: str = ""
    mandatory: list[str] = field(default_factory=list)
    repeated: list[str | None] = field(default_factory=list)
    """An atom, or None for a group (whose text is not compared)."""


def catastrophic(pattern: str) -> bool:
    """Whether the pattern repeats a repetition without anything to tell the rounds apart."""
    if len(pattern) > MAX_LENGTH:
        return True
    stack: list[list[_Branch]] = [[_Branch()]]
    position = 0
    while position < len(pattern):
        if (opening := _GROUP_OPEN.match(pattern, position)) is not None:
            stack.append([_Branch()])
            position = opening.end()
        elif pattern[position] == "|":
            stack[-1].append(_Branch())
            position += 1
        elif pattern[position] == ")" and len(stack) > 1:
            branches = stack.pop()
            unbounded, optional, end = _quantifier(pattern, position + 1)
            if unbounded and _ambiguous(branches):
                return True
            _absorb(stack[-1][-1], branches, unbounded=unbounded, optional=optional)
            position = end
        else:
            position = _atom(stack[-1][-1], pattern, position)
    return False


def _atom(branch: _Branch, pattern: str, position: int) -> int:
    match = _ATOM.match(pattern, position)
    atom = match[0] if match else pattern[position]
    unbounded, optional, end = _quantifier(pattern, position + len(atom))
    branch.source += pattern[position:end]
    if unbounded:
        branch.repeated.append(atom)
    elif not optional and atom not in "^$":
        branch.mandatory.append(atom)
    return end


def _quantifier(pattern: str, position: int) -> tuple[bool, bool, int]:
    """Whether the quantifier at ``position`` is unbounded, whether it allows zero, and where it ends."""
    match = _QUANTIFIER.match(pattern, position)
    if match is None:
        return False, False, position
    text = match[0]
    unbounded = text[0] in "*+" or (match["open"] is not None and match["max"] is None)
    return unbounded, text[0] in "*?" or text.startswith(("{0", "{,")), match.end()


def _absorb(outer: _Branch, branches: list[_Branch], *, unbounded: bool, optional: bool) -> None:
    """What a closed group means for the branch that it stands in."""
    outer.source += f"({'|'.join(branch.source for branch in branches)})"
    inner = [item for branch in branches for item in branch.repeated]
    outer.repeated += [None] if unbounded else inner
    if len(branches) == 1 and not unbounded and not optional:
        outer.mandatory += branches[0].mandatory


def _ambiguous(branches: list[_Branch]) -> bool:
    return any(map(_rounds_blur, branches)) or _overlap([branch.source for branch in branches])


def _rounds_blur(branch: _Branch) -> bool:
    """Whether some repetition in the branch can take over what the next round would match."""
    separators = set(branch.mandatory)
    return any(
        atom is None or all(_chars(atom) & _chars(separator) for separator in separators)
        for atom in set(branch.repeated)
    )


@lru_cache(maxsize=1024)
def _chars(atom: str) -> frozenset[str]:
    """The characters up to U+00FF that an atom matches; all of them when it cannot be told."""
    alphabet = frozenset(map(chr, range(256)))
    try:
        compiled = re.compile(atom)
    except re.error:
        # Syntax of another dialect: assume the worst.
        return alphabet
    return frozenset(c for c in alphabet if compiled.fullmatch(c))


def _overlap(sources: Sequence[str]) -> bool:
    """Whether one alternative is empty or begins another: "a|aa", "a|a", "|a"."""
    return len(sources) > 1 and any(later.startswith(first) for first, later in pairwise(sorted(sources)))
