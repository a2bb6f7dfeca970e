"""Recorded panels: files with their faults, reading metrics by hand, ballots with their truth."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.ballots import NONE_OF_THESE, UNKNOWN, NoVote
from consensus.errors import ConfigError
from consensus.evaluation import ballots, reading_metrics, recorded


def _reply(text: str, **more: Any) -> dict[str, Any]:
    return {"family": "fam", "text": text, **more}


def _choice(number: int, **answers: dict[str, Any]) -> dict[str, Any]:
    base = {"id": f"q{number}", "category": "law", "question": "?", "options": ["one", "two", ""], "gold": "B"}
    return base | {"answers": answers}


def _open(number: int, **answers: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"o{number}", "question": "?", "gold": ["Rome"], "answers": answers}


def _file(folder: Path, *records: Any, packed: bool = True) -> Path:
    path = folder / "panel.jsonl.gz"
    data = "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


CHOICES = (
    _choice(
        1,
        a=_reply("The answer is (B).", choice="B"),
        b=_reply("The answer is (A).", choice="A"),
        c=_reply("hm", choice=None),
    ),
    _choice(2, a=_reply("The answer is (A). The answer is (B).", choice="A"), b=_reply("Answer: two", choice=None)),
    _choice(3, a=_reply("I think B or so", choice="B"), b=_reply("Answer: one", choice=None)),
)


def test_reading_metrics_by_hand(tmp_path: Path) -> None:
    """Four recorded choices: two read alike, one conflicting, one not read; two of three others are read, one right."""
    assert reading_metrics(recorded(_file(tmp_path, *CHOICES))) == {
        "match": 2 / 3,
        "recorded": 4,
        "read_extra": 2,
        "read_extra_accuracy": 0.5,
        "conflicting": 0.25,
    }


def test_shares_of_nothing_are_none(tmp_path: Path) -> None:
    """A panel without recorded choices has no match rate."""
    metrics = reading_metrics(recorded(_file(tmp_path, _open(1, a=_reply("Rome", correct=True)))))
    assert metrics["recorded"] == 0
    assert metrics["match"] is None


def test_plain_and_packed_files_alike(tmp_path: Path) -> None:
    """The content decides, not the name."""
    packed = list(recorded(_file(tmp_path, *CHOICES)))
    assert list(recorded(_file(tmp_path, *CHOICES, "", packed=False))) == packed
    assert [question.domain for question in packed] == ["law"] * 3


def test_ballots_of_recorded_choices(tmp_path: Path) -> None:
    """Nothing found is an abstention, a missing model was not asked."""
    table = ballots(recorded(_file(tmp_path, *CHOICES)), ["a", "b", "c"])
    assert table.votes.tolist() == [
        [1, 0, NoVote.ABSTAINED],
        [0, NoVote.ABSTAINED, NoVote.NOT_ASKED],
        [1, NoVote.ABSTAINED, NoVote.NOT_ASKED],
    ]
    assert table.truth.tolist() == [1, 1, 1]
    assert table.candidates.tolist() == [3, 3, 3]
    assert not table.open_set.any()
    assert np.isnan(table.confidence).all()


def test_ballots_of_texts(tmp_path: Path) -> None:
    """Read as the service reads, each label kind with its own code."""
    table = ballots(recorded(_file(tmp_path, *CHOICES)), ["b", "a"], use="text")
    assert table.votes.tolist() == [[0, 1], [1, NoVote.CONFLICTING], [0, NoVote.INVALID]]
    assert table.models == ("b", "a")


def test_open_truth_is_the_largest_right_cluster(tmp_path: Path) -> None:
    """Two right clusters: the larger; none right: none of these; nobody judged: unknown; no answer: no candidates."""
    path = _file(
        tmp_path,
        _open(1, a=_reply("Paris", correct=False), b=_reply("Rome", correct=True), c=_reply("Rome", correct=True)),
        _open(2, a=_reply("Aachen", correct=True), b=_reply("Rome", correct=True), c=_reply("Rome", correct=True)),
        _open(3, a=_reply("Paris", correct=False), b=_reply("Paris", correct=False)),
        _open(4, a=_reply("Paris")),
        _open(5, a=_reply("", correct=False)),
    )
    table = ballots(recorded(path), ["a", "b", "c"])
    right = [table.votes[0, 1], table.votes[1, 1], NONE_OF_THESE, UNKNOWN, NONE_OF_THESE]
    assert table.truth.tolist() == right
    assert table.candidates.tolist() == [2, 2, 1, 1, 0]
    assert table.open_set.all()
    assert table.votes[2].tolist() == [0, 0, NoVote.NOT_ASKED]
    assert set(table.domains) == {"open"}
    assert table.right_at(table.votes).tolist() == [
        [False, True, True], [True, True, True], [False] * 3, [False] * 3, [False] * 3,
    ]  # fmt: skip


def test_limit_is_a_fixed_sample(tmp_path: Path) -> None:
    """The first by the SHA-256 of the id, whatever the order of the file."""
    records = [_choice(i, a=_reply("B", choice="B")) for i in range(20)]
    first = sorted((f"q{i}" for i in range(20)), key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:5]
    assert [q.id for q in recorded(_file(tmp_path, *records), limit=5)] == first
    assert [q.id for q in recorded(_file(tmp_path, *reversed(records)), limit=5)] == first


def test_models_are_picked(tmp_path: Path) -> None:
    """Other models' replies are dropped; a model that nobody has is an error."""
    assert [set(q.answers) for q in recorded(_file(tmp_path, *CHOICES), models=["b"])] == [{"b"}] * 3
    with pytest.raises(ConfigError, match="'nobody'"):
        list(recorded(_file(tmp_path, *CHOICES), models=["a", "nobody"]))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no recorded question"),
        ("[]", "no recorded question"),
        (json.dumps(_choice(1) | {"gold": "Z"}), "none of the options"),
        (json.dumps(_choice(1) | {"options": ["one"]}), "1 options"),
        (json.dumps(_choice(1, a=_reply("x", choice="Q"))), "none of the options"),
        (json.dumps(_choice(1, a={"family": "f", "text": 7})), "text must be a string"),
        (json.dumps(CHOICES[2]), "repeats the id"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, line: str, reason: str) -> None:
    """A file that cannot be read says where."""
    with pytest.raises(ConfigError, match=reason) as caught:
        list(recorded(_file(tmp_path, CHOICES[2], line)))
    assert caught.value.path.endswith(":2")


def test_files_that_are_no_files(tmp_path: Path) -> None:
    """Missing, cut off, or damaged: an error a person can act on."""
    with pytest.raises(ConfigError, match="cannot be read"):
        list(recorded(tmp_path / "none.jsonl.gz"))
    path = _file(tmp_path, *CHOICES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigError, match="cannot be read"):
        list(recorded(path))
