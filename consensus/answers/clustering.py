"""Answers that mean the same, gathered: a partition that depends on the answers' content, never on their order.

Sameness need not be transitive (tolerances, lexical likeness). A cluster is therefore a *clique*: a value joins one
only when it is the same as every value in it, so that no chain of small steps makes agreement of answers that differ.
Values are placed in an order of their own: the most often given first (other values gather around the mode), ties by
canonical form. UNDECIDED is not the same, unless a judge said so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from consensus.answers.protocol import Sameness
from consensus.types import LabelValue

Judged = Mapping[tuple[int, int], Sameness]
Same = Callable[[LabelValue, LabelValue], Sameness]


_Key = tuple[int, float, str]


def key(value: LabelValue) -> _Key:
    """Canonical order of values: numbers by size, everything else by its JSON."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, float(value), "")
    return (1, 0.0, json.dumps(value, sort_keys=True, ensure_ascii=True))


def clusters(same: Same, values: Sequence[LabelValue | None], judged: Judged) -> tuple[int | None, ...]:
    """The cluster of each open answer (None for None), numbered by the canonical order of the representatives."""
    counts = Counter(key(value) for value in values if value is not None)
    distinct = {key(value): value for value in values if value is not None}
    verdicts = _judged_keys(values, judged)
    groups: list[list[_Key]] = []
    for name in sorted(distinct, key=lambda k: (-counts[k], k)):
        home = next((g for g in groups if all(_same(same, distinct, name, other, verdicts) for other in g)), None)
        if home is None:
            groups.append([name])
        else:
            home.append(name)
    ordered = sorted(groups, key=lambda group: min(group, key=lambda k: _preference(counts[k], k)))
    number = {name: index for index, group in enumerate(ordered) for name in group}
    return tuple(None if value is None else number[key(value)] for value in values)


def representatives(values: Sequence[LabelValue | None], groups: Sequence[int | None]) -> tuple[LabelValue, ...]:
    """One value per cluster: given most often, then shortest, then first in canonical order; never by who said it."""
    counts = Counter(key(value) for value in values if value is not None)
    best: dict[int, LabelValue] = {}
    for value, group in zip(values, groups, strict=True):
        if value is None or group is None:
            continue
        if group not in best or _rank(counts, value) < _rank(counts, best[group]):
            best[group] = value
    return tuple(best[group] for group in sorted(best))


def _rank(counts: Mapping[_Key, int], value: LabelValue) -> tuple[int, int, _Key]:
    return _preference(counts[key(value)], key(value))


def _preference(count: int, name: _Key) -> tuple[int, int, _Key]:
    return -count, len(name[2]), name


def _judged_keys(values: Sequence[LabelValue | None], judged: Judged) -> dict[frozenset[_Key], set[Sameness]]:
    verdicts: dict[frozenset[_Key], set[Sameness]] = {}
    for (i, j), verdict in judged.items():
        if values[i] is not None and values[j] is not None:
            verdicts.setdefault(frozenset((key(values[i]), key(values[j]))), set()).add(verdict)
    return verdicts


def _same(
    same: Same,
    distinct: Mapping[_Key, LabelValue],
    a: _Key,
    b: _Key,
    verdicts: Mapping[frozenset[_Key], set[Sameness]],
) -> bool:
    """A judge decides only what sameness leaves open, and judges who contradict each other decide nothing."""
    found = same(distinct[a], distinct[b])
    if found is Sameness.UNDECIDED:
        return verdicts.get(frozenset((a, b))) == {Sameness.SAME}
    return found is Sameness.SAME
