"""Everything that providers do wrong, through the real worker, litellm and Kafka: a verdict from the rest, in time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from consensus import wire
from consensus.kafka.dump import Dumped
from consensus.types import BallotEntry, Failure, Kind, LabelKind, Request, Status, Verdict
from tests import faulty_provider as fault
from tests.eventually import eventually
from tests.faults.rig import PANEL, Rig, rig
from tests.faulty_provider import Step
from tests.kafka.cluster import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

MODEL_S = 90.0
"""Beyond every deadline: what ends a call that is never answered is the request's deadline."""

SHORT_MS, LONG_MS = 20_000, 60_000
"""Deadlines: of requests whose faults last, and of those whose faults show at once."""

LATE = timedelta(seconds=30)
"""How much later than its deadline a busy machine may decide; far less than what `MODEL_S` would add."""

NOWHERE = "http://does-not-exist.invalid/v1"
ATTEMPTS = 3
LASTING = ("never-answers", "drips", "storm-come-back-late")

STEPS: dict[str, tuple[Step | None, ...]] = {
    "never-answers": (fault.hang(),),
    "drips": (fault.drip(5.0),),
    "storm": (fault.error(429),),
    "storm-come-back-late": (fault.error(429, headers={"retry-after": "3600"}),),
    "storm-come-back-soon": (fault.error(429, headers={"retry-after-ms": "100"}), None),
    "flaps": (fault.error(503), fault.error(500), None),
    "down": (fault.error(503),),
    "reset": (fault.reset(),),
    "truncated": (fault.truncated(),),
    "cut-off": (fault.raw(b'{"id": "c-1", "choi'),),
    "another-schema": (fault.body({"hello": "world"}),),
    "empty": (fault.raw(b""),),
    "no-text": (fault.reply(""),),
    "10-MB": (fault.body({**fault.completion(), "pad": "x" * 10_000_000}),),
    "not-UTF-8": (fault.raw(b'{"model": "\xff\xfe", "choices": []}'),),
    "length": (fault.reply("I weighed both sides, and", finish="length"),),
}

FOUND: dict[str, tuple[Failure | None, int]] = {
    "no-such-name": (Failure.CONNECTION, ATTEMPTS),
    "never-answers": (Failure.TIMEOUT, 1),
    "drips": (Failure.TIMEOUT, 1),
    "storm": (Failure.RATE_LIMITED, ATTEMPTS),
    "storm-come-back-late": (Failure.RATE_LIMITED, 1),
    "storm-come-back-soon": (None, 2),
    "flaps": (None, 3),
    "down": (Failure.UNAVAILABLE, ATTEMPTS),
    "reset": (Failure.CONNECTION, ATTEMPTS),
    "truncated": (Failure.CONNECTION, ATTEMPTS),
    "cut-off": (Failure.MALFORMED, ATTEMPTS),
    "another-schema": (Failure.MALFORMED, ATTEMPTS),
    "empty": (Failure.MALFORMED, ATTEMPTS),
    "no-text": (Failure.EMPTY, ATTEMPTS),
    "10-MB": (Failure.MALFORMED, 1),
    "not-UTF-8": (Failure.MALFORMED, ATTEMPTS),
    "length": (None, 1),
}
"""What the ballot says of the member, None where it has a reply, and its attempts."""


@pytest_asyncio.fixture
async def house(kafka: Cluster, tmp_path: Path, prefix: str) -> AsyncIterator[Rig]:
    """For each fault one policy in which one member suffers from it, and one in which two of three do."""
    async with rig(tmp_path, kafka.bootstrap, prefix, model_timeout_s=MODEL_S, faults=STEPS) as made:
        for name in FOUND:
            sick = [suffering(made, model, name) for model in PANEL[1:]]
            made.add_policy(f"one-{name}", [*PANEL[:2], sick[1]])
            made.add_policy(f"two-{name}", [PANEL[0], *sick])
        yield made


def suffering(house: Rig, model: str, name: str) -> str:
    """The same model at the address of a fault, under a name of its own."""
    assert house.front is not None
    address = NOWHERE if name == "no-such-name" else f"{house.front.url}/{name}/v1"
    house.document["models"][f"{model}-{name}"] = {**house.document["models"][model], "api_base": address}
    return f"{model}-{name}"


def requests(house: Rig) -> list[Request]:
    return [
        house.request(f"{share}-{name}", policy=f"{share}-{name}", deadline_ms=SHORT_MS if name in LASTING else LONG_MS)
        for name in FOUND
        for share in ("one", "two")
    ]


async def test_every_fault_ends_in_a_verdict_from_the_rest_by_the_deadline(house: Rig) -> None:
    """One sick member leaves a quorum; two leave a degraded ballot, which is never accepted."""
    await house.start("worker", service="worker")
    asked = {request.id: request for request in requests(house)}
    await house.send(asked.values())
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == len(asked)
    for record in evidence.of("verdicts"):
        verdict = wire.read(Verdict, record.value)
        share, _, name = verdict.request_id.partition("-")
        check(verdict, name, sick=1 if share == "one" else 2)
        late = verdict.decided_at - produced(evidence.of("requests"), record.key)
        assert late <= timedelta(milliseconds=asked[verdict.request_id].deadline_ms or 0) + LATE, verdict.request_id


def check(verdict: Verdict, name: str, *, sick: int) -> None:
    """The ballot tells the sick from the well."""
    failure, attempts = FOUND[name]
    where = verdict.request_id
    well = [entry for entry in verdict.ballot if not entry.model.endswith(f"-{name}")]
    assert [entry.label_kind for entry in well] == [LabelKind.ANSWER] * (len(PANEL) - sick), where
    ill = [entry for entry in verdict.ballot if entry.model.endswith(f"-{name}")]
    assert [(entry.failure, entry.attempts) for entry in ill] == [(failure, attempts)] * sick, where
    assert {entry.label_kind for entry in ill} == {expected(name)}, where
    lost = expected(name) is not LabelKind.ANSWER and sick == 2
    assert verdict.degraded is lost, where
    assert not (lost and verdict.status is Status.ACCEPTED), where


def expected(name: str) -> LabelKind:
    if name == "length":
        return LabelKind.TRUNCATED
    return LabelKind.ANSWER if FOUND[name][0] is None else LabelKind.FAILED


def produced(records: Sequence[Dumped], key: bytes | None) -> datetime:
    """The time that the broker's log gives the request with this key, from which its deadline counts."""
    [milliseconds] = [record.timestamp_ms for record in records if record.key == key]
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@pytest.mark.slow
async def test_nobody_answers_until_somebody_does_again(house: Rig) -> None:
    """All members silent: abstained at the deadline. All refused by the provider: degraded. Then all is well again."""
    house.add_policy("none", [suffering(house, model, "never-answers") for model in PANEL])
    await house.start("worker", service="worker")
    await house.send([house.request("silence", policy="none", deadline_ms=5_000)])
    await house.settled()
    await house.order(status=503)
    await house.send(house.request(f"down-{number}", deadline_ms=LONG_MS) for number in range(6))
    await house.settled()
    await house.order()
    await recovered(house)
    found = {}
    for record in (await house.verify()).of("verdicts"):
        verdict = wire.read(Verdict, record.value)
        found[verdict.request_id] = verdict
    assert (found["silence"].status, found["silence"].reasons) == (Status.ABSTAINED, ("deadline_expired",))
    for number in range(6):
        assert found[f"down-{number}"].degraded
        assert found[f"down-{number}"].disagreement.kind is Kind.DEGRADED
        assert opinions(found[f"down-{number}"].ballot) == 0


async def recovered(house: Rig) -> None:
    """Ask until the whole panel answers: breakers let calls through again one after the other."""

    async def whole() -> bool:
        name = f"again-{next(house.numbers)}"
        await house.send([house.request(name)])
        await house.settled()
        [found] = [record for record in await house.dumped("verdicts") if record.key == name.encode()]
        return opinions(wire.read(Verdict, found.value).ballot) == len(PANEL)

    await eventually(whole, seconds=120)


def opinions(ballot: tuple[BallotEntry, ...]) -> int:
    return sum(entry.label_kind is LabelKind.ANSWER for entry in ballot)
