"""The panel while the store is away, or a model does not end: every call that is paid for is kept, and made once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from consensus import answers
from consensus import panel as asking
from consensus.errors import StoreUnavailable
from consensus.ledger import StoredLog
from consensus.ledger.answers import Found
from consensus.models import Member
from consensus.models.protocol import Budget, MemoryLog, Model, Prompt
from consensus.pipeline import Resources, decide
from consensus.policy import BudgetPolicy, PanelPolicy
from consensus.types import Answer, Failure, LabelKind, Request
from tests.ballots import policy, request
from tests.models_fake import Scripted, member, says


class Away:
    """A ledger whose first writes fail; ``failed`` is set by the first of them.

    The answer of ``a`` is there for whoever looks.
    """

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.failed = asyncio.Event()
        self.kept: list[str] = []

    async def recorded(self, payload: object) -> Found:
        return Found({"panel:a": Answer(model="a", family="a", text="A")}, ours=True)

    async def record(self, paid: object) -> bool:
        if self.failures:
            self.failures -= 1
            self.failed.set()
            raise StoreUnavailable("away")
        self.kept.append(paid.call)  # type: ignore[attr-defined]  # it is the Paid that StoredLog made
        return True


class Deaf:
    """A model that has been called and ends neither with an answer nor at its deadline."""

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        budget.take_call()
        budget.add_cost(0.5)
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")


class Looking(MemoryLog):
    """Looks into the store for one member until it is told what there is."""

    def __init__(self, call: str) -> None:
        super().__init__()
        self._call = call
        self.found = asyncio.Event()

    async def paid(self, key: str, *, deadline: float = 0.0) -> Answer | None:
        if key == self._call:
            await self.found.wait()
        return self.recorded(key)


class After:
    """A model that answers only once something has happened."""

    def __init__(self, model: Model, event: asyncio.Event) -> None:
        self._model = model
        self._event = event

    async def ask(self, prompt: Prompt, *, deadline: float, budget: Budget) -> Answer:
        await self._event.wait()
        return await self._model.ask(prompt, deadline=deadline, budget=budget)


def panel(event: asyncio.Event) -> dict[str, Member]:
    members = {name: member(name, says("A")) for name in "abc"}
    return {**members, "c": replace(members["c"], model=After(members["c"].model, event))}


async def decided(asked: Request, members: dict[str, Member], log: StoredLog) -> list[LabelKind]:
    rules = Resources(
        members, {"main": PanelPolicy(name="main", models=("a", "b", "c"), quorum=2)}, {"default": policy()}
    )
    return [entry.label_kind for entry in (await decide(asked, rules, log=log)).verdict.ballot]


async def test_a_write_that_fails_lets_the_other_calls_run_on() -> None:
    """The third member answers after the store has failed; everybody is asked once, and everything is kept."""
    store = Away(failures=3)
    members = panel(store.failed)
    log = StoredLog(store, ("default", "r", "hash"))  # type: ignore[arg-type]  # duck of Answers
    assert await decided(request(), members, log) == [LabelKind.ANSWER] * 3
    assert sorted(store.kept) == ["panel:a", "panel:b", "panel:c"]
    assert [made.model.calls for made in members.values() if isinstance(made.model, Scripted)] == [1, 1]


async def test_right_before_a_call_the_store_is_asked_where_what_is_known_is_old() -> None:
    """Another worker has paid for the first member's answer meanwhile."""
    store = Away(failures=0)
    members = {name: member(name, says("A")) for name in "abc"}
    log = StoredLog(store, ("default", "r", "hash"), since=float("-inf"))  # type: ignore[arg-type]  # duck of Answers
    assert await decided(request(), members, log) == [LabelKind.ANSWER] * 3
    assert sorted(store.kept) == ["panel:b", "panel:c"]


async def test_a_call_that_is_cut_off_at_the_deadline_is_paid_for() -> None:
    """It is kept as a timeout with its attempt and its cost, so that the ledger knows of every call that was made."""
    log, now = MemoryLog(), asyncio.get_running_loop().time()
    members = [replace(member("deaf", says("A")), model=Deaf()), member("quick", says("A"))]
    prompt = answers.prompt(request(), "nonce")
    said = await asking.ask(members, prompt, log=log, deadline=now, budget=Budget(BudgetPolicy()))
    assert (said["deaf"].failure, said["deaf"].attempts, said["deaf"].cost) == (Failure.TIMEOUT, 1, 0.5)
    assert log.recorded("panel:deaf") == said["deaf"]
    assert said["quick"].attempts == 1


async def test_no_call_is_begun_once_the_panel_is_cut_off() -> None:
    """A member that is still looking into the store then is recorded as never asked."""
    members, log = [member("late", says("A")), member("quick", says("A"))], Looking("panel:late")
    prompt, budget = answers.prompt(request(), "nonce"), Budget(BudgetPolicy())

    def enough(said: Mapping[str, Answer], waiting: Collection[str]) -> bool:
        asyncio.get_running_loop().call_soon(log.found.set)
        return set(said) == {"quick"} and waiting == {"late"}

    said = await asking.ask(members, prompt, log=log, deadline=float("inf"), budget=budget, enough=enough)
    assert (said["late"].failure, said["late"].attempts) == (Failure.CANCELLED, 0)
    assert (budget.calls, [made.model.calls for made in members if isinstance(made.model, Scripted)]) == (1, [0, 1])
