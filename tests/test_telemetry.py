"""Probes and metrics over HTTP, and what is left of an error on its way to Sentry."""

from __future__ import annotations

import aiohttp
import pytest
import sentry_sdk

from consensus.errors import ConfigError
from consensus.metrics import Metrics
from consensus.settings import TelemetrySettings
from consensus.telemetry import configure_sentry, probes, scrub

SECRET = "the patient's name"


async def test_probes_say_what_the_process_says() -> None:
    """Ready may change while the process lives; metrics are in Prometheus' text format."""
    state = {"ready": False}
    metrics = Metrics()
    metrics.set("alarms", 2, severity="0", code="verdict_changed")
    async with (
        probes("127.0.0.1:0", metrics, live=lambda: True, ready=lambda: state["ready"]) as address,
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        assert await _status(session, "/livez") == 200
        assert await _status(session, "/readyz") == 503
        assert await _status(session, "/else") == 404
        state["ready"] = True
        assert await _status(session, "/readyz") == 200
        async with session.get("/metrics") as reply:
            assert reply.content_type == "text/plain"
            assert 'consensus_alarms{code="verdict_changed",severity="0"} 2.0' in await reply.text()


async def _status(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as reply:
        return reply.status


async def test_without_an_address_nothing_is_served() -> None:
    async with probes(None, Metrics(), live=lambda: True, ready=lambda: True) as address:
        assert address is None


def test_sentry_gets_type_and_stack_and_no_values() -> None:
    """Through the SDK itself, so that what it adds on its own is seen too."""
    sent: list[str] = []

    def before_send(event: object, hint: object) -> None:
        sent.append(repr(scrub(event, hint)))

    client = sentry_sdk.Client(
        dsn="http://key@127.0.0.1:1/1",
        before_send=before_send,
        include_local_variables=False,
        default_integrations=False,
    )
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        scope.set_extra("request", SECRET)
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            scope.capture_exception(error)
        scope.capture_message(SECRET)
    client.close(timeout=0)
    assert len(sent) == 2
    assert "'type': 'ValueError'" in sent[0]
    assert "test_telemetry.py" in sent[0]
    assert SECRET not in "".join(sent)


def test_a_dsn_that_is_not_set_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSENSUS_TEST_DSN", raising=False)
    with pytest.raises(ConfigError) as caught:
        configure_sentry(TelemetrySettings(sentry_dsn_env="CONSENSUS_TEST_DSN"))
    assert caught.value.path == "telemetry.sentry_dsn_env"
