"""Asks the panel: many calls side by side under one deadline, every failure kept as an answer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from consensus.errors import ModelError
from consensus.models import Member
from consensus.models.protocol import Budget, CallLog, Prompt
from consensus.types import Answer, Failure

GRACE_S = 0.25
"""A model ends its own call at the deadline and says what it cost; only one that does not is cut off here."""

Arrived = Callable[[Answer], None]

Enough = Callable[[Mapping[str, Answer], Collection[str]], bool]
"""Whether what was said, by name, decides whatever the members say that are still waited for (their names)."""


async def ask(
    members: Sequence[Member],
    prompt: Prompt,
    *,
    log: CallLog,
    deadline: float,
    budget: Budget,
    arrived: Arrived | None = None,
    enough: Enough | None = None,
) -> dict[str, Answer]:
    """Ask ``members`` and return what each said by ``deadline`` (seconds of the running loop's clock), by name.

    A member whose answer is already in ``log`` is not asked again. The calls still running at the deadline, or once
    ``enough`` says so, are cut off: each is recorded as ``timeout`` or ``cancelled``, with the attempts that were made,
    and is never made again. Errors that are not ModelError are bugs or a store that does not answer; they end the whole
    call and reach the caller as they are.
    """
    cut = _Cut()
    tasks = {
        asyncio.create_task(_one(member, prompt, log, deadline, budget, cut), name=key(member.policy.name)): member
        for member in members
    }
    answers: dict[str, Answer] = {}
    waiting = set(tasks)
    try:
        while waiting:
            left = None if cut.made else max(0.0, deadline + GRACE_S - asyncio.get_running_loop().time())
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                answers[tasks[task].policy.name] = task.result()
                if arrived is not None:
                    arrived(task.result())
            if not done:
                cut.make(Failure.TIMEOUT, "it had not answered by the deadline")
            elif waiting and not cut.made and enough is not None and enough(answers, _names(waiting, tasks)):
                cut.make(Failure.CANCELLED, "its vote could not change the route any more")
    finally:
        await _end(tasks)
    return answers


def _names(waiting: Collection[asyncio.Task[Answer]], tasks: Mapping[asyncio.Task[Answer], Member]) -> set[str]:
    return {tasks[task].policy.name for task in waiting}


def key(name: str) -> str:
    """Under which name a panel member's answer is recorded."""
    return f"panel:{name}"


def failed(member: Member, prompt: Prompt, failure: Failure, error: ModelError | None = None) -> Answer:
    """The answer of a member that gave none."""
    return Answer(
        model=member.policy.name,
        family=member.policy.family,
        failure=failure,
        finish_reason=error.finish_reason if error else None,
        tokens_in=error.tokens_in if error else 0,
        tokens_out=error.tokens_out if error else 0,
        cost=error.cost if error else 0.0,
        attempts=error.attempts if error else 0,
        prompt_hash=prompt.hash,
    )


class _Cut:
    """Ends the calls that still run, once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._failure, self._reason = Failure.CANCELLED, ""

    @property
    def made(self) -> bool:
        return self._event.is_set()

    def make(self, failure: Failure, reason: str) -> None:
        self._failure, self._reason = failure, reason
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()

    def error(self, share: _Share) -> ModelError:
        """What a call that was cut off ends in; ``share``: what it had used up."""
        error = ModelError(self._failure, self._reason, cost=share.cost)
        error.attempts = share.calls
        return error


async def _one(member: Member, prompt: Prompt, log: CallLog, deadline: float, budget: Budget, cut: _Cut) -> Answer:
    call = key(member.policy.name)
    known = await log.paid(call, deadline=deadline)
    if known is not None:
        budget.adopt(known)
        return known
    started = asyncio.get_running_loop().time()
    try:
        answer = await _unless(cut, member, prompt, deadline, budget)
    except ModelError as error:
        answer = failed(member, prompt, error.failure, error)
        elapsed = asyncio.get_running_loop().time() - started
        answer = answer.model_copy(update={"latency_ms": int(elapsed * 1000)})
    await log.record(call, answer, deadline=deadline)
    return answer


async def _unless(cut: _Cut, member: Member, prompt: Prompt, deadline: float, budget: Budget) -> Answer:
    """The member's answer, unless the cut comes first: then its call is cancelled, which is raised as a ModelError."""
    share = _Share(budget)
    if cut.made:
        raise cut.error(share)
    asking = asyncio.ensure_future(member.model.ask(prompt, deadline=deadline, budget=share))
    cutting = asyncio.ensure_future(cut.wait())
    try:
        await asyncio.wait((asking, cutting), return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
    finally:
        await _end((asking, cutting))
    raise cut.error(share)


class _Share(Budget):
    """One call's share of a request's budget: what is taken from the whole is counted here, too."""

    def __init__(self, whole: Budget) -> None:
        self._whole = whole
        self.calls = 0
        self.cost = 0.0

    def take_call(self) -> None:
        self._whole.take_call()
        self.calls += 1

    def add_cost(self, cost: float) -> None:
        self._whole.add_cost(cost)
        self.cost += cost

    def adopt(self, answer: Answer) -> None:
        self._whole.adopt(answer)

    def allows(self, calls: int) -> bool:
        return self._whole.allows(calls)


async def _end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel what still runs and look at every result, so that a second error is not reported as forgotten."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
