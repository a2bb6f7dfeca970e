"""Replies that give no answer on purpose: refusals and abstentions. Looked for only when no answer was found."""

from __future__ import annotations

import re

from consensus.types import LabelKind

_EDGE = 1_200
"""A refusal or an abstention stands at the start or at the end of a reply; what lies between is not searched."""

_CANNOT = (
    r"(?:can\s?not|can['’]?t|won['’]?t|will\snot|(?:am|['’]m)\s(?:not\sable|unable)\sto|unable\sto"
    r"|must\sdecline\sto|decline\sto)"
)
_REFUSAL = re.compile(
    rf"\bi\s?{_CANNOT}\s(?:\w{{1,12}}\s)?"
    r"(?:assist|help|comply|fulfil+|participate|engage|support|discuss|advise|offer\sadvice)\b"
    r"|\bi['’]?m\s(?:unable|not\sable)\sto\s(?:assist|help|comply|fulfil+|provide\s(?:that|this|medical|legal))"
    r"|\bi\s(?:must|have\sto)\s(?:respectfully\s)?(?:decline|refuse)\b|\bi\srefuse\sto\b"
    r"|\b(?:against|violates?)\s(?:my|our|the)\s(?:\w{1,12}\s)?(?:guidelines|policy|policies|programming|principles)\b"
    rf"|\bas\san?\s(?:ai|artificial|language|large)\b[^.\n]{{0,80}}\bi\s?{_CANNOT}\b"
    rf"|\bi['’]?m\ssorry,?\s(?:but\s)?i\s?{_CANNOT}\b"
    r"|\b(?:can\s?not|can['’]?t)\sprovide\s(?:medical|legal|financial)\sadvice\b",
    re.IGNORECASE,
)
_ABSTENTION = re.compile(
    r"\bi\s(?:do\snot|don['’]?t)\sknow\b|\bi['’]?m\snot\s(?:sure|certain)\b|\bi\sam\snot\s(?:sure|certain)\b"
    r"|\b(?:not\spossible|impossible)\sto\s(?:answer|determine|say|tell|select|choose|decide|provide|give|calculate)"
    r"|\b(?:can\s?not|can['’]?t|could\snot|couldn['’]?t|unable\sto)\s(?:be\s)?"
    r"(?:answer|determine|select|choose|decide|decided|tell|conclude|identify|provide\s(?:an?\s)?(?:\w{1,12}\s)?answer"
    r"|give\s(?:an?\s)?(?:\w{1,12}\s)?answer|answered|determined|concluded)"
    r"|\b(?:not\senough|insufficient|too\slittle|lacks?\sthe)\s(?:information|data|context|detail|evidence)"
    r"|\bnone\sof\sthe\s(?:\w{1,12}\s)?"
    r"(?:above|options?|choices|answers|alternatives|statements|given|provided|listed|available)\b"
    r"|\bno\s(?:correct|right|suitable|valid|matching)\s(?:answer|option|choice)\b"
    r"|\bnot\s(?:among|listed\s(?:in|among)|one\sof)\sthe\s(?:\w{1,12}\s)?(?:options|choices|answers)\b"
    r"|\b(?:unanswerable|abstain|i\spass|no\sanswer)\b",
    re.IGNORECASE,
)
_DECLINED_VALUE = re.compile(
    r"\W{0,6}(?:null|none|n/?a|unknown|undetermined|abstain(?:ed)?|no answer|(?:i )?(?:do not|don['’]?t) know"
    r"|cannot (?:be determined|determine|say)|can['’]?t (?:say|tell)|not enough information|insufficient information"
    r"|none of the (?:above|options)|unanswerable|undecided|unsure)\W{0,6}",
    re.IGNORECASE,
)

_DENIAL = re.compile(
    r"\b(?:closest|nearest|none\sof|mistake|incorrect|close\sto\s(?:option|choice))\b"
    r"|\b(?:not|n['’]t)\s(?:listed|given|available|provided|among|one\sof|match|correct|the\scorrect)\b",
    re.IGNORECASE,
)

_OPTION = r"(?:options?|choices?|answers?|alternatives?|values?|match(?:es)?|one|\([A-Z]\))"
_NEAR_MISS = re.compile(
    rf"\b(?:closest|nearest)\s(?:to\s)?(?:\w{{1,12}}\s){{0,3}}{_OPTION}"
    rf"|\b{_OPTION}\s(?:\w{{1,12}}\s){{0,2}}(?:closest|nearest)\b"
    r"|\bclose\sto\s(?:the\s)?(?:option|choice)\b"
    r"|\bnone\sof\s(?:the|these)\s(?:\w{1,12}\s){0,2}(?:options|choices|answers|alternatives)\b"
    r"|(?:\bnot|n['’]t|\bno)\s(?:\w{1,12}\s){0,4}(?:options|choices)\b"
    r"|(?:\bnot|n['’]t)\s(?:an\soption|listed|available)\b",
    re.IGNORECASE,
)
_REACH = 600
"""Characters before a place in a reply in which a near miss still speaks of it."""


def near_miss(text: str, end: int) -> bool:
    """Whether the reply has just said, before ``end``, that its own result is no option, or only close to one."""
    return _NEAR_MISS.search(text, max(0, end - _REACH), end) is not None


def denies_options(text: str) -> bool:
    """Whether a reply says that what it found is none of the options, or only close to one."""
    return _DENIAL.search(text) is not None


def declined(value: str) -> bool:
    """Whether a stated answer says that there is none ("unknown", "cannot be determined", "null")."""
    return len(value) <= 80 and _DECLINED_VALUE.fullmatch(value) is not None


def silence(text: str) -> LabelKind:
    """What a reply without a readable answer is: refused, abstained, or invalid."""
    edges = text if len(text) <= 2 * _EDGE else f"{text[:_EDGE]}\n{text[-_EDGE:]}"
    if _REFUSAL.search(edges):
        return LabelKind.REFUSED
    return LabelKind.ABSTAINED if _ABSTENTION.search(edges) else LabelKind.INVALID
