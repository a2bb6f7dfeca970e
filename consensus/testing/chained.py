"""I6: the calibrator's chain over each verdict partition is what anyone with the topic computes."""

from __future__ import annotations

from collections.abc import Iterator

from calibration.store import chain
from consensus.testing.run import Run, Violation


def check(run: Run) -> Iterator[Violation]:
    """Verdict records that are not chained, or chained as something else. Nothing to check without a calibrator."""
    if run.evidence.links is None:
        return
    records = run.evidence.of("verdicts")
    for partition in sorted({record.partition for record in records} | set(run.evidence.links)):
        values = {record.offset: record.value for record in records if record.partition == partition}
        yield from _partition(run, partition, values)


def _partition(run: Run, partition: int, values: dict[int, bytes | None]) -> Iterator[Violation]:
    topic = run.evidence.topics.verdicts
    links = {link.offset: link for link in (run.evidence.links or {}).get(partition, ())}
    head = chain.genesis(partition)
    for offset in sorted(values.keys() | links.keys()):
        where = f"{topic}/{partition}@{offset}"
        if offset not in links:
            yield Violation("I6", where, "is not chained")
        elif offset not in values:
            yield Violation("I6", where, "is chained, but not on the topic")
        else:
            head = chain.step(head, offset, chain.digest(values[offset]))
            if links[offset].chain != head:
                yield Violation("I6", where, "is chained as something else, or after something else")
                return
