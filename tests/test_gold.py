"""Labelled cases of one's own: read with their faults named, asked, recorded, and turned into ballots."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from calibration.ballots import NONE_OF_THESE, UNKNOWN, NoVote
from consensus.errors import ConfigError, Malformed
from consensus.evaluation import ballots, prices, recorded
from consensus.gold import GoldCase, cases, read, recorded_line
from consensus.types import Answer, Failure

CHOICE: dict[str, Any] = {
    "id": "g1", "domain": "law", "stakes": "standard", "prompt": "May she?", "gold": "B",
    "answer": {"type": "choice", "options": ["A", "B", "C"]},
}  # fmt: skip
NUMBER: dict[str, Any] = {
    "id": "g2", "domain": "tax", "stakes": "high", "prompt": "How much?", "gold": 12.0,
    "answer": {"type": "number", "rel_tolerance": 0.01},
}  # fmt: skip


def said(model: str, value: object, confidence: float | None = None, **changes: Any) -> Answer:
    reply = {"answer": value} if confidence is None else {"answer": value, "confidence": confidence}
    return Answer(
        model=model, family=f"family-{model}", text=json.dumps(reply), finish_reason="stop",
        **{"model_version": f"{model}-v1", "prompt_hash": "p1", "cost": 0.01, "attempts": 1, **changes},
    )  # fmt: skip


def line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def panel(folder: Path, *records: tuple[dict[str, Any], list[Answer]]) -> Path:
    """A recorded panel of these cases."""
    path = folder / "panel.jsonl"
    texts = [recorded_line(read(line(case)), {one.model: one for one in answers}) for case, answers in records]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_a_line_is_a_request_and_its_answer() -> None:
    case = read(line(NUMBER))
    assert (case.request.id, case.gold, case.key) == ("g2", 12.0, "g2")
    assert read(line({**CHOICE, "gold": None, "tenant": "t"})).gold is None
    assert read(line({**CHOICE, "tenant": "t"})).key == "t/g1"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({**CHOICE, "gold": "D"}, "gold"),
        ({name: value for name, value in CHOICE.items() if name != "gold"}, "gold"),
        ({**NUMBER, "gold": "many"}, "gold"),
        ({**CHOICE, "stakes": "huge"}, "stakes"),
        ({**CHOICE, "answer": {"type": "choice", "options": ["A"]}}, "answer.options"),
    ],
)
def test_a_faulty_line_names_its_field(record: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as raised:
        read(line(record))
    assert raised.value.field == field


def test_a_faulty_file_names_line_and_field(tmp_path: Path) -> None:
    """Gzipped or not, blank lines count, and an id that is there twice is a fault."""
    path = tmp_path / "gold.jsonl.gz"
    path.write_bytes(gzip.compress(line(CHOICE) + b"\n\n" + line({**NUMBER, "gold": "x"}) + b"\n"))
    with pytest.raises(ConfigError) as raised:
        cases(path)
    assert (raised.value.path, raised.value.message.startswith("gold: ")) == (f"{path}:3", True)
    path.write_bytes(line(CHOICE) + b"\n" + line(CHOICE) + b"\n")
    with pytest.raises(ConfigError, match=r":2: id: 'g1' is there twice"):
        cases(path)
    path.write_bytes(b"{")
    with pytest.raises(ConfigError, match=":1"):
        cases(path)


def test_recorded_answers_become_the_ballot_that_the_service_would_count(tmp_path: Path) -> None:
    """Options by position, clusters within the tolerance, failures in the denominator, confidences by origin."""
    path = panel(
        tmp_path,
        (CHOICE, [said("a", "B", 0.9), said("b", "A")]),
        (NUMBER, [said("a", 12.05, 0.8, model_version="a-v2"), said("b", 30, cost=0.03), said("c", 12.0)]),
        ({**CHOICE, "id": "g3", "gold": None}, [Answer(model="a", family="family-a", failure=Failure.TIMEOUT)]),
    )
    table = ballots(recorded(path), ("a", "b", "c"))
    assert table.ids == ("g1", "g2", "g3")
    assert table.votes.tolist()[0] == [1, 0, NoVote.NOT_ASKED]
    assert table.votes[1, 0] == table.votes[1, 2] != table.votes[1, 1]
    assert table.votes.tolist()[2] == [NoVote.FAILED, NoVote.NOT_ASKED, NoVote.NOT_ASKED]
    assert table.truth.tolist() == [1, int(table.votes[1, 0]), NONE_OF_THESE]
    assert table.open_set.tolist() == [False, True, False]
    assert (table.confidence[0, 0], table.confidence[1, 0], math.isnan(table.confidence[0, 1])) == (0.9, 0.8, True)
    assert table.source is not None
    assert table.sources == (("verbal", "a-v1", "p1"), ("verbal", "a-v2", "p1"))
    assert table.source.tolist() == [[0, -1, -1], [1, -1, -1], [-1, -1, -1]]


def test_a_truth_that_cannot_be_compared_is_unknown(tmp_path: Path) -> None:
    """Two texts that may or may not mean the same: a guess would be fitted as truth."""
    text = {**CHOICE, "answer": {"type": "text"}, "gold": "the tenant may terminate the lease early"}
    path = panel(tmp_path, (text, [said("a", "the tenant can end the lease before its term")]))
    assert ballots(recorded(path), ("a",)).truth.tolist() == [UNKNOWN]


def test_prices_are_means_of_what_was_paid_and_none_where_some_are_missing(tmp_path: Path) -> None:
    both = [said("a", "B"), said("b", "A", cost=0.03)]
    path = panel(tmp_path, (CHOICE, both), (NUMBER, [said("a", 1, cost=0.02), said("b", 1, cost=0.05)]))
    assert prices(recorded(path)) == pytest.approx({"a": 0.015, "b": 0.04})
    path = panel(tmp_path, (CHOICE, [said("a", "B"), said("b", "A", cost=0.0)]))
    assert prices(recorded(path)) == {}


def test_a_recorded_line_comes_back_as_it_was(tmp_path: Path) -> None:
    one = said("a", "B", 0.9, tokens_out=7, latency_ms=12)
    path = panel(tmp_path, (CHOICE, [one]))
    question = next(iter(recorded(path)))
    assert question.said("a") == one
    assert question.request == read(line(CHOICE)).request
    assert isinstance(read(line(CHOICE)), GoldCase)


def test_a_recorded_answer_that_is_none_names_the_model(tmp_path: Path) -> None:
    path = tmp_path / "panel.jsonl"
    path.write_bytes(line({**CHOICE, "answers": {"a": {"text": "B"}}}))
    with pytest.raises(ConfigError, match=r":1: answers\.a\.family"):
        list(recorded(path))
