"""Makes a provider's error text fit to be logged, stored or returned: no secrets, no control characters, a bound."""

from __future__ import annotations

import re
from collections.abc import Iterable

EXCERPT_MAX = 200
_SCANNED = 4_000
"""Only so much of a text is looked at: a secret cannot hide in a part that is never shown."""

_PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(?i)([a-z][a-z0-9+.-]{1,20}://)[^\s/@\"']{1,256}@"), r"\1[redacted]@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}"), r"\1 [redacted]"),
    (
        re.compile(
            r"(?i)\b([\w-]{0,24}(?:api[_-]?key|token|secret|password|passwd|authorization|signature|credential)s?)"
            r"(\"?'?\s{0,4}[:=]\s{0,4}\"?'?)(?!\[redacted\]|bearer|basic)[^\s\"'&,;}]{1,512}"
        ),
        r"\1\2[redacted]",
    ),
    # Keys by their vendors' prefixes, also where a provider shows them shortened (sk-abc***xyz).
    (re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|ghp|pplx|AKIA|AIza|ya29|eyJ)[-_.A-Za-z0-9*]{6,}"), "[redacted]"),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """At most `EXCERPT_MAX` characters of ``text``, on one line, without anything that looks like a credential.

    ``secrets`` are the values we know (the key of this very call): they are removed wherever they occur.
    """
    # Known values first and in the whole text: cutting could leave half a key that no pattern recognises.
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    text = "".join(c if c.isprintable() else " " for c in text[:_SCANNED])
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split())
    return text if len(text) <= EXCERPT_MAX else text[: EXCERPT_MAX - 1] + "…"
