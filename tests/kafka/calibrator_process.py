"""A calibrator to be killed, in its own process: ``python -m tests.kafka.calibrator_process BROKER PREFIX URL``."""

from __future__ import annotations

import asyncio
import sys

from calibration.store.engine import create_engine
from consensus.kafka import calibrator as service
from consensus.ledger import Ledger
from consensus.metrics import Metrics
from consensus.settings import DriftSettings
from tests.kafka import loop_topics

BATCH = 20
"""Small, so that a kill falls between and into many transactions."""


async def main(broker: str, prefix: str, url: str) -> None:
    """Ingest until killed."""
    service.BATCH = BATCH
    engine = create_engine(url)
    it = service.Calibrator(
        loop_topics.settings(broker, prefix),
        DriftSettings(refit_labels=1_000_000, refit_interval_s=1e6),
        engine,
        Metrics(),
        timeout_s=10,
        mark=Ledger(engine).decisions.mark_committed,
    )
    await it.start()
    await it.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
