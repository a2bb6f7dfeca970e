"""Plausible wrong answers to a question whose right answer is known: what simulated models err towards."""

from __future__ import annotations

from typing import Any

from consensus.types import AnswerSpec, BooleanSpec, ChoiceSpec, LabelsSpec, LabelValue, NumberSpec, ObjectSpec


def wrong_answers(spec: AnswerSpec, gold: LabelValue) -> list[Any]:
    """Different wrong answers in the spec's own terms, always the same ones in the same order, at least one."""
    if isinstance(spec, ChoiceSpec):
        return [option.id for option in spec.options if option.id != gold]
    if isinstance(spec, BooleanSpec):
        return [not gold]
    if isinstance(spec, NumberSpec):
        return _numbers(spec, float(gold))  # type: ignore[arg-type]
    if isinstance(spec, LabelsSpec):
        return _sets(spec, list(gold or ()))  # type: ignore[arg-type]
    if isinstance(spec, ObjectSpec):
        return _objects(dict(gold or {}))  # type: ignore[arg-type]
    return [f"It is not {gold}.", "The opposite follows from the text.", "Both readings are possible."]


def _numbers(spec: NumberSpec, gold: float) -> list[float]:
    """Slips of calculation that lie outside the tolerance: a factor, a decimal point, a percentage, a unit off."""
    step = 1.0 + 2.0 * max(spec.abs_tolerance or 0.0, (spec.rel_tolerance or 0.0) * abs(gold))
    slips = [gold * 2, gold * 10, gold / 2, gold * 1.2, gold + step, gold - step, gold + 10 * step]
    wrong: list[float] = []
    for slip in slips:
        rounded = round(slip, 2)
        if all(abs(rounded - other) >= step / 2 for other in (gold, *wrong)):
            wrong.append(int(rounded) if rounded.is_integer() else rounded)
    return wrong


def _sets(spec: LabelsSpec, gold: list[str]) -> list[list[str]]:
    """One label too few, or one too many."""
    fewer = [[label for label in gold if label != dropped] for dropped in gold]
    more = [sorted([*gold, option.id]) for option in spec.options if option.id not in gold]
    return fewer + more


def _objects(gold: dict[str, Any]) -> list[dict[str, Any]]:
    """One field wrong at a time."""
    wrong = []
    for name, value in gold.items():
        if isinstance(value, bool):
            wrong.append({**gold, name: not value})
        elif isinstance(value, int | float):
            wrong.append({**gold, name: value * 2 + 1})
        elif isinstance(value, str):
            wrong.append({**gold, name: f"not {value}"})
    return wrong or [{}]
