"""SIGKILL or SIGSTOP of this very process at exact points of its work, patched in from outside.

SIGUSR1 arms the process; from then on it counts how often it passes the point, and at the given number it sends itself
the signal, in the middle of things. The product knows nothing of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.transaction import EndTxnRequest

from consensus.ledger.answers import Answers
from consensus.ledger.rulings import Rulings

Point = Callable[["Countdown"], None]


class Countdown:
    """Sends the signal when it has been passed ``number`` times after SIGUSR1."""

    def __init__(self, number: int, sent: signal.Signals) -> None:
        self._left = number
        self._sent = sent
        self._armed = False
        signal.signal(signal.SIGUSR1, self._arm)

    def _arm(self, *_: object) -> None:
        self._armed = True

    def passed(self) -> None:
        """The process is at the point."""
        self._left -= self._armed
        if self._armed and self._left == 0:
            os.kill(os.getpid(), self._sent)


def after_poll(countdown: Countdown) -> None:
    """Records were fetched; nothing was done with them."""
    _after(AIOKafkaConsumer, "getmany", lambda batches: countdown.passed() if batches else None)


def mid_fan_out(countdown: Countdown) -> None:
    """An answer was recorded; others of the same request are still being waited for."""
    _after(Answers, "record", lambda _: countdown.passed())


def after_ruling(countdown: Countdown) -> None:
    """A ruling and what it leads to are recorded; nothing is published."""
    _after(Rulings, "settle", lambda _: countdown.passed())


def before_produce(countdown: Countdown) -> None:
    """The decision is stored, its transaction has begun and is empty."""
    _after(AIOKafkaProducer, "begin_transaction", lambda _: countdown.passed())


def after_produce(countdown: Countdown) -> None:
    """The outputs are in the log, uncommitted; the offsets are not in the transaction yet."""
    _before(AIOKafkaProducer, "send_offsets_to_transaction", countdown)


def after_send_offsets(countdown: Countdown) -> None:
    """Outputs and offsets are in the transaction; it is not committed."""
    _after(AIOKafkaProducer, "send_offsets_to_transaction", lambda _: countdown.passed())


def during_commit(countdown: Countdown) -> None:
    """The commit is on the wire; its answer will never be read."""
    send = AIOKafkaConnection.send

    def sent(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        future = send(self, request, *arguments, **options)
        if isinstance(request, EndTxnRequest):
            countdown.passed()
        return future

    AIOKafkaConnection.send = sent


def after_commit(countdown: Countdown) -> None:
    """The transaction is committed; the ledger has not been told."""
    _after(AIOKafkaProducer, "commit_transaction", lambda _: countdown.passed())


IN_TRANSACTION = (before_produce, after_produce, after_send_offsets, during_commit, after_commit)

POINTS: dict[str, Point] = {point.__name__: point for point in (after_poll, mid_fan_out, *IN_TRANSACTION)}
"""In the order in which a request passes them."""

RULING_POINTS: dict[str, Point] = {point.__name__: point for point in (after_poll, after_ruling, *IN_TRANSACTION)}
"""In the order in which a ruling passes them."""


def _after(owner: type, name: str, then: Callable[[Any], None]) -> None:
    original = getattr(owner, name)

    async def patched(*arguments: Any, **options: Any) -> Any:
        result = await original(*arguments, **options)
        then(result)
        return result

    setattr(owner, name, patched)


def _before(owner: type, name: str, countdown: Countdown) -> None:
    original = getattr(owner, name)

    async def patched(*arguments: Any, **options: Any) -> Any:
        countdown.passed()
        return await original(*arguments, **options)

    setattr(owner, name, patched)
