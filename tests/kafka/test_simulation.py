"""Assign, complete, commit, crash, rebalance and fence, in any order, against a model of Kafka and of the store.

The parts under test are the real ones (`Tracker`, its map, `judge`); the broker is a list with transactions and epochs,
the store a dictionary. Checked throughout: no record is skipped (I1), an id has one payload and one decision, whoever
publishes it (I2), outputs and offset appear together or not at all (I3), offsets never go back, and a crash repeats no
call that was recorded (I5).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consensus.kafka.offsets import Position, Tracker
from consensus.ledger.claims import Asked, Claim, Standing, judge

PARTITIONS = 2
RUNS = ("a", "b")


@dataclass(frozen=True)
class Output:
    """What readers see for one input record."""

    offset: int
    request_id: str
    kind: str
    value: str


@dataclass
class Log:
    """One input partition and everything committed for it. ``epoch``: of the producer that may commit."""

    records: list[Asked] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    position: Position = field(default_factory=lambda: Position(0))
    epoch: int = 0


@dataclass
class Opened:
    """A lane of one process: what it believes."""

    run: str
    partition: int
    epoch: int
    tracker: Tracker
    next: int
    work: dict[int, Asked] = field(default_factory=dict)
    claimed: dict[int, Standing] = field(default_factory=dict)
    done: list[Output] = field(default_factory=list)


class Service(RuleBasedStateMachine):
    """``lanes`` holds zombies too: processes that do not know yet that they have lost a partition."""

    @initialize()
    def begin(self) -> None:
        self.logs = [Log() for _ in range(PARTITIONS)]
        self.claims: dict[str, Claim] = {}
        self.decisions: dict[str, str] = {}
        self.recorded: set[str] = set()
        self.paid: dict[str, int] = {}
        self.lanes: list[Opened] = []
        self.runs = dict.fromkeys(RUNS, 0)

    @precondition(lambda self: sum(len(log.records) for log in self.logs) < 60)
    @rule(
        partition=st.integers(0, PARTITIONS - 1),
        numbers=st.lists(st.integers(0, 12), min_size=1, max_size=6),
        payload=st.sampled_from(["p", "p", "p", "q"]),
    )
    def produce(self, partition: int, numbers: list[int], payload: str) -> None:
        log = self.logs[partition]
        for number in numbers:
            log.records.append(Asked("t", f"r{number}", payload, partition, len(log.records)))

    @precondition(lambda self: len(self.lanes) < 4)
    @rule(name=st.sampled_from(RUNS), partition=st.integers(0, PARTITIONS - 1))
    def assign(self, name: str, partition: int) -> None:
        """Initialise the producer (fencing the others), then read and seek. Old lanes live on as zombies."""
        log = self.logs[partition]
        log.epoch += 1
        tracker = Tracker(log.position, most=6)
        self.lanes.append(Opened(self._run(name), partition, log.epoch, tracker, log.position.offset))

    @precondition(lambda self: self.lanes)
    @rule(data=st.data(), count=st.integers(1, 8))
    def take(self, data: st.DataObject, count: int) -> None:
        """Deliver and claim; what somebody else decides is left for a later delivery, as a waiting record is."""
        self._taken(data.draw(st.sampled_from(self.lanes)), count)

    @precondition(lambda self: any(lane.work for lane in self.lanes))
    @rule(data=st.data(), decide=st.booleans())
    def work(self, data: st.DataObject, decide: bool) -> None:
        """Some records of one lane go a step: claimed, then paid for, then (``decide``) stored or repeated."""
        lane = data.draw(st.sampled_from([lane for lane in self.lanes if lane.work]))
        for offset in sorted(data.draw(st.sets(st.sampled_from(sorted(lane.work)), min_size=1))):
            if offset not in lane.claimed:
                self._claim(lane, lane.work[offset])
            else:
                self._worked(lane, lane.work[offset], decide=decide)

    @precondition(lambda self: any(lane.done for lane in self.lanes))
    @rule(data=st.data(), response=st.booleans())
    def commit(self, data: st.DataObject, response: bool) -> None:
        """A transaction. A fenced lane is refused; a lost response ends the lane although the commit has happened."""
        lane = data.draw(st.sampled_from([lane for lane in self.lanes if lane.done]))
        if not self._committed(lane) or not response:
            self.lanes.remove(lane)

    @rule(name=st.sampled_from(RUNS))
    def crash(self, name: str) -> None:
        """kill -9: its lanes are gone, its claims still name it."""
        dead = self._run(name)
        self.lanes = [lane for lane in self.lanes if lane.run != dead]
        self.runs[name] += 1

    def teardown(self) -> None:
        """Once faults stop, every record ends: fresh lanes, everything taken, worked and committed."""
        self.lanes = []
        for _ in range(4):
            for partition in range(PARTITIONS):
                self.assign("a", partition)
                lane = self.lanes[-1]
                while self._step(lane):
                    pass
        for log in self.logs:
            assert log.position == Position(len(log.records))
            assert sorted(output.offset for output in log.outputs) == list(range(len(log.records)))
        self.holds()

    def _step(self, lane: Opened) -> bool:
        """Take, work and commit what can be; False when nothing moves."""
        log = self.logs[lane.partition]
        before = (lane.next, len(log.outputs))
        self._taken(lane, len(log.records))
        for asked in list(lane.work.values()):
            self._claim(lane, asked)
            self._worked(lane, asked)
        assert self._committed(lane)
        return before != (lane.next, len(log.outputs))

    def _taken(self, lane: Opened, count: int) -> None:
        for asked in self.logs[lane.partition].records[lane.next : lane.next + count]:
            if not lane.tracker.fitting([asked.offset]):
                return
            lane.next += 1
            if lane.tracker.take(asked.offset):
                lane.work[asked.offset] = asked

    def _worked(self, lane: Opened, asked: Asked, *, decide: bool = True) -> None:
        """Decide or repeat, by the standing that the claim had; a record that must wait will ask again."""
        standing = lane.claimed[asked.offset]
        if standing is Standing.WAIT:
            del lane.claimed[asked.offset]
            return
        if standing in (Standing.NEW, Standing.MINE):
            self._pay(asked)
            if not decide:
                return
            self.decisions.setdefault(asked.request_id, f"{asked.payload_hash} decided in {lane.run} at {lane.epoch}")
            self.claims[asked.request_id] = replace(self.claims[asked.request_id], run=None, decided=True)
        value = "" if standing is Standing.CONFLICT else self.decisions[asked.request_id]
        kind = {Standing.CONFLICT: "conflict", Standing.REPEAT: "repeat"}.get(standing, "verdict")
        lane.done.append(Output(asked.offset, asked.request_id, kind, value))
        del lane.work[asked.offset], lane.claimed[asked.offset]

    def _committed(self, lane: Opened) -> bool:
        """One transaction of what is done; False, and nothing visible, when the lane was fenced."""
        log = self.logs[lane.partition]
        if lane.epoch != log.epoch:
            return False
        for output in lane.done:
            lane.tracker.complete(output.offset)
        position = lane.tracker.position()
        assert position.offset >= log.position.offset, "the offset went back"
        log.outputs += lane.done
        log.position = position
        lane.done = []
        return True

    def _run(self, name: str) -> str:
        return f"{name}{self.runs[name]}"

    def _claim(self, lane: Opened, asked: Asked) -> None:
        claim = self.claims.get(asked.request_id)
        if claim is None:
            fresh = Claim("t", asked.request_id, asked.payload_hash, asked.partition, asked.offset, run=lane.run)
            self.claims[asked.request_id] = fresh
            lane.claimed[asked.offset] = Standing.NEW
            return
        standing, after = judge(asked, claim, run=lane.run, poison=10**6)
        self.claims[asked.request_id] = after
        lane.claimed[asked.offset] = standing

    def _pay(self, asked: Asked) -> None:
        if asked.request_id not in self.recorded:
            self.paid[asked.request_id] = self.paid.get(asked.request_id, 0) + 1
            self.recorded.add(asked.request_id)

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "logs"):
            return
        published: dict[str, set[str]] = {}
        for log in self.logs:
            offsets = [output.offset for output in log.outputs]
            assert len(offsets) == len(set(offsets)), "a record ended twice"
            skipped = set(range(log.position.offset)) - set(offsets)
            assert not skipped, "a record was skipped"
            for output in log.outputs:
                if output.kind != "conflict":
                    published.setdefault(output.request_id, set()).add(output.value)
        assert all(len(values) == 1 for values in published.values()), "two decisions for one id"
        assert all(count == 1 for count in self.paid.values()), "a recorded call was paid for again"


TestService = Service.TestCase
TestService.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
