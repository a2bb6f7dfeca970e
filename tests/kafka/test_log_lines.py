"""What the worker logs about a record: request and trace on every line, never a word of request or answer."""

from __future__ import annotations

import json

import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from consensus.errors import StoreUnavailable
from tests.kafka.decisions import Decider, request
from tests.kafka.rig import Rig

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = [("traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())]
SECRET = "the patient's name"


async def test_a_decision_and_what_went_wrong_before_it_name_request_and_trace(line: Rig) -> None:
    """One line for the decision; a failure that was waited out and one that counts against the record, likewise."""
    decide = Decider()
    decide.errors["r1"] = [StoreUnavailable("away"), ValueError(SECRET)]
    with capture_logs(processors=[merge_contextvars]) as lines:
        async with line.worker(decide):
            await line.send(request("r1", prompt=SECRET), headers=HEADERS)
            await line.send(request("r2", prompt=SECRET), partition=1)
            await line.until(verdicts=2)
    ours = [found for found in lines if found.get("request_id") == "r1"]
    assert [found["event"] for found in ours] == ["deciding again", "deciding failed", "decided"]
    assert {(found["tenant"], found["trace_id"]) for found in ours} == {("default", TRACE)}
    assert (ours[2]["status"], ours[2]["kind"], ours[2]["log_level"]) == ("pending_review", "reasoning", "info")
    [other] = [found for found in lines if found.get("request_id") == "r2"]
    assert (other["event"], "trace_id" in other) == ("decided", False)
    assert SECRET not in json.dumps(lines, default=str)


async def test_a_dead_letter_names_its_place_and_trace(line: Rig) -> None:
    """A record that cannot be read has no id to name; its reason may quote it and is not logged."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        async with line.worker(Decider()):
            await line.send(f'{{"id": "{SECRET}", "stakes": 1}}'.encode(), partition=1, headers=HEADERS)
            await line.until(dead_letters=1)
    [found] = [found for found in lines if found["event"] == "dead letter"]
    place = (found["topic"], found["partition"], found["offset"])
    assert place == (line.topics.requests, 1, 0)
    assert (found["code"], found["trace_id"], found["log_level"]) == ("missing_field", TRACE, "warning")
    assert SECRET not in json.dumps(lines, default=str)
    assert structlog.contextvars.get_contextvars() == {}
