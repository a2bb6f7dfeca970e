"""CPU per model call: through our stack, and through bare litellm, over the same HTTP to the same provider process.

    python -m benchmarks.litellm_overhead [--calls 1000] [--parallel 40] [--json]

The provider answers at once. CPU is of this process alone (user + system); each pair of figures comes from alternating
rounds, so that other load on the machine falls on both. Bare litellm profits here from the queue of replies that our
module takes out of the process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median

from consensus.models import Budget, Member, Prompt, Retries, build, close
from consensus.policy import BudgetPolicy, ModelPolicy
from consensus.types import Message

WORDS = "Is the notice period kept? " * 40
ROUNDS = 5
DIALECTS = ("openai", "hosted_vllm")
Call = Callable[[], Awaitable[object]]


@contextmanager
def provider() -> Iterator[str]:
    """The demonstration's provider as a process of its own; yields its address."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as questions:
        command = [sys.executable, "-m", "consensus.demo.provider", "--questions", questions.name, "--pace", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/v1"
            finally:
                process.terminate()


async def cpu_ms(call: Call, calls: int, parallel: int) -> float:
    """Milliseconds of CPU per call."""
    started = time.process_time()
    for _ in range(calls // parallel):
        await asyncio.gather(*(call() for _ in range(parallel)))
    return 1_000 * (time.process_time() - started) / (calls // parallel * parallel)


def ways(member: Member, prompt: Prompt) -> tuple[Call, Call]:
    """One call through our stack, and the same call through bare litellm."""
    from litellm import acompletion  # only after `build`, which sets the environment that litellm is imported in

    policy = member.policy
    fixed = {"api_base": policy.api_base, "api_key": "none", "max_tokens": policy.max_tokens}
    messages = [{"role": message.role, "content": message.content} for message in prompt.messages]

    async def ours() -> object:
        deadline = asyncio.get_running_loop().time() + 60
        return await member.model.ask(prompt, deadline=deadline, budget=Budget(BudgetPolicy()))

    async def bare() -> object:
        return await acompletion(model=policy.model, messages=messages, num_retries=0, max_retries=0, **fixed)

    return ours, bare


async def measure(url: str, calls: int, parallel: int) -> dict[str, dict[str, float]]:
    """Per dialect: CPU per call of both ways, and their ratio."""
    policies = {
        name: ModelPolicy(name=name, model=f"{name}/sim-atlas-1", family=name, api_base=url) for name in DIALECTS
    }
    members = build(policies, {}, retries=Retries(attempts=1))
    prompt = Prompt((Message(role="user", content=WORDS),), "choice/1", "h")
    figures: dict[str, dict[str, float]] = {}
    for name, member in members.items():
        both = ways(member, prompt)
        await asyncio.gather(*(way() for way in both))
        rounds = [[await cpu_ms(way, calls // ROUNDS, parallel) for way in both] for _ in range(ROUNDS)]
        mine, theirs = (median(column) for column in zip(*rounds, strict=True))
        figures[name] = {"ours_ms": round(mine, 2), "bare_ms": round(theirs, 2), "ratio": round(mine / theirs, 2)}
    await close(members)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--parallel", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with provider() as url:
        figures = asyncio.run(measure(url, options.calls, options.parallel))
    if options.json:
        print(json.dumps(figures))
        return
    for dialect, row in figures.items():
        print(
            f"{dialect:12} ours {row['ours_ms']:.2f} ms, bare litellm {row['bare_ms']:.2f} ms, ratio {row['ratio']:.2f}"
        )


if __name__ == "__main__":
    main()
