"""From a provider's successful response to the fields of an `Answer`. All of it is hostile: sizes, types, text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from consensus.policy import ModelPolicy
from consensus.types import CostSource, Failure, TokenLogprob

NAME_MAX = 128
LOGPROB_TOKENS_MAX = 32_768

FINISH_REASONS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length", "max_output_tokens"), "length"),
    **dict.fromkeys(("content_filter", "content_filtered", "safety", "sensitive", "recitation"), "content_filter"),
}
"""Finish reasons by what they mean. One that is not listed is kept as the provider wrote it: it is never ``stop``."""

BROKEN_OFF = frozenset({"error", "network_error", "abort", "cancelled"})
"""Finish reasons by which a gateway says that the provider behind it failed half way: no reply, whatever text came."""


class Usage(NamedTuple):
    """Tokens as the provider counted them, 0 where it did not say; cost in dollars with its source."""

    tokens_in: int
    tokens_out: int
    cost: float
    cost_source: CostSource


def clean(text: str) -> str:
    """Text that every encoding and database takes: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def name(value: object) -> str | None:
    """A short printable name, or ``None``."""
    if not isinstance(value, str) or not value:
        return None
    return "".join(c if c.isprintable() else "\ufffd" for c in clean(value[:NAME_MAX]))


def finish_reason(payload: Mapping[str, Any], fallback: object) -> str | None:
    """The finish reason on the wire, in our words where we know it; ``fallback`` for other shapes of reply."""
    try:
        raw = payload["choices"][0]["finish_reason"]
    except (KeyError, IndexError, TypeError):
        raw = fallback
    stated = name(raw)
    return None if stated is None else FINISH_REASONS.get(stated.lower(), stated)


def words(choice: object, payload: Mapping[str, Any]) -> tuple[str, str | None]:
    """Text and finish reason of a reply; the words of a refusal that the provider reports apart are a text too."""
    message = getattr(choice, "message", None)
    text = getattr(message, "content", None)
    if text:
        return clean(text), finish_reason(payload, getattr(choice, "finish_reason", None))
    others = getattr(message, "provider_specific_fields", None) or {}
    refusal = getattr(message, "refusal", None) or others.get("refusal")
    if isinstance(refusal, str) and refusal:
        return clean(refusal), "refusal"
    return "", finish_reason(payload, getattr(choice, "finish_reason", None))


def missing(text: str, reason: str | None) -> Failure | None:
    """Why a reply is none at all, or ``None``. Cut off or filtered before the first word is still a reply."""
    if reason is not None and reason.lower() in BROKEN_OFF:
        return Failure.UNAVAILABLE
    return Failure.EMPTY if not text and reason not in ("length", "content_filter") else None


def usage(payload: Mapping[str, Any], response: object, policy: ModelPolicy) -> Usage:
    """Tokens and cost: the configured prices where there are any, else what the provider says it charged, else 0."""
    counted = getattr(response, "usage", None)
    tokens_in = _count(getattr(counted, "prompt_tokens", 0))
    tokens_out = _count(getattr(counted, "completion_tokens", 0))
    if (policy.price_in is not None or policy.price_out is not None) and tokens_in + tokens_out:
        cost = (tokens_in * (policy.price_in or 0.0) + tokens_out * (policy.price_out or 0.0)) / 1e6
        return Usage(tokens_in, tokens_out, cost, CostSource.CONFIGURED)
    stated = payload.get("usage")
    charged = stated.get("cost") if isinstance(stated, dict) else None
    if isinstance(charged, int | float) and not isinstance(charged, bool) and 0 <= charged < math.inf:
        return Usage(tokens_in, tokens_out, float(charged), CostSource.PROVIDER)
    return Usage(tokens_in, tokens_out, 0.0, CostSource.NONE)


def logprobs(choice: object) -> tuple[TokenLogprob, ...] | None:
    """Token log probabilities, all or none: a list with one impossible entry is not evidence of anything."""
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    if not isinstance(content, list) or not content or len(content) > LOGPROB_TOKENS_MAX:
        return None
    try:
        return tuple(_token(entry) for entry in content)
    except (TypeError, ValueError, AttributeError):
        return None


def _token(entry: Any) -> TokenLogprob:
    top = tuple((clean(str(other.token)), _logprob(other.logprob)) for other in entry.top_logprobs or ())
    return TokenLogprob(token=clean(str(entry.token)), logprob=_logprob(entry.logprob), top=top)


def _logprob(value: float) -> float:
    # Rounding in the provider's float32 makes certain tokens come out a hair above 0.
    if not math.isfinite(value) or value > 1e-3:
        raise ValueError("a log probability must be finite and at most 0")
    return min(float(value), 0.0)


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**40 else 0
