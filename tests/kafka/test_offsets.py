"""The tracker and the codec of its map against simple models."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consensus.kafka.offset_map import (
    MAX_CHARACTERS,
    MOST_INCOMPLETE,
    SPAN_LIMIT,
    MapDamaged,
    decode,
    encode,
)
from consensus.kafka.offsets import Position, Tracker


def test_nothing_incomplete_is_the_empty_string() -> None:
    """The usual state costs no metadata, and no metadata (the first commit, another tool) means just that."""
    assert encode((), 17) == ""
    assert decode(17, "") == ((), 17)


def test_the_layout_is_fixed() -> None:
    """Version byte, span, gaps: what one release writes the next must read."""
    assert base64.b64decode(encode((100, 103, 400), 1_000)) == bytes([1, 0x84, 0x07, 2, 0xA8, 0x02])
    assert decode(100, encode((100, 103, 400), 1_000)) == ((100, 103, 400), 1_000)


@given(
    base=st.integers(0, 2**62),
    gaps=st.lists(st.integers(1, SPAN_LIMIT // MOST_INCOMPLETE), max_size=MOST_INCOMPLETE - 1),
    rest=st.integers(1, 1_000),
)
def test_round_trip_within_the_limit(base: int, gaps: list[int], rest: int) -> None:
    """Whatever is allowed comes back equal and never exceeds the broker's limit."""
    incomplete = [base]
    for gap in gaps:
        incomplete.append(incomplete[-1] + gap)
    end = min(incomplete[-1] + rest, base + SPAN_LIMIT - 1)
    if end <= incomplete[-1]:
        return
    metadata = encode(incomplete, end)
    assert len(metadata) <= MAX_CHARACTERS
    assert decode(base, metadata) == (tuple(incomplete), end)


@pytest.mark.parametrize("wide", [1, 31, 511])
def test_the_worst_case_fits(wide: int) -> None:
    """512 offsets as far apart as the span allows, evenly or with a few huge gaps, stay under 4,096 characters."""
    gap = (SPAN_LIMIT - 2 - MOST_INCOMPLETE) // wide
    incomplete = [0]
    for i in range(MOST_INCOMPLETE - 1):
        incomplete.append(incomplete[-1] + (gap if i < wide else 1))
    assert len(encode(incomplete, incomplete[-1] + 1)) <= 3_420


@pytest.mark.parametrize(
    ("incomplete", "end"),
    [
        pytest.param(range(MOST_INCOMPLETE + 1), 1_000, id="too many"),
        pytest.param([0], SPAN_LIMIT, id="too far"),
        pytest.param([5], 5, id="end at the offset"),
    ],
)
def test_what_does_not_fit_is_refused(incomplete: list[int], end: int) -> None:
    """The codec never writes what a broker might not keep."""
    with pytest.raises(ValueError, match="do not fit"):
        encode(incomplete, end)


@pytest.mark.parametrize(
    "metadata",
    [
        "ü",
        "not base64!",
        base64.b64encode(b"\x02\x01").decode(),
        base64.b64encode(b"\x01").decode(),
        base64.b64encode(b"\x01\x80").decode(),
        base64.b64encode(b"\x01\x02\x05").decode(),
        base64.b64encode(b"\x01" + b"\x00" * 600).decode(),
        base64.b64encode(b"\x01\x00").decode(),
    ],
)
def test_foreign_metadata_is_damage(metadata: str) -> None:
    """Another program's metadata is told apart, never read as offsets."""
    with pytest.raises(MapDamaged):
        decode(10, metadata)


@given(st.integers(0, 1_000), st.text(max_size=60) | st.binary(max_size=60).map(lambda b: base64.b64encode(b).decode()))
def test_no_metadata_breaks_the_reader(base: int, metadata: str) -> None:
    """Any text either decodes to ascending offsets below the end, or is called damaged."""
    try:
        incomplete, end = decode(base, metadata)
    except MapDamaged:
        return
    assert list(incomplete) == sorted(set(incomplete))
    assert all(base <= offset < end for offset in incomplete)


def test_out_of_order_completion() -> None:
    """The position stays at the lowest incomplete offset and its map knows what is done above it."""
    tracker = Tracker(Position(0))
    assert [tracker.take(offset) for offset in (0, 1, 2, 5)] == [True] * 4
    tracker.complete(1)
    tracker.complete(5)
    assert tracker.position().offset == 0
    again = Tracker(tracker.position())
    assert [again.take(offset) for offset in (0, 1, 2, 5, 6)] == [True, False, True, False, True]
    assert (again.lowest, again.in_work) == (0, 3)


def test_a_record_is_taken_once() -> None:
    """A second delivery of what is in work is not worked on twice."""
    tracker = Tracker(Position(3))
    assert tracker.take(3)
    assert not tracker.take(3)
    assert not tracker.take(2)


def test_offsets_that_vanished_are_done() -> None:
    """Expected records that retention has removed do not hold the partition back for ever."""
    before = Tracker(Position(0))
    for offset in range(4):
        before.take(offset)
    before.complete(1)
    after = Tracker(before.position())
    assert after.take(3)
    after.complete(3)
    assert after.position() == Position(4)


def test_the_number_of_incomplete_offsets_is_bounded() -> None:
    """Beyond the bound nothing new is taken until something is done; holes do not count."""
    tracker = Tracker(Position(0), most=2)
    assert tracker.take(0)
    assert tracker.take(10)
    assert tracker.fitting([11]) == 0
    with pytest.raises(ValueError, match="does not fit"):
        tracker.take(11)
    tracker.complete(0)
    assert tracker.fitting([10, 11, 12]) == 2


def test_a_span_that_would_not_encode_is_refused() -> None:
    """One record in work for ever holds the partition before its map could outgrow the limit."""
    tracker = Tracker(Position(0))
    tracker.take(0)
    assert tracker.fitting([SPAN_LIMIT - 2])
    assert not tracker.fitting([SPAN_LIMIT - 1])
    tracker.take(SPAN_LIMIT - 2)
    assert len(tracker.position().metadata) <= MAX_CHARACTERS


@pytest.mark.parametrize("offset", [7, 1, 2])
def test_completing_what_is_not_in_work_is_a_mistake(offset: int) -> None:
    """Unknown, done and only expected offsets cannot be completed."""
    before = Tracker(Position(0))
    for taken in range(3):
        before.take(taken)
    before.complete(1)
    tracker = Tracker(before.position())
    tracker.take(0)
    with pytest.raises(ValueError, match="not in work"):
        tracker.complete(offset)


class Partition(RuleBasedStateMachine):
    """A log with holes, a worker that takes, completes, commits and crashes, and a model of plain sets."""

    @initialize(holes=st.sets(st.integers(0, 400), max_size=150), start=st.integers(0, 3))
    def open(self, holes: set[int], start: int) -> None:
        self.log = [offset for offset in range(start, 2_000) if offset not in holes]
        self.done: set[int] = set()
        self.committed_done: set[int] = set()
        self.committed = Position(start)
        self._restart()

    def _restart(self) -> None:
        self.tracker = Tracker(self.committed, most=40)
        self.done = set(self.committed_done)
        self.in_work: set[int] = set()
        self.next = next(i for i, offset in enumerate(self.log) if offset >= self.committed.offset)

    @rule(count=st.integers(1, 30))
    def take(self, count: int) -> None:
        for offset in self.log[self.next : self.next + count]:
            if not self.tracker.fitting([offset]):
                assert len(self.in_work) >= 1
                return
            fresh = self.tracker.take(offset)
            assert fresh == (offset not in self.done)
            if fresh:
                self.in_work.add(offset)
            self.next += 1

    @precondition(lambda self: self.in_work)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.in_work)))
        self.tracker.complete(offset)
        self.in_work.remove(offset)
        self.done.add(offset)

    @rule()
    def commit(self) -> None:
        position = self.tracker.position()
        assert position.offset >= self.committed.offset
        assert len(position.metadata) <= MAX_CHARACTERS
        self.committed = position
        self.committed_done = set(self.done)

    @rule()
    def crash(self) -> None:
        self._restart()

    @invariant()
    def nothing_is_skipped(self) -> None:
        if not hasattr(self, "tracker"):
            return
        assert all(offset in self.done for offset in self.log if offset < self.tracker.lowest)
        assert self.tracker.in_work == len(self.in_work)


TestPartition = Partition.TestCase
TestPartition.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
