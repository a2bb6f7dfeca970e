"""An OpenAI-compatible provider on real HTTP that serves any fault on demand.

``provider.serve("m", hang(), reply("B"))`` scripts model ``m``: one step per call, the last one for all that follow.
Every call is kept in ``provider.calls``, which is what a test holds against the budget.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Step = Callable[[web.Request, asyncio.Event], Awaitable[web.StreamResponse]]
"""How one call is answered. The event is set when the provider goes away: whatever hangs must end then."""


@dataclass(frozen=True)
class Call:
    """One request as it arrived: body and lower-case headers."""

    model: str
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class FaultyProvider:
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    script: dict[str, list[Step]] = field(default_factory=dict)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def serve(self, model: str, *steps: Step) -> None:
        """What ``model`` does from now on: one step per call, the last one repeated."""
        self.script[model] = list(steps)

    def calls_of(self, model: str) -> list[Call]:
        return [call for call in self.calls if call.model == model]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        model = body["model"]
        self.calls.append(Call(model, body, {name.lower(): value for name, value in request.headers.items()}))
        steps = self.script.get(model) or [reply("ok")]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        return await step(request, self.released)


@asynccontextmanager
async def faulty_provider() -> AsyncIterator[FaultyProvider]:
    """A provider on a free port of the loopback interface; hanging calls end with it."""
    provider = FaultyProvider()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        provider.url = f"http://127.0.0.1:{port}/v1"
        yield provider
    finally:
        provider.released.set()
        await runner.cleanup()


# ---------------------------------------------------------------- good replies, and replies that are odd


def completion(text: object = "ok", *, finish: object = "stop", model: str = "served-1", **more: Any) -> dict[str, Any]:
    """The JSON of a completion with 3 tokens in and 2 out."""
    message = {"role": "assistant", "content": text, **more.pop("message", {})}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, **more.pop("choice", {})}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        **more,
    }


def reply(text: object = "ok", **more: Any) -> Step:
    return body(completion(text, **more))


def body(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Step:
    return raw(json.dumps(payload).encode(), status=status, headers=headers)


def raw(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Step:
    async def step(_: web.Request, __: asyncio.Event) -> web.StreamResponse:
        return web.Response(body=content, status=status, content_type="application/json", headers=headers)

    return step


def error(status: int, message: str = "no", code: str | None = None, headers: Mapping[str, str] | None = None) -> Step:
    return body({"error": {"message": message, "code": code}}, status=status, headers=headers)


def compressed(payload: object, encoding: str = "gzip") -> Step:
    return raw(gzip.compress(json.dumps(payload).encode()), headers={"content-encoding": encoding})


def bomb(megabytes: int) -> Step:
    """A small body that unfolds into a large one."""
    return raw(gzip.compress(b" " * (megabytes * 2**20)), headers={"content-encoding": "gzip"})


# ---------------------------------------------------------------- faults of the wire


def hang() -> Step:
    """Accepts and never answers."""

    async def step(_: web.Request, released: asyncio.Event) -> web.StreamResponse:
        await released.wait()
        return web.Response(status=503)

    return step


def drip(every_s: float) -> Step:
    """Begins to answer, then sends one byte per ``every_s`` seconds."""

    async def step(request: web.Request, released: asyncio.Event) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        for byte in json.dumps(completion()).encode():
            await response.write(bytes([byte]))
            if await _released(released, every_s):
                break
        return response

    return step


def reset() -> Step:
    """Drops the connection without a word."""

    async def step(request: web.Request, _: asyncio.Event) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return step


def truncated() -> Step:
    """Announces more bytes than it sends."""

    async def step(request: web.Request, _: asyncio.Event) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "500", "content-type": "application/json"})
        await response.prepare(request)
        await response.write(json.dumps(completion()).encode()[:40])
        assert request.transport is not None
        request.transport.close()
        return response

    return step


async def _released(released: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await released.wait()
    except TimeoutError:
        return False
    return True
