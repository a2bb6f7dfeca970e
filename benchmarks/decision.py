"""CPU per decision against the bare model calls, side by side in one run.

Three simulated models with zero latency behind a real HTTP server in a process of its own. A decision asks all three
and reads, compares, routes and builds verdict, signal and task; the baseline is a bare ``asyncio.gather`` of
``litellm.acompletion`` with the very same messages. CPU of this process only, in alternating rounds.

    python benchmarks/decision.py [--requests 60] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from consensus import answers
from consensus.app import resources
from consensus.demo import configuration
from consensus.demo.cases import vignettes
from consensus.demo.processes import Process, free_port, running
from consensus.pipeline import Resources, decide
from consensus.settings import load
from consensus.types import Request

MODELS = ("sim-atlas-1", "sim-borealis-2", "sim-cetus-1")


async def bare(request: Request, base: str) -> None:
    """The same three calls without anything around them."""
    import litellm

    messages = [message.model_dump() for message in answers.prompt(request, "0" * 16).messages]
    calls = (
        litellm.acompletion(
            model=f"openai/{name}", messages=messages, api_base=base, api_key="none", num_retries=0, max_retries=0
        )
        for name in MODELS
    )
    await asyncio.gather(*calls, return_exceptions=True)


async def cpu_ms(work: Callable[[Request], Awaitable[object]], requests: list[Request]) -> float:
    """Milliseconds of CPU per request, eight at a time."""
    room = asyncio.Semaphore(8)

    async def one(request: Request) -> None:
        async with room:
            await work(request)

    started = time.process_time()
    await asyncio.gather(*(one(request) for request in requests))
    return (time.process_time() - started) / len(requests) * 1000


async def compare(ready: Resources, base: str, requests: list[Request], rounds: int) -> list[tuple[float, float]]:
    """(decision, bare) for each round, after one round of each that does not count."""
    pairs = []
    for number in range(rounds + 1):
        ours = await cpu_ms(lambda request: decide(request, ready), requests)
        theirs = await cpu_ms(lambda request: bare(request, base), requests)
        if number:
            pairs.append((ours, theirs))
    return pairs


async def main(count: int, rounds: int) -> None:
    cases = vignettes(count, seed=3)
    port = free_port()
    base = f"http://127.0.0.1:{port}/v1"
    os.environ[configuration.PLACEHOLDER_KEY] = "none"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        questions = configuration.truths(cases, folder / "questions.jsonl")
        arguments = ["--port", str(port), "--questions", str(questions), "--pace", "0"]
        command = [sys.executable, "-m", "consensus.demo.provider", *arguments]
        ports = dict.fromkeys(("grpc", "worker", "gateway", "calibrator"), 1)
        tree = configuration.simulated("127.0.0.1:1", base, folder, ports)
        tree["panels"]["main"] = {"models": list(MODELS), "quorum": 2, "min_families": 2}
        tree["policies"] = {"default": {"panel": "main", "on_disagreement": {"reasoning": "review"}}}
        settings = load(str(configuration.write(tree, folder / "consensus.yaml")))
        process = Process("provider", command, folder / "provider.log", {})
        async with running(process, f"127.0.0.1:{port}"), resources(settings) as ready:
            pairs = await compare(ready, base, [case.request for case in cases], rounds)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"decision {ours:.1f} ms, bare calls {theirs:.1f} ms of CPU per request; ratio {ratio:.2f} ({rounds} rounds)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.requests, chosen.rounds))
