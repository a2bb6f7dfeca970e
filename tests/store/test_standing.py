"""The report: everything from the store and the ledger on one page, with hostile texts shown as text."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.standing_page import html
from consensus import wire
from consensus.forgetting import forget
from consensus.kafka.intake import Record
from consensus.ledger import Asked, Ledger, Version
from consensus.standing import report
from tests.ballots import request
from tests.calibration.test_refit import ballots, fitted
from tests.loop_records import NOON, TOPICS, Log, labelled_messages, outcome, signal, verdict
from tests.store.test_ingest import feed

HOSTILE = "<script>alert('x')</script> <img src=x onerror=alert(1)> \u202egnp.exe \x1b[2J"
NOW = NOON + timedelta(days=2)


async def told(engine: AsyncEngine) -> dict[str, Any]:
    found = await report(engine, "default", NOW, timeout_s=60)
    assert json.loads(json.dumps(found)) == found
    return found


async def deployed(engine: AsyncEngine, *, prompt: str = "Is the contract void") -> None:
    """Forty labelled decisions with their questions, a snapshot, a contradiction, feedback, an unknown request."""
    ledger, snapshot = Ledger(engine), fitted(ballots(100)).candidate
    for i in range(20):
        asked = Asked("default", f"r-{i}", "f" * 64, 0, i)
        await ledger.claims.claim([asked], now=NOON)
        raw = wire.write(request(id=f"r-{i}", prompt=f"{prompt}, case {i % 7}?"))
        await ledger.decisions.keep(asked, Version("default", f"r-{i}", 1, wire.write(verdict(f"r-{i}")), request=raw))
        await ledger.decisions.mark_committed([("default", f"r-{i}", 1)])
    log = Log()
    published = Record(TOPICS.snapshots, 0, 0, b"default", snapshot.to_json(), 0)
    extra = [outcome("r-0", "C", source="audit", hours=50), outcome("r-1", "A", source="feedback"), outcome("nowhere")]
    await feed(engine, [published, *log.records(*labelled_messages(40), *extra)])


async def test_an_empty_store_says_so(engine: AsyncEngine) -> None:
    """Every part has its sentence; nothing is divided by zero."""
    found = await told(engine)
    assert (found["decisions"], found["snapshot"], found["what_if"]) == (0, None, [])
    page = html(found)
    assert "Nothing has been fitted yet" in page
    assert "No class is certified" in page


async def test_the_report_of_a_deployment(engine: AsyncEngine) -> None:
    """Counts, reliability with labels, what waits for adjudication, cost, feedback, groups with examples."""
    await deployed(engine)
    found = await told(engine)
    assert found["decisions"] == 40
    assert found["labels"] == {"labelled": 39, "contradicted": 1, "unknown": 1, "unusable": 0}
    overall = {one["model"]: one for one in found["reliability"] if one["domain"] == "*"}
    assert overall["a"]["labels"] == 39
    assert overall["a"]["low"] < overall["a"]["mean"] < overall["a"]["high"]
    assert {one["domain"] for one in found["reliability"]} == {"*", "law", "health"}
    assert [one["request_id"] for one in found["contradictions"]] == ["r-0"]
    assert found["snapshot"]["labels"] > 0
    assert found["costs"][0]["decisions"] == 40
    assert found["feedback"] == [{"class": "default", "outcomes": 1, "wrong": 0}]
    groups = found["disagreements"]
    assert (groups["decisions"], groups["with_text"]) == (40, 20)
    assert sum(group["size"] for group in groups["groups"]) == 20
    page = html(found)
    for part in ("Where errors cluster", "To adjudicate", "Is the contract void, case", found["snapshot"]["version"]):
        assert part in page


class Tags(HTMLParser):
    """Which elements and attributes a page really has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


async def test_hostile_texts_are_text(engine: AsyncEngine) -> None:
    """Questions, names of models, classes and ids: no element, no attribute and no control character of theirs."""
    await deployed(engine, prompt=HOSTILE)
    bad = "<b onclick=x>"
    entries = [e.model_copy(update={"model": f"{bad}{i}"}) for i, e in enumerate(signal().ballot)]
    strange = signal("r-99", domain=bad, policy=bad).model_copy(update={"class_": bad, "ballot": tuple(entries)})
    both = [outcome("r-99", "A", outcome_id=bad), outcome("r-99", "B", source="gold", outcome_id=bad)]
    await feed(engine, Log().records(strange, *both)[:1])
    found = await told(engine)
    page = html(found)
    tags = Tags()
    tags.feed(page)
    assert not tags.seen & {"script", "img", "b"}
    assert not tags.attributes & {"onclick", "onerror", "src"}
    assert "&lt;script&gt;" in page
    assert not any(character in page for character in "\u202e\x1b")


async def test_an_erased_question_is_in_no_report(engine: AsyncEngine) -> None:
    """Its decision still counts, its words are gone."""
    await deployed(engine, prompt="About Anna Kowalska")
    assert "Kowalska" in json.dumps(await told(engine))
    await forget(engine, [("default", f"r-{i}") for i in range(20)], at=NOW, timeout_s=60)
    found = await told(engine)
    assert "Kowalska" not in json.dumps(found)
    assert (found["decisions"], found["disagreements"]["with_text"]) == (40, 0)
    assert found["labels"]["labelled"] == 39
