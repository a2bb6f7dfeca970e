"""A model that is a function, and a loop whose clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from consensus.errors import ModelError
from consensus.models.protocol import Budget, Prompt
from consensus.policy import ModelPolicy
from consensus.types import Answer, Failure

POLICY = ModelPolicy(name="m", model="openai/m", family="f")


def answer(text: str = "ok", **more: object) -> Answer:
    return Answer(model="m", family="f", text=text, attempts=1).model_copy(update=more)


def failure(kind: Failure = Failure.UNAVAILABLE, *, attempts: int = 1, **more: object) -> ModelError:
    error = ModelError(kind, str(kind), **more)  # type: ignore[arg-type]
    error.attempts = attempts
    return error


class Says:
    """Gives its answers (or raises its errors) one per call, the last one for ever; takes each from the budget."""

    def __init__(self, *said: Answer | Callable[[], ModelError]) -> None:
        self.said = list(said)
        self.calls = 0

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        budget.take_call()
        self.calls += 1
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, Answer):
            return said
        raise said()


class Gate:
    """Holds calls until they are let go; counts those inside."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.entered = 0
        self._opened: list[asyncio.Future[None]] = []

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        self.inside += 1
        self.entered += 1
        self.most = max(self.most, self.inside)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened.append(turn)
        try:
            await turn
        finally:
            self.inside -= 1
            if turn in self._opened:
                self._opened.remove(turn)
        return answer()

    def has_entered(self, calls: int) -> bool:
        return self.entered == calls

    def release(self, error: ModelError | None = None) -> None:
        """Let the oldest call end."""
        turn = self._opened.pop(0)
        if error is None:
            turn.set_result(None)
        else:
            turn.set_exception(error)
