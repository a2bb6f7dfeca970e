"""Snapshots reach followers, bad ones do not replace good ones."""

from __future__ import annotations

import time
from functools import partial

import pytest

from calibration.refit import refit
from calibration.snapshot import Snapshot
from consensus.errors import BrokerUnavailable, SnapshotRefused
from consensus.kafka.snapshots import Follower, readable
from consensus.metrics import Metrics
from tests.calibration.test_refit import NEWEST, ballots
from tests.eventually import eventually
from tests.kafka import loop_topics
from tests.kafka.followers import following, publishing


def snapshot(labels: int, *, name: str = "default") -> Snapshot:
    found = refit(ballots(labels), current=None, fitted_at=NEWEST, min_labels=30, name=name)
    assert found is not None
    return found.candidate


def in_use(follower: Follower, version: str | None) -> bool:
    """Whether the follower decides with this version; None: with none."""
    return (follower.current.version if follower.current else None) == version


async def test_a_published_snapshot_is_in_use_within_two_seconds(address: str, prefix: str) -> None:
    """A running follower swaps to it, and again to the next one and back to an older one."""
    settings = loop_topics.settings(address, prefix)
    await loop_topics.create(address, prefix)
    async with following(settings) as follower, publishing(settings) as publisher:
        assert in_use(follower, None)
        for wanted in (snapshot(100), snapshot(200), snapshot(100)):
            begun = time.monotonic()
            await publisher.publish(wanted)
            await eventually(partial(in_use, follower, wanted.version))
            assert time.monotonic() - begun < 2


async def test_a_new_follower_has_the_newest_before_it_is_started(address: str, prefix: str) -> None:
    """`start` returns with the snapshot in place, so that no first request goes without."""
    settings = loop_topics.settings(address, prefix)
    await loop_topics.create(address, prefix)
    async with publishing(settings) as publisher:
        await publisher.publish(snapshot(100))
        await publisher.publish(snapshot(200))
    async with following(settings) as follower:
        assert follower.current is not None
        assert follower.current.version == snapshot(200).version


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda good: good[:-1], "JSON"),
        (lambda good: good.replace(b'"format":1', b'"format":0'), "format"),
        (lambda good: good.replace(b'"labels":', b'"labels":1', 1), "version"),
        (lambda good: b"\xff\x00", "JSON"),
    ],
    ids=["cut short", "another format", "changed content", "not text"],
)
async def test_a_bad_snapshot_leaves_the_one_in_use(address: str, prefix: str, spoil: object, reason: str) -> None:
    """It is counted and reported; the next good one is used."""
    settings, metrics = loop_topics.settings(address, prefix), Metrics()
    refused: list[str] = []
    topics = await loop_topics.create(address, prefix)
    good, better = snapshot(100), snapshot(200)
    bad = spoil(good.to_json())  # type: ignore[operator]
    async with (
        following(settings, metrics=metrics, on_refused=refused.append) as follower,
        loop_topics.writer(address, topics) as writer,
    ):
        for value in (good.to_json(), bad):
            await writer.raw(topics.snapshots, value, b"default")
        await eventually(lambda: refused)
        assert reason in refused[0]
        assert follower.current is not None
        assert follower.current.version == good.version
        assert metrics.value("snapshots_refused") == 1
        await writer.raw(topics.snapshots, better.to_json(), b"default")
        await eventually(lambda: follower.current is not None and follower.current.version == better.version)
        assert metrics.value("snapshot_labels") == better.labels


async def test_other_records_of_the_topic_are_passed_over(address: str, prefix: str) -> None:
    """Other names and records of classes are not for this follower; an empty record takes the snapshot away."""
    settings = loop_topics.settings(address, prefix)
    refused: list[str] = []
    topics = await loop_topics.create(address, prefix)
    async with (
        following(settings, on_refused=refused.append) as follower,
        loop_topics.writer(address, topics) as writer,
    ):
        await writer.raw(topics.snapshots, b"{}", b"class/law")
        await writer.raw(topics.snapshots, snapshot(100, name="other").to_json(), b"other")
        await writer.raw(topics.snapshots, snapshot(200).to_json(), b"default")
        await eventually(lambda: follower.current is not None)
        assert follower.current is not None
        assert follower.current.name == "default"
        await writer.raw(topics.snapshots, None, b"default")
        await eventually(lambda: follower.current is None)
        assert refused == []


async def test_a_client_that_died_silently_ends_the_follower(address: str, prefix: str) -> None:
    """It would miss snapshots and holds without a word."""
    await loop_topics.create(address, prefix)
    follower = Follower(loop_topics.settings(address, prefix), Metrics())
    await follower.start()
    follower._consumer._fetcher._fetch_task.cancel()
    with pytest.raises(BrokerUnavailable, match="fetching"):
        await follower.run()
    await follower.stop()


async def test_following_without_the_topic_says_what_to_do(address: str, prefix: str) -> None:
    """The error names the command that creates the topics."""
    with pytest.raises(BrokerUnavailable, match="consensus topics"):
        await Follower(loop_topics.settings(address, prefix), Metrics()).start()


async def test_a_broker_that_is_away_is_an_error_within_a_bound(prefix: str) -> None:
    """Nothing listens on the discard port."""
    with pytest.raises(BrokerUnavailable):
        await Follower(loop_topics.settings("127.0.0.1:9", prefix), Metrics()).start()


def test_models_that_are_not_configured_are_refused() -> None:
    """A snapshot of another deployment would speak about names that mean something else here."""
    good = snapshot(100).to_json()
    assert readable(good, {"a", "b", "c", "new"}).models == ("a", "b", "c")
    with pytest.raises(SnapshotRefused, match=r"\['c'\]"):
        readable(good, {"a", "b"})
