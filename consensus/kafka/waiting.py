"""Who waits for what: calls for the end of their own record, watchers for every version of a verdict.

No Kafka and no clock in here: the tail hands in what it reads, deadlines are the callers'. Everything happens on one
event loop.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from consensus.errors import ConsensusError, Overloaded
from consensus.metrics import Metrics
from consensus.types import Verdict, Vote

Kind = type[Vote] | type[Verdict]
INBOX = 64
"""Values kept for a waiter that does not fetch them; beyond it the oldest give way."""


class Inbox:
    """What has arrived for one waiter, in order: votes and verdicts as bytes, or why nothing more will come."""

    def __init__(self) -> None:
        self._values: deque[tuple[Kind, bytes]] = deque(maxlen=INBOX)
        self._failure: ConsensusError | None = None
        self._wake = asyncio.Event()

    def put(self, kind: Kind, value: bytes) -> None:
        """Hand in a vote or a verdict."""
        self._values.append((kind, value))
        self._wake.set()

    def fail(self, error: ConsensusError) -> None:
        """Nothing will come after what is there already."""
        self._failure = error
        self._wake.set()

    async def get(self) -> tuple[Kind, bytes]:
        """The next value. Raises the failure once nothing is left before it."""
        while not self._values:
            if self._failure is not None:
                raise self._failure
            self._wake.clear()
            await self._wake.wait()
        return self._values.popleft()


class Waiting:
    """The inboxes of all waiters, at most ``limit`` at a time."""

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._calls: dict[str, Inbox] = {}
        self._watchers: dict[str, set[Inbox]] = {}
        self._waiters = 0
        self._failure: ConsensusError | None = None

    def __len__(self) -> int:
        return self._waiters

    @contextmanager
    def call(self) -> Iterator[tuple[str, Inbox]]:
        """A fresh call id, which no other record carries, and the inbox for what answers it.

        Raises Overloaded at the limit, and the tail's error once it has failed.
        """
        with self._place() as inbox:
            call_id = uuid.uuid4().hex
            self._calls[call_id] = inbox
            try:
                yield call_id, inbox
            finally:
                del self._calls[call_id]

    @contextmanager
    def watch(self, request_id: str) -> Iterator[Inbox]:
        """The inbox for every verdict on a request id, of all tenants. Raises as `call` does."""
        with self._place() as inbox:
            self._watchers.setdefault(request_id, set()).add(inbox)
            try:
                yield inbox
            finally:
                self._watchers[request_id].discard(inbox)
                if not self._watchers[request_id]:
                    del self._watchers[request_id]

    @contextmanager
    def _place(self) -> Iterator[Inbox]:
        if self._failure is not None:
            raise self._failure
        if self._waiters >= self._limit:
            raise Overloaded(f"{self._limit} calls are waiting already; try again later")
        self._count(1)
        try:
            yield Inbox()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._waiters += change
        self._metrics.set("gateway_waiting", self._waiters)

    def verdict(self, call_id: str | None, request_id: str, value: bytes) -> None:
        """A verdict was committed, for the record that carried ``call_id``."""
        if call_id in self._calls:
            self._calls[call_id].put(Verdict, value)
        for inbox in self._watchers.get(request_id, ()):
            inbox.put(Verdict, value)

    def vote(self, call_id: str | None, value: bytes) -> None:
        """A vote arrived for the record that carried ``call_id``."""
        if call_id in self._calls:
            self._calls[call_id].put(Vote, value)

    def dead_letter(self, call_id: str | None, error: ConsensusError) -> None:
        """The record that carried ``call_id`` ended without a verdict."""
        if call_id in self._calls:
            self._calls[call_id].fail(error)

    def fail(self, error: ConsensusError) -> None:
        """Nothing will arrive any more: end every wait, and refuse new ones."""
        self._failure = error
        for inbox in [*self._calls.values(), *(inbox for group in self._watchers.values() for inbox in group)]:
            inbox.fail(error)
