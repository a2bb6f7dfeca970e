"""The provider over HTTP: as a process of its own, with real models asking, and its call log and orders."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from consensus import answers
from consensus.demo.cases import written
from consensus.demo.outcome import Outcome, Source
from consensus.demo.population import Population
from consensus.demo.provider import Provider
from consensus.demo.replayed import Panel
from consensus.demo.truth import Truth
from consensus.errors import ConfigError, ModelError
from consensus.models import build, close
from consensus.policy import ModelPolicy
from consensus.types import Failure, LabelKind, Request
from tests.eventually import eventually
from tests.models.conftest import NO_WAIT, budget, by, prompt

Client = TestClient[aiohttp.web.Request, aiohttp.web.Application]
ASK = {"model": "sim-atlas-1", "messages": [{"role": "user", "content": "Why?"}]}
ROWS = [
    {
        "id": "1", "category": "law", "question": "Which is first?", "options": ["one", "two"], "gold": "A",
        "answers": {"real-a": {"family": "a", "text": " The answer is (B).", "choice": "B"},
                    "real-b": {"family": "b", "text": "", "choice": None}},
    },
    {
        "id": "2", "category": "law", "question": "Which is first?", "options": ["two", "one"], "gold": "B",
        "answers": {"real-a": {"family": "a", "text": "The answer is (A).", "choice": "A"}},
    },
]  # fmt: skip


async def _client(source: Source) -> Client:
    client: Client = TestClient(TestServer(Provider(source).app()))
    await client.start_server()
    return client


@pytest.fixture
async def simulated() -> AsyncIterator[Client]:
    client = await _client(Population([Truth.model_validate(case.truth()) for case in written()], seed=1, pace=0.0))
    yield client
    await client.close()


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    path = tmp_path / "panel.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in ROWS)
    return path


def _row_request(row: int, request_id: str = "r") -> Request:
    options = [{"id": "AB"[i], "text": text} for i, text in enumerate(ROWS[row]["options"])]
    spec = {"type": "choice", "options": options}
    raw = {"id": request_id, "domain": "law", "stakes": "low", "prompt": ROWS[row]["question"], "answer": spec}
    return Request.model_validate(raw)


async def test_a_process_of_its_own_is_asked_like_any_provider_and_leaves_on_sigterm(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join(json.dumps(case.truth()) for case in written()), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consensus.demo.provider", "--questions", str(questions), "--pace", "0",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            said = json.loads(await process.stdout.readline())
        base = f"http://127.0.0.1:{said['port']}"
        members = build({name: _policy(name, base) for name in said["models"]}, {}, retries=NO_WAIT)
        case = written()[0]
        asked = answers.prompt(case.request, "nonce")
        for name, member in members.items():
            answer = await member.model.ask(asked, deadline=by(30), budget=budget())
            assert answer.model_version == name
            assert answer.tokens_in > 100
            label = answers.read(case.request.answer, answer, "nonce")
            assert label.kind in (LabelKind.ANSWER, LabelKind.REFUSED, LabelKind.TRUNCATED)
        await close(members)
        async with aiohttp.ClientSession(base) as session:
            assert (await session.get("/readyz")).status == 200
            calls = await (await session.get("/calls")).json()
        assert set(calls["by_model"]) == set(said["models"])
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _policy(name: str, base: str) -> ModelPolicy:
    return ModelPolicy(name=name, model=f"openai/{name}", family=name, api_base=f"{base}/v1")


async def test_recorded_replies_come_back_and_missing_ones_are_not_recorded(panel: Path) -> None:
    client = await _client(Panel(panel))
    members = build({name: _policy(name, str(client.make_url("")).rstrip("/")) for name in ("real-a", "real-b")}, {})
    try:
        for row, text in ((0, " The answer is (B)."), (1, "The answer is (A).")):
            asked = answers.prompt(_row_request(row), f"nonce-{row}")
            answer = await members["real-a"].model.ask(asked, deadline=by(30), budget=budget())
            assert answer.text == text
            assert answer.tokens_out == -(-len(text) // 4)
        allowance = budget()
        with pytest.raises(ModelError) as caught:
            await members["real-b"].model.ask(answers.prompt(_row_request(1), "n"), deadline=by(30), budget=allowance)
        assert (caught.value.failure, allowance.calls) == (Failure.NOT_RECORDED, 1)
        with pytest.raises(ModelError) as caught:
            await members["real-a"].model.ask(prompt("Another question?"), deadline=by(30), budget=budget())
        assert caught.value.failure is Failure.NOT_RECORDED
    finally:
        await close(members)
        await client.close()


def test_an_empty_recorded_reply_is_a_reply(panel: Path) -> None:
    words = "\n".join(message.content for message in answers.prompt(_row_request(0), "n").messages)
    assert Panel(panel).outcome("real-b", words) == Outcome(text="")


@pytest.mark.parametrize("line", ["{", '{"question": "q"}', '{"question": "q", "answers": {"m": "text"}}', "[]"])
def test_a_bad_line_of_a_panel_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + line, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.jsonl:2: is no recorded question"):
        Panel(path)


def test_a_panel_that_is_not_there_or_damaged_is_a_configuration_error(panel: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(panel.read_bytes()[:-9])
    for name in ("cut.gz", "missing.jsonl"):
        with pytest.raises(ConfigError, match="cannot be read"):
            Panel(tmp_path / name)


async def test_every_call_is_logged_by_its_words_and_headers_without_content(simulated: Client) -> None:
    headers = {"x-request-id": "r-1", "traceparent": "00-ab"}
    await simulated.post("/v1/chat/completions", json=ASK, headers=headers)
    await simulated.post("/v1/chat/completions", json=ASK)
    await simulated.post("/v1/chat/completions", json={**ASK, "model": "nobody"})
    report = await (await simulated.get("/calls")).json()
    assert (report["total"], report["dropped"]) == (3, 0)
    assert report["by_model"] == {"nobody": 1, "sim-atlas-1": 2}
    first, second, third = report["log"]
    assert (first["request_id"], first["traceparent"], second["request_id"]) == ("r-1", "00-ab", None)
    assert first["prompt"] == second["prompt"] != "Why?"
    assert (first["status"], third["status"]) == (200, 404)
    assert [entry["number"] for entry in (await (await simulated.get("/calls?since=2")).json())["log"]] == [2]
    assert (await simulated.get("/calls?since=x")).status == 400


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"model": 1, "messages": []}', b'{"model": "m", "messages": [{"content": null}]}']
)
async def test_what_is_no_chat_completion_is_a_bad_request(body: bytes, simulated: Client) -> None:
    reply = await simulated.post("/v1/chat/completions", data=body, headers={"content-type": "application/json"})
    assert reply.status == 400
    assert (await (await simulated.get("/calls")).json())["total"] == 0


async def test_models_are_listed(simulated: Client) -> None:
    listed = await (await simulated.get("/v1/models")).json()
    assert "sim-atlas-1" in {entry["id"] for entry in listed["data"]}


async def test_orders_slow_a_model_down_make_it_fail_and_are_forgotten(simulated: Client) -> None:
    async def ask() -> int:
        return (await simulated.post("/v1/chat/completions", json=ASK)).status

    async def order(**what: object) -> None:
        reply = await simulated.post("/control", json={"model": "sim-atlas-1", **what})
        assert reply.status == 200

    await order(status=503)
    assert await ask() == 503
    started = asyncio.get_running_loop().time()
    await order(latency_s=0.3)
    assert await ask() == 200
    assert asyncio.get_running_loop().time() - started >= 0.3
    await order(damaged=True)
    reply = await simulated.post("/v1/chat/completions", json=ASK)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        await reply.json()
    await order()
    assert await ask() == 200
    await simulated.post("/control", json={"model": "*", "status": 500})
    assert await ask() == 500


async def test_a_model_ordered_to_hang_answers_nobody_until_the_server_leaves(simulated: Client) -> None:
    await simulated.post("/control", json={"model": "*", "hangs": True})
    call = asyncio.create_task(simulated.post("/v1/chat/completions", json=ASK))

    async def logged() -> bool:
        return bool((await (await simulated.get("/calls")).json())["total"])

    await eventually(logged)
    assert not call.done()
    await simulated.server.close()
    async with asyncio.timeout(10):
        outcome = (await asyncio.gather(call, return_exceptions=True))[0]
    assert isinstance(outcome, aiohttp.ClientError) or getattr(outcome, "status", None) == 503


@pytest.mark.parametrize(
    ("order", "status"),
    [({"model": "nobody"}, 404), ({}, 400), ({"model": "*", "status": 200}, 400), ({"model": "*", "speed": 1}, 400)],
)
async def test_orders_that_make_no_sense_are_refused(order: dict[str, object], status: int, simulated: Client) -> None:
    assert (await simulated.post("/control", json=order)).status == status
