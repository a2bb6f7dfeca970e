"""One request before the panel and the arbiters: whom to ask next, until a route is found."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from consensus import answers, panel, stragglers
from consensus import ballot as ballots
from consensus.answers import Sameness
from consensus.answers.prompting import question
from consensus.assessment import Assessment, assess
from consensus.ballot import Ballot
from consensus.case import Case
from consensus.certificate import standing
from consensus.dispute import Arbiters, Candidate, Dispute
from consensus.equivalence_judge import Judge
from consensus.models import Member
from consensus.models.protocol import Budget, CallLog, call_headers
from consensus.types import Answer, Arbitration, BallotEntry, Failure, Label, LabelKind, Route, TextSpec

OnVote = Callable[[BallotEntry], None]


class Deliberation:
    """One request's way through panel and arbiters; holds what was spent and heard so far."""

    def __init__(
        self,
        case: Case,
        members: Mapping[str, Member],
        arbiters: Arbiters | None,
        log: CallLog,
        deadline: float,
        on_vote: OnVote | None,
    ) -> None:
        self._case = case
        self._members = {name: members[name] for name in case.panel.models}
        self._judges = members
        self._arbiters = arbiters
        self._log = log
        self._deadline = deadline
        self._on_vote = on_vote
        self._budget = Budget(case.policy.budget)
        self._prompt = replace(answers.prompt(case.request, case.nonce), headers=call_headers(case.request))
        self._heard: dict[str, Answer] = {}
        self._plan = case.plan()
        self._cuts = self._plan is not None and _certified(case)
        self._order = list(self._plan.order if self._plan else case.panel.models)
        self._first = max(self._plan.min_calls, case.panel.quorum) if self._plan else len(self._order)

    async def hear_panel(self) -> Assessment:
        """Ask the first wave, then more of the panel as long as the route or the lazy plan calls for it."""
        wave = self._order[: self._first]
        while True:
            await self._ask(wave)
            assessment = self._assess(await self._judged())
            left = self._unasked()
            if assessment.routing.route is Route.EXTEND:
                wave = left
            elif self._can_extend() and self._wants_more(assessment, len(self._heard)):
                wave = left[:1]
            else:
                return assessment

    @property
    def cost(self) -> float:
        """Dollars spent on this request so far: panel, retries, judges and arbiters."""
        return self._budget.cost

    async def arbitrate(self, assessment: Assessment) -> Arbitration | None:
        """Put the dispute before an arbiter; ``None`` when no eligible one is left."""
        if self._arbiters is None:
            return None
        dispute = Dispute(
            self._case.request, disputed(assessment.ballot, self._case.nonce), self._case.policy, self._case.nonce
        )
        return await self._arbiters.arbitrate(dispute, log=self._log, deadline=self._deadline, budget=self._budget)

    async def _ask(self, names: list[str]) -> None:
        """After the deadline nobody is asked any more, but what was paid for before it still counts."""
        wanted = [name for name in names if not self._expired() or self._log.recorded(panel.key(name)) is not None]
        if not wanted:
            return
        self._heard |= await panel.ask(
            [self._members[name] for name in wanted],
            self._prompt,
            log=self._log,
            deadline=self._deadline,
            budget=self._budget,
            arrived=self._stream,
            enough=self._decided if self._cuts else None,
        )

    def _decided(self, said: Mapping[str, Answer], waiting: Collection[str]) -> bool:
        """Whether the route is the same whatever the members that are waited for say; never where everybody is asked.

        A dispute is not decided before all sides of it are known: it waits.
        """
        heard = self._heard | dict(said)
        known = ballots.build(self._case.request.answer, self._entries(heard), {}, question(self._case.request))
        first = None
        for ballot in stragglers.possible(known, waiting, self._sure()) or ():
            end = self._end(ballot, heard, waiting)
            if end is None or (first is not None and end != first):
                return False
            first = end
        return first is not None

    def _end(self, ballot: Ballot, heard: Collection[str], waiting: Collection[str]) -> tuple[Route, int | None] | None:
        """The route that such a ballot leads to, with the answer that is accepted; ``None`` where it goes on."""
        left = [name for name in self._order if name not in heard and name not in waiting]
        more = bool(left) and not self._expired() and self._budget.allows(1)
        found = assess(self._case, ballot, can_extend=more, expired=self._expired(), prompt_hash=self._prompt.hash)
        route = found.routing.route
        if route in (Route.EXTEND, Route.ARBITRATE) or (more and self._wants_more(found, len(heard) + len(waiting))):
            return None
        return route, found.posterior.top if route is Route.ACCEPT else None

    def _sure(self) -> set[str]:
        """The members whose own confidence counts, since a curve was fitted to it."""
        snapshot = self._case.snapshot
        return set() if snapshot is None else {curve.key[1] for curve in snapshot.members.curves}

    def _stream(self, answer: Answer) -> None:
        if self._on_vote is not None:
            read = [(answer, self._read(answer))]
            self._on_vote(ballots.build(self._case.request.answer, read).entries[0])

    async def _judged(self) -> Mapping[tuple[int, int], Sameness]:
        """What the policy's judge says of texts that rules cannot compare; nothing where none is wanted."""
        spec, policy = self._case.request.answer, self._case.policy
        if not isinstance(spec, TextSpec) or spec.equivalence != "judge" or policy.judge is None:
            return {}
        judge = Judge(
            self._judges[policy.judge], self._case.request, self._case.nonce, self._log, self._deadline, self._budget
        )
        return await judge.judged(ballots.votable(self._entries(self._heard)))

    def _entries(self, heard: Mapping[str, Answer]) -> list[tuple[Answer, Label]]:
        return [self._entry(name, heard.get(name)) for name in self._case.panel.models]

    def _assess(self, judged: Mapping[tuple[int, int], Sameness]) -> Assessment:
        request = self._case.request
        return assess(
            self._case,
            ballots.build(request.answer, self._entries(self._heard), judged, question(request)),
            can_extend=self._can_extend(),
            expired=self._expired(),
            prompt_hash=self._prompt.hash,
        )

    def _wants_more(self, assessment: Assessment, asked: int) -> bool:
        """As the plan was fitted, whatever a certificate's threshold: another way to stop would be another rule."""
        return self._plan is not None and self._plan.wants_more(assessment.posterior.confidence, asked)

    def _entry(self, name: str, answer: Answer | None) -> tuple[Answer, Label]:
        if answer is None or answer.failure is Failure.NOT_RECORDED:
            return ballots.unheard(name, self._members[name].policy.family, LabelKind.NOT_ASKED)
        return answer, self._read(answer)

    def _read(self, answer: Answer) -> Label:
        if answer.failure is Failure.CANCELLED:
            return Label(kind=LabelKind.CANCELLED)
        return answers.read(self._case.request.answer, answer, self._case.nonce)

    def _can_extend(self) -> bool:
        return bool(self._unasked()) and not self._expired() and self._budget.allows(1)

    def _unasked(self) -> list[str]:
        return [name for name in self._order if name not in self._heard]

    def _expired(self) -> bool:
        return asyncio.get_running_loop().time() >= self._deadline


def _certified(case: Case) -> bool:
    """Whether a certificate speaks about the request.

    Elsewhere every answer is waited for that was asked for: these ballots are the archive of the next campaign, and
    votes that could not change today's route could have changed the confidence.
    """
    found = standing(case.snapshot, case.cls, case.request.domain, case.policy, case.panel)
    return found.certificate is not None


def disputed(ballot: Ballot, nonce: str) -> tuple[Candidate, ...]:
    """One candidate per answer cluster that got a vote, under ids that say nothing, in an order drawn by the nonce."""
    sides = []
    for index in sorted(ballot.votes()):
        opaque = hashlib.sha256(f"{nonce}\x00candidate\x00{index}".encode()).hexdigest()[:8]
        families = frozenset(entry.family for entry in ballot.entries if entry.cluster == index)
        sides.append(Candidate(opaque, ballot.candidates[index], families))
    return tuple(sorted(sides, key=lambda side: side.id))
