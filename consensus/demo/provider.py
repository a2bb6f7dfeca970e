"""An OpenAI-compatible provider on real HTTP, for the demonstration and for tests. Behind it: simulation or replay.

``python -m consensus.demo.provider --questions FILE.jsonl`` serves the simulated models of `consensus.demo.simulated`,
``--panel FILE.jsonl.gz`` the recorded replies of a panel file. It prints one JSON line ``{"port", "models"}`` once it
listens.

=======  =====================  ============================================================================
POST     /v1/chat/completions   as OpenAI's; 404 ``not_recorded`` where a recorded model has no reply
GET      /v1/models             the names that may be asked for
GET      /calls                 counts per model and the call log (``?since=N`` from call number N on)
POST     /control               `consensus.demo.trouble.Order`: slow a model down or make it fail; loopback only
GET      /readyz                200 once it listens
=======  =====================  ============================================================================
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from consensus.demo import truth
from consensus.demo.calls import Calls
from consensus.demo.outcome import UNKNOWN_MODEL, Outcome, Source
from consensus.demo.population import Population
from consensus.demo.replayed import Panel
from consensus.demo.trouble import Order, Orders
from consensus.errors import ConfigError

CHARACTERS_PER_TOKEN = 4
MAX_REQUEST_BYTES = 8 * 1024 * 1024


class Provider:
    """The HTTP face of a `Source`."""

    def __init__(self, source: Source) -> None:
        self._orders = Orders(source)
        self._calls = Calls()
        self._leaving = asyncio.Event()

    def app(self) -> web.Application:
        """The application; calls that hang end when it shuts down."""
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._complete),
                web.get("/v1/models", self._models),
                web.get("/calls", self._report),
                web.post("/control", self._control),
                web.get("/readyz", self._ready),
            ]
        )
        app.on_shutdown.append(self._leave)
        return app

    async def _complete(self, request: web.Request) -> web.Response:
        try:
            model, prompt = _asked(await request.json())
        except (ValueError, KeyError, TypeError) as error:
            return _error(400, "invalid_request_error", f"the request is no chat completion: {error!r}")
        entry = self._calls.note(model, prompt, request.headers)
        outcome = self._orders.outcome(model, prompt) if model in self._orders.models else UNKNOWN_MODEL
        if not await self._waited(outcome):
            outcome = Outcome(status=503, code="shutting_down")
        entry["status"] = outcome.status
        return _response(model, prompt, outcome, entry["number"])

    async def _waited(self, outcome: Outcome) -> bool:
        """Whether the outcome's time came before the end of this server."""
        if not outcome.hangs and outcome.latency_s <= 0:
            return True
        try:
            async with asyncio.timeout(None if outcome.hangs else outcome.latency_s):
                await self._leaving.wait()
        except TimeoutError:
            return True
        return False

    async def _models(self, _: web.Request) -> web.Response:
        data = [{"id": model, "object": "model", "owned_by": "demo"} for model in self._orders.models]
        return web.json_response({"object": "list", "data": data})

    async def _report(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return _error(400, "invalid_request_error", "since must be a call's number")
        return web.json_response(self._calls.report(int(since)))

    async def _control(self, request: web.Request) -> web.Response:
        if not _loopback(request.remote):
            return _error(403, "forbidden", "orders are taken from this machine only")
        try:
            order = Order.model_validate_json(await request.read())
            self._orders.give(order)
        except ValidationError as error:
            return _error(400, "invalid_request_error", str(error))
        except KeyError:
            return _error(404, "model_not_found", "no such model")
        return web.json_response(order.model_dump())

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n")

    async def _leave(self, _: web.Application) -> None:
        self._leaving.set()


def _asked(body: Any) -> tuple[str, str]:
    """Model and words of a chat completion request."""
    words = [message["content"] for message in body["messages"]]
    if not isinstance(body["model"], str) or not all(isinstance(word, str) for word in words):
        raise TypeError("model and every message's content must be text")
    return body["model"], "\n\n".join(words)


def _response(model: str, prompt: str, outcome: Outcome, number: int) -> web.Response:
    headers = {"retry-after-ms": str(outcome.retry_after_ms)} if outcome.retry_after_ms is not None else {}
    if outcome.status != 200:
        return _error(outcome.status, outcome.code, f"{model}: {outcome.code}", headers)
    tokens_in, tokens_out = (-(-len(text) // CHARACTERS_PER_TOKEN) for text in (prompt, outcome.text))
    message = {"role": "assistant", "content": outcome.text}
    body = json.dumps(
        {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": outcome.finish_reason}],
            "usage": {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        }
    ).encode()
    return web.Response(body=body[: len(body) // 2] if outcome.damaged else body, content_type="application/json")


def _error(status: int, code: str | None, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": "error", "code": code}}
    return web.json_response(body, status=status, headers=headers)


def _loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def source(options: argparse.Namespace) -> Source:
    """The source that the command line asks for. Raises ConfigError when its file cannot be read."""
    if options.panel is not None:
        return Panel(options.panel)
    truths: list[truth.Truth] = []
    for path in options.questions:
        try:
            truths += truth.read(path.read_text(encoding="utf-8").splitlines(), path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("--questions", f"cannot read {path}: {error}") from None
    return Population(truths, options.seed, options.pace)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = argparse.ArgumentParser(
        prog="python -m consensus.demo.provider", description=(__doc__ or "").split("\n")[0]
    )
    parse.add_argument("--host", default="127.0.0.1")
    parse.add_argument("--port", type=int, default=0, help="0 picks a free one")
    what = parse.add_mutually_exclusive_group(required=True)
    what.add_argument("--questions", type=Path, action="append", help="JSON lines of question, domain, answer and gold")
    what.add_argument("--panel", type=Path, help="a recorded panel, .jsonl or .jsonl.gz")
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--pace", type=float, default=1.0, help="multiplies simulated latencies; 0 answers at once")
    return parse


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    behind = source(options)
    leave = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave.set)
    runner = web.AppRunner(Provider(behind).app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port, backlog=1_024).start()
        sys.stdout.write(json.dumps({"port": runner.addresses[0][1], "models": behind.models}) + "\n")
        sys.stdout.flush()
        await leave.wait()
    finally:
        await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the provider; 2 where its files cannot be used."""
    try:
        asyncio.run(serve(parser().parse_args(arguments)))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
