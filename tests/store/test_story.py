"""The story of a decision, gathered from ledger and store, and told on one screen."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from consensus import wire
from consensus.explain import WIDTH, explain, inert, tree
from consensus.kafka.intake import Record
from consensus.ledger import Asked, Ledger, Version
from consensus.ledger.rulings import Arrived, Effect
from consensus.story import Story, tell
from consensus.types import Ruling
from tests.ballots import request
from tests.calibration.test_refit import ballots, fitted
from tests.loop_records import NOON, TOPICS, Log, entry, outcome, signal, verdict
from tests.store.test_ingest import feed

ESCAPE = "\x1b[2J\u202enasty\u200b\nsecond line"


async def told(engine: AsyncEngine, request_id: str = "r-1", tenant: str = "default") -> Story:
    story = await tell(engine, tenant, request_id)
    assert story is not None
    return story


async def decided(engine: AsyncEngine, **changes: Any) -> None:
    """A decision as the worker leaves it: claimed, stored, published."""
    ledger = Ledger(engine)
    asked = Asked("default", "r-1", "f" * 64, 0, 7)
    await ledger.claims.claim([asked], now=NOON)
    raw = wire.write(verdict(**changes))
    stored = Version("default", "r-1", 1, raw, wire.write(signal()), request=wire.write(request(prompt=ESCAPE)))
    await ledger.decisions.keep(asked, stored)


async def test_an_unknown_request_has_no_story(engine: AsyncEngine) -> None:
    """Neither has another tenant's."""
    await feed(engine, Log().records(verdict()))
    assert await tell(engine, "default", "r-2") is None
    assert await tell(engine, "other", "r-1") is None


async def test_a_decision_that_is_not_published_yet_says_so(engine: AsyncEngine) -> None:
    """It is stored before its transaction; nothing is known of it on the topic."""
    await decided(engine)
    story = await told(engine)
    assert story.unpublished == frozenset({1})
    assert story.places == ()
    assert "not published yet" in explain(story)


async def test_the_whole_story(engine: AsyncEngine) -> None:
    """Request, versions, ballot, ruling, truth, snapshot and chain, each from where it is kept."""
    snapshot = fitted(ballots(100)).candidate
    used: dict[str, Any] = {"snapshot_version": snapshot.version, "status": "pending_review", "answer": None}
    used["route"] = "review"
    await decided(engine, **used)
    second = verdict(version=2, supersedes=1, **{**used, "status": "reviewed", "answer": "B"})
    said = {"decision": "answer", "answer": "B", "blind": True, "decided_at": NOON}
    ruling = Ruling.model_validate({"task_id": "0:1", "request_id": "r-1", "reviewer": "ann", **said})
    arrived = Arrived("default", "r-1", "d", 0, 3, wire.write(ruling))
    await Ledger(engine).rulings.settle(arrived, lambda _versions, _recorded: Effect())
    log = Log()
    published = Record(TOPICS.snapshots, 0, 0, b"default", snapshot.to_json(), 0)
    await feed(engine, [published, *log.records(verdict(**used), second, signal(status="pending_review"))])
    await feed(engine, log.records(outcome(label="B")))
    story = await told(engine)
    assert [v.version for v in story.verdicts] == [1, 2]
    assert story.unpublished == frozenset()
    text = explain(story)
    for part in (
        "v2 reviewed · B",
        "supersedes 1",
        "v1 pending_review · no answer given · confidence null",
        "route review · unanimous_uncertified",
        "ann: B · blind",
        "blind_review: B",
        "candidate 2",
        "label for calibration: B",
        f"snapshot {snapshot.version} ({snapshot.labels} labels",
        f"v1 is verdicts/0@0 · chain {story.places[0].chain[:16]}",
        "requests/0@7",
    ):
        assert part in text


async def test_one_screen_of_inert_text(engine: AsyncEngine) -> None:
    """Nine members with hostile names and words: at most 45 lines of 100 columns, and not one control character."""
    hostile = [
        entry(ESCAPE * 3, "A", family=ESCAPE, label=ESCAPE * 30, marks=[ESCAPE], raw_confidence=0.9) for _ in range(9)
    ]
    arbitration = {
        "arbiter": ESCAPE,
        "family": "f",
        "decision": "flip",
        "calls": [{"purpose": "compare", "order": [ESCAPE, "c2"], "decision": ESCAPE}] * 4,
        "rationale": ESCAPE * 100,
    }
    await decided(engine, ballot=hostile, arbitration=arbitration)
    text = explain(await told(engine))
    lines = text.split("\n")
    assert len(lines) <= 45
    assert max(map(len, lines)) <= WIDTH
    assert all(c.isprintable() for line in lines for c in line)
    assert "nasty" in text


async def test_the_tree_is_json_and_complete(engine: AsyncEngine) -> None:
    """What a program reads has the full texts and every version."""
    await decided(engine)
    await feed(engine, Log().records(verdict(), signal(stakes="critical"), outcome(label="C", source="audit")))
    found = json.loads(json.dumps(tree(await told(engine))))
    assert found["request"]["prompt"] == ESCAPE
    assert found["verdicts"][0]["answer"] == "A"
    assert found["outcomes"][0]["candidate"] == 2
    assert found["label"]["candidate"] == 2
    assert found["alarms"][0]["code"] == "wrong_answer_released"


async def test_contradicting_and_unusable_truths_are_told_apart(engine: AsyncEngine) -> None:
    """The reader sees why a request with outcomes has no label."""
    log = Log()
    await feed(engine, log.records(verdict(), signal(), outcome(label="Q")))
    text = explain(await told(engine))
    assert "cannot be compared with the candidates" in text
    assert "label for calibration: none\n" in text
    await feed(engine, log.records(outcome(label="A", source="gold"), outcome(label=None, source="audit")))
    text = explain(await told(engine))
    assert "audit: none of the answers" in text
    assert "label for calibration: none: the sources contradict one another" in text


async def test_what_the_ledger_forgot_is_told_from_the_store(engine: AsyncEngine) -> None:
    """Verdict and signal outlive the request's text."""
    await feed(engine, Log().records(verdict(), signal()))
    text = explain(await told(engine))
    assert "no longer in the ledger" in text
    assert "law · standard · choice" in text


def test_inert_text() -> None:
    """Cut with an ellipsis, one line, nothing that moves a cursor."""
    assert inert("abc", 3) == "abc"
    assert inert("abcd", 3) == "ab…"
    assert inert("a\n\tb\x1b[0m\u2066") == "a b·[0m·"
    assert inert("x" * 1_000_000, 5) == "xxxx…"
