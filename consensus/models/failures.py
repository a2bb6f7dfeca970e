"""The error table: what came over the wire → `Failure` and whether another attempt makes sense.

Judged in this order, first match wins: what the client itself saw (time out, no connection, an oversized or unreadable
body), the provider's error code, the HTTP status. Never the class of the client library's exception, which is the same
for most of them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from consensus.errors import ModelError
from consensus.models.exchange import Exchange, ReplyTooLarge, ReplyUndecodable
from consensus.models.redaction import redact
from consensus.types import Failure


class Cause(NamedTuple):
    failure: Failure
    retryable: bool


UNREADABLE = Cause(Failure.MALFORMED, True)
"""A success whose body could not be made into a reply: not JSON, cut off, not UTF-8, or of another shape."""

BY_EXCEPTION: tuple[tuple[tuple[type[BaseException], ...], Cause], ...] = (
    ((ReplyTooLarge, ReplyUndecodable), Cause(Failure.MALFORMED, False)),
    ((TimeoutError, httpx.TimeoutException), Cause(Failure.TIMEOUT, True)),
    # A wrong host name or a certificate that does not fit is no different from a server that is down for a moment.
    ((httpx.TransportError, OSError), Cause(Failure.CONNECTION, True)),
)

BY_CODE: dict[str, Cause] = {
    "not_recorded": Cause(Failure.NOT_RECORDED, False),
    "context_length_exceeded": Cause(Failure.CONTEXT_LENGTH, False),
    "string_above_max_length": Cause(Failure.CONTEXT_LENGTH, False),
    "content_filter": Cause(Failure.CONTENT_FILTER, False),
    "content_policy_violation": Cause(Failure.CONTENT_FILTER, False),
    "invalid_api_key": Cause(Failure.UNAUTHORIZED, False),
    "insufficient_quota": Cause(Failure.RATE_LIMITED, False),  # waiting does not refill an account
    "billing_hard_limit_reached": Cause(Failure.RATE_LIMITED, False),
    "rate_limit_exceeded": Cause(Failure.RATE_LIMITED, True),
}

BY_STATUS: dict[int, Cause] = {
    401: Cause(Failure.UNAUTHORIZED, False),
    402: Cause(Failure.UNAUTHORIZED, False),
    403: Cause(Failure.UNAUTHORIZED, False),
    408: Cause(Failure.TIMEOUT, True),
    409: Cause(Failure.UNAVAILABLE, True),
    413: Cause(Failure.CONTEXT_LENGTH, False),
    425: Cause(Failure.UNAVAILABLE, True),
    429: Cause(Failure.RATE_LIMITED, True),
    501: Cause(Failure.BAD_REQUEST, False),
}

BY_WORDS: tuple[tuple[tuple[str, ...], Cause], ...] = (
    # Only for a 400: many servers (vLLM among them) give no code.
    (
        ("maximum context length", "context window", "context length", "prompt is too long", "too many tokens"),
        Cause(Failure.CONTEXT_LENGTH, False),
    ),
    (
        ("content management policy", "content filter", "content policy", "flagged by moderation"),
        Cause(Failure.CONTENT_FILTER, False),
    ),
)


def translate(error: BaseException, exchange: Exchange, secrets: Iterable[str] = ()) -> ModelError:
    """The ModelError for ``error``, raised by a call whose HTTP exchange is ``exchange``.

    Call it with ``from None``: the original exceptions hold the request's headers, and with them the key.
    """
    status = exchange.status if exchange.status is not None else _status_of(error)
    code, message = exchange.error()
    cause = _by_exception(error) or _by_code(status, code) or _by_status(status, message)
    words = [str(cause.failure)]
    if status is not None and status != 200:
        words.append(f"HTTP {status}")
    excerpt = redact(": ".join(part for part in (code, message) if part), secrets)
    text = ": ".join((" ".join(words), excerpt)) if excerpt else " ".join(words)
    return ModelError(
        cause.failure, redact(text), retryable=cause.retryable, retry_after_s=retry_after(exchange.headers)
    )


def _by_exception(error: BaseException) -> Cause | None:
    for link in chain(error):
        for kinds, cause in BY_EXCEPTION:
            if isinstance(link, kinds):
                return cause
    return None


def _by_code(status: int | None, code: str | None) -> Cause | None:
    if code is None:
        return None
    if code in BY_CODE:
        return BY_CODE[code]
    # Gateways answer 200 and put the real status into the body.
    if (status is None or status < 300) and code.isascii() and code.isdigit() and len(code) == 3:
        return _by_status(int(code), "")
    return None


def _by_status(status: int | None, message: str) -> Cause:
    if status is None or status < 300:
        return UNREADABLE
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:
        return Cause(Failure.UNAVAILABLE, True)
    lowered = message[:4_000].lower()
    for words, cause in BY_WORDS:
        if any(word in lowered for word in words):
            return cause
    return Cause(Failure.BAD_REQUEST, False)


def _status_of(error: BaseException) -> int | None:
    """Status that the client library states, for transports whose responses we do not see."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that led to it, outermost first."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        # A cancelled await is no cause of its own: it is how a time out looks from the inside.
        if not isinstance(link, asyncio.CancelledError):
            yield link
        link = link.__cause__ or link.__context__


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the provider asked us to wait (``retry-after-ms``, or ``retry-after`` as seconds or a date)."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _seconds(value)
    if seconds is not None or value is None:
        return seconds
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max((until - (now or datetime.now(UTC))).total_seconds(), 0.0)


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
