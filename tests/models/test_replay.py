"""Recording and replaying: what was said comes back, what was not is `not_recorded`."""

from __future__ import annotations

from pathlib import Path

import pytest

from consensus.errors import ConfigError, ModelError
from consensus.models import replay
from consensus.models.protocol import Budget, Prompt
from consensus.models.replay import Recording, Replay
from consensus.types import Answer, Failure, Message
from tests.models.conftest import budget, by, prompt
from tests.models.fakes import POLICY, Says, answer, failure


async def _ask(model: Recording | Replay, text: str, allowance: Budget | None = None) -> Answer:
    return await model.ask(prompt(text), deadline=by(20), budget=allowance or budget())


async def test_answers_and_failures_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    said = answer("B\n\u2028", cost=0.5, tokens_in=3, model_version="v", latency_ms=12)
    refused = lambda: failure(Failure.CONTENT_FILTER, cost=0.25, finish_reason="x")  # noqa: E731
    recording = Recording(Says(said, refused), POLICY, path)
    assert await _ask(recording, "one") == said
    with pytest.raises(ModelError):
        await _ask(recording, "two")

    again = Replay(POLICY, replay.read(path.read_text(encoding="utf-8").split("\n"), path.name))
    allowance = budget()
    assert await _ask(again, "one", allowance) == said.model_copy(update={"prompt_hash": "h"})
    with pytest.raises(ModelError) as caught:
        await _ask(again, "two", allowance)
    assert (caught.value.failure, caught.value.cost, caught.value.finish_reason) == (Failure.CONTENT_FILTER, 0.25, "x")
    assert (allowance.calls, allowance.cost) == (2, 0.75)


async def test_another_question_is_not_recorded() -> None:
    with pytest.raises(ModelError) as caught:
        await _ask(Replay(POLICY, {}), "anything")
    assert (caught.value.failure, caught.value.retryable, caught.value.attempts) == (Failure.NOT_RECORDED, False, 1)


def test_the_key_covers_roles_and_words_and_nothing_else() -> None:
    one = prompt("a", hash="1", template="t")
    assert replay.key(one) == replay.key(prompt("a", hash="2", template="u", headers={"traceparent": "x"}))
    assert replay.key(one) != replay.key(prompt("b"))
    assert replay.key(one) != replay.key(Prompt((Message(role="system", content="a"),), "t", "1"))


@pytest.mark.parametrize("line", ["{", "[]", '{"model": "m", "key": "k"}', '{"model":"m","key":"k","answer":{}}'])
def test_a_line_that_is_no_record_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=r"file\.jsonl: line 3 is no recorded answer"):
        replay.read(["", " ", line], "file.jsonl")
