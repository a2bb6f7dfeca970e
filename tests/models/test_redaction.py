"""Provider text is fit to be shown: short, on one line, and without credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.models.redaction import EXCERPT_MAX, redact

SECRETS = [
    ("Incorrect API key provided: sk-abcd1234efgh5678", "sk-abcd1234efgh5678"),
    ("Incorrect API key provided: sk-ab***********78", "sk-ab"),
    ("Authorization: Bearer eyJhbGciOi.abc.def-ghi", "eyJhbGciOi"),
    ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("see https://admin:hunter2@internal.host/v1", "hunter2"),
    ('{"api_key": "topsecretvalue"}', "topsecretvalue"),
    ("x-api-key: 0123456789abcdef", "0123456789abcdef"),
    ("GET /v1?key=AIzaSyA1234567890 failed", "AIzaSyA1234567890"),
    ("AWS AKIAIOSFODNN7EXAMPLE denied", "AKIAIOSFODNN7EXAMPLE"),
    ("password=correct-horse", "correct-horse"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_what_looks_like_a_credential_is_removed(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


def test_a_known_secret_is_removed_whatever_it_looks_like() -> None:
    assert redact("the word plain is in plain sight", ["plain"]) == "the word [redacted] is in [redacted] sight"


def test_a_known_secret_at_the_bound_is_not_half_shown() -> None:
    text = "x " * 90 + "tell-tale-key-1"
    for bound in range(4):
        assert "tell" not in redact("y" * bound + text, ["tell-tale-key-1"])


def test_ordinary_text_is_kept_on_one_line() -> None:
    said = "The model `a/b` does not exist\n\tor you lack access.\x1b[31m"
    assert redact(said) == "The model `a/b` does not exist or you lack access. [31m"


@given(st.text(max_size=6_000))
def test_no_text_exceeds_the_bound_or_a_line(text: str) -> None:
    shown = redact(text, ["", "secret"])
    assert len(shown) <= EXCERPT_MAX
    assert shown.isprintable()
