"""Replies for reading tests."""

from __future__ import annotations

from consensus import answers
from consensus.types import Answer, AnswerSpec, Label, TokenLogprob


def label(
    spec: AnswerSpec,
    text: str | None,
    *,
    finish_reason: str | None = "stop",
    logprobs: tuple[TokenLogprob, ...] | None = None,
    nonce: str = "",
) -> Label:
    """The label of a reply with this text."""
    reply = Answer(model="m", family="f", text=text, finish_reason=finish_reason, logprobs=logprobs)
    return answers.read(spec, reply, nonce)
