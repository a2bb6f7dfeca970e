"""What stands in front of the provider: an address for each fault, and one log of all calls for the oracle.

``{url}/NAME/v1`` is an OpenAI-compatible address at which every call goes through the steps of fault NAME: the first
attempt at a prompt through the first step, and so on, the last one for all that follow. Everything else, and the step
`passed`, goes on to the simulated provider.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from consensus.demo.calls import Calls
from tests.faulty_provider import Step

Faults = Mapping[str, Sequence[Step | None]]
"""By name; ``None`` passes the call on to the provider behind."""


class Front:
    """A provider for `tests.faults.rig`; ``url`` is where it listens, without a path."""

    def __init__(self, behind: str, faults: Faults, session: aiohttp.ClientSession) -> None:
        self.url = ""
        self.released = asyncio.Event()
        self._behind = behind.removesuffix("/v1")
        self._faults = faults
        self._session = session
        self._calls = Calls()
        self._attempts: Counter[tuple[str, str, str]] = Counter()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**23)
        app.router.add_get("/calls", self._report)
        app.router.add_post("/{fault}/v1/chat/completions", self._complete)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_route("*", "/{path:.*}", self._pass)
        return app

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        fault, model = request.match_info.get("fault", ""), body["model"]
        prompt = "\n\n".join(message["content"] for message in body["messages"])
        entry = self._calls.note(model, prompt, request.headers)
        steps = self._faults.get(fault, (None,))
        step = steps[min(self._attempts[fault, model, prompt], len(steps) - 1)]
        self._attempts[fault, model, prompt] += 1
        response = await (self._pass(request) if step is None else step(request, self.released))
        entry["status"] = response.status
        return response

    async def _pass(self, request: web.Request) -> web.Response:
        path = "/v1/chat/completions" if request.path.endswith("/completions") else request.path
        asked = self._session.request(
            request.method, self._behind + path, data=await request.read(), headers={"content-type": "application/json"}
        )
        async with asked as reply:
            return web.Response(body=await reply.read(), status=reply.status, content_type=reply.content_type)

    async def _report(self, request: web.Request) -> web.Response:
        return web.json_response(self._calls.report(int(request.query.get("since", "0"))))


@asynccontextmanager
async def front(behind: str, faults: Faults) -> AsyncIterator[Front]:
    """Serve on a free port for as long as the context lasts; calls that hang end with it."""
    async with aiohttp.ClientSession() as session:
        made = Front(behind, faults, session)
        runner = web.AppRunner(made.app(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield made
        finally:
            made.released.set()
            await runner.cleanup()
