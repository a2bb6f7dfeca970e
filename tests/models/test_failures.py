"""The error table where no HTTP is needed: retry-after in all its forms, and causes nobody saw on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from consensus.models.exchange import Bounds, Exchange, bounds
from consensus.models.failures import retry_after, translate
from consensus.types import Failure

NOW = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Wed, 01 Jan 2025 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 01 Jan 2025 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_is_read_or_ignored(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


class _Stated(Exception):
    """What a client library raises for a response that went past us."""

    def __init__(self, status_code: object) -> None:
        super().__init__("key sk-secret-secret")
        self.status_code = status_code


@pytest.mark.parametrize(
    ("status", "failure", "retryable"),
    [
        (429, Failure.RATE_LIMITED, True),
        (401, Failure.UNAUTHORIZED, False),
        (500, Failure.UNAVAILABLE, True),
        (None, Failure.MALFORMED, True),
        ("500", Failure.MALFORMED, True),
    ],
)
def test_a_response_that_nobody_saw_is_judged_by_the_stated_status(
    status: object, failure: Failure, retryable: bool
) -> None:
    error = translate(_Stated(status), Exchange())
    assert (error.failure, error.retryable) == (failure, retryable)
    assert "secret" not in str(error)


def test_the_cause_counts_however_deep_it_lies_and_loops_end() -> None:
    inner, outer = httpx.ConnectError("refused"), RuntimeError("wrapped")
    outer.__cause__, inner.__context__ = inner, outer
    assert translate(outer, Exchange()).failure is Failure.CONNECTION


def test_the_bounds_grow_with_what_was_asked_for_up_to_a_limit() -> None:
    assert bounds(1_024, logprobs=False) == Bounds(320 * 1024, 8_096)
    assert bounds(1_024, logprobs=True) == Bounds(4 * 1024 * 1024, 135_072)
    assert bounds(10**6, logprobs=True).size == 4 * 1024 * 1024
