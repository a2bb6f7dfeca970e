"""Free text. Canonical value: the answer as written, without markdown, label and surrounding space.

Sameness has three outcomes. Texts with one canonical form are the same. A sure finding of `facts` (another number, a
negation, names in each other's place, …) makes them different. Otherwise they are merged when nothing speaks against it
and either each says all that the other says, or their score reaches the threshold fitted for 95 % right merges. The
rest is undecided, which a judge may settle and which counts as disagreement until then. See docs/equivalence.md.
"""

from __future__ import annotations

import re
from typing import Any

from consensus.answers import facts, lexical, profile
from consensus.answers.claims import restated
from consensus.answers.explicit import Found, Statement
from consensus.answers.protocol import Ask, Reading, Sameness
from consensus.answers.reader import Reader, answer, invalid
from consensus.answers.refusals import declined, silence
from consensus.answers.tokens import canonical
from consensus.errors import Malformed
from consensus.types import LabelKind, LabelValue, TextSpec

_EMPHASIS = re.compile(r"\*\*|__|(?<![\w*])[*`](?=\S)|(?<=\S)[*`](?![\w*])|^#{1,6}\s", re.MULTILINE)
_FENCE = re.compile(r"^```[a-z]{0,12}\n?|\n?```$")
_LABEL = re.compile(r"\s{0,20}(?:final\s|short\s|my\s)?(?:answer|response|conclusion)\s{0,5}:\s{0,20}", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\b(?:however|(?<!sorry, )(?<!sorry )but|nevertheless|that said|according to|as of|based on)\b", re.IGNORECASE
)
_SILENT_MAX = 600
"""Characters up to which a reply that says it cannot answer is nothing but that."""


def _plain(text: str) -> str:
    """The text without fences, emphasis, headings and quotes around the whole."""
    bare = _EMPHASIS.sub("", _FENCE.sub("", text.strip())).strip()
    if len(bare) >= 2 and bare[0] == bare[-1] == '"' and '"' not in bare[1:-1]:
        bare = bare[1:-1].strip()
    return bare


class _TextReader(Reader):
    def value(self, value: Any) -> Reading:
        said = _plain(value) if isinstance(value, str) else ""
        return answer(said, said) if said else invalid()

    def words(self, text: str, statement: Statement) -> Found | None:
        """The rest of the line; the whole rest of a reply that begins with its label."""
        labelled = not text[: statement.start].strip()
        end = len(text) if labelled else statement.end
        said = _plain(text[statement.begin : end])
        return None if not said or declined(said) else Found(statement.start, end, answer(said, said))

    def bare(self, text: str) -> Reading | None:
        said = _plain(_LABEL.sub("", text, count=1) if _LABEL.match(text) else text)
        if not said:
            return None
        if declined(said):
            return Reading(LabelKind.ABSTAINED)
        kind = silence(said)
        if kind is not LabelKind.INVALID and len(said) <= _SILENT_MAX and not _GOES_ON.search(said):
            return Reading(kind)
        return answer(said, said)

    def same(self, a: Reading, b: Reading) -> bool:
        return a.kind is b.kind and (a.value == b.value or sameness(str(a.value), str(b.value)) is Sameness.SAME)

    def _bare(self, text: str) -> Reading | None:
        """Any reply is an answer in free text, however long."""
        return self.bare(text.strip())


def sameness(a: str, b: str, question: str = "") -> Sameness:
    """Whether two answers mean the same, by facts and words. Reflexive, symmetric; linear in the texts' length.

    ``question`` is what both answer, empty when unknown: words that it has in common with an answer then tell nothing.
    """
    if a == b:
        return Sameness.SAME
    if canonical(a) == canonical(b):
        return Sameness.DIFFERENT if facts.units_apart(a, b) else Sameness.SAME
    found = facts.findings(a, b, profile.question(question).stems)
    if any(finding.grade == "sure" for finding in found):
        return Sameness.DIFFERENT
    if any(finding.grade == "doubt" for finding in found):
        return Sameness.UNDECIDED
    if restated(a, b):
        return Sameness.SAME
    model = lexical.fitted().asked if question else lexical.fitted().alone
    score = model.probability(lexical.features(a, b, question, found))
    return Sameness.SAME if score >= model.threshold else Sameness.UNDECIDED


class Text:
    """Free text."""

    def ask(self, spec: TextSpec) -> Ask:
        """Instructions and reply schema: a string, or null."""
        return Ask("The answer is a short text.", {"type": ["string", "null"]}, (), "text/1")

    def read(self, spec: TextSpec, text: str) -> Reading:
        """The JSON reply's answer, else a stated answer, else the reply itself unless it says that it has none."""
        return _TextReader().read(text)

    def same(self, spec: TextSpec, a: LabelValue, b: LabelValue, question: str = "") -> Sameness:
        """``exact``: one canonical form or different. ``lexical`` (default) and ``judge``: see the module."""
        if spec.equivalence == "exact":
            return Sameness.SAME if canonical(str(a)) == canonical(str(b)) else Sameness.DIFFERENT
        return sameness(str(a), str(b), question)

    def check(self, spec: TextSpec, value: LabelValue) -> LabelValue:
        """A text with something in it."""
        if not isinstance(value, str) or not value.strip():
            raise Malformed("must be a text", field="answer", code="wrong_type")
        return value.strip()


TYPE = Text()
