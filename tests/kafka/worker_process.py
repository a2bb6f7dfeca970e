"""A worker in a process of its own, to be killed: decides after a delay and writes down every call it pays for.

Usage: python -m tests.kafka.worker_process MEMBER STORE_URL LEDGER_FILE DELAY_SECONDS < settings.json
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from calibration.store.engine import create_engine
from consensus.kafka.worker import Worker
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.models.protocol import CallLog
from consensus.settings import KafkaSettings
from consensus.types import Answer, BallotEntry, Decision, Request
from tests.kafka.decisions import decision

CALLS = 3


class Paying:
    """Three calls for each request, each written to a file before it begins and again when its answer is recorded."""

    def __init__(self, path: str, delay_s: float) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._delay_s = delay_s

    async def __call__(
        self,
        request: Request,
        *,
        received_at: datetime,
        log: CallLog,
        place: str,
        on_vote: Callable[[BallotEntry], None] | None,
    ) -> Decision:
        await asyncio.gather(*(self._call(request, log, f"panel:m{number}") for number in range(CALLS)))
        return decision(request, place, at=datetime.now(UTC))

    async def _call(self, request: Request, log: CallLog, key: str) -> None:
        if await log.paid(key) is not None:
            return
        self._write(f"paid {request.id} {key}\n")
        await asyncio.sleep(self._delay_s * random.uniform(0.5, 1.5))
        await log.record(key, Answer(model=key, family="f", text="a"))
        self._write(f"kept {request.id} {key}\n")

    def _write(self, line: str) -> None:
        os.write(self._file, line.encode())


async def main(member: str, store: str, paid: str, delay: str) -> None:
    settings = KafkaSettings.model_validate_json(sys.stdin.read())
    engine = create_engine(store)
    ledger = Ledger(engine, poison=settings.poison_crashes)
    worker = Worker(settings, ledger, Paying(paid, float(delay)), Metrics(), member=member)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await worker.start()
    running = asyncio.create_task(worker.run())
    leaving = asyncio.create_task(stopping.wait())
    await asyncio.wait([running, leaving], return_when=asyncio.FIRST_COMPLETED)
    await worker.drain()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await worker.stop()
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
