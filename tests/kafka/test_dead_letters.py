"""Dead letters: what they carry, when there are too many of them, and how they are sent back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consensus import wire
from consensus.errors import Conflict, Malformed, Poison
from consensus.kafka.dead_letters import MAX_REASON, dead_letter, excess, following
from consensus.kafka.messages import Incoming
from consensus.kafka.replay import list_dead_letters, replay
from consensus.kafka.topics import Topics
from consensus.ledger.gates import GateState
from consensus.settings import KafkaSettings
from tests.kafka.decisions import Decider, request
from tests.kafka.rig import Rig

RECORD = Incoming("p.requests", 3, 17, datetime(2026, 1, 1, tzinfo=UTC), b"key", b"value", (("x-call", b"1"),))
SETTINGS = KafkaSettings(dead_letter_run=4, dead_letter_window=10, dead_letter_ratio=0.5)


def test_a_dead_letter_keeps_everything() -> None:
    """Key, value and headers stay; code, reason and position are added."""
    sent = dead_letter(Topics("p"), RECORD, Malformed("is bad", field="answer.options", code="empty"))
    assert (sent.topic, sent.key, sent.value) == ("p.dead-letters", b"key", b"value")
    assert sent.headers == (
        ("x-call", b"1"),
        ("error-code", b"empty"),
        ("error-reason", b"answer.options: is bad"),
        ("source-topic", b"p.requests"),
        ("source-partition", b"3"),
        ("source-offset", b"17"),
    )


def test_a_second_death_replaces_the_first_reason() -> None:
    """A replayed record that fails again says why it failed now; the reason is bounded."""
    before = Incoming("p.requests", 3, 17, RECORD.timestamp, None, b"v", (("error-code", b"old"), ("own", b"1")))
    sent = dead_letter(Topics("p"), before, Poison("x" * 2_000))
    headers = dict(sent.headers)
    assert headers["error-code"] == b"poison"
    assert headers["own"] == b"1"
    assert len(headers["error-reason"]) == MAX_REASON
    assert [name for name, _ in sent.headers].count("error-code") == 1


@pytest.mark.parametrize(
    ("records", "trouble"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("xxx", None, id="a short run"),
        pytest.param("xxxx", "the last 4 records", id="a run"),
        pytest.param("xxx.xxx", None, id="a broken run in a young window"),
        pytest.param("xx.xx.xx.x", "70% of the last 10 records", id="a share"),
        pytest.param("x.x.x.x.x.", None, id="exactly the share"),
        pytest.param("xx.xx.xx.x" + "." * 5, None, id="old deaths leave the window"),
    ],
)
def test_when_there_are_too_many(records: str, trouble: str | None) -> None:
    """A run stops at once, a share only over a full window."""
    state = GateState()
    for mark in records:
        state = following(state, mark == "x", window=10)
    assert excess(state, SETTINGS) == trouble


async def test_listed_and_replayed(line: Rig) -> None:
    """A repaired deploy gets its dead letters back; replaying again repeats the verdict and nothing else."""
    decide = Decider()
    decide.errors["r1"] = [Malformed("the deploy was bad", code="bad_deploy")]
    async with line.worker(decide):
        await line.send(request("r1"), key=b"k", headers=[("x-call", b"7")])
        await line.send(b"not json")
        await line.until(dead_letters=2)
        letters = await list_dead_letters(line.settings)
        assert sorted(letter.code for letter in letters) == ["bad_deploy", "not_json"]
        [mine] = [letter for letter in letters if letter.code == "bad_deploy"]
        assert (mine.source_topic, mine.source_partition, mine.source_offset) == (line.topics.requests, 0, 0)
        assert mine.reason == "the deploy was bad"
        assert await replay(line.settings, [mine]) == 1
        await line.until(verdicts=1)
        assert await replay(line.settings, [mine]) == 1
        await line.until(verdicts=2)
    again = line.seen["requests"][-1]
    assert (again.key, again.value) == (b"k", wire.write(request("r1")))
    assert again.headers == (("x-call", b"7"),)
    assert decide.paid == {"r1": 1}
    assert len({record.value for record in line.seen["verdicts"]}) == 1


async def test_a_conflict_leaves_the_claim(line: Rig) -> None:
    """The dead letter of a conflict does not free the id for its payload."""
    async with line.worker(Decider()):
        await line.send(request("r1"))
        await line.send(request("r1", prompt="else?"))
        await line.send(request("r1", prompt="else?"))
        await line.send(request("r1"))
        await line.until(verdicts=2, dead_letters=2)
    assert line.codes() == [Conflict.code] * 2
