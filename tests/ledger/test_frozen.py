"""A process that stood still long enough to lose a request looks again before it pays for anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from consensus.errors import Fenced, StoreUnavailable
from consensus.ledger import Asked, Ledger, StoredLog, Version
from consensus.ledger.answers import SURE_S, Answers, Found, Payload
from consensus.types import Answer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = Asked("t", "r1", "hash", partition=0, offset=7)
PAYLOAD = ("t", "r1", "hash")
FROZEN_S = SURE_S + 0.1


def said(text: str) -> Answer:
    return Answer(model="m", family="f", text=text)


@dataclass
class Watched:
    """A ledger's answers and the clock of the process that reads them; each read takes ``read_s`` on it."""

    answers: Answers
    now: float = 100.0
    read_s: float = 0.0
    failures: int = 0
    reads: list[Payload] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def record(self, paid: object) -> bool:
        return await self.answers.record(paid)  # type: ignore[arg-type]  # it is the Paid that StoredLog made

    async def recorded(self, payload: Payload) -> Found:
        self.reads.append(payload)
        self.now += self.read_s
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        return await self.answers.recorded(payload)

    def log(self) -> StoredLog:
        return StoredLog(self, PAYLOAD, clock=self)  # type: ignore[arg-type]  # duck of Answers


async def claim(ledger: Ledger) -> None:
    await ledger.claims.claim([ASKED], now=NOW)


async def taken_over(ledger: Ledger, other: Ledger, call: str) -> tuple[Watched, StoredLog]:
    """A log of a request that another process decides by now, which has paid for ``call``."""
    await claim(ledger)
    watched = Watched(ledger.answers)
    log = watched.log()
    await claim(other)
    await StoredLog(other.answers, PAYLOAD).record(call, said("theirs"))
    return watched, log


async def test_who_did_not_stand_still_reads_nothing(ledger: Ledger) -> None:
    """A call that follows its claim costs no statement, nor does one whose answer is known, however late."""
    await claim(ledger)
    watched = Watched(ledger.answers)
    log = watched.log()
    watched.now += SURE_S
    assert await log.paid("panel:a") is None
    await log.record("panel:a", said("mine"))
    watched.now += 10 * FROZEN_S
    assert await log.paid("panel:a") == said("mine")
    assert watched.reads == []


async def test_a_request_that_was_taken_over_is_left_alone(ledger: Ledger, other: Ledger) -> None:
    """Its new owner may have paid for the very call that was to be begun, or have promised to."""
    watched, log = await taken_over(ledger, other, "panel:a")
    watched.now += FROZEN_S
    with pytest.raises(Fenced):
        await log.paid("panel:b")
    await other.claims.release(finishing=[ASKED.key])
    with pytest.raises(Fenced):
        await log.paid("panel:b")


async def test_a_request_that_was_decided_is_left_alone(ledger: Ledger, other: Ledger) -> None:
    """Also when its answers have left the ledger with the commit."""
    watched, log = await taken_over(ledger, other, "panel:a")
    await other.decisions.keep(ASKED, Version("t", "r1", 1, b"v1"))
    await other.decisions.mark_committed([("t", "r1", 1)])
    watched.now += FROZEN_S
    with pytest.raises(Fenced):
        await log.paid("panel:a")


async def test_what_was_paid_meanwhile_is_adopted(ledger: Ledger, other: Ledger) -> None:
    """Taken over and given back, a request brings the answers of others; what was heard here stays as it was heard."""
    await claim(ledger)
    watched = Watched(ledger.answers)
    log = watched.log()
    await log.record("panel:a", said("mine"))
    await claim(other)
    await StoredLog(other.answers, PAYLOAD).record("panel:b", said("theirs"))
    await claim(ledger)
    watched.now += FROZEN_S
    assert await log.paid("panel:b") == said("theirs")
    assert await log.paid("panel:c") is None
    assert log.known == {"panel:a": said("mine"), "panel:b": said("theirs")}
    assert len(watched.reads) == 1


async def test_recording_proves_no_knowledge(ledger: Ledger, other: Ledger) -> None:
    """A request that came back is ours when an answer is recorded, but what others paid for is still to be read."""
    watched, log = await taken_over(ledger, other, "panel:b")
    await claim(ledger)
    watched.now += FROZEN_S
    await log.record("panel:a", said("mine"))
    assert await log.paid("panel:b") == said("theirs")


async def test_a_look_during_which_the_process_stood_still_is_repeated(ledger: Ledger) -> None:
    """Once: a store that is always so slow keeps nobody from being asked."""
    await claim(ledger)
    watched = Watched(ledger.answers, read_s=FROZEN_S)
    log = watched.log()
    watched.now += FROZEN_S
    assert await log.paid("panel:a") is None
    assert len(watched.reads) == 2


async def test_a_store_that_is_away_is_waited_for_until_the_deadline(ledger: Ledger) -> None:
    """The calls that run meanwhile are not taken down by one failed look."""
    await claim(ledger)
    watched = Watched(ledger.answers, failures=2)
    log = watched.log()
    watched.now += FROZEN_S
    with pytest.raises(StoreUnavailable):
        await log.paid("panel:a", deadline=0.0)
    assert await log.paid("panel:a", deadline=float("inf")) is None
    assert len(watched.reads) == 3
