"""The simulated models do what their documentation says: skills, correlation, over-confidence, determinism."""

from __future__ import annotations

import itertools
import json
import math

import pytest

from consensus import answers
from consensus.demo import simulated
from consensus.demo.cases import vignettes, written
from consensus.demo.population import UNKNOWN_QUESTION, Population
from consensus.demo.simulated import MODELS, REFUSAL
from consensus.demo.trouble import DAMAGED, DOWN, LIMITED
from consensus.demo.truth import Truth, read
from consensus.demo.wrong import wrong_answers
from consensus.errors import ConfigError
from consensus.types import Answer, AnswerSpec, LabelKind

SPECS: dict[str, tuple[dict[str, object], object]] = {
    "choice": ({"type": "choice", "options": ["alpha", "beta", "gamma", "delta"]}, "beta"),
    "boolean": ({"type": "boolean"}, True),
    "number": ({"type": "number", "unit": "kg", "abs_tolerance": 0.5}, 12.5),
    "labels": ({"type": "labels", "options": ["red", "green", "blue"]}, ["blue", "red"]),
    "object": ({"type": "object", "schema": {"type": "object"}}, {"total": 3, "late": False, "name": "x"}),
    "text": ({"type": "text"}, "Wilhelm Röntgen"),
}


def _truth(question: str, kind: str = "choice", domain: str = "law") -> Truth:
    spec, gold = SPECS[kind]
    return Truth.model_validate({"question": question, "domain": domain, "answer": spec, "gold": gold})


def _answer(model: str, text: str, finish_reason: str) -> Answer:
    return Answer(model=model, family="f", text=text, finish_reason=finish_reason)


def _reading(model: str, truth: Truth, seed: int = 1) -> tuple[object, float | None]:
    """The canonical value read from what a model says (``None`` for no answer), and its confidence."""
    reply = simulated.answer(MODELS[model], truth, seed)
    label = answers.read(truth.answer, _answer(model, reply.text, reply.finish_reason))
    return (label.value if label.kind is LabelKind.ANSWER else None), label.raw_confidence


QUESTIONS = [_truth(f"Question number {i}?") for i in range(3_000)]
PANEL = ("sim-atlas-1", "sim-atlas-mini", "sim-borealis-2", "sim-cetus-1", "sim-dorado-3")


@pytest.fixture(scope="module")
def readings() -> dict[str, list[tuple[object, float | None]]]:
    return {model: [_reading(model, truth) for truth in QUESTIONS] for model in PANEL}


def _right(values: list[tuple[object, float | None]]) -> list[float]:
    return [math.nan if value is None else float(value == "beta") for value, _ in values]


def _phi(a: list[float], b: list[float]) -> float:
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if not math.isnan(x + y)]
    n = len(pairs)
    p, q, both = (sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n, sum(x * y for x, y in pairs) / n)
    return (both - p * q) / math.sqrt(p * (1 - p) * q * (1 - q))


def test_there_are_at_least_six_models_of_five_families_named_as_simulated() -> None:
    assert len(MODELS) >= 6
    assert len({model.family for model in MODELS.values()}) >= 5
    assert all(name.startswith("sim-") and model.family.startswith("sim-") for name, model in MODELS.items())


def test_accuracy_is_the_documented_skill(readings: dict[str, list[tuple[object, float | None]]]) -> None:
    for model in PANEL:
        right = [x for x in _right(readings[model]) if not math.isnan(x)]
        assert sum(right) / len(right) == pytest.approx(MODELS[model].skill["law"], abs=0.025)  # three standard errors


def test_errors_correlate_by_about_four_tenths_and_more_within_a_family(
    readings: dict[str, list[tuple[object, float | None]]],
) -> None:
    right = {model: _right(readings[model]) for model in PANEL}
    across = [
        _phi(right[a], right[b]) for a, b in itertools.combinations(PANEL, 2) if MODELS[a].family != MODELS[b].family
    ]
    assert sum(across) / len(across) == pytest.approx(0.4, abs=0.04)
    assert _phi(right["sim-atlas-1"], right["sim-atlas-mini"]) > sum(across) / len(across) + 0.03


def test_models_that_err_together_share_their_mistake_more_often_than_by_chance(
    readings: dict[str, list[tuple[object, float | None]]],
) -> None:
    shared = [
        a == b
        for (a, _), (b, _) in zip(readings["sim-borealis-2"], readings["sim-cetus-1"], strict=True)
        if a not in (None, "beta") and b not in (None, "beta")
    ]
    # .6² + .4²/2 = .44 with three wrong options; by chance it would be 1/3.
    assert sum(shared) / len(shared) == pytest.approx(0.44, abs=0.09)


def test_confidence_is_stated_too_high_and_still_says_something(
    readings: dict[str, list[tuple[object, float | None]]],
) -> None:
    pairs = [(conf, value == "beta") for model in PANEL for value, conf in readings[model] if conf is not None]
    assert len(pairs) > 14_000
    mean, accuracy = sum(c for c, _ in pairs) / len(pairs), sum(r for _, r in pairs) / len(pairs)
    assert mean - accuracy > 0.10
    ordered = sorted(pairs)
    low, high = ordered[: len(ordered) // 4], ordered[-len(ordered) // 4 :]
    assert sum(r for _, r in high) / len(high) - sum(r for _, r in low) / len(low) > 0.2


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("model", ["sim-atlas-1", "sim-borealis-2", "sim-cetus-1"])
def test_every_style_and_type_is_read_back_as_it_was_meant(model: str, kind: str) -> None:
    seen = set()
    for i in range(60):
        truth = _truth(f"{kind} {i}?", kind)
        if simulated.answer(MODELS[model], truth, 1) == REFUSAL:
            continue
        value, _ = _reading(model, truth)
        allowed = [truth.gold, *wrong_answers(truth.answer, truth.gold)]
        assert value is None or any(_same(truth.answer, value, other) for other in allowed), value
        seen.add(None if value is None else _same(truth.answer, value, truth.gold))
    assert {True, False} <= seen


def _same(spec: AnswerSpec, a: object, b: object) -> bool:
    return json.dumps(a) == json.dumps(b) or answers.sameness(spec, a, b) == "same"  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SPECS)
def test_wrong_answers_are_wrong_and_differ_among_themselves(kind: str) -> None:
    truth = _truth("q", kind)
    wrong = wrong_answers(truth.answer, truth.gold)
    assert wrong
    assert len({json.dumps(value) for value in (truth.gold, *wrong)}) == len(wrong) + 1
    if kind == "number":
        assert all(answers.sameness(truth.answer, truth.gold, value) == "different" for value in wrong)


@pytest.mark.parametrize("gold", [0, 1, 0.25, -3, 1e6])
def test_numbers_have_wrong_neighbours_at_any_size(gold: float) -> None:
    spec = Truth.model_validate({"question": "q", "answer": {"type": "number"}, "gold": gold}).answer
    wrong = wrong_answers(spec, gold)
    assert len(wrong) >= 3
    assert gold not in wrong


def test_the_same_question_gets_the_same_answer_under_any_id_and_in_any_order() -> None:
    cases = written()
    truths = [Truth.model_validate(case.truth()) for case in cases]
    first, second = Population(truths, seed=7), Population(list(reversed(truths)), seed=7)
    for number, case in enumerate(cases):
        words = [_words(case.under(f"{prefix}-{number}").request, prefix) for prefix in ("a", "b")]
        for model in MODELS:
            one, two = _settled(first, model, words[0]), _settled(second, model, words[1])
            assert one == two


def test_another_seed_is_another_population() -> None:
    texts = [[simulated.answer(MODELS["sim-atlas-1"], truth, seed).text for truth in QUESTIONS[:50]] for seed in (1, 2)]
    assert texts[0] != texts[1]


def test_trouble_comes_at_the_documented_rates_and_passes_when_repeated() -> None:
    population = Population(QUESTIONS, seed=3, pace=0.0)
    first = [population.outcome("sim-atlas-1", truth.question + " alpha beta gamma delta") for truth in QUESTIONS]
    again = [population.outcome("sim-atlas-1", truth.question + " alpha beta gamma delta") for truth in QUESTIONS]
    share = {status: sum(o.status == status for o in first) / len(first) for status in (429, 503)}
    assert share[429] == pytest.approx(LIMITED, abs=0.006)
    assert share[503] == pytest.approx(DOWN, abs=0.005)
    assert {outcome.status for outcome in again} == {200}
    assert sum(o.damaged for o in again) / len(again) == pytest.approx(DAMAGED, abs=0.004)
    assert all(outcome.retry_after_ms for outcome in first if outcome.status == 429)


def test_pace_scales_latency_and_zero_answers_at_once() -> None:
    prompt = "Question number 1? alpha beta gamma delta"
    normal, double, none = (_settled_seconds(pace, prompt) for pace in (1.0, 2.0, 0.0))
    assert 0.01 < normal < 1.0
    assert double == pytest.approx(2 * normal)
    assert none == 0.0


def test_a_question_that_nobody_told_it_is_an_abstention() -> None:
    population = Population(QUESTIONS[:5], seed=1)
    outcome = population.outcome("sim-atlas-1", "What is the meaning of life?")
    assert outcome.text == UNKNOWN_QUESTION.text
    label = answers.read(_truth("q").answer, _answer("m", outcome.text, outcome.finish_reason))
    assert label.kind is LabelKind.ABSTAINED


def test_truths_are_read_and_a_bad_line_is_named() -> None:
    lines = [json.dumps(case.truth()) for case in (*written(), *vignettes(20, 1))]
    assert len(read([*lines, ""], "q.jsonl")) == 84
    with pytest.raises(ConfigError, match=r"q\.jsonl: line 2"):
        read([lines[0], '{"question": "q"}'], "q.jsonl")


def _words(request: object, nonce: str) -> str:
    return "\n\n".join(message.content for message in answers.prompt(request, nonce).messages)  # type: ignore[arg-type]


def _settled(population: Population, model: str, prompt: str) -> object:
    outcome = population.outcome(model, prompt)
    return outcome if outcome.status == 200 else population.outcome(model, prompt)


def _settled_seconds(pace: float, prompt: str) -> float:
    population = Population(QUESTIONS[:5], seed=1, pace=pace)
    population.outcome("sim-atlas-1", prompt)
    return population.outcome("sim-atlas-1", prompt).latency_s
