"""The only place that constructs things: each process, from its settings."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

import arbiters
from calibration.snapshot import Snapshot
from calibration.store.engine import create_engine
from calibration.store.migrate import StoreOutdated, check
from consensus import models
from consensus.alarms import Alarms, Bell
from consensus.errors import ConfigError, ModelError
from consensus.kafka.calibrator import Calibrator
from consensus.kafka.client import Client
from consensus.kafka.elsewhere import sure_s
from consensus.kafka.snapshots import Follower
from consensus.kafka.worker import Worker
from consensus.ledger import Ledger
from consensus.life import Surroundings, Task, running
from consensus.metrics import Metrics
from consensus.pipeline import Resources, decide
from consensus.policy import ModelPolicy
from consensus.rpc.server import Server
from consensus.settings import Settings
from consensus.settings.redundancy import redundancy
from consensus.types import Answer

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def store(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The store's engine; closed at the end."""
    engine = create_engine(store_url(settings), pool_size=settings.store.pool_size, busy_s=settings.store.timeout_s)
    try:
        yield engine
    finally:
        await engine.dispose()


def store_url(settings: Settings) -> str:
    """The store's URL, from the environment where it is a secret. Raises ConfigError."""
    if settings.store.url_env is None:
        return settings.store.url
    url = os.environ.get(settings.store.url_env)
    if not url:
        raise ConfigError("store.url_env", f"set the environment variable {settings.store.url_env}")
    return url


@asynccontextmanager
async def migrated_store(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The store, refused unless its schema is this program's. Raises ConfigError."""
    async with store(settings) as engine:
        try:
            await check(engine)
        except StoreOutdated as error:
            raise ConfigError("store.url", str(error)) from None
        yield engine


@asynccontextmanager
async def resources(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Resources]:
    """What `consensus.pipeline.decide` needs, without a snapshot: models, panels, policies, arbiters."""
    members = models.build(settings.model_policies(), observe=None if metrics is None else _observer(metrics))
    try:
        yield Resources(
            members=members,
            panels=settings.panel_policies(),
            policies=settings.policy_policies(),
            arbiters=arbiters.build(settings.arbiter_policies(), members),
            review=settings.review,
        )
    finally:
        await models.close(members)


@asynccontextmanager
async def worker(settings: Settings, around: Surroundings) -> AsyncIterator[tuple[Task, ...]]:
    """Decide requests, apply rulings. On leaving: stop polling, drain to the deadline, commit, leave the group."""
    kafka = settings.kafka
    async with (
        migrated_store(settings) as engine,
        resources(settings, around.metrics) as bare,
        _snapshots(settings, around.metrics) as follower,
    ):
        _collect_less_often()
        ready = replace(bare, snapshots=follower.snapshot_of, suspended=follower.stopped)
        ledger = Ledger(
            engine,
            timeout_s=settings.store.timeout_s,
            poison=kafka.poison_crashes,
            sure_s=sure_s(kafka.session_timeout_ms),
        )
        await ledger.policies.keep(ready.policies.values())
        decided = partial(decide, resources=ready)
        service = Worker(kafka, ledger, decided, around.metrics, kept=settings.store.retention)
        await service.start()
        around.health.able = lambda: service.ready
        try:
            async with running(service.run()) as working, running(follower.run()) as following:
                try:
                    yield working, following
                finally:
                    await service.drain()
        finally:
            await service.stop()


@asynccontextmanager
async def gateway(settings: Settings, around: Surroundings) -> AsyncIterator[tuple[Task, ...]]:
    """Serve gRPC: produce requests, await verdicts. On leaving: health off, grace for calls, then Kafka."""
    async with migrated_store(settings) as engine, _snapshots(settings, around.metrics) as follower:
        client = Client(settings.kafka, around.metrics, max_waiting=settings.grpc.max_waiting)
        await client.start()
        try:
            server = Server(
                settings.grpc,
                around.metrics,
                client,
                known=Ledger(engine, timeout_s=settings.store.timeout_s),
                alarms=Alarms(engine, settings.store.timeout_s),
                policies=settings.policy_policies(),
                snapshot=lambda: follower.current,
            )
            await server.start()
            async with running(client.failed()) as tailing, running(follower.run()) as following:
                try:
                    yield tailing, following
                finally:
                    await server.drain()
        finally:
            await client.stop()


@asynccontextmanager
async def calibrator(settings: Settings, around: Surroundings) -> AsyncIterator[tuple[Task, ...]]:
    """Ingest, refit, publish."""
    async with migrated_store(settings) as engine:
        service = Calibrator(
            settings.kafka,
            settings.drift,
            engine,
            around.metrics,
            timeout_s=settings.store.timeout_s,
            mark=Ledger(engine, timeout_s=settings.store.timeout_s).decisions.mark_committed,
            models=frozenset(settings.models),
            review=settings.review,
            audit=settings.audit,
        )
        await service.start()
        try:
            bell = Bell(Alarms(engine, settings.store.timeout_s), around.metrics)
            async with running(service.run()) as ingesting, running(bell.run()) as ringing:
                yield ingesting, ringing
        finally:
            await service.stop()


@asynccontextmanager
async def _snapshots(settings: Settings, metrics: Metrics) -> AsyncIterator[Follower]:
    used = partial(redundant, settings)
    follower = Follower(settings.kafka, metrics, models=frozenset(settings.models), on_used=used)
    await follower.start()
    try:
        yield follower
    finally:
        await follower.stop()


def redundant(settings: Settings, snapshot: Snapshot) -> None:
    """Log a warning for every policy whose panel is worth too few independent votes by this snapshot."""
    for found in redundancy(settings.policy_policies(), settings.panel_policies(), snapshot):
        logger.warning("panel_redundant", path=found.path, detail=found.message, snapshot=snapshot.version)


def _collect_less_often() -> None:
    """The model client's 170 MB of modules never become garbage; scanning them costs a third of a call's CPU."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _observer(metrics: Metrics) -> Callable[[ModelPolicy, Answer | ModelError, float], None]:
    def observe(policy: ModelPolicy, result: Answer | ModelError, seconds: float) -> None:
        outcome = result.failure.value if isinstance(result, ModelError) else "ok"
        metrics.count("model_calls", model=policy.name, outcome=outcome)
        metrics.observe("model_call_seconds", seconds, model=policy.name)
        metrics.count("model_cost_dollars", result.cost, model=policy.name)

    return observe
