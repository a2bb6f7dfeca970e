"""What is stored is what is published: decisions, answers, rulings, beats and gates."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store.engine import create_engine
from consensus.errors import Fenced, Malformed, StoreUnavailable
from consensus.ledger import Asked, Ledger, StoredLog, Version
from consensus.ledger.gates import GateState
from consensus.ledger.grouped import Grouped
from consensus.ledger.rulings import Arrived, Effect, Recorded
from consensus.ledger.transactions import Transactions
from consensus.types import Answer
from tests.eventually import eventually

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = Asked("t", "r1", "hash", partition=0, offset=7)
FIRST = Version("t", "r1", 1, b"v1", b"signal", b"review", None, b"request", b"answers")
SECOND = Version("t", "r1", 2, b"v2")
ANSWER = Answer(model="m", family="f", text="yes \x00 \U0001f600", cost=0.1)


async def claimed(ledger: Ledger, *asked: Asked) -> None:
    await ledger.claims.claim(asked or [ASKED], now=NOW)


async def test_the_first_decision_stays(ledger: Ledger, other: Ledger) -> None:
    """Whoever stores second gets the first one's bytes back and publishes those."""
    await claimed(ledger)
    assert await ledger.decisions.keep(ASKED, FIRST) == FIRST
    assert await other.decisions.keep(ASKED, replace(FIRST, verdict=b"else")) == FIRST
    claim = await ledger.claim_of("t", "r1")
    assert claim is not None
    assert (claim.run, claim.decided) == (None, True)


async def test_a_lost_claim_stores_nothing(ledger: Ledger) -> None:
    """A decision of a record that no longer holds the id is refused."""
    await claimed(ledger)
    assert await ledger.decisions.keep(replace(ASKED, offset=8), FIRST) is None
    await ledger.claims.close(ASKED)
    assert await ledger.decisions.keep(ASKED, FIRST) is None
    assert await ledger.decisions.history("t", "r1") == []


async def test_many_decisions_at_once(ledger: Ledger) -> None:
    """Decisions that arrive together are each stored and each returned to their own caller."""
    many = [Asked("t", f"r{i}", "hash", 0, i) for i in range(300)]
    await claimed(ledger, *many)
    kept = await asyncio.gather(
        *(ledger.decisions.keep(one, Version("t", one.request_id, 1, one.request_id.encode())) for one in many)
    )
    assert [version.verdict if version else None for version in kept] == [one.request_id.encode() for one in many]


async def test_only_committed_verdicts_are_answered(ledger: Ledger) -> None:
    """A stored decision is no answer before its transaction; a dead letter is none at all."""
    assert await ledger.verdict("t", "r1") == (None, None)
    await claimed(ledger)
    assert await ledger.verdict("t", "r1") == (None, "hash")
    await ledger.decisions.keep(ASKED, FIRST)
    assert await ledger.verdict("t", "r1") == (None, "hash")
    await ledger.decisions.mark_committed([("t", "r1", 1)])
    assert await ledger.verdict("t", "r1") == (b"v1", "hash")
    assert await ledger.verdict("u", "r1") == (None, None)
    await ledger.claims.close(ASKED)
    assert await ledger.verdict("t", "r1") == (None, None)


async def test_latest_and_first(ledger: Ledger) -> None:
    """A repeat gets the newest stored version, a redelivery the first."""
    await claimed(ledger)
    await ledger.decisions.keep(ASKED, FIRST)
    await settle(ledger, Effect(SECOND))
    assert await ledger.decisions.latest([("t", "r1"), ("t", "none")]) == {("t", "r1"): SECOND}
    assert await ledger.decisions.first(("t", "r1")) == FIRST
    assert await ledger.decisions.first(("t", "none")) is None
    await ledger.decisions.mark_committed([("t", "r1", 1)])
    assert (await ledger.verdict("t", "r1"))[0] == b"v1"
    await ledger.decisions.mark_committed([("t", "r1", 1), ("t", "r1", 2)])
    assert (await ledger.verdict("t", "r1"))[0] == b"v2"
    assert [version.committed for version in await ledger.decisions.history("t", "r1")] == [True, True]


async def test_answers_leave_with_the_commit(ledger: Ledger) -> None:
    """Recorded answers come back to whoever asks about the same payload, until the decision is committed."""
    log = StoredLog(ledger.answers, ("t", "r1", "hash"))
    assert log.recorded("panel:m") is None
    await log.record("panel:m", ANSWER)
    await log.record("panel:m", replace_text(ANSWER, "second"))
    assert (await ledger.answers.recorded(("t", "r1", "hash"))).answers == {"panel:m": ANSWER}
    assert (await ledger.answers.recorded(("t", "r1", "another"))).answers == {}
    await ledger.decisions.mark_committed([("t", "r1", 1)])
    assert (await ledger.answers.recorded(("t", "r1", "hash"))).answers == {}


async def test_an_answer_to_a_request_that_another_process_has_decided_is_not_kept(
    ledger: Ledger, other: Ledger
) -> None:
    """A process that was thought dead learns that it was overtaken, and nothing of it stays in the ledger."""
    await claimed(ledger)
    await claimed(other)
    late = StoredLog(ledger.answers, ("t", "r1", "hash"))
    with pytest.raises(Fenced):
        await late.record("panel:a", ANSWER)
    assert (await other.answers.recorded(("t", "r1", "hash"))).answers == {"panel:a": ANSWER}
    await StoredLog(other.answers, ("t", "r1", "hash")).record("panel:b", ANSWER)
    assert await other.decisions.keep(ASKED, FIRST) == FIRST
    await other.decisions.mark_committed([FIRST.version_key])
    with pytest.raises(Fenced):
        await late.record("panel:c", ANSWER)
    assert (await other.answers.recorded(("t", "r1", "hash"))).answers == {}


def replace_text(answer: Answer, text: str) -> Answer:
    return answer.model_copy(update={"text": text})


class Failing:
    """Writes that fail as long as ``down``."""

    def __init__(self) -> None:
        self.down = True
        self.written: list[int] = []
        self.batches = 0

    async def write(self, items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        if self.down:
            raise StoreUnavailable("down")
        self.batches += 1
        self.written += items
        return [item * 2 for item in items]


async def test_group_commit_batches_what_waits() -> None:
    """The first put goes alone, what arrives meanwhile goes together, at most ``most`` at a time; results match."""
    sink = Failing()
    sink.down = False
    grouped: Grouped[int, int] = Grouped(sink.write, most=4)
    assert await asyncio.gather(*(grouped.put(i) for i in range(10))) == [i * 2 for i in range(10)]
    assert sink.batches == 3
    assert await grouped.put(5) == 10


async def test_group_commit_fails_everyone_who_waits() -> None:
    """A failed write fails each of its puts, and the next put writes again."""
    sink = Failing()
    grouped: Grouped[int, int] = Grouped(sink.write)
    results = await asyncio.gather(*(grouped.put(i) for i in range(3)), return_exceptions=True)
    assert all(isinstance(result, StoreUnavailable) for result in results)
    sink.down = False
    assert await grouped.put(1) == 2


async def test_a_batch_that_is_too_much_is_halved() -> None:
    """A store that is too slow for all at once takes them in parts, and more of them again once it is quicker."""
    fits = 10
    sizes: list[int] = []

    async def write(items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        sizes.append(len(items))
        if len(items) > fits:
            raise StoreUnavailable("too slow")
        return items

    async def put_until_kept(item: int) -> int:
        while True:
            with suppress(StoreUnavailable):
                return await grouped.put(item)

    grouped: Grouped[int, int] = Grouped(write, most=64)
    assert await asyncio.gather(*(put_until_kept(item) for item in range(64))) == list(range(64))
    assert sizes[:3] == [64, 32, 16]
    assert max(sizes[3:]) <= fits + 1
    sizes.clear()
    fits = 64
    await asyncio.gather(*(put_until_kept(item) for item in range(640)))
    *full, _ = sizes
    assert full == list(range(full[0], full[0] + len(full)))
    assert full[-1] > 32


async def test_a_cancelled_put_does_not_stop_the_others() -> None:
    """Cancelling one caller leaves the write and the other callers alone."""
    sink = Failing()
    sink.down = False
    grouped: Grouped[int, int] = Grouped(sink.write)
    doomed, fine = asyncio.ensure_future(grouped.put(1)), asyncio.ensure_future(grouped.put(2))
    await asyncio.sleep(0)
    doomed.cancel()
    assert await fine == 4
    assert sink.written == [1, 2]


async def test_a_store_that_is_gone_is_unavailable(engine: AsyncEngine) -> None:
    """No driver's error comes through, and none of its text: a URL may hold a password."""
    if engine.dialect.name == "sqlite":
        gone = create_engine("sqlite+aiosqlite:////nonexistent/secret.sqlite")
    else:
        gone = create_engine("postgresql+asyncpg://u:secret@127.0.0.1:1/none")
    ledger = Ledger(gone, timeout_s=5)
    with pytest.raises(StoreUnavailable) as caught:
        await ledger.claim_of("t", "r1")
    assert "secret" not in str(caught.value)
    await gone.dispose()


async def test_a_locked_store_is_unavailable_in_time(ledger: Ledger, engine: AsyncEngine) -> None:
    """A writer that holds the table makes the others give up at their timeout, and all is well once it lets go."""
    await claimed(ledger)
    second = create_engine(engine.url.render_as_string(hide_password=False), busy_s=0.3)
    impatient = Ledger(second, timeout_s=0.3)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE ledger_claims SET crashes = crashes")
        with pytest.raises(StoreUnavailable):
            await impatient.claims.failed(ASKED)
    assert await impatient.claims.failed(ASKED) is False
    await second.dispose()


class Broken:
    """The ledger's answers, of which the first ``failures`` writes fail."""

    def __init__(self, ledger: Ledger, failures: float) -> None:
        self.failures = failures
        self._answers = ledger.answers

    async def record(self, paid: object) -> bool:
        if self.failures > 0:
            self.failures -= 1
            raise StoreUnavailable("down")
        return await self._answers.record(paid)  # type: ignore[arg-type]  # it is the Paid that StoredLog made


async def test_a_store_that_is_away_for_a_while_is_waited_for(ledger: Ledger) -> None:
    """Nothing is raised, so that the panel's other calls run on."""
    broken = Broken(ledger, failures=3)
    log = StoredLog(broken, ("t", "r1", "hash"))  # type: ignore[arg-type]  # duck of Answers
    await log.record("panel:m", ANSWER, deadline=asyncio.get_running_loop().time() + 60)
    assert broken.failures == 0
    assert (await ledger.answers.recorded(("t", "r1", "hash"))).answers == {"panel:m": ANSWER}


async def test_the_wait_for_the_store_ends_at_the_deadline(ledger: Ledger) -> None:
    """The answer is kept for the next try."""
    broken = Broken(ledger, failures=float("inf"))
    log = StoredLog(broken, ("t", "r1", "hash"))  # type: ignore[arg-type]  # duck of Answers
    with pytest.raises(StoreUnavailable):
        await log.record("panel:m", ANSWER, deadline=asyncio.get_running_loop().time() + 0.35)
    assert log.recorded("panel:m") == ANSWER


async def test_an_unsaved_answer_is_kept_and_saved_later(ledger: Ledger) -> None:
    """When the store fails the answer is not lost: it is there for the next try and written by save()."""
    broken = Broken(ledger, failures=1)
    log = StoredLog(broken, ("t", "r1", "hash"))  # type: ignore[arg-type]  # duck of Answers
    with pytest.raises(StoreUnavailable):
        await log.record("panel:m", ANSWER)
    assert log.recorded("panel:m") == ANSWER
    await log.save()
    assert (await ledger.answers.recorded(("t", "r1", "hash"))).answers == {"panel:m": ANSWER}


ARRIVED = Arrived("t", "r1", "digest", partition=0, offset=3, ruling=b"{}")


async def settle(ledger: Ledger, effect: Effect, arrived: Arrived = ARRIVED) -> Recorded:
    return await ledger.rulings.settle(arrived, lambda versions, rulings: effect)


async def test_a_ruling_is_recorded_once(ledger: Ledger) -> None:
    """The same ruling again, from wherever, gives the first one's effect and does not ask the rule again."""
    await claimed(ledger)
    await ledger.decisions.keep(ASKED, FIRST)
    effect = Effect(SECOND, b"outcome")
    assert await settle(ledger, effect) == Recorded(ARRIVED, effect)
    assert await settle(ledger, Effect(), replace(ARRIVED, offset=4)) == Recorded(ARRIVED, effect)
    assert await ledger.rulings.of("t", "r1") == [Recorded(ARRIVED, effect)]


async def test_the_rule_sees_versions_and_rulings(ledger: Ledger) -> None:
    """A rule gets everything there is on the request, and what it raises leaves nothing behind."""
    await claimed(ledger)
    await ledger.decisions.keep(ASKED, FIRST)
    await settle(ledger, Effect())
    seen: list[object] = []

    def rule(versions: Sequence[Version], rulings: Sequence[Recorded]) -> Effect:
        seen.extend([versions, rulings])
        raise Malformed("no")

    with pytest.raises(Malformed):
        await ledger.rulings.settle(replace(ARRIVED, digest="second"), rule)
    assert seen == [[FIRST], [Recorded(ARRIVED, Effect())]]
    assert len(await ledger.rulings.of("t", "r1")) == 1


async def test_beats_grow(ledger: Ledger) -> None:
    """A beat is larger each time; a process that never gave one has 0."""
    await ledger.runs.beat("a")
    assert await ledger.runs.beats(["a", "b"]) == {"a": 1, "b": 0}
    await ledger.runs.beat("a")
    assert await ledger.runs.beats(["a"]) == {"a": 2}
    assert await ledger.runs.beats([]) == {}


async def test_gates_survive(ledger: Ledger, other: Ledger) -> None:
    """A state is what another process reads, and a reset forgets only the names with the prefix."""
    assert await ledger.gates.load("g:0") == GateState()
    state = GateState((True, False, True), 1)
    await ledger.gates.save("g:0", GateState((True,), 1))
    await ledger.gates.save("g:0", state)
    await ledger.gates.save("h:0", state)
    assert await other.gates.load("g:0") == state
    assert await other.gates.reset("g:") == 1
    assert await ledger.gates.load("g:0") == GateState()
    assert await ledger.gates.load("h:0") == state


async def test_no_task_is_left(ledger: Ledger) -> None:
    """The writer of a group commit ends with its last item."""
    before = asyncio.all_tasks()
    await StoredLog(ledger.answers, ("t", "r1", "hash")).record("panel:m", ANSWER)
    await eventually(lambda: asyncio.all_tasks() <= before)
    assert asyncio.all_tasks() <= before


async def test_callers_that_leave_hold_nothing(ledger: Ledger, other: Ledger) -> None:
    """Cancelled at any moment of its transaction, a claim leaves no lock behind: others go on at once."""
    chance = random.Random(7)
    for number in range(40):
        asked = [Asked("t", f"r{number}-{i}", "hash", 0, 10 * number + i) for i in range(4)]
        claims = [asyncio.create_task(ledger.claims.claim([one], now=NOW)) for one in asked]
        await asyncio.sleep(chance.uniform(0, 0.01))
        for claim in claims:
            claim.cancel()
        await asyncio.wait(claims)
        async with asyncio.timeout(5):
            await other.runs.beat("b")


async def test_what_is_claimed_after_a_release_stays_claimed(ledger: Ledger, other: Ledger) -> None:
    """A partition may come back while its release still waits for the store: its new claims are not given up."""
    later = Asked("t", "later", "hash", ASKED.partition, ASKED.offset + 1)
    calls = (
        ledger.claims.claim([ASKED], now=NOW),
        ledger.claims.release({ASKED.partition}),
        ledger.claims.claim([later], now=NOW),
    )
    await asyncio.gather(*calls)
    claims = [await other.claim_of("t", one.request_id) for one in (ASKED, later)]
    assert [claim.run for claim in claims if claim is not None] == [None, "a"]


async def test_a_release_comes_after_the_claims(ledger: Ledger) -> None:
    """A claim whose caller has left is given up too: nobody will work on it here."""
    claiming = asyncio.create_task(ledger.claims.claim([ASKED], now=NOW))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    claiming.cancel()
    await ledger.claims.release()
    await asyncio.wait([claiming])
    claim = await ledger.claim_of("t", "r1")
    assert claim is not None
    assert claim.run is None


async def test_a_writer_waits_for_another_at_most_for_the_bound(tmp_path: Path) -> None:
    """On SQLite one transaction of a process that hangs does not hang the others: they fail, and may try again."""
    engine = create_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.sqlite'}")
    transactions = Transactions(engine, 0.05)
    async with transactions.begin("hanging") as hanging:
        await hanging.exec_driver_sql("select 1")
        with pytest.raises(StoreUnavailable, match="waiting"):
            async with transactions.begin("waiting"):
                raise AssertionError("two writers at once")
    async with transactions.begin("going on") as connection:
        assert await connection.scalar(text("select 1")) == 1
    await engine.dispose()
