"""I2: one live verdict per tenant and id; versions only grow; the same version is byte for byte the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from consensus.testing.run import Asked, Given, Key, Run, Violation, place


def check(run: Run) -> Iterator[Violation]:
    """Verdicts that contradict one another, the store or the payload that was asked."""
    for record in run.unreadable:
        yield Violation("I2", place(record), "is no verdict")
    by_key: dict[Key, list[Given]] = {}
    for given in run.given:
        by_key.setdefault(given.key, []).append(given)
    for records in by_key.values():
        yield from _contents(records)
        yield from _numbers(records)
        if not run.allowed.repeats:
            yield from _order(records)
    yield from _stored(run, by_key)
    yield from _payloads(run)


def _contents(records: Sequence[Given]) -> Iterator[Violation]:
    first: dict[int, Given] = {}
    for given in records:
        original = first.setdefault(given.verdict.version, given)
        if original.record.value != given.record.value:
            what = f"version {given.verdict.version} differs from the one at {place(original.record)}"
            yield Violation("I2", place(given.record), what)


def _numbers(records: Sequence[Given]) -> Iterator[Violation]:
    found = {given.verdict.version for given in records}
    if found != set(range(1, len(found) + 1)):
        yield Violation("I2", place(records[0].record), f"versions are not consecutive: {sorted(found)}")
    for given in records:
        before = None if given.verdict.version == 1 else given.verdict.version - 1
        if given.verdict.supersedes != before:
            yield Violation("I2", place(given.record), f"supersedes {given.verdict.supersedes}, not {before}")


def _order(records: Sequence[Given]) -> Iterator[Violation]:
    newest: dict[int, int] = {}
    for given in sorted(records, key=lambda given: (given.record.partition, given.record.offset)):
        partition, version = given.record.partition, given.verdict.version
        if version < newest.get(partition, 0):
            yield Violation("I2", place(given.record), f"version {version} comes after {newest[partition]}")
        newest[partition] = max(version, newest.get(partition, 0))


def _stored(run: Run, by_key: Mapping[Key, Sequence[Given]]) -> Iterator[Violation]:
    stored = {version.version_key: version for version in run.evidence.versions}
    for records in by_key.values():
        for given in records:
            version = stored.get((*given.key, given.verdict.version))
            if version is None:
                yield Violation("I2", place(given.record), "was published but is not stored")
            elif version.verdict != given.record.value:
                yield Violation("I2", place(given.record), "is not what is stored")


def _payloads(run: Run) -> Iterator[Violation]:
    answered, asked_for = _by_key(run.living), _by_key(run.asked)
    for (tenant, request_id), found in answered.items():
        if len(found) > 1:
            yield Violation("I2", f"{tenant}:{request_id}", "records with different payloads all got a verdict")
    for asked in run.asked:
        letters = run.letters.get(asked.source, ())
        conflict = any(letter.headers.get("error-code") == b"conflict" for letter in letters)
        if conflict and asked.key is not None and len(asked_for[asked.key]) == 1:
            yield Violation("I2", place(asked.record), "is called a conflict, but no other payload has its id")


def _by_key(records: Sequence[Asked]) -> Mapping[Key, set[str]]:
    """The payloads that were asked under each id."""
    payloads: dict[Key, set[str]] = {}
    for asked in records:
        if asked.key is not None:
            payloads.setdefault(asked.key, set()).add(asked.payload)
    return payloads
