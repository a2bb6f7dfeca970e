"""How sure a model says it is: in words (``verbal``) or by the probabilities of its tokens (``logprob``)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from consensus.types import TokenLogprob

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s?(?:%|percent\b)")
_STATED = re.compile(
    r"\bconfidence(?:\s(?:level|score|rating))?[*_\"']{0,3}\s{0,3}(?:is|of|at|[:=])[*_\s\"']{0,5}"
    r"(\d{1,3}(?:\.\d{1,6})?)(\s?(?:%|percent\b))?(?![\d/]|\s?/)",
    re.IGNORECASE,
)
_HINT = re.compile(r"confiden|certain|% sure|percent sure", re.IGNORECASE)
"""Without one of these words neither pattern can match: most replies cost one search."""
_SURE = re.compile(
    r"(\d{1,3}(?:\.\d{1,6})?)\s?(?:%|percent)\s(?:confident|sure|certain|confidence|certainty)\b", re.IGNORECASE
)


def probability(value: Any) -> float | None:
    """A number in [0, 1], or a string such as ``"85%"`` or ``"0.85"``; everything else (NaN, 85, true) is None."""
    if isinstance(value, str):
        return _from_words(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def _from_words(value: str) -> float | None:
    if percent := _PERCENT.fullmatch(value):
        return probability(float(percent[1]) / 100)
    return probability(float(value)) if re.fullmatch(r"\d(?:\.\d{1,17})?", value, re.ASCII) else None


def stated(text: str) -> float | None:
    """The confidence that a reply in prose states last, or None."""
    found: float | None = None
    if _HINT.search(text) is None:
        return None
    for match in _STATED.finditer(text):
        found = probability(float(match[1]) / 100 if match[2] else float(match[1]))
    for match in _SURE.finditer(text):
        found = probability(float(match[1]) / 100)
    return found


def from_tokens(
    text: str, tokens: Sequence[TokenLogprob], span: tuple[int, int], chosen: str, options: Sequence[str]
) -> float | None:
    """Probability of ``chosen`` among ``options`` from token log probabilities, or None when they do not fit.

    text[span] is the answer as written and must start with ``chosen``. Each token of it is renormalised over the listed
    alternatives with which some option could still go on, and the product is taken: what the provider did not list has
    no mass, so the result is an upper bound when its list is short. The tokens must spell the text.
    """
    if "".join(token.token for token in tokens) != text or not text.startswith(chosen, span[0]):
        return None
    total, written, position = 0.0, "", 0
    for token in tokens:
        end = position + len(token.token)
        if end > span[0] and len(written) < len(chosen):
            lead = token.token[: max(0, span[0] - position)]
            share = _share(token, lead, written, chosen, options)
            if share is None:
                return None
            total += math.log(share)
            written += token.token[len(lead) :]
        position = end
    return min(1.0, math.exp(total))


def _share(token: TokenLogprob, lead: str, written: str, chosen: str, options: Sequence[str]) -> float | None:
    """Probability of this token among the alternatives that keep some option possible. ``lead`` precedes the answer."""
    masses = {name: logprob for name, logprob in token.top if math.isfinite(logprob)}
    masses[token.token] = token.logprob
    right = other = 0.0
    for name, logprob in masses.items():
        rest = written + name.removeprefix(lead)
        if not name.startswith(lead) or not _possible(rest, options):
            continue
        if _possible(rest, (chosen,)):
            right += math.exp(min(0.0, logprob))
        else:
            other += math.exp(min(0.0, logprob))
    return right / (right + other) if right > 0 else None


def _possible(rest: str, options: Sequence[str]) -> bool:
    """Whether some option goes on after ``rest``, or ``rest`` is an option followed by something that is no word."""
    return any(
        rest != "" and (option.startswith(rest) or (rest.startswith(option) and not rest[len(option)].isalnum()))
        for option in options
    )
