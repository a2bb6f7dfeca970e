"""The table from errors to status codes, and what the details say."""

from __future__ import annotations

import grpc
import pytest

from consensus.errors import (
    BrokerUnavailable,
    Conflict,
    DeadLetter,
    Fenced,
    Malformed,
    Overloaded,
    Poison,
    StoreUnavailable,
)
from consensus.rpc.status import NotFound, code_of, status_of

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), Code.NOT_FOUND),
        (Malformed("x"), Code.INVALID_ARGUMENT),
        (Conflict("x"), Code.ALREADY_EXISTS),
        (Poison("x"), Code.FAILED_PRECONDITION),
        (DeadLetter("x"), Code.FAILED_PRECONDITION),
        (Overloaded("x"), Code.RESOURCE_EXHAUSTED),
        (StoreUnavailable("x"), Code.UNAVAILABLE),
        (BrokerUnavailable("x"), Code.UNAVAILABLE),
        (TimeoutError(), Code.DEADLINE_EXCEEDED),
        (NotImplementedError("x"), Code.UNIMPLEMENTED),
        (Fenced("x"), Code.INTERNAL),
        (KeyError("x"), Code.INTERNAL),
    ],
)
def test_every_error_has_its_code(error: Exception, code: grpc.StatusCode) -> None:
    assert code_of(error) is code
    assert status_of(error).code == code.value[0]


def details(error: Exception) -> list[str]:
    return [detail.TypeName() for detail in status_of(error).details]


def test_details_name_the_field_the_code_and_when_to_try_again() -> None:
    assert details(Malformed("x", field="a")) == ["google.rpc.BadRequest", "google.rpc.ErrorInfo"]
    assert details(Malformed("x")) == ["google.rpc.ErrorInfo"]
    assert details(BrokerUnavailable("x")) == ["google.rpc.RetryInfo"]
    assert details(KeyError("x")) == []


def test_an_unforeseen_error_says_nothing_of_itself() -> None:
    assert status_of(KeyError("password")).message == "internal error"
