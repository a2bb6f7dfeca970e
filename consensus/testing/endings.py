"""I1: every record ends in exactly one of a verdict, a repeat of one, or a dead letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from consensus.kafka.dump import Dumped
from consensus.testing.run import Key, Marks, Run, Violation, marks, place

End = tuple[int, Key, Marks]
"""Where a verdict belongs: partition, tenant and id, and the marks of the record it answers."""


def check(run: Run) -> Iterator[Violation]:
    """Unfinished records, records without an end or with several, dead letters that came from nowhere."""
    yield from _inputs(run)
    yield from _verdicts(run)
    yield from _letters(run)


def _inputs(run: Run) -> Iterator[Violation]:
    for record in (*run.evidence.of("requests"), *run.evidence.of("rulings")):
        if not run.finished(record):
            yield Violation("I1", place(record), "is not finished")
    for asked in run.asked:
        if asked.case is None and asked.source not in run.letters:
            yield Violation("I1", place(asked.record), "cannot be decided, yet is no dead letter")


def _verdicts(run: Run) -> Iterator[Violation]:
    """Verdict records are counted by what they answer, so that a lost one is not hidden by a doubled one."""
    expected: Counter[End] = Counter()
    for asked in run.living:
        if asked.key is not None and asked.case is not None:
            expected[asked.record.partition, asked.key, marks(asked.record)] += 1
    expected += _ruled(run)
    published: Counter[End] = Counter()
    for given in run.given:
        published[given.record.partition, given.key, marks(given.record)] += 1
    for end in sorted(expected.keys() | published.keys(), key=repr):
        partition, (tenant, request_id), _ = end
        where = f"{run.evidence.topics.verdicts}/{partition} {tenant}:{request_id}"
        if published[end] < expected[end]:
            yield Violation("I1", where, f"lost: {published[end]} verdicts for {expected[end]} records")
        elif published[end] > expected[end] and not (run.allowed.repeats and expected[end]):
            yield Violation("I1", where, f"doubled: {published[end]} verdicts for {expected[end]} records")


def _ruled(run: Run) -> Counter[End]:
    """The verdicts that rulings made."""
    ends: Counter[End] = Counter()
    by_place = {(record.partition, record.offset): record for record in run.evidence.of("rulings")}
    for version in run.evidence.versions:
        for where, number in run.evidence.effects.items():
            record = by_place.get(where)
            if record is not None and number == version.version and record.key == version.request_id.encode():
                ends[record.partition, version.key, marks(record)] += 1
    return ends


def _letters(run: Run) -> Iterator[Violation]:
    inputs = {(r.topic, r.partition, r.offset): r for r in (*run.evidence.of("requests"), *run.evidence.of("rulings"))}
    for source, letters in run.letters.items():
        if source not in inputs:
            yield Violation("I1", place(letters[0]), f"is a dead letter of a record that does not exist: {source}")
        elif not all(_same(inputs[source], letter) for letter in letters):
            yield Violation("I1", place(letters[0]), "does not hold the key, value and headers of its record")
        elif len(letters) > 1 and not run.allowed.repeats:
            yield Violation("I1", place(inputs[source]), f"doubled: {len(letters)} dead letters")


def _same(record: Dumped, letter: Dumped) -> bool:
    kept = all(letter.headers.get(name) == value for name, value in record.headers.items())
    return kept and letter.key == record.key and (letter.value or b"") == (record.value or b"")
