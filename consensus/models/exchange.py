"""What a provider really sent: status, headers and the bounded body of one HTTP exchange.

The client library's exceptions say "internal server error" for a refused connection, a truncated body and malformed
JSON alike, it turns unknown finish reasons into ``stop``, and it reads bodies of any size. So every response is read
here first, under a bound, and failures are told apart by what came over the wire.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from functools import cached_property
from typing import Any, NamedTuple

import httpx

MAX_REPLY_BYTES = 4 * 1024 * 1024
MAX_CHOICES = 16
"""One is asked for."""
MARKS = (b"{", b"[", b",")
"""What every JSON value but the first of its kind costs at least one of."""


class Bounds(NamedTuple):
    """What a reply may hold: decompressed bytes, and `MARKS` as a bound on the number of its values.

    The number matters more than the size: a client library makes an object of every value, and a million of empty
    choices, which fit into 3 MB, keep it busy for a minute in which nothing else runs.
    """

    size: int = MAX_REPLY_BYTES
    marks: int = 200_000


def bounds(max_tokens: int, logprobs: bool) -> Bounds:
    """Several times what a reply of ``max_tokens`` needs, with up to 20 alternatives for each token."""
    size, marks = (4_096, 128) if logprobs else (64, 4)
    return Bounds(min(256 * 1024 + size * max_tokens, MAX_REPLY_BYTES), 4_000 + marks * max_tokens)


class ReplyTooLarge(Exception):
    """The body exceeds its `Bounds`."""


class ReplyUndecodable(Exception):
    """The body is compressed in a way that was not asked for, or its compression is damaged."""


class Exchange:
    """One HTTP exchange as it was seen; ``status`` is ``None`` until a response has begun."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - immutable
        self.bounds = bounds
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}  # names in any case
        self.body = bytearray()

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The body, once it is complete, as a JSON object; an empty one where it is none."""
        try:
            parsed = json.loads(bytes(self.body))
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def check(self) -> None:
        """Raise ReplyTooLarge for a complete body with more choices than anybody asked for."""
        choices = self.payload.get("choices")
        if isinstance(choices, list) and len(choices) > MAX_CHOICES:
            raise ReplyTooLarge("the reply has more choices than were asked for")

    def error(self) -> tuple[str | None, str]:
        """Code and message of the provider's error, in any of the shapes that are common; both hostile text."""
        payload = self.payload
        detail = payload.get("error", payload)
        if not isinstance(detail, dict):
            return None, str(detail)
        code = detail.get("code") or detail.get("type") or payload.get("code")
        message = detail.get("message") or payload.get("message") or payload.get("detail") or ""
        return (None if code is None else str(code)), str(message)


CURRENT: ContextVar[Exchange | None] = ContextVar("consensus_exchange", default=None)
"""The exchange that the running call fills in."""


async def observe(response: httpx.Response) -> None:
    """Response hook of the HTTP client: notes status and headers and bounds the body, before anybody reads it."""
    exchange = CURRENT.get() or Exchange()
    exchange.status = response.status_code
    exchange.headers = response.headers
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        del response.headers["content-encoding"]  # it is undone here
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Bounded(response.stream, encoding, exchange)


class _Bounded(httpx.AsyncByteStream):
    """A body that is decompressed and counted here, so that a small one cannot unfold into gigabytes."""

    def __init__(self, inner: httpx.AsyncByteStream, encoding: str, exchange: Exchange) -> None:
        self._inner = inner
        self._encoding = encoding
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        unpack = _decoder(self._encoding)
        size, marks = self._exchange.bounds
        async for chunk in self._inner:
            data = unpack(chunk, size + 1)
            self._exchange.body += data
            marks -= sum(map(data.count, MARKS))
            if len(self._exchange.body) > size or marks < 0:
                self._exchange.body.clear()
                raise ReplyTooLarge("the reply is larger than any answer to what was asked")
            yield data
        self._exchange.check()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Identity:
    def __call__(self, chunk: bytes, limit: int) -> bytes:
        return chunk


class _Zlib:
    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, told apart by the header

    def __call__(self, chunk: bytes, limit: int) -> bytes:
        try:
            return self._decoder.decompress(chunk, limit)
        except zlib.error as error:
            raise ReplyUndecodable(f"the reply's compression is damaged: {error}") from None


def _decoder(encoding: str) -> _Identity | _Zlib:
    if encoding in ("", "identity"):
        return _Identity()
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _Zlib()
    raise ReplyUndecodable("the reply has a content-encoding that was not asked for")
