"""What the on-call engineer sees beside the logs: errors without content, probes and metrics."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from consensus.errors import ConfigError
from consensus.metrics import Metrics
from consensus.settings import TelemetrySettings

Check = Callable[[], bool]


def configure_sentry(settings: TelemetrySettings) -> None:
    """Report errors where a DSN is set: without local variables, request bodies or breadcrumbs of log text."""
    if settings.sentry_dsn_env is None:
        return
    dsn = os.environ.get(settings.sentry_dsn_env)
    if not dsn:
        raise ConfigError("telemetry.sentry_dsn_env", f"set the environment variable {settings.sentry_dsn_env}")
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        environment=settings.environment,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        before_send=scrub,
        traces_sample_rate=0.0,
    )


def scrub(event: Any, _hint: Any) -> Any:
    """Drop what may hold content: request data, extra, and the values of exceptions; types and stacks stay."""
    for key in ("request", "extra", "contexts", "breadcrumbs", "logentry", "message"):
        event.pop(key, None)
    for value in event.get("exception", {}).get("values", []):
        value["value"] = ""
    return event


@asynccontextmanager
async def probes(listen: str | None, metrics: Metrics, *, live: Check, ready: Check) -> AsyncIterator[str | None]:
    """Serve /livez, /readyz and /metrics on ``host:port`` while the context is open; yields the address in use."""
    if listen is None:
        yield None
        return
    host, _, port = listen.rpartition(":")
    app = web.Application()
    app.router.add_get("/livez", _probe(live))
    app.router.add_get("/readyz", _probe(ready))
    app.router.add_get("/metrics", _metrics(metrics))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host or "0.0.0.0", int(port))  # noqa: S104  (an empty host means every interface)
        await site.start()
        bound = runner.addresses[0]
        yield f"{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()


def _probe(check: Check) -> Callable[[web.Request], Any]:
    async def answer(_request: web.Request) -> web.Response:
        ok = check()
        return web.Response(text="ok\n" if ok else "not ok\n", status=200 if ok else 503)

    return answer


def _metrics(metrics: Metrics) -> Callable[[web.Request], Any]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4"})

    return answer
