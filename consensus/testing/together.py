"""I3: verdict, review task, signal and input offset are committed together or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from consensus.kafka.dump import Dumped
from consensus.ledger import Version
from consensus.testing.run import Run, Violation, marks, place

PARTS = ("signal", "review", "outcome")
TOPIC_OF = {"signal": "signals", "review": "reviews", "outcome": "outcomes"}
BESIDE = frozenset({"signal", "review"})
"""Parts that stand on the partition number of their verdict."""

Index = Mapping[tuple[bytes, bytes], Sequence[Dumped]]
"""Records by key and value."""


def check(run: Run) -> Iterator[Violation]:
    """Parts without their verdict, verdicts without their parts, outputs without their offset."""
    index = {noun: _index(run.evidence.of(noun)) for noun in (*TOPIC_OF.values(), "verdicts")}
    for version in run.evidence.versions:
        yield from _parts(run, version, index)
    yield from _strangers(run)
    yield from _offsets(run)


def _index(records: Sequence[Dumped]) -> Index:
    found: dict[tuple[bytes, bytes], list[Dumped]] = {}
    for record in records:
        found.setdefault((record.key or b"", record.value or b""), []).append(record)
    return found


def _parts(run: Run, version: Version, index: Mapping[str, Index]) -> Iterator[Violation]:
    key = version.request_id.encode()
    verdicts = index["verdicts"].get((key, version.verdict), ())
    where = f"{version.tenant}:{version.request_id} version {version.version}"
    for part in PARTS:
        value: bytes | None = getattr(version, part)
        if value is None:
            continue
        records = index[TOPIC_OF[part]].get((key, value), ())
        if bool(records) != bool(verdicts):
            found = f"{len(verdicts)} verdicts and {len(records)} of its {part}"
            yield Violation("I3", where, f"published apart: {found}")
        elif len(records) > 1 and not run.allowed.repeats:
            yield Violation("I3", where, f"its {part} was published {len(records)} times")
        if part in BESIDE and not {r.partition for r in records} <= {v.partition for v in verdicts}:
            yield Violation("I3", where, f"its {part} stands on another partition than its verdict")


def _strangers(run: Run) -> Iterator[Violation]:
    """Signals and review tasks that belong to no stored decision: half of a transaction, or another decision's."""
    for part in sorted(BESIDE):
        known = {(version.request_id.encode(), getattr(version, part)) for version in run.evidence.versions}
        for record in run.evidence.of(TOPIC_OF[part]):
            if (record.key, record.value) not in known:
                yield Violation("I3", place(record), f"is the {part} of no stored decision")


def _offsets(run: Run) -> Iterator[Violation]:
    """Outputs of a record whose offset is not committed as done."""
    inputs = {(r.topic, r.partition, r.offset): r for r in (*run.evidence.of("requests"), *run.evidence.of("rulings"))}
    answered = {(given.record.partition, given.key, marks(given.record)) for given in run.given}
    for asked in run.living:
        if (asked.record.partition, asked.key, marks(asked.record)) in answered and not run.finished(asked.record):
            yield Violation("I3", place(asked.record), "has a verdict, but its offset is not committed")
    for source in run.letters:
        if source in inputs and not run.finished(inputs[source]):
            yield Violation("I3", place(inputs[source]), "has a dead letter, but its offset is not committed")
