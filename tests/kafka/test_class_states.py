"""Holds, suspensions and revocations reach every follower; certified snapshots decide for their classes only."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calibration import campaign
from calibration.classes import REASONS, ClassState, named
from calibration.snapshot import Snapshot
from consensus.kafka.snapshots import Follower, Publisher
from consensus.metrics import Metrics
from consensus.settings import KafkaSettings
from tests import simulated_world as world
from tests.eventually import eventually
from tests.kafka import loop_topics
from tests.kafka.followers import following, publishing
from tests.store.test_watch import certified

LATE_S = 60.0


def state(kind: str, *, active: bool = True, cls: str = "default", certificate: str | None = None) -> ClassState:
    plain = {"class": cls, "state": kind, "active": active, "reason": "odd", "by": "ann", "at": datetime.now(UTC)}
    return ClassState.model_validate({**plain, "certificate": certificate})


@asynccontextmanager
async def both(settings: KafkaSettings, metrics: Metrics | None = None) -> AsyncIterator[tuple[Follower, Publisher]]:
    """A running follower and a publisher."""
    async with publishing(settings) as publisher, following(settings, metrics=metrics) as follower:
        yield follower, publisher


async def say(publisher: Publisher, told: ClassState) -> None:
    await publisher.record(told.key, told.to_json())


@pytest.mark.parametrize("kind", sorted(REASONS))
async def test_a_state_is_followed_and_released(address: str, prefix: str, kind: str) -> None:
    """Each state stops its class alone, and its release lets the class go on."""
    await loop_topics.create(address, prefix)
    async with both(loop_topics.settings(address, prefix)) as (follower, publisher):
        assert follower.stopped("default") is None
        await say(publisher, state(kind))
        await eventually(lambda: follower.stopped("default") == REASONS[kind], seconds=LATE_S)
        assert follower.stopped("other") is None
        await say(publisher, state(kind, active=False))
        await eventually(lambda: follower.stopped("default") is None, seconds=LATE_S)


async def test_a_hold_and_a_revocation_do_not_overwrite_one_another(address: str, prefix: str) -> None:
    """Releasing the hold leaves the revocation, and the first reason that holds is named."""
    await loop_topics.create(address, prefix)
    async with both(loop_topics.settings(address, prefix)) as (follower, publisher):
        await say(publisher, state("revoked"))
        await say(publisher, state("held"))
        await eventually(lambda: follower.stopped("default") == "class_held", seconds=LATE_S)
        await say(publisher, state("held", active=False))
        await eventually(lambda: follower.stopped("default") == "certificate_revoked", seconds=LATE_S)


async def test_an_unreadable_state_stops_the_class_that_its_key_names(address: str, prefix: str) -> None:
    """Somebody meant to say something about it; a record without a value takes it back."""
    topics = await loop_topics.create(address, prefix)
    async with (
        both(loop_topics.settings(address, prefix)) as (follower, _),
        loop_topics.writer(address, topics) as writer,
    ):
        await writer.raw(topics.snapshots, b"{}", b"class/p/law:suspended")
        await eventually(lambda: follower.stopped("p/law") == "class_suspended", seconds=LATE_S)
        await writer.raw(topics.snapshots, None, b"class/p/law:suspended")
        await eventually(lambda: follower.stopped("p/law") is None, seconds=LATE_S)


def test_keys_name_class_and_state() -> None:
    assert named("class/p/law:revoked") == ("p/law", "revoked")
    assert named("class/law") == ("law", "held")
    assert state("held", cls="p/law").key == "class/p/law:held"


@pytest.fixture(scope="module")
def fits() -> tuple[Snapshot, Snapshot, Snapshot, campaign.End]:
    """Two fits, and the first one certified for ``default``."""
    first, second = world.snapshot(120), world.snapshot(160)
    deployed, end = certified(first)
    return first, second, deployed, end


async def test_a_certified_class_keeps_its_snapshot_while_others_move_on(
    address: str, prefix: str, fits: tuple[Snapshot, Snapshot, Snapshot, campaign.End]
) -> None:
    """Until its certificate is revoked: then it decides, uncertified, with the newest."""
    first, second, deployed, end = fits
    await loop_topics.create(address, prefix)
    metrics = Metrics()
    async with both(loop_topics.settings(address, prefix), metrics) as (follower, publisher):
        for one in (first, deployed, second):
            await publisher.publish(one)
        await eventually(lambda: _decides(follower, "other", second), seconds=LATE_S)
        assert _decides(follower, "default", deployed)
        assert metrics.value("certified_classes") == 1
        await say(publisher, state("revoked", certificate=end.campaign))
        await eventually(lambda: _decides(follower, "default", second), seconds=LATE_S)
        assert follower.stopped("default") == "certificate_revoked"


async def test_a_revocation_does_not_touch_a_later_certificate(
    address: str, prefix: str, fits: tuple[Snapshot, Snapshot, Snapshot, campaign.End]
) -> None:
    """The next campaign's certificate stands although the last one's was revoked."""
    _, _, deployed, _ = fits
    await loop_topics.create(address, prefix)
    async with both(loop_topics.settings(address, prefix)) as (follower, publisher):
        await say(publisher, state("revoked", certificate="default:0"))
        await eventually(lambda: follower.stopped("default") == "certificate_revoked", seconds=LATE_S)
        await publisher.publish(deployed)
        await eventually(lambda: follower.stopped("default") is None, seconds=LATE_S)
        assert _decides(follower, "default", deployed)


async def test_a_certified_snapshot_that_cannot_be_used_leaves_the_class_uncertified(
    address: str, prefix: str, fits: tuple[Snapshot, Snapshot, Snapshot, campaign.End]
) -> None:
    """Damaged, or with a certificate of another fit: refused and counted; the class decides with the newest."""
    first, second, deployed, end = fits
    topics = await loop_topics.create(address, prefix)
    metrics = Metrics()
    assert end.certificate is not None
    stolen = campaign.certified(campaign.frozen(second, "default"), end.certificate)
    damaged = deployed.to_json().replace(b'"labels":', b'"labels":1', 1)
    async with both(loop_topics.settings(address, prefix), metrics) as (follower, publisher):
        async with loop_topics.writer(address, topics) as writer:
            await writer.raw(topics.snapshots, damaged, b"certified/default")
            await writer.raw(topics.snapshots, stolen.to_json(), b"certified/default")
        await publisher.publish(first)
        await eventually(lambda: _decides(follower, "default", first), seconds=LATE_S)
        assert metrics.value("snapshots_refused") == 2


def _decides(follower: Follower, cls: str, snapshot: Snapshot) -> bool:
    found = follower.snapshot_of(cls)
    return found is not None and found.version == snapshot.version


async def test_hold_from_the_command_line(address: str, prefix: str, tmp_path: Path) -> None:
    """Recorded with who and why; a class that does not exist is wrong use."""
    await loop_topics.create(address, prefix)
    config = tmp_path / "consensus.yaml"
    models = {name: {"model": f"openai/{name}", "api_key_env": "KEY", "family": name} for name in ("a", "b")}
    panels = {"main": {"models": ["a", "b"], "quorum": 2}}
    kafka = {"bootstrap_servers": address, "prefix": prefix}
    policies = {"default": {"panel": "main"}}
    config.write_text(json.dumps({"kafka": kafka, "models": models, "panels": panels, "policies": policies}))
    said = ("--reason", "odd answers", "--by", "ann", "--config", str(config), "--json")
    async with both(loop_topics.settings(address, prefix)) as (follower, _):
        code, told = await hold("default", *said)
        assert code == 0
        assert (told["class"], told["by"], told["reason"], told["active"]) == ("default", "ann", "odd answers", True)
        await eventually(lambda: follower.stopped("default") == "class_held", seconds=LATE_S)
        assert (await hold("default", "--release", *said))[0] == 0
        await eventually(lambda: follower.stopped("default") is None, seconds=LATE_S)
        assert await hold("nobody", *said) == (2, None)


async def hold(*arguments: str) -> tuple[int | None, Any]:
    """Run the command; its exit code and the JSON that it prints."""
    command = (sys.executable, "-m", "consensus", "hold", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    printed, _ = await process.communicate()
    return process.returncode, json.loads(printed) if printed else None
