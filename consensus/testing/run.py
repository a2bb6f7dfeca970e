"""The evidence as the oracle's rules read it: every record parsed once, with the places that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from consensus import wire
from consensus.case import Case
from consensus.errors import DeadLetter
from consensus.kafka.dump import Dumped
from consensus.kafka.progress import done
from consensus.pipeline import Resources, open_case
from consensus.settings import Settings
from consensus.testing.evidence import Evidence
from consensus.types import Request, Verdict

Key = tuple[str, str]
"""Tenant and request id."""

Marks = frozenset[tuple[str, bytes]]
"""The ``x-*`` headers of a record: what follows from it echoes them, so they tell records of one id apart."""

Source = tuple[str, int, int]
"""Topic, partition and offset of a record."""


@dataclass(frozen=True)
class Violation:
    """A broken promise: which one, where, and what is wrong."""

    invariant: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.where}: {self.what}"


@dataclass(frozen=True)
class Allowed:
    """What a test's fault excuses, and nothing else.

    ``paid_again``: calls that were repeated because their answers could not be recorded before a crash.
    ``repeats``: the broker itself has lost a commit, so that records were published again (byte for byte the same).
    """

    paid_again: int = 0
    repeats: bool = False


@dataclass(frozen=True)
class Asked:
    """A record of the requests topic; ``request`` and ``case`` are None where it cannot be read or decided."""

    record: Dumped
    request: Request | None
    case: Case | None

    @property
    def source(self) -> Source:
        return self.record.topic, self.record.partition, self.record.offset

    @property
    def payload(self) -> str:
        """Hash of the payload, empty where there is none."""
        return "" if self.request is None else wire.payload_hash(self.request)

    @property
    def key(self) -> Key | None:
        return None if self.request is None else (self.request.tenant, self.request.id)


@dataclass(frozen=True)
class Given:
    """A record of the verdicts topic."""

    record: Dumped
    verdict: Verdict

    @property
    def key(self) -> Key:
        return self.verdict.tenant, self.verdict.request_id


@dataclass(frozen=True)
class Run:
    """A run as the rules see it. ``letters``: dead letters by the place of the record that they came from."""

    evidence: Evidence
    settings: Settings
    allowed: Allowed
    asked: Sequence[Asked]
    given: Sequence[Given]
    letters: Mapping[Source, Sequence[Dumped]]
    unreadable: Sequence[Dumped] = field(default=())

    @property
    def living(self) -> Sequence[Asked]:
        """The requests whose records did not become dead letters."""
        return [asked for asked in self.asked if asked.request is not None and asked.source not in self.letters]

    def finished(self, record: Dumped) -> bool:
        """Whether the group has committed that this input record is done."""
        return done(self.evidence.positions[record.topic, record.partition], record.offset)


def reconstruct(evidence: Evidence, settings: Settings, allowed: Allowed) -> Run:
    """Parse everything once."""
    given, unreadable = [], []
    for record in evidence.of("verdicts"):
        try:
            given.append(Given(record, wire.read(Verdict, record.value)))
        except DeadLetter:
            unreadable.append(record)
    return Run(
        evidence=evidence,
        settings=settings,
        allowed=allowed,
        asked=_all_asked(evidence, settings),
        given=given,
        letters=_by_source(evidence.of("dead_letters")),
        unreadable=unreadable,
    )


def marks(record: Dumped) -> Marks:
    """The headers that outputs echo."""
    return frozenset((name, value) for name, value in record.headers.items() if name.startswith("x-"))


def place(record: Dumped) -> str:
    """A record's place, for people."""
    return f"{record.topic}/{record.partition}@{record.offset}"


def _all_asked(evidence: Evidence, settings: Settings) -> Sequence[Asked]:
    rules = Resources(members={}, panels=settings.panel_policies(), policies=settings.policy_policies())
    return [_asked(record, rules, settings.kafka.max_record_bytes) for record in evidence.of("requests")]


def _asked(record: Dumped, rules: Resources, max_bytes: int) -> Asked:
    request = None
    if len(record.value or b"") > max_bytes:
        return Asked(record, None, None)
    try:
        request = wire.read(Request, record.value)
        return Asked(record, request, open_case(request, rules, None, "oracle"))
    except DeadLetter:
        return Asked(record, request, None)


def _by_source(letters: Sequence[Dumped]) -> Mapping[Source, Sequence[Dumped]]:
    found: dict[Source, list[Dumped]] = {}
    for letter in letters:
        names = ("source-topic", "source-partition", "source-offset")
        topic, partition, offset = (letter.headers.get(name, b"").decode("utf-8", "replace") for name in names)
        numbers = [int(number) if number.isdecimal() else -1 for number in (partition, offset)]
        found.setdefault((topic, numbers[0], numbers[1]), []).append(letter)
    return found
