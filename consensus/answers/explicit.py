"""Where a reply states its answer in words: explicit statements, the model's own next question, words of retraction.

Every pattern is linear: it starts at a literal word, and every repetition is bounded or of one character class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from consensus.answers.protocol import Reading
from consensus.types import LabelKind

MAX_STATEMENTS = 1_000
"""A reply in a loop repeats itself; what it says after a thousand statements is not read."""
WINDOW = 600
"""Characters after a cue in which its answer is looked for."""

_ADJECTIVE = r"(?:correct|best|right|only|final|proper|appropriate|likely|accurate|suitable|chosen)"
_NOUN = rf"(?:answers?|{_ADJECTIVE}\s{{1,3}}(?:option|choice|response|statement|alternative|conclusion))"
_VERB = r"(?:is|are|was|would\sbe|should\sbe|must\sbe|will\sbe|has\sto\sbe|appears\sto\sbe|seems\sto\sbe)"
_CUE = re.compile(
    rf"\b{_NOUN}\b(?:\s{{1,3}}(?:to|for|of|here|in|that|which|must|among|from|choice|option|letter)\b[^.:\n]{{0,80}}?)?"
    rf"[*_\"]{{0,3}}\s{{0,3}}(?:(?<![a-z]){_VERB}\b[*_]{{0,3}}|[:=])"
    r"|\\boxed\s?(?=\{)|\\fbox\s?(?=\{)"
    r"|^[#*_ ]{0,8}(?:final\s)?answer[*_: ]{0,6}$",
    re.IGNORECASE | re.MULTILINE,
)
_FILLER = re.compile(
    r"[\s:*_`>=]{0,20}(?:(?:therefore|thus|hence|then|indeed|clearly|actually|likely|probably|most\slikely|simply|also"
    r"|still|now|given\sby)\b[\s:,*_`]{0,5}){0,3}",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"^[#*_ \t>-]{0,6}(?:next\s|new\s|another\s|follow-?up\s)?(?:question|problem|q|exercise)(?:\s?\d{1,4})?"
    r"[*_]{0,3}\s?[:.)]"
    r"|<\|(?:im_start|start_header_id|user|eot_id|endoftext)\|?>"
    r"|^[ \t]{0,4}(?:user|human|student)\s?:|\[/?INST\]"
    r"|\b(?:combin|summari[sz]|collect|list)(?:e|es|ing)?\s(?:up\s)?all\s(?:of\s)?(?:the\s|these\s|our\s)?"
    r"(?:above\s)?answers\b"
    r"|总结",
    re.IGNORECASE | re.MULTILINE,
)
_RETRACTION = re.compile(
    r"\b(?:wait|correction|i\smade\s(?:a|an)\s(?:mistake|error)|i\swas\swrong"
    r"|(?:that|this|which)\s(?:is|was)\s(?:wrong|incorrect|not\scorrect|not\sright)"
    r"|let(?:\sme|['’]?s)\s(?:re-?check|re-?consider|re-?think|re-?do|correct|re-?calculate|re-?evaluate|re-?examine)"
    r"|on\s(?:second\sthought|reflection)|upon\s(?:re-?consideration|reflection|re-?checking|review|re-?evaluation)"
    r"|i\s(?:apologi[sz]e|take\sthat\sback|misread|misspoke)|apologies|scratch\sthat|my\smistake|actually,|no,\s)",
    re.IGNORECASE,
)
_PREFACE = 80
"""A question heading within the first characters restates the question that was asked; a later one starts a new one."""


@dataclass(frozen=True)
class Statement:
    """An explicit statement: the cue starts at ``start``; its answer lies in text[begin:end]."""

    start: int
    begin: int
    end: int


def own_part(text: str, answered: Callable[[str], bool]) -> str:
    """The reply up to where the model starts another question of its own.

    ``answered`` says whether a short preface is already an answer; then even an early heading starts another question.
    """
    for heading in _QUESTION.finditer(text):
        before = text[: heading.start()].strip()
        if before and (len(before) > _PREFACE or _CUE.search(before) or answered(before)):
            return text[: heading.start()]
    return text


def statements(text: str) -> list[Statement]:
    """Explicit statements in order, at most `MAX_STATEMENTS`; none reaches into the next one."""
    cues = list(islice(_CUE.finditer(text), MAX_STATEMENTS))
    starts = [cue.start() for cue in cues] + [len(text)]
    return [_statement(text, cue, end) for cue, end in zip(cues, starts[1:], strict=True)]


def _statement(text: str, cue: re.Match[str], end: int) -> Statement:
    """A cue with what follows it: up to the end of its line, the next statement or `WINDOW` characters."""
    filler = _FILLER.match(text, cue.end(), end)
    begin = filler.end() if filler else cue.end()
    end = max(begin, min(end, begin + WINDOW))
    line = text.find("\n", begin, end)
    return Statement(cue.start(), begin, end if line < 0 else line)


def retracted(text: str, start: int, end: int) -> bool:
    """Whether words of retraction stand in text[start:end]. "Final answer" is none of them."""
    return _RETRACTION.search(text, start, end) is not None


@dataclass(frozen=True)
class Found:
    """One answer read from the reply, with the [start, end) of its surface; ``reading.kind`` may be any."""

    start: int
    end: int
    reading: Reading


def settle(text: str, found: Sequence[Found], same: Callable[[Reading, Reading], bool]) -> Reading | None:
    """One reading out of several explicit ones, or None when there is none.

    A later statement replaces the earlier ones when words of retraction stand between; otherwise readings that differ
    make the reply ``conflicting``. Statements that hold no answer of the spec count only when there is no other.
    """
    opinions = [f for f in found if f.reading.kind in (LabelKind.ANSWER, LabelKind.CONFLICTING)]
    if not opinions:
        return found[-1].reading if found else None
    kept: list[Found] = []
    for item in opinions:
        if kept and not same(kept[-1].reading, item.reading) and retracted(text, kept[-1].end, item.start):
            kept = []
        kept.append(item)
    if all(same(kept[0].reading, item.reading) for item in kept):
        return kept[-1].reading
    return Reading(LabelKind.CONFLICTING)
