"""Detectors of injection, each with a code: in what a model wrote, and in the context that a request brought along.

They are linear patterns over a cleaned copy, and they are alarms, not walls. An attack that no detector knows still
meets the other rules: fenced data, no model text ever taken for an instruction, people at high stakes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from consensus.answers.prompting import canary, question
from consensus.types import Request

CANARY_LEAK = "canary_leak"
HIDDEN_TEXT = "hidden_text"
SCAN_MAX = 1_000_000
"""Characters that are scanned: as many as a request may have."""


@dataclass(frozen=True)
class _Detector:
    """``pattern`` sees the text in NFKC and lower case, invisible characters removed, blanks single.

    It is tried only when the text holds one of the ``hints``, which nearly no text does: most texts cost a few searches
    for a plain word.
    """

    code: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]

    def fires(self, plain: str) -> bool:
        return any(hint in plain for hint in self.hints) and self.pattern.search(plain) is not None


_JUDGE = r"(?:arbiter|judge|grader|evaluator|reviewer|adjudicator)s?"

_DETECTORS = (
    _Detector(
        "instruction_override",
        ("ignore", "disregard", "forget", "override", "bypass", "instruction", "you are now", "you must now"),
        re.compile(
            r"\b(?:ignore|disregard|forget|override|bypass)\s"
            r"(?:all\s|any\s|every\s|everything\s|the\s|your\s|my\s|of\s|these\s|those\s){0,4}"
            r"(?:previous|prior|above|earlier|preceding|foregoing|former|original|system|developer|given)\s"
            r"(?:\w{1,15}\s)?(?:instructions?|prompts?|rules?|directions?|guidelines?|messages?|commands?|context)\b"
            r"|\b(?:new|updated|revised)\s(?:system\s)?instructions?\s?:"
            r"|\byou\s(?:are|must)\snow\s(?:act|behave|respond|operate)\b"
        ),
    ),
    _Detector(
        "role_marker",
        ("<|", "<im_", "<system", "<assistant", "[inst", "[/inst", "<<", "system", "developer"),
        re.compile(
            r"<\|?(?:im_start|im_end|system|assistant|start_header_id|eot_id|endofprompt)\|?>|\[/?inst\]|<</?sys>>"
            r"|(?:^|\n)\s{0,4}(?:#{1,4}\s?)?(?:system|developer)\s(?:message|prompt|override|instruction)s?\s?:"
        ),
    ),
    _Detector(
        "answer_steering",
        ("must", "should", "shall", "will", "have to", "required to", "instructed to", "regardless"),
        re.compile(
            r"\b(?:you|the\s(?:model|assistant|ai|llm|panel))\s"
            r"(?:must|should|shall|will|have\sto|are\s(?:required|instructed)\sto)\s(?:always\s|only\s|now\s)?"
            r"(?:answer|reply|respond|choose|select|output|return|say|vote)\s(?:with\s|for\s)?"
            r"(?:option|choice|answer|only|exactly|the\s(?:following|word|option|letter)|[\"'“(])"
            r"|\b(?:answer|reply|respond)\swith\s(?:only\s|exactly\s)?(?:option|the\sletter)\s\w{1,3}\sregardless\b"
        ),
    ),
    _Detector(
        "judge_address",
        ("arbiter", "judge", "grader", "evaluator", "reviewer", "adjudicator", "this answer", "my answer", "response"),
        re.compile(
            r"\b(?:dear|note\sto|message\sto|attention|hey|instructions?\s(?:to|for))\s(?:the\s|any\s|all\s)?"
            rf"(?:\w{{1,12}}\s)?{_JUDGE}\b"
            rf"|\b{_JUDGE}\s(?:must|should|shall|please)\s(?:choose|select|prefer|rule\sfor|accept\sthis|pick)\b"
            r"|\b(?:choose|select|prefer|pick|rate)\s(?:this|my)\s(?:answer|response|candidate|reply)\s"
            r"(?:as|over|highest|above|first)\b"
        ),
    ),
    _Detector(
        "vote_claim",
        ("agree", "voted", "chose", "concur", "answered", "decided"),
        re.compile(
            r"\ball\s(?:the\s|other\s)?(?:panel(?:ist)?s?|(?:language\s|ai\s|other\s)models|arbiters|judges)\s"
            r"(?:members\s)?(?:have\s|already\s){0,2}(?:agree|agreed|voted|chose|concur|answered)\b"
            r"|\bthe\spanel\shas\s(?:already\s)?(?:agreed|decided|voted)\b"
        ),
    ),
    _Detector(
        "obeyed_instruction",
        ("instruct", "directed", "told", "commanded", "requested", "ordered", "rules", "guidelines"),
        re.compile(
            r"\b(?:as|per|following|according\sto|in\sline\swith)\s"
            r"(?:instructed|directed|told|commanded|requested|ordered"
            r"|the\s(?:new|updated|override|embedded|hidden|injected)\sinstructions?)"
            r"\s?(?:in|by|from|of|within)?\s?(?:the\s)?"
            r"(?:context|document|passage|data|note|text|email|page|file|attachment)\b"
            r"|\bi\s(?:will|shall)\s(?:now\s)?(?:ignore|disregard)\s(?:my|the|all|any)\s"
            r"(?:previous\s|prior\s|original\s|system\s)?(?:instructions?|rules|guidelines)\b"
        ),
    ),
    _Detector(
        "exfiltration",
        ("http",),
        re.compile(r"!\[[^\]\n]{0,200}\]\(\s?https?://[^\s)]{1,2000}[?&=]|<img\s[^>\n]{0,200}src\s?=\s?[\"']?https?:"),
    ),
    _Detector(
        "prompt_probe",
        ("prompt", "canary", "instructions"),
        re.compile(
            r"\b(?:reveal|repeat|print|output|show|leak|disclose)\s(?:me\s)?(?:your|the)\s(?:\w{1,12}\s)?"
            r"(?:system\sprompt|hidden\sprompt|initial\sinstructions|canary|secret\sinstructions)\b"
        ),
    ),
)

_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_HIDING = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0020-\U000e007f]|[\u200b-\u200d\u2060-\u2064]{4}")
"""Bidi overrides, tag characters, or a run of zero-width characters: nobody types these, they hide text."""

CODES = (*(detector.code for detector in _DETECTORS), HIDDEN_TEXT, CANARY_LEAK)


def marks(text: str) -> tuple[str, ...]:
    """Codes of the detectors that fire on ``text``, in a fixed order."""
    scanned = text[:SCAN_MAX]
    plain = _plain(scanned)
    fired = tuple(detector.code for detector in _DETECTORS if detector.fires(plain))
    return (*fired, HIDDEN_TEXT) if not scanned.isascii() and _HIDING.search(scanned) else fired


def marks_of_reply(text: str, nonce: str) -> tuple[str, ...]:
    """`marks` of a model's reply, and whether it leaked the canary of its prompt."""
    found = marks(text)
    return (*found, CANARY_LEAK) if nonce and canary(nonce) in text.lower() else found


def marks_of_context(request: Request) -> tuple[str, ...]:
    """`marks` of the context that the request brought along.

    The question is the caller's own word and may speak of instructions; in it only hidden text is suspicious.
    """
    found = marks(request.context) if request.context is not None else ()
    hidden = HIDDEN_TEXT not in found and _HIDING.search(question(request)[:SCAN_MAX]) is not None
    return (*found, HIDDEN_TEXT) if hidden else found


def _plain(text: str) -> str:
    visible = text.lower() if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).lower())
    return re.sub(r"[ \t\u00a0]{2,}", " ", visible)
