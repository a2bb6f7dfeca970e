"""Who owns an id, and what every other record with it must do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consensus.ledger import Asked, Ledger, Standing, Version
from consensus.ledger.claims import Claim, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Asked("t", "r1", "hash", partition=0, offset=7)
AGAIN = replace(FIRST, offset=9)
OTHER_PAYLOAD = replace(FIRST, offset=9, payload_hash="another")


def version(asked: Asked, verdict: bytes = b"v1", number: int = 1) -> Version:
    return Version(asked.tenant, asked.request_id, number, verdict)


async def standings(ledger: Ledger, *asked: Asked, gone: tuple[str, ...] = ()) -> list[Standing]:
    return [standing for standing, _ in await ledger.claims.claim(asked, now=NOW, gone=gone)]


OPEN = Claim("t", "r1", "hash", 0, 7, run="a")


@pytest.mark.parametrize(
    ("asked", "claim", "expected"),
    [
        pytest.param(FIRST, OPEN, Standing.MINE, id="own claim of this process"),
        pytest.param(FIRST, replace(OPEN, run=None), Standing.MINE, id="own claim, given up cleanly"),
        pytest.param(FIRST, replace(OPEN, run=None, finishing="a"), Standing.MINE, id="partition came back"),
        pytest.param(FIRST, replace(OPEN, run=None, finishing="b"), Standing.WAIT, id="another process finishes"),
        pytest.param(FIRST, replace(OPEN, run=None, finishing="dead"), Standing.MINE, id="the finisher died"),
        pytest.param(FIRST, replace(OPEN, run="b"), Standing.MINE, id="its process died once"),
        pytest.param(FIRST, replace(OPEN, run="b", crashes=2), Standing.POISON, id="its process died a third time"),
        pytest.param(FIRST, replace(OPEN, run=None, finishing="dead", crashes=2), Standing.POISON, id="so did this"),
        pytest.param(FIRST, replace(OPEN, run=None, crashes=2), Standing.MINE, id="a clean end is no crash"),
        pytest.param(FIRST, replace(OPEN, run=None, crashes=3, closed=True), Standing.POISON, id="poison stays poison"),
        pytest.param(FIRST, replace(OPEN, run=None, closed=True), Standing.MINE, id="own dead letter, redelivered"),
        pytest.param(FIRST, replace(OPEN, run=None, decided=True), Standing.STORED, id="own decision is stored"),
        pytest.param(AGAIN, OPEN, Standing.WAIT, id="duplicate while the first is in flight"),
        pytest.param(AGAIN, replace(OPEN, run=None, decided=True), Standing.REPEAT, id="duplicate of a decided one"),
        pytest.param(AGAIN, replace(OPEN, run=None, closed=True), Standing.NEW, id="takes over from a dead letter"),
        pytest.param(OTHER_PAYLOAD, OPEN, Standing.CONFLICT, id="another payload"),
        pytest.param(OTHER_PAYLOAD, replace(OPEN, decided=True), Standing.CONFLICT, id="another payload, decided"),
        pytest.param(OTHER_PAYLOAD, replace(OPEN, run=None, closed=True), Standing.NEW, id="another payload, closed"),
    ],
)
def test_standing(asked: Asked, claim: Claim, expected: Standing) -> None:
    """Every state of a claim gives one standing to the record that asks."""
    assert judge(asked, claim, run="a", poison=3, gone={"dead"})[0] is expected


def test_a_takeover_starts_afresh() -> None:
    """The crashes and the payload of the record before do not pass to the next one."""
    closed = replace(OPEN, run=None, crashes=3, closed=True)
    _, after = judge(OTHER_PAYLOAD, closed, run="a", poison=3)
    assert after == Claim("t", "r1", "another", 0, 9, run="a")


async def test_the_first_record_owns_the_id(ledger: Ledger) -> None:
    """Within one batch the first record with an id wins, the others wait or conflict; other tenants are apart."""
    tenant = replace(FIRST, tenant="u", offset=10, payload_hash="another")
    assert await standings(ledger, FIRST, AGAIN, replace(OTHER_PAYLOAD, offset=11), tenant) == [
        Standing.NEW,
        Standing.WAIT,
        Standing.CONFLICT,
        Standing.NEW,
    ]
    assert await ledger.claim_of("t", "r1") == OPEN


async def test_concurrent_processes_agree(ledger: Ledger, other: Ledger) -> None:
    """Two processes that claim the same ids in opposite orders end with one owner for each."""
    mine = [Asked("t", f"r{i}", "hash", 0, i) for i in range(40)]
    theirs = [replace(asked, partition=1) for asked in reversed(mine)]
    here, there = await asyncio.gather(standings(ledger, *mine), standings(other, *theirs))
    for standing, opposite in zip(here, reversed(there), strict=True):
        assert {standing, opposite} == {Standing.NEW, Standing.WAIT}


async def test_only_unclean_ends_count(ledger: Ledger, other: Ledger, engine: AsyncEngine) -> None:
    """A release costs nothing, a death over the record counts, and the third makes it poison for good."""
    assert await standings(ledger, FIRST) == [Standing.NEW]
    await ledger.claims.release()
    assert await standings(other, FIRST) == [Standing.MINE]
    claim = await ledger.claim_of("t", "r1")
    assert claim is not None
    assert claim.crashes == 0
    assert await standings(ledger, FIRST) == [Standing.MINE]
    assert await standings(other, FIRST) == [Standing.MINE]
    assert await standings(ledger, FIRST) == [Standing.POISON]
    assert await standings(other, FIRST) == [Standing.POISON]
    assert await standings(other, AGAIN) == [Standing.NEW]


async def test_a_promise_to_finish_is_waited_for(ledger: Ledger, other: Ledger) -> None:
    """After a revocation the next owner waits for the calls that run on, unless their process is gone."""
    await standings(ledger, FIRST)
    await ledger.claims.release({1})
    assert (await ledger.claim_of("t", "r1")) == OPEN
    await ledger.claims.release({0, 1}, finishing=[FIRST.key])
    assert await standings(other, FIRST) == [Standing.WAIT]
    assert await standings(other, FIRST, gone=("a",)) == [Standing.MINE]
    claim = await ledger.claim_of("t", "r1")
    assert claim is not None
    assert (claim.run, claim.finishing, claim.crashes) == ("b", None, 1)


async def test_a_partition_that_returns_is_adopted(ledger: Ledger) -> None:
    """The process that promised to finish gets its record back as its own."""
    await standings(ledger, FIRST)
    await ledger.claims.release({0}, finishing=[FIRST.key])
    assert await standings(ledger, FIRST) == [Standing.MINE]
    assert (await ledger.claim_of("t", "r1")) == OPEN


async def test_giving_up_what_was_to_be_finished(ledger: Ledger, other: Ledger) -> None:
    """A drain that ends with calls unfinished frees also what was promised after a revocation."""
    await standings(ledger, FIRST)
    await ledger.claims.release({0}, finishing=[FIRST.key])
    await ledger.claims.release()
    assert await standings(other, FIRST) == [Standing.MINE]


async def test_only_what_is_being_decided_is_promised(ledger: Ledger, other: Ledger) -> None:
    """A decided id needs no promise, and an id that nobody works on is free at once."""
    idle = replace(FIRST, request_id="idle")
    await standings(ledger, FIRST, idle)
    await ledger.decisions.keep(FIRST, version(FIRST))
    await ledger.claims.release({0}, finishing=[FIRST.key])
    assert await standings(other, FIRST, idle) == [Standing.STORED, Standing.MINE]


async def test_a_closed_claim_is_taken_over(ledger: Ledger) -> None:
    """After a dead letter the next record with the id is decided, with its own payload and nothing of the old one."""
    await standings(ledger, FIRST)
    await ledger.decisions.keep(FIRST, version(FIRST))
    await ledger.claims.close(FIRST)
    assert await ledger.decisions.history("t", "r1") == []
    assert await standings(ledger, OTHER_PAYLOAD, FIRST) == [Standing.NEW, Standing.CONFLICT]


async def test_closing_needs_the_claim(ledger: Ledger) -> None:
    """A record that does not hold the claim cannot close it."""
    await standings(ledger, FIRST)
    await ledger.claims.close(AGAIN)
    assert await standings(ledger, AGAIN) == [Standing.WAIT]


async def test_failures_count_like_crashes(ledger: Ledger) -> None:
    """The third unexpected failure of a record makes it poison."""
    await standings(ledger, FIRST)
    assert [await ledger.claims.failed(FIRST) for _ in range(3)] == [False, False, True]
