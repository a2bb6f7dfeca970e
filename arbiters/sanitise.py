"""Candidates are hostile input: what a model wrote must not steer the judge that reads it.

Characters first (compatibility forms folded, control, zero-width and bidirectional characters dropped), then markup
(markdown and HTML flattened, addresses neutralised), then claims (who wrote it, how others voted). Every step is linear
in the text's length, and the length is bounded before any of them runs. Marking every space of free text follows
"spotlighting" (Hines et al. 2024, doi:10.48550/arXiv.2403.14720).
"""

from __future__ import annotations

import html
import re
import unicodedata

MARK = "\u02c6"
"""Stands for every space of free text, so that instructions inside it do not read as the judge's own."""
REMOVED = "[removed]"
LINK = "[link]"

_DROPPED = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_VARIATION_SELECTORS = frozenset([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])

_RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070\u2074-\u207e]+")
_FRACTION = re.compile("[\u00bc-\u00be\u2150-\u215f\u2189]")

_ATTRIBUTE = r"""\s+[\w:-]{1,40}\s{0,5}=\s{0,5}(?:"[^"<>]{0,300}"|'[^'<>]{0,300}'|[^\s"'<>]{1,300})"""
_ELEMENTS = (
    "a|abbr|b|blockquote|br|button|code|details|div|em|figure|font|form|h[1-6]|head|hr|html|body|i|iframe|img|input|ins|"
    "label|li|link|mark|meta|object|ol|p|pre|q|s|script|section|small|span|strong|style|sub|summary|sup|svg|table|tbody|"
    "td|textarea|th|thead|title|tr|u|ul|video"
)
_TAG = re.compile(rf"</?(?:{_ELEMENTS})(?:{_ATTRIBUTE}){{0,20}}\s{{0,5}}/?>|<!--.{{0,500}}?-->", re.IGNORECASE)
"""Real elements only: ``x<y and z>w`` is mathematics."""
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\([^()]{0,500}\)")
_ADDRESS = re.compile(r"\b(?:https?|ftp|file|data|javascript):\S{1,2000}|\bwww\.\S{1,2000}", re.IGNORECASE)
_LINE_MARKS = re.compile(r"^[ \t]{0,8}(?:#{1,6}[ \t]{1,8}|[-*_]{3,20}[ \t]{0,8}$)", re.MULTILINE)
_FENCE = re.compile(r"(?:```|~~~)\w{0,20}")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)([^*\n]{1,500})(?<=\S)\1(?![\w*])")
_CODE = re.compile(r"`([^`\n]{1,500})`")

_MAKERS = r"(?:openai|anthropic|google|deepmind|meta|mistral|deepseek|alibaba|cohere|xai|microsoft|ai21)"
_NAMES = (
    r"(?:(?:chat)?gpt(?:[- ]?\d[\w.]{0,8})?|claude|gemini|gemma|llama|mistral|mixtral|qwen|deepseek|grok|jamba|phi)"
    r"(?:[- ][\w.]{1,12}){0,2}"
)
_CLAIMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bas an? (?:ai|artificial intelligence|large language|language)(?: language)?(?: model| assistant)?\b",
        rf"\b(?:i am|i'm|this is|my name is) (?:an? )?{_NAMES}\b",
        rf"\bas {_NAMES}\b(?=,)",
        rf"\b(?:i was )?(?:trained|developed|created|built|made) by {_MAKERS}\b",
        r"\b(?:all|most|many|\w{1,8} of (?:the )?\w{1,8}|the (?:vast )?majority of|every) (?:other )?"
        r"(?:models?|ais|assistants|experts|reviewers|judges|panel(?:ists| members)?)"
        r" (?:have |has )?(?:agreed?s?|vote[ds]?|chose|choose|prefer(?:red)?|select(?:ed)?|answer(?:ed)?)\b",
        r"\b(?:majority|unanimous|consensus) (?:vote|answer|choice|decision)\b",
    )
)


def characters(text: str, limit: int) -> str:
    """At most ``limit`` characters, NFKC, with line breaks and tabs kept and every invisible character dropped."""
    # NFKC alone would read 10² as 102 and 2½ as 21/2.
    spelled = _FRACTION.sub(r" \g<0>", _RAISED.sub(r"^\g<0>", text[: 4 * limit]))
    folded = unicodedata.normalize("NFKC", spelled).replace("\u2044", "/")
    kept = (c for c in folded if c in "\n\t" or not _invisible(c))
    return "".join(kept)[:limit].strip()


def free_text(text: str, limit: int) -> str:
    """Model-written text as plain words: no invisible characters, markup, addresses, names of models or votes."""
    plain = html.unescape(characters(text, 2 * limit))
    plain = characters(_flat(plain), 2 * limit)
    for claim in _CLAIMS:
        plain = claim.sub(REMOVED, plain)
    return plain[:limit].strip()


def marked(text: str) -> str:
    """Free text with every run of white space replaced by `MARK`."""
    return MARK.join(text.replace(MARK, "^").split())


def _invisible(character: str) -> bool:
    return unicodedata.category(character) in _DROPPED or ord(character) in _VARIATION_SELECTORS


def _flat(text: str) -> str:
    """Text without markdown and HTML; the words of links stay, their addresses go."""
    text = _TAG.sub(" ", text)
    text = _IMAGE_OR_LINK.sub(r"\1", text)
    text = _ADDRESS.sub(LINK, text)
    text = _FENCE.sub("", _LINE_MARKS.sub("", text))
    return _CODE.sub(r"\1", _EMPHASIS.sub(r"\2", text))
