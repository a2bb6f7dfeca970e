"""What the outcomes of a request say together, whatever their order, repetition and corrections."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.ballots import NONE_OF_THESE
from calibration.store import outcomes
from calibration.store.engine import create_engine, metadata
from calibration.store.migrate import migrate
from calibration.store.outcomes import UNUSABLE, Recorded, adjudicate
from consensus.types import Outcome, Signal
from tests.loop_records import NOON, Log, outcome, signal
from tests.store.test_ingest import contents, feed, labels


def recorded(*said: tuple[str, int | None]) -> list[Recorded]:
    """Outcomes of one request, an hour apart."""
    return [
        Recorded(f"d{i}", f"o{i}", "default", "r-1", source, NOON + timedelta(hours=i), truth, b"{}")
        for i, (source, truth) in enumerate(said)
    ]


@pytest.mark.parametrize(
    ("said", "truth"),
    [
        ([("blind_review", 1)], 1),
        ([("blind_review", NONE_OF_THESE)], NONE_OF_THESE),
        ([("blind_review", 1), ("audit", 2)], None),
        ([("blind_review", 1), ("audit", 2), ("gold", 2)], 2),
        ([("gold", 1), ("blind_review", 1), ("audit", 2)], 1),
        ([("blind_review", 0), ("audit", 1), ("gold", 2)], None),
        ([("blind_review", 1), ("audit", 2), ("blind_review", 2)], 2),
        ([("blind_review", 1), ("audit", 2), ("audit", UNUSABLE)], 1),
        ([("blind_review", 1), ("feedback", 2), ("audit", 1)], 1),
    ],
)
def test_the_third_source_decides(said: list[tuple[str, int | None]], truth: int | None) -> None:
    """One says it, two must agree, of three two; a correction replaces what its own source had said."""
    found = adjudicate(recorded(*said))
    assert found is not None
    assert found.truth == truth


@pytest.mark.parametrize("said", [[], [("feedback", 1)], [("audit", None)], [("audit", 1), ("audit", UNUSABLE)]])
def test_what_makes_no_label(said: list[tuple[str, int | None]]) -> None:
    """Nothing, feedback alone, a request that is not known, and a correction to something unusable."""
    assert adjudicate(recorded(*said)) is None


async def test_contradictions_are_listed_until_a_third_decides(engine: AsyncEngine) -> None:
    """The newest first, each with what its sources say."""
    log = Log()
    both = [outcome(name, label, source=source) for name in ("r-1", "r-2") for source, label in
            (("blind_review", "A"), ("audit", None), ("feedback", "C"))]  # fmt: skip
    await feed(engine, log.records(signal("r-1"), signal("r-2"), *both))
    assert await labels(engine) == {"r-1": None, "r-2": None}
    async with engine.connect() as connection:
        found = await outcomes.contradictions(connection, most=5)
        assert [one.request_id for one in found] == ["r-1", "r-2"]
        assert found[0].said == (("audit", NONE_OF_THESE), ("blind_review", 0))
        assert len(await outcomes.contradictions(connection, most=1)) == 1
    await feed(engine, log.records(outcome("r-1", "A", source="gold", hours=5)))
    assert await labels(engine) == {"r-1": 0, "r-2": None}
    async with engine.connect() as connection:
        assert [one.request_id for one in await outcomes.contradictions(connection, most=5)] == ["r-2"]


def _messages() -> st.SearchStrategy[list[Signal | Outcome]]:
    """Up to three requests, known or not, at any stakes, and outcomes of every kind on them."""
    names = st.sampled_from(["r-1", "r-2", "r-3"])
    truths = st.builds(
        outcome,
        names,
        st.sampled_from(["A", "B", "C", None, "nonsense"]),
        hours=st.integers(0, 4),
        source=st.sampled_from(["blind_review", "audit", "gold", "feedback"]),
        tenant=st.sampled_from(["default", "other"]),
    )
    known = st.lists(names.map(lambda name: signal(name, stakes="critical")), unique_by=lambda one: one.request_id)
    return st.tuples(known, st.lists(truths, max_size=9)).map(lambda parts: [*parts[0], *parts[1]])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One file for all examples: each empties it."""
    folder: Path = tmp_path_factory.mktemp("outcomes")
    return f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
async def test_any_order_and_any_repetition_give_the_same_state(url: str, data: Any) -> None:
    """Told once in order, or shuffled, repeated and in portions of any size: the same rows in every table."""
    messages = data.draw(_messages())
    told = data.draw(st.permutations(messages + messages[: len(messages) // 2]))
    portion = data.draw(st.integers(1, 5))
    engine = create_engine(url)
    try:
        await migrate(engine)
        await _emptied(engine)
        await feed(engine, Log().records(*messages))
        straight = await contents(engine)
        await _emptied(engine)
        log = Log()
        for start in range(0, len(told), portion):
            await feed(engine, log.records(*told[start : start + portion]))
        assert await contents(engine) == straight
    finally:
        await engine.dispose()


async def _emptied(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(table.delete())
