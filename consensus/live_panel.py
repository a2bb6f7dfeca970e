"""Asks the configured models about cases whose answers are known, and keeps all that they say in a panel file."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from consensus import answers, panel, policy
from consensus.case import nonce_of
from consensus.errors import ConfigError, Retry
from consensus.gold import GoldCase, recorded_line
from consensus.models.protocol import Budget, MemoryLog
from consensus.pipeline import Resources
from consensus.recorded_panel import recorded
from consensus.types import Answer

AHEAD = 16
"""Cases asked at the same time; how many calls a provider sees is its model's own limit."""

Progress = Callable[[int, int], None]


async def record(
    cases: Sequence[GoldCase],
    resources: Resources,
    path: Path,
    models: Collection[str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Ask about every case that ``path`` does not hold yet, and append a line for each, in the order of the cases.

    The panel of a case is that of its policy, or those of its members that are in ``models``. A case that no model
    answered is not kept, so that running again asks it again; then Retry is raised at the end. Raises Malformed for an
    unknown policy, ConfigError where the file cannot be written or continued.
    """
    known = _held(path)
    left = [case for case in cases if case.key not in known]
    unanswered: list[str] = []
    work: deque[tuple[GoldCase, asyncio.Task[dict[str, Answer]]]] = deque()
    waiting = deque(left)
    try:
        with path.open("a", encoding="utf-8") as file:
            while waiting or work:
                while waiting and len(work) < AHEAD:
                    case = waiting.popleft()
                    work.append((case, asyncio.create_task(ask(case, resources, models))))
                case, task = work.popleft()
                said = await task
                if _heard(said):
                    file.write(recorded_line(case, said) + "\n")
                    file.flush()
                else:
                    unanswered.append(case.key)
                if progress is not None:
                    progress(len(cases) - len(waiting) - len(work), len(cases))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be written: {error.strerror}") from None
    finally:
        await _end([task for _, task in work])
    if unanswered:
        raise Retry(
            f"no model answered {len(unanswered)} of {len(cases)} cases, the first {unanswered[0]!r}; the others are "
            f"in {path}, and running again asks only what is missing"
        )


async def ask(case: GoldCase, resources: Resources, models: Collection[str] | None = None) -> dict[str, Answer]:
    """What each member of the case's panel says by the deadline, failures included, within the policy's budget."""
    rules = policy.select(resources.policies, case.request)
    names = [name for name in resources.panels[rules.panel].models if models is None or name in models]
    seconds = (case.request.deadline_ms or rules.deadline_ms) / 1000
    return await panel.ask(
        [resources.members[name] for name in names],
        answers.prompt(case.request, nonce_of(case.request)),
        log=MemoryLog(),
        deadline=asyncio.get_running_loop().time() + seconds,
        budget=Budget(rules.budget),
    )


def _heard(said: Mapping[str, Answer]) -> bool:
    return any(answer.failure is None for answer in said.values())


def _held(path: Path) -> set[str]:
    """The cases that the file holds; a last line that was cut off by the end of a process is taken away."""
    if not path.exists():
        return set()
    try:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            path.write_bytes(whole)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be continued: {error.strerror}") from None
    return {question.id for question in recorded(path)}


async def _end(tasks: Sequence[asyncio.Task[dict[str, Answer]]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
