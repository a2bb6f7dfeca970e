"""What a provider really sent: status, headers and the bounded body of one HTTP exchange.

The client library's exceptions say "internal server error" for a refused connection, a truncated body and malformed
JSON alike, it turns unknown finish reasons into ``stop``, and it reads bodies of any size. So every response is read
here first, under a bound, and failures are told apart by what came over the wire.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import httpx

MAX_REPLY_BYTES = 4 * 1024 * 1024
"""Decompressed size of a reply: some twenty times what 8,192 tokens with log probabilities need."""


class ReplyTooLarge(Exception):
    """The body exceeds `MAX_REPLY_BYTES`."""


class ReplyUndecodable(Exception):
    """The body is compressed in a way that was not asked for, or its compression is damaged."""


class Exchange:
    """One HTTP exchange as it was seen; ``status`` is ``None`` until a response has begun."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    def payload(self) -> dict[str, Any]:
        """The body as a JSON object, or an empty one where it is none."""
        try:
            parsed = json.loads(bytes(self.body))
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def error(self) -> tuple[str | None, str]:
        """Code and message of the provider's error, in any of the shapes that are common; both hostile text."""
        payload = self.payload()
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
    exchange.headers = {name.lower(): value for name, value in response.headers.items()}
    encoding = response.headers.pop("content-encoding", "identity").strip().lower()
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
        async for chunk in self._inner:
            data = unpack(chunk, MAX_REPLY_BYTES + 1)
            self._exchange.body += data
            if len(self._exchange.body) > MAX_REPLY_BYTES:
                self._exchange.body.clear()
                raise ReplyTooLarge(f"the reply is larger than {MAX_REPLY_BYTES} bytes")
            yield data

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
