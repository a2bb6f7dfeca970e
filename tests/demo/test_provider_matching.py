"""Questions are found by their words alone, and only whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from consensus import answers
from consensus.demo.matching import Asked, Index
from consensus.types import Request

LETTERS = "ABCDEFGHIJ"


def _prompt(question: str, options: tuple[str, ...] = (), nonce: str = "n", context: str | None = None) -> str:
    named = [{"id": LETTERS[i], "text": text} for i, text in enumerate(options)]
    spec = {"type": "choice", "options": named} if options else {"type": "text"}
    raw = {"id": nonce, "domain": "d", "stakes": "low", "prompt": question, "context": context, "answer": spec}
    prompt = answers.prompt(Request.model_validate(raw), nonce)
    return "\n\n".join(message.content for message in prompt.messages)


COLOURS = Asked("Which colour is the sky?", ("red", "blue"))
KNOWN = (
    COLOURS,
    Asked("Which colour is the sky?", ("blue", "red")),
    Asked("Which colour is the sky?", ("red", "blue", "grey")),
    Asked("Which colour is the sky? Consider Mars.", ("red", "blue")),
    Asked("Why?"),
    Asked("Solve x < y for x².", ("1", "2")),
    Asked("A claim is barred after 5 years. 3 have passed.", ("yes", "no")),
    Asked("A claim is barred after 5 years. 4 have passed.", ("yes", "no")),
)


@pytest.mark.parametrize("position", range(len(KNOWN)))
def test_each_question_is_found_under_any_nonce(position: int) -> None:
    index, one = Index(KNOWN), KNOWN[position]
    for nonce in ("a", "b"):
        assert index.find(_prompt(one.question, one.options, nonce)) == position
    assert index.find(_prompt(one.question, one.options, "c", context="It rained yesterday.")) == position


@pytest.mark.parametrize(
    "asked",
    [
        Asked("Which colour is the sea?", ("red", "blue")),
        Asked("Which colour is the sky?", ("red", "green")),
        Asked("A claim is barred after 5 years. 6 have passed.", ("yes", "no")),
        Asked("Which colour is the sk", ("red", "blue")),
        Asked("x"),
    ],
)
def test_what_is_not_known_or_only_in_part_is_not_found(asked: Asked) -> None:
    assert Index(KNOWN).find(_prompt(asked.question, asked.options)) is None


def test_spacing_and_compatibility_forms_do_not_matter() -> None:
    assert Index([Asked("Is\u00a0the  ﬁrst\nline\u200b long?")]).find("... Is the first line long? ...") == 0


def test_no_questions_find_nothing() -> None:
    assert Index([]).find("Why?") is None
    assert Index([Asked("")]).find("Why?") is None


def test_every_recorded_question_finds_itself() -> None:
    path = Path(__file__).parents[3] / "shared" / "data" / "mmlu_pro_panel.jsonl.gz"
    if not path.exists():
        pytest.skip("the recorded panel ../shared/data/mmlu_pro_panel.jsonl.gz is not here")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    index = Index([Asked(row["question"], tuple(row["options"])) for row in rows])
    missed = [
        row["id"]
        for position, row in enumerate(rows)
        if position % 10 == 0 and index.find(_prompt(row["question"], tuple(row["options"]))) != position
    ]
    assert missed == []
