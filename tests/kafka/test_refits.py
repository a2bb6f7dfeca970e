"""When a refit is due, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.snapshot import Snapshot
from calibration.store import alarms
from calibration.store.engine import create_engine, reading
from calibration.store.migrate import migrate
from consensus.errors import BrokerUnavailable
from consensus.kafka.intake import Record
from consensus.kafka.refits import STALE_S, Refits, Trigger
from consensus.ledger import Ledger
from consensus.ledger.transactions import Transactions
from consensus.metrics import Metrics
from consensus.settings import DriftSettings, RetentionSettings
from tests.eventually import eventually
from tests.loop_records import NOON, OPTIONS, TOPICS, Log, labelled_messages, outcome
from tests.store.test_ingest import feed


class Topic:
    """Stands for the snapshots topic: what is published is ingested as the next record."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.published: list[Snapshot] = []
        self.away = False
        self._engine = engine

    async def publish(self, snapshot: Snapshot) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        record = Record(TOPICS.snapshots, 0, len(self.published), b"default", snapshot.to_json(), 0)
        self.published.append(snapshot)
        await feed(self._engine, [record])


def refits(engine: AsyncEngine, topic: Topic, *, metrics: Metrics | None = None, **options: Any) -> Refits:
    clock = options.pop("clock", lambda: 0.0)
    models = options.pop("models", None)
    drift = DriftSettings(**{"refit_labels": 50, "min_labels": 30, **options})
    store = Transactions(engine, 10)
    return Refits(store, store, drift, topic.publish, metrics or Metrics(), clock=clock, models=models)


@pytest.mark.parametrize(
    ("evidence", "fitted", "elapsed", "due"),
    [(49, 0, 99, False), (50, 0, 0, True), (99, 50, 99, False), (51, 50, 100, True), (50, 50, 1e9, False)],
)
def test_a_refit_is_due_by_count_or_by_time(evidence: int, fitted: int, elapsed: float, due: bool) -> None:
    """50 new outcomes, or any new one after 100 seconds; without news never."""
    assert Trigger(labels=50, interval_s=100).due(evidence, fitted, elapsed) is due


async def test_a_snapshot_is_published_once(engine: AsyncEngine) -> None:
    """Nothing new in the labels: nothing new on the topic, also after a restart."""
    topic = Topic(engine)
    await feed(engine, Log().records(*labelled_messages(100)))
    assert await refits(engine, topic).refit() == "published"
    assert await refits(engine, topic).refit() == "unchanged"
    (snapshot,) = topic.published
    assert snapshot.fitted_at == max(m.observed_at for m in labelled_messages(100)[1::2])  # type: ignore[union-attr]


async def test_replayed_topics_give_the_same_version(engine: AsyncEngine, tmp_path: Path) -> None:
    """Another store, another order, everything twice: the same snapshot."""
    other = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'other.sqlite'}")
    await migrate(other)
    sent = labelled_messages(100)
    await feed(engine, Log().records(*sent))
    await feed(other, Log().records(*reversed(sent), *sent))
    topics = [Topic(engine), Topic(other)]
    for store, topic in zip((engine, other), topics, strict=True):
        assert await refits(store, topic).refit() == "published"
    assert topics[0].published[0].to_json() == topics[1].published[0].to_json()
    await other.dispose()


async def test_a_correction_refits(engine: AsyncEngine) -> None:
    """The count of labels is the same, the snapshot is another."""
    topic, log = Topic(engine), Log()
    await feed(engine, log.records(*labelled_messages(100)))
    assert await refits(engine, topic).refit() == "published"
    await feed(engine, log.records(*(outcome(f"r-{i}", "A", hours=500) for i in range(5))))
    assert await refits(engine, topic).refit() in ("published", "refused")
    assert topic.published[-1].fitted_at > NOON


async def test_a_worse_candidate_is_refused_with_an_alarm(engine: AsyncEngine) -> None:
    """Corrections that turn the fitted labels round, but not the held-out ones, do not reach the workers."""
    topic, log = Topic(engine), Log()
    sent = labelled_messages(400)
    await feed(engine, log.records(*sent))
    assert await refits(engine, topic).refit() == "published"
    turned = [_turned(message) for message in sent[1::2] if not _held_out(message.request_id)]
    await feed(engine, log.records(*turned))
    assert await refits(engine, topic).refit() == "refused"
    assert len(topic.published) == 1
    async with reading(engine).connect() as connection:
        (alarm,) = await alarms.newest(connection, 10)
    assert (alarm["severity"], alarm["code"]) == (3, "candidate_refused")
    assert "log_loss_worse" in str(alarm["detail"])


def _held_out(request_id: str) -> bool:
    from calibration.refit import HELD_OUT
    from calibration.sampling import drawn

    return drawn("refit", "", f"default\x1f{request_id}", HELD_OUT)


def _turned(message: Any) -> Any:
    wrong = OPTIONS[(OPTIONS.index(message.label) + 1) % 3]
    return outcome(message.request_id, wrong, hours=10_000)


async def test_too_few_labels_publish_nothing(engine: AsyncEngine) -> None:
    """Confidence stays null until there is something to rest it on."""
    topic = Topic(engine)
    await feed(engine, Log().records(*labelled_messages(29)))
    assert await refits(engine, topic).refit() == "too_few_labels"
    assert topic.published == []


async def test_only_configured_models_are_fitted(engine: AsyncEngine) -> None:
    """A retired model would make every worker refuse the snapshot."""
    topic = Topic(engine)
    await feed(engine, Log().records(*labelled_messages(100)))
    assert await refits(engine, topic, models=("a", "b", "new")).refit() == "published"
    assert topic.published[0].models == ("a", "b")


async def test_a_snapshot_that_no_worker_can_use_is_no_rival(engine: AsyncEngine) -> None:
    """A model was retired: a weaker candidate without it replaces the snapshot that every worker refuses."""
    topic = Topic(engine)
    await feed(engine, Log().records(*labelled_messages(400)))
    assert await refits(engine, topic).refit() == "published"
    assert await refits(engine, topic, models=("c",)).refit() == "published"
    assert [snapshot.models for snapshot in topic.published] == [("a", "b", "c"), ("c",)]


async def test_without_news_nothing_is_counted(engine: AsyncEngine) -> None:
    """Counting a million outcomes twice a second would be most of the work; what others ingest is seen in seconds."""
    topic, metrics, now = Topic(engine), Metrics(), 1.0
    it = refits(engine, topic, metrics=metrics, clock=lambda: now)
    await it.consider(news=True)
    await feed(engine, Log().records(*labelled_messages(60)))
    now += STALE_S / 2
    await it.consider(news=False)
    await it.stop()
    assert metrics.value("refits", result="published") == 0
    now += STALE_S / 2
    await it.consider(news=False)
    await eventually(lambda: metrics.value("refits", result="published") == 1)


async def test_considering_starts_one_refit_and_counts_from_there(engine: AsyncEngine) -> None:
    """The next one waits for as many new outcomes again, or for the interval."""
    topic, metrics, log, now = Topic(engine), Metrics(), Log(), 0.0
    it = refits(engine, topic, metrics=metrics, clock=lambda: now, refit_interval_s=100)
    await feed(engine, log.records(*labelled_messages(60)))
    await it.consider(news=True)
    await eventually(lambda: metrics.value("refits", result="published") == 1)
    await feed(engine, log.records(*labelled_messages(80)[120:]))
    await it.consider(news=True)
    assert metrics.value("refits", result="published") == 1
    now = 100.0
    await it.consider(news=True)
    await eventually(lambda: sum(metrics.value("refits", result=r) for r in ("published", "refused")) == 2)
    await it.stop()


async def test_outcomes_that_retention_took_away_do_not_hold_up_the_next_refit(engine: AsyncEngine) -> None:
    """Fewer outcomes than were fitted, and then as many new ones as a refit needs."""
    clock, log = 0.0, Log()
    found = refits(engine, Topic(engine), clock=lambda: clock)
    messages = labelled_messages(300)
    await feed(engine, log.records(*messages[:400]))
    await found.consider(news=True)
    await eventually(lambda: found._fitted == 200, seconds=60)
    kept = RetentionSettings(outcomes_days=1)
    while await Ledger(engine).retention.forget(NOON + timedelta(days=8), 30, kept):
        clock += 1
    for new in (messages[400:420], messages[420:600]):
        clock += 1_000
        await feed(engine, log.records(*new))
        await found.consider(news=True)
    assert found._running is not None
    await eventually(found._running.done, seconds=60)
    assert found._fitted == found._evidence < 200


async def test_a_broker_that_is_away_postpones(engine: AsyncEngine) -> None:
    """The refit is tried again, because nothing was published."""
    topic, metrics = Topic(engine), Metrics()
    topic.away = True
    it = refits(engine, topic, metrics=metrics)
    await feed(engine, Log().records(*labelled_messages(60)))
    await it.consider(news=True)
    await eventually(lambda: metrics.value("refits", result="postponed") == 1)
    assert topic.published == []
    topic.away = False
    await it.consider(news=True)
    await eventually(lambda: metrics.value("refits", result="published") == 1)
    assert len(topic.published) == 1


async def test_a_fit_that_fails_does_not_stop_the_calibrator(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, and tried again with other labels."""
    topic, metrics, log = Topic(engine), Metrics(), Log()
    it = refits(engine, topic, metrics=metrics)
    await feed(engine, log.records(*labelled_messages(60)))

    def broken(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("consensus.kafka.refits.refit", broken)
        await it.consider(news=True)
        await eventually(lambda: metrics.value("refits", result="failed") == 1)
    await feed(engine, log.records(*labelled_messages(120)[120:]))
    await it.consider(news=True)
    await eventually(lambda: metrics.value("refits", result="published") == 1)
