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
    links = {link.offset: link for link in (run.evidence.links or {}).get(partition, ())}
    comparison = chain.Comparison(chain.genesis(partition))
    if not comparison.take(values, links) and comparison.fault is not None:
        where = f"{run.evidence.topics.verdicts}/{partition}@{comparison.fault.offset}"
        yield Violation("I6", where, comparison.fault.what)
