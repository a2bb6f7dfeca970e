"""Put a dispute before the first arbiter that may and can rule on it: both orders side by side, decided by code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from arbiters import reading
from arbiters.eligibility import Order, affordable, impartial, orders
from arbiters.prompt import HASH, VERDICTS, Comparison, compare, rendered
from arbiters.tally import tally
from consensus.dispute import Dispute
from consensus.errors import ModelError
from consensus.models import Member
from consensus.models.protocol import Budget, CallLog, Prompt
from consensus.patience import to_the_last
from consensus.policy import ArbiterPolicy
from consensus.types import Answer, ArbiterCall, Arbitration


@dataclass(frozen=True)
class Arbiter:
    """A configured arbiter and the model it asks."""

    policy: ArbiterPolicy
    member: Member


@dataclass(frozen=True)
class Heard:
    """What one comparison came to: ``said`` is a candidate id or failed, abstain, tie, none_correct."""

    said: str
    calls: tuple[ArbiterCall, ...]
    version: str | None = None
    reasoning: str = ""


def build(policies: Mapping[str, ArbiterPolicy], members: Mapping[str, Member]) -> Bench:
    """The arbiters of the configuration over the members of the same configuration."""
    return Bench({name: Arbiter(policy, members[policy.model]) for name, policy in policies.items()})


class Bench:
    """All arbiters by name; implements the pipeline's `consensus.dispute.Arbiters`."""

    def __init__(self, arbiters: Mapping[str, Arbiter]) -> None:
        self._arbiters = dict(arbiters)

    async def arbitrate(self, dispute: Dispute, *, log: CallLog, deadline: float, budget: Budget) -> Arbitration | None:
        """Ask the policy's arbiters in turn until one does not fail; see `consensus.dispute.Arbiters`.

        The calls of arbiters that failed stay in the arbitration, with the reason ``arbiter_failed:<name>``.
        """
        ruling: Arbitration | None = None
        for name in dispute.policy.arbiters:
            hearing = Hearing(self._arbiters[name], dispute, log, deadline, budget)
            if not hearing.possible():
                continue
            ruling = _after(ruling, await hearing.rule())
            if ruling.decision != "failed":
                break
        return ruling


def _after(failed: Arbitration | None, ruling: Arbitration) -> Arbitration:
    """A ruling that also accounts for the calls of the arbiter that failed before it."""
    if failed is None:
        return ruling
    reasons = (*failed.reasons, f"arbiter_failed:{failed.arbiter}", *ruling.reasons)
    return ruling.model_copy(update={"reasons": reasons, "calls": (*failed.calls, *ruling.calls)})


class Hearing:
    """One arbiter before one dispute."""

    def __init__(self, arbiter: Arbiter, dispute: Dispute, log: CallLog, deadline: float, budget: Budget) -> None:
        self._arbiter = arbiter
        self._dispute = dispute
        self._log = log
        self._deadline = deadline
        self._budget = budget
        self._orders = orders(dispute.candidates)

    def possible(self) -> bool:
        """Whether this arbiter is impartial, the candidates are few enough, and all calls still to be made fit."""
        if not self._orders or not impartial(self._arbiter.member.policy.family, self._dispute.candidates):
            return False
        open_calls = sum(self._log.recorded(self._key("compare", order)) is None for order in self._orders)
        return affordable(
            open_calls,
            seconds_left=self._deadline - asyncio.get_running_loop().time(),
            seconds_needed=self._arbiter.policy.compare_s,
            budget=self._budget,
        )

    async def rule(self) -> Arbitration:
        """Compare every pair in both orders, side by side, and tally what was said."""
        if self._look_alike():
            return self._arbitration("abstain", None, (), ("candidates_look_alike",))
        heard = await self._hear_all()
        ids = [candidate.id for candidate in self._dispute.candidates]
        decision, winner = tally(ids, {order: item.said for order, item in heard.items()})
        return self._arbitration(decision, winner, tuple(heard.values()))

    async def _hear_all(self) -> dict[tuple[str, str], Heard]:
        heard = await to_the_last(self._compare(order) for order in self._orders)
        return {(first.id, second.id): one for (first, second), one in zip(self._orders, heard, strict=True)}

    def _look_alike(self) -> bool:
        """Whether candidates cannot be told apart once they are sanitised: then nothing is to be asked."""
        spec, limit = self._dispute.request.answer, self._arbiter.policy.candidate_chars
        shown = [rendered(spec, candidate.label, limit) for candidate in self._dispute.candidates]
        return len(set(shown)) < len(shown)

    def _arbitration(
        self, decision: str, winner: str | None, heard: tuple[Heard, ...], reasons: tuple[str, ...] = ()
    ) -> Arbitration:
        labels = {candidate.id: candidate.label for candidate in self._dispute.candidates}
        return Arbitration.model_validate(
            {
                "arbiter": self._arbiter.policy.name,
                "family": self._arbiter.member.policy.family,
                "model_version": next((item.version for item in heard if item.version), None),
                "decision": decision,
                "label": None if winner is None else labels[winner],
                "reasons": reasons,
                "prompt_hash": HASH,
                "calls": tuple(call for item in heard for call in item.calls),
                "rationale": next((item.reasoning for item in heard if item.said == winner and item.reasoning), None),
            }
        )

    async def _compare(self, order: Order) -> Heard:
        """One comparison; an unreadable reply gets one repair, then counts as abstaining."""
        comparison = compare(self._dispute, order, self._arbiter.policy.candidate_chars)
        answer = await self._ask("compare", order, comparison.prompt)
        heard = _hear("compare", order, comparison, answer)
        if heard.said != "unreadable":
            return heard
        mended = await self._ask("repair", order, comparison.repair(answer.text or ""))
        again = _hear("repair", order, comparison, mended)
        said = "abstain" if again.said in ("unreadable", "failed") else again.said
        return replace(again, said=said, calls=(*heard.calls, *again.calls), version=heard.version)

    async def _ask(self, purpose: str, order: Order, prompt: Prompt) -> Answer:
        """The recorded answer of this call, else a new one, recorded before it is used (I5)."""
        key = self._key(purpose, order)
        known = await self._log.paid(key, deadline=self._deadline)
        if known is not None:
            self._budget.adopt(known)
            return known
        try:
            answer = await self._arbiter.member.model.ask(prompt, deadline=self._deadline, budget=self._budget)
        except ModelError as error:
            answer = self._failed(error)
        await self._log.record(key, answer, deadline=self._deadline)
        return answer

    def _failed(self, error: ModelError) -> Answer:
        return Answer(
            model=self._arbiter.member.policy.name,
            family=self._arbiter.member.policy.family,
            failure=error.failure,
            finish_reason=error.finish_reason,
            tokens_in=error.tokens_in,
            tokens_out=error.tokens_out,
            cost=error.cost,
            attempts=error.attempts,
            prompt_hash=HASH,
        )

    def _key(self, purpose: str, order: Order) -> str:
        first, second = order
        return f"arbiter:{self._arbiter.policy.name}:{purpose}:{first.id}-{second.id}"


def _hear(purpose: str, order: Order, comparison: Comparison, answer: Answer) -> Heard:
    """An answer as a decision in candidate ids; ``unreadable`` when code finds none of the offered decisions in it."""
    reply = None if answer.text is None else reading.read(answer.text, {*comparison.ids, *VERDICTS})
    if answer.failure is not None:
        said = "failed"
    else:
        said = "unreadable" if reply is None else comparison.ids.get(reply.decision, reply.decision)
    call = ArbiterCall.model_validate(
        {
            "purpose": purpose,
            "order": tuple(candidate.id for candidate in order),
            "decision": None if said == "failed" else said,
            "failure": answer.failure,
            "latency_ms": answer.latency_ms,
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
            "cost": answer.cost,
            "attempts": answer.attempts,
        }
    )
    return Heard(said, (call,), answer.model_version, "" if reply is None else reply.reasoning)
