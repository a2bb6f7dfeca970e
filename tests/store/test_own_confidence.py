"""What members say of themselves: from stored signals to the calibrated confidence on a verdict's ballot."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.ballots import Ballots
from calibration.curve import expit, logit
from calibration.fitting import EPOCH, fit
from calibration.snapshot import Snapshot
from calibration.store.engine import reading
from calibration.store.gathering import gather
from consensus import answers
from consensus.pipeline import Resources, decide
from consensus.policy import PanelPolicy
from consensus.types import BallotEntry, Kind, Outcome, Signal, Verdict
from tests.ballots import policy, request
from tests.loop_records import OPTIONS, Log, entry, outcome, signal
from tests.models_fake import member, says
from tests.store.test_ingest import feed

BOAST = {"a": 1.5, "b": 0.0}
"""Log odds by which a member overstates itself; c states nothing."""

PROMPT = answers.prompt(request(), "0" * 16).hash


def simulated(n: int) -> list[Signal | Outcome]:
    """Decisions of members whose answers are right with a known probability, which they state with their bias."""
    rng = np.random.default_rng(4)
    messages: list[Signal | Outcome] = []
    for number in range(n):
        truth = int(rng.integers(3))
        odds = {name: float(rng.normal(1.0, 1.0)) for name in "abc"}
        chosen = {
            name: OPTIONS[truth if rng.random() < expit(odds[name]) else (truth + int(rng.integers(1, 3))) % 3]
            for name in "abc"
        }
        ballot = [
            entry(
                name,
                chosen[name],
                raw_confidence=expit(odds[name] + BOAST[name]) if name in BOAST else None,
                confidence_source="verbal" if name in BOAST else "none",
            )
            for name in "abc"
        ]
        messages += [signal(f"r-{number}", ballot=ballot, prompt_hash=PROMPT), outcome(f"r-{number}", OPTIONS[truth])]
    return messages


async def gathered(engine: AsyncEngine, n: int = 700) -> Ballots:
    await feed(engine, Log().records(*simulated(n)))
    async with reading(engine).connect() as connection:
        return (await gather(connection)).ballots()


async def decided(snapshot: Snapshot | None, *replies: object, bar: float = 0.9) -> Verdict:
    members = {name: member(name, reply) for name, reply in zip("abc", replies, strict=True)}
    panel = PanelPolicy(name="main", models=tuple(members), quorum=2, min_families=2)
    rules = {"default": policy(confidence_bar=bar)}
    resources = Resources(members, {"main": panel}, rules, snapshots=lambda _cls: snapshot)
    return (await decide(request(), resources)).verdict


def by_name(verdict: Verdict) -> dict[str, BallotEntry]:
    return {one.model: one for one in verdict.ballot}


async def test_gathered_ballots_say_where_each_confidence_comes_from(engine: AsyncEngine) -> None:
    """Source, version and prompt, in an order that no store decides; nothing where nothing was stated."""
    log = Log()
    first = [
        entry("a", "A", raw_confidence=0.9, confidence_source="verbal"),
        entry("b", "B", raw_confidence=0.7, confidence_source="logprob"),
        entry("c", None),
    ]
    second = [entry("a", "A", raw_confidence=0.8, confidence_source="verbal", model_version="a-v2")]
    await feed(engine, log.records(signal("r-1", ballot=first, prompt_hash="p1"), outcome("r-1")))
    await feed(engine, log.records(signal("r-2", ballot=second, prompt_hash="p2"), outcome("r-2")))
    await feed(engine, log.records(signal("r-3", ballot=first[:1]), outcome("r-3")))
    async with reading(engine).connect() as connection:
        table = (await gather(connection)).ballots()
    assert table.source is not None
    found = [[table.sources[code] if code >= 0 else None for code in row] for row in table.source.tolist()]
    assert found == [
        [("verbal", "a-v1", "p1"), ("logprob", "b-v1", "p1"), None],
        [("verbal", "a-v2", "p2"), None, None],
        [("verbal", "a-v1", ""), None, None],
    ]
    assert list(table.sources) == sorted(table.sources)


async def test_a_verdict_carries_each_members_calibrated_confidence(engine: AsyncEngine) -> None:
    """The boast is undone, the honest one is believed, and who states nothing has no confidence."""
    snapshot = fit(await gathered(engine), fitted_at=EPOCH)
    assert snapshot is not None
    verdict = await decided(Snapshot.from_json(snapshot.to_json()), says("A", 0.9), says("A", 0.9), {"answer": "A"})
    ballot = by_name(verdict)
    assert ballot["a"].confidence == pytest.approx(expit(logit(0.9) - BOAST["a"]), abs=0.08)
    assert ballot["b"].confidence == pytest.approx(0.9, abs=0.05)
    assert (ballot["c"].confidence, ballot["c"].raw_confidence) == (None, None)
    assert (ballot["a"].raw_confidence, ballot["b"].raw_confidence) == (0.9, 0.9)


async def test_only_calibrated_confidence_makes_a_high_confidence_dispute(engine: AsyncEngine) -> None:
    """The same stated .97 against .97: without a snapshot nobody is sure, with one both may be, above the bar only."""
    snapshot = fit(await gathered(engine), fitted_at=EPOCH)
    replies = (says("A", 0.97), says("B", 0.97), {"answer": "C"})
    unfitted = await decided(None, *replies, bar=0.75)
    assert (unfitted.disagreement.kind, {one.confidence for one in unfitted.ballot}) == (Kind.REASONING, {None})
    assert (await decided(snapshot, *replies, bar=0.75)).disagreement.kind is Kind.HIGH_CONFIDENCE
    assert (await decided(snapshot, *replies, bar=0.95)).disagreement.kind is Kind.REASONING
