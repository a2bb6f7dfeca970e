"""Detectors of injection, each with a code: in what a model wrote, and in the context that a request brought along.

They are linear patterns over a cleaned copy, and they are alarms, not walls: an attack that no detector knows still meets
the other rules (fenced data, no model text ever treated as an instruction, people at high stakes).
"""

from __future__ import annotations

import re
import unicodedata

from consensus.answers.prompting import canary, question
from consensus.types import Request

CANARY_LEAK = "canary_leak"
HIDDEN_TEXT = "hidden_text"
SCAN_MAX = 1_000_000
"""Characters that are scanned; what a longer text says after them is cut off by the reader as well."""

_PATTERNS: dict[str, re.Pattern[str]] = {
    "instruction_override": re.compile(
        r"\b(?:ignore|disregard|forget|override|bypass)\s(?:all\s|any\s|every\s|the\s|your\s|my\s|of\s|these\s|those\s){0,4}"
        r"(?:previous|prior|above|earlier|preceding|foregoing|former|original|system|developer|given)\s(?:\w{1,15}\s)?"
        r"(?:instructions?|prompts?|rules?|directions?|guidelines?|messages?|commands?|context)\b"
        r"|\b(?:new|updated|revised)\s(?:system\s)?instructions?\s?:|\byou\s(?:are|must)\snow\s(?:act|behave|respond|operate)\b"
    ),
    "role_marker": re.compile(
        r"<\|?(?:im_start|im_end|system|assistant|start_header_id|eot_id|endofprompt)\|?>|\[/?inst\]|<</?sys>>"
        r"|(?:^|\n)\s{0,4}(?:#{1,4}\s?)?(?:system|developer)\s(?:message|prompt|override|instruction)s?\s?:"
    ),
    "answer_steering": re.compile(
        r"\b(?:you|the\s(?:model|assistant|ai|llm|panel))\s(?:must|should|shall|will|have\sto|are\s(?:required|instructed)\sto)\s"
        r"(?:always\s|only\s|now\s)?(?:answer|reply|respond|choose|select|output|return|say|vote)\s(?:with\s|for\s)?"
        r"(?:option|choice|answer|only|exactly|the\s(?:following|word|option|letter)|[\"'“(])"
        r"|\b(?:answer|reply|respond)\swith\s(?:only\s|exactly\s)?(?:option|the\sletter)\s\w{1,3}\sregardless\b"
    ),
    "judge_address": re.compile(
        r"\b(?:dear|note\sto|message\sto|attention|hey|instructions?\s(?:to|for))\s(?:the\s|any\s|all\s)?"
        r"(?:\w{1,12}\s)?(?:arbiter|judge|grader|evaluator|reviewer|adjudicator)s?\b"
        r"|\b(?:arbiter|judge|grader|evaluator|adjudicator)s?\s(?:must|should|shall|please)\s(?:choose|select|prefer|rule|accept|pick)"
        r"|\b(?:choose|select|prefer|pick|rate)\s(?:this|my)\s(?:answer|response|candidate|reply)\s(?:as|over|highest|above|first)\b"
    ),
    "vote_claim": re.compile(
        r"\ball\s(?:the\s)?(?:other\s)?(?:panel(?:ist)?s?|models?|members|arbiters|judges)\s(?:members\s)?(?:have\s|already\s){0,2}"
        r"(?:agree|agreed|voted|chose|concur|answered)\b|\bthe\spanel\shas\s(?:already\s)?(?:agreed|decided|voted)\b"
    ),
    "obeyed_instruction": re.compile(
        r"\b(?:as|per|following|according\sto|in\sline\swith)\s(?:instructed|directed|told|commanded|requested|ordered|the\s(?:new|updated|override|embedded|hidden|injected)\sinstructions?)"
        r"\s?(?:in|by|from|of)?\s?(?:the\s)?(?:context|document|passage|data|note|text|email|page|file|attachment|user's\scontext)\b"
        r"|\bi\s(?:will|shall)\s(?:now\s)?(?:ignore|disregard)\s(?:my|the|all|any)\s(?:previous\s|prior\s|original\s|system\s)?(?:instructions?|rules|guidelines)\b"
    ),
    "exfiltration": re.compile(
        r"!\[[^\]\n]{0,200}\]\(\s?https?://[^\s)]{1,2000}[?&=]|<img\s[^>\n]{0,200}src\s?=\s?[\"']?https?:"
    ),
    "prompt_probe": re.compile(
        r"\b(?:reveal|repeat|print|output|show|leak|disclose)\s(?:me\s)?(?:your|the)\s(?:\w{1,12}\s)?"
        r"(?:system\sprompt|hidden\sprompt|initial\sinstructions|canary|secret\sinstructions)\b"
    ),
}
"""Code to pattern. Patterns see the text in NFKC and lower case, invisible characters removed, blanks single."""

_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_HIDING = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0020-\U000e007f]|(?:[\u200b-\u200d\u2060-\u2064]){4}")
"""Bidi overrides, tag characters, or a run of zero-width characters: nobody types these, they hide text."""

CODES = (*_PATTERNS, HIDDEN_TEXT, CANARY_LEAK)


def marks(text: str) -> tuple[str, ...]:
    """Codes of the detectors that fire on ``text``, in a fixed order."""
    scanned = text[:SCAN_MAX]
    plain = _plain(scanned)
    fired = [code for code, pattern in _PATTERNS.items() if pattern.search(plain)]
    return (*fired, HIDDEN_TEXT) if _HIDING.search(scanned) else tuple(fired)


def marks_of_reply(text: str, nonce: str) -> tuple[str, ...]:
    """`marks` of a model's reply, and whether it leaked the canary of its prompt."""
    found = marks(text)
    return (*found, CANARY_LEAK) if nonce and canary(nonce) in text.lower() else found


def marks_of_context(request: Request) -> tuple[str, ...]:
    """`marks` of the context that the request brought along; the question itself is the caller's own word."""
    if request.context is not None:
        return marks(request.context)
    return tuple(code for code in marks(question(request)) if code == HIDDEN_TEXT)


def _plain(text: str) -> str:
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).lower())
    return re.sub(r"[ \t\u00a0]{2,}", " ", visible)
