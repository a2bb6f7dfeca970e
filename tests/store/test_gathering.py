"""Stored rows come back as the very ballots that were decided on."""

from __future__ import annotations

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.ballots import Ballots, NoVote
from calibration.store.engine import reading
from calibration.store.gathering import gather
from tests.loop_records import Log, ballot, entry, labelled_messages, outcome, signal
from tests.store.test_ingest import feed

ABSENT = int(NoVote.NOT_ASKED)


async def gathered(engine: AsyncEngine, models: tuple[str, ...] | None = None) -> Ballots:
    async with reading(engine).connect() as connection:
        return (await gather(connection, models)).ballots()


async def test_an_empty_store_gives_an_empty_table(engine: AsyncEngine) -> None:
    """No rows and no columns, not an error."""
    table = await gathered(engine)
    assert (len(table), table.models, table.votes.shape) == (0, (), (0, 0))


async def test_votes_confidences_and_truths_survive(engine: AsyncEngine) -> None:
    """Every column of the table, by hand."""
    members = [*ballot("B", None), entry("c", None, label_kind="failed"), entry("d", "C", raw_confidence=0.123456789)]
    await feed(engine, Log().records(signal(ballot=members), outcome(label="C")))
    table = await gathered(engine)
    assert table.models == ("a", "b", "c", "d")
    assert table.families == ("family-a", "family-b", "family-c", "family-d")
    assert (table.domains, table.answer_types, table.ids) == (("law",), ("choice",), ("default\x1fr-1",))
    assert table.votes.tolist() == [[1, NoVote.ABSTAINED, NoVote.FAILED, 2]]
    assert (table.candidates.tolist(), table.open_set.tolist(), table.truth.tolist()) == ([3], [False], [2])
    assert np.isnan(table.confidence[0, :3]).all()
    assert table.confidence[0, 3] == 0.123456789


async def test_open_answers_are_an_open_set(engine: AsyncEngine) -> None:
    """Their candidates are clusters, and the truth may be none of them."""
    members = [entry("a", "A", label=4.0, cluster=0), entry("b", "B", label=5.0, cluster=1)]
    spec = {"type": "number"}
    numbers = signal(answer=spec, candidates=[4.0, 5.0], ballot=members, top=None, status="pending_review")
    await feed(engine, Log().records(numbers, outcome(label=7)))
    table = await gathered(engine)
    assert (table.open_set.tolist(), table.truth.tolist(), table.votes.tolist()) == ([True], [-1], [[0, 1]])


async def test_panels_of_different_members_share_one_table(engine: AsyncEngine) -> None:
    """Who was not on a panel was not asked; rows are sorted by id whatever their order of arrival."""
    log = Log()
    await feed(engine, log.records(signal("r-2", ("A", "B")), outcome("r-2")))
    await feed(engine, log.records(signal("r-1", ballot=[entry("z", "C")]), outcome("r-1")))
    table = await gathered(engine)
    assert (table.models, table.ids) == (("a", "b", "z"), ("default\x1fr-1", "default\x1fr-2"))
    assert table.votes.tolist() == [[ABSENT, ABSENT, 2], [0, 1, ABSENT]]


async def test_only_configured_models_are_columns(engine: AsyncEngine) -> None:
    """A ballot on which none of them was asked is left out."""
    log = Log()
    await feed(engine, log.records(signal("r-1", ("A", "B")), outcome("r-1")))
    await feed(engine, log.records(signal("r-2", ballot=[entry("z", "C")]), outcome("r-2")))
    table = await gathered(engine, models=("b", "y"))
    assert (table.models, table.ids, table.votes.tolist()) == (("b",), ("default\x1fr-1",), [[1]])


async def test_contradicted_unlabelled_and_later_versions_are_left_out(engine: AsyncEngine) -> None:
    """One row per request with one truth: the panel's ballot."""
    log = Log()
    await feed(engine, log.records(signal("r-1"), outcome("r-1"), signal("r-1", version=2, event_id="e-2", ballot=[])))
    await feed(engine, log.records(signal("r-2"), outcome("r-2", "A"), outcome("r-2", "B", source="gold")))
    await feed(engine, log.records(signal("r-3")))
    assert (await gathered(engine)).ids == ("default\x1fr-1",)


async def test_a_model_that_changed_its_version_stays_one_column(engine: AsyncEngine) -> None:
    """The column is the configured name."""
    log = Log()
    await feed(engine, log.records(signal("r-1", ("A",)), outcome("r-1")))
    await feed(engine, log.records(signal("r-2", ballot=[entry("a", "B", model_version="a-v2")]), outcome("r-2")))
    table = await gathered(engine)
    assert (table.models, table.votes.tolist()) == (("a",), [[0], [1]])


async def test_of_many_labels_a_share_is_drawn_by_hash(engine: AsyncEngine) -> None:
    """The same share whatever came first; the newest label still dates the snapshot."""
    await feed(engine, Log().records(*labelled_messages(200)))
    async with reading(engine).connect() as connection:
        some = await gather(connection, most=50)
        everything = await gather(connection)
    drawn = some.ballots()
    assert 30 <= len(drawn) <= 70
    assert set(drawn.ids) < set(everything.ballots().ids)
    assert some.newest == everything.newest
