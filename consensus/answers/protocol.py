"""The seam of answer types: how to ask, how to read, when two answers are the same. One file per type implements it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from consensus.types import Frozen, LabelKind, LabelValue

Spec_contra = TypeVar("Spec_contra", bound=Frozen, contravariant=True)


class Sameness(StrEnum):
    """Whether two canonical answers mean the same. UNDECIDED is never agreement until a judge says SAME."""

    SAME = "same"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Ask:
    """How one answer type is asked for.

    instructions  sentences for the model that say what the answer must look like.
    schema        JSON Schema of the reply's ``answer`` member (``null`` stands for abstaining), or None.
    options       the allowed answers in the words the model is told to use; empty for open answers.
    template      name and version, e.g. ``choice/1``: a change of wording is another version.
    """

    instructions: str
    schema: dict[str, Any] | None
    options: tuple[str, ...]
    template: str


@dataclass(frozen=True)
class Reading:
    """What a reader found in a reply.

    kind            ``answer`` exactly when ``value`` is given; else abstained, refused, truncated, conflicting,
                    or invalid.
    value           canonical value in the spec's own terms (option id, bool, number in the spec's unit, …).
    surface         the answer as the model wrote it, at most `SURFACE_MAX` characters.
    raw_confidence  what the model said of its own confidence, in [0, 1], or None.
    span            [start, end) of the surface in the reply's text, for token log probabilities; None if unknown.
    marks           codes of oddities found while reading.
    """

    kind: LabelKind
    value: LabelValue = None
    surface: str | None = None
    raw_confidence: float | None = None
    span: tuple[int, int] | None = None
    marks: tuple[str, ...] = ()


SURFACE_MAX = 2_000


class AnswerType(Protocol[Spec_contra]):
    """Everything the service knows about one answer type. Pure; no method raises on any text."""

    def ask(self, spec: Spec_contra) -> Ask:
        """Instructions and reply schema for the prompt."""
        ...

    def read(self, spec: Spec_contra, text: str) -> Reading:
        """Read one complete reply. Linear in the text's length."""
        ...

    def same(self, spec: Spec_contra, a: LabelValue, b: LabelValue) -> Sameness:
        """Reflexive and symmetric comparison of two canonical values."""
        ...

    def check(self, spec: Spec_contra, value: LabelValue) -> LabelValue:
        """Canonical form of a label that a person or an outcome supplied. Raises Malformed (field ``answer``)."""
        ...
