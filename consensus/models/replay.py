"""Records what models answered as JSON lines, and answers from such a file without a network.

One line per answer or failure: ``{"model", "key", "answer"}``, where ``key`` covers the words of the prompt. The
file holds model text and no questions; treat it like the data that was asked about.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from consensus.errors import ConfigError, ModelError
from consensus.models.protocol import Budget, Model, Prompt
from consensus.policy import ModelPolicy
from consensus.types import Answer, Failure, Frozen


class Record(Frozen):
    """One recorded call."""

    model: str
    key: str
    answer: Answer


Records = Mapping[tuple[str, str], Answer]
"""(model name, prompt key) → answer."""


def key(prompt: Prompt) -> str:
    """64 hex characters for the words of a prompt: roles and contents, nothing else."""
    words = [[message.role, message.content] for message in prompt.messages]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def read(lines: Iterable[str], source: str) -> dict[tuple[str, str], Answer]:
    """Parse recorded lines; of several for one call the last counts. Raises ConfigError naming ``source`` and line."""
    records: dict[tuple[str, str], Answer] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = Record.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(source, f"line {number} is no recorded answer: {where}: {first['msg']}") from None
        records[record.model, record.key] = record.answer
    return records


class Recording:
    """``inner`` with every answer and failure appended to ``path`` before it is returned."""

    def __init__(self, inner: Model, policy: ModelPolicy, path: Path) -> None:
        self._inner = inner
        self._policy = policy
        self._path = path

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        try:
            answer = await self._inner.ask(prompt, deadline=deadline, budget=budget)
        except ModelError as error:
            await self._append(prompt, failed(self._policy, prompt, error))
            raise
        await self._append(prompt, answer)
        return answer

    async def _append(self, prompt: Prompt, answer: Answer) -> None:
        line = Record(model=self._policy.name, key=key(prompt), answer=answer).model_dump_json() + "\n"
        await asyncio.to_thread(self._write, line)

    def _write(self, line: str) -> None:
        # One write of one whole line in append mode: lines of calls that end together do not mix.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)


class Replay:
    """A model that answers what is recorded and fails with ``not_recorded`` otherwise. Each answer takes one call."""

    def __init__(self, policy: ModelPolicy, records: Records) -> None:
        self._policy = policy
        self._records = records

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        if asyncio.get_running_loop().time() >= deadline:
            raise _error(Failure.TIMEOUT, attempts=0)
        budget.take_call()
        answer = self._records.get((self._policy.name, key(prompt)))
        if answer is None:
            raise _error(Failure.NOT_RECORDED)
        budget.add_cost(answer.cost)
        if answer.failure is not None:
            raise _error(answer.failure, answer)
        return answer.model_copy(update={"attempts": 1, "prompt_hash": prompt.hash})


def failed(policy: ModelPolicy, prompt: Prompt, error: ModelError) -> Answer:
    """A failure in the form in which it is recorded."""
    return Answer(
        model=policy.name,
        family=policy.family,
        failure=error.failure,
        finish_reason=error.finish_reason,
        tokens_in=error.tokens_in,
        tokens_out=error.tokens_out,
        cost=error.cost,
        attempts=error.attempts,
        prompt_hash=prompt.hash,
    )


def _error(failure: Failure, answer: Answer | None = None, attempts: int = 1) -> ModelError:
    error = ModelError(
        failure,
        f"{failure}: replayed",
        finish_reason=answer.finish_reason if answer else None,
        tokens_in=answer.tokens_in if answer else 0,
        tokens_out=answer.tokens_out if answer else 0,
        cost=answer.cost if answer else 0.0,
    )
    error.attempts = attempts
    return error
